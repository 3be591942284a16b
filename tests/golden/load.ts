// The golden references as typed values, for tests in Node and in the browser alike: nothing is fetched or read from
// disk, every file is part of the bundle. What each entry means is in README.md; tools/golden makes them.
import attentionMapsGolden from './attention-maps.json'
import longGolden from './long.json'
import oddGolden from './tiny-llama-odd.json'
import tinyGolden from './tiny-llama.json'
import vectorGolden from './vectors.json'
import type {
  AttentionMapsGolden,
  FamilyGolden,
  FamilyName,
  Golden,
  GoldenArray,
  GoldenName,
  LongGolden,
  Variant,
  VectorGolden,
} from './types.ts'

export type * from './types.ts'

/** The two models of before the other families, every section present. */
export const GOLDENS: Record<GoldenName, Golden> = { 'tiny-llama': tinyGolden, 'tiny-llama-odd': oddGolden }
export const GOLDEN_NAMES: readonly GoldenName[] = ['tiny-llama', 'tiny-llama-odd']
/** Single operations in float64. */
export const VECTORS: VectorGolden = vectorGolden

/** Rollout, entropies and heads switched off, by model. */
export const ATTENTION_MAPS = attentionMapsGolden as unknown as Record<string, AttentionMapsGolden>

/** Every model of every family. */
export const FAMILY_NAMES: readonly FamilyName[] = [
  'tiny-llama',
  'tiny-llama-odd',
  'tiny-llama3',
  'tiny-llama-linear',
  'tiny-qwen2',
  'tiny-qwen3',
  'tiny-gemma3',
  'tiny-gpt2',
  'tiny-bert',
  'tiny-distilbert',
  'tiny-roberta',
]

const FAMILIES: Record<string, FamilyGolden> = import.meta.glob('./families/*.json', {
  eager: true,
  import: 'default',
})

/** Other adapters, methods and precisions of some of the models, by name. */
export const VARIANTS: readonly Variant[] = Object.values(
  import.meta.glob<Variant>('./variants/*.json', { eager: true, import: 'default' }),
)

/** A hundred steps on every precision of one base. */
export const LONG = longGolden as LongGolden

/** Texts by path, and data: URLs of the bytes of tensor files. */
type Sources = Record<string, string>

const TEXTS: Sources = import.meta.glob(['./tiny-*/*.json', './models/*/*.json', './adapters/*/*.json'], {
  eager: true,
  query: '?raw',
  import: 'default',
})
const TENSORS: Sources = import.meta.glob(
  ['./tiny-*/*.safetensors', './models/*/*.safetensors', './adapters/*/*.safetensors'],
  { eager: true, query: '?url&inline', import: 'default' },
)
const SOURCES: Sources = { ...TEXTS, ...TENSORS }

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

function bytesOf(source: string): Uint8Array<ArrayBuffer> {
  if (!source.startsWith('data:')) return new TextEncoder().encode(source)
  return fromBase64(source.slice(source.indexOf(',') + 1))
}

/** The files of a folder by name. */
function folderBytes(folder: string): Map<string, Uint8Array<ArrayBuffer>> {
  const start = `./${folder}/`
  const found = Object.entries(SOURCES).filter(([path]) => path.startsWith(start))
  if (found.length === 0) throw new RangeError(`tests/golden/${folder} has no files.`)
  return new Map(found.map(([path, source]) => [path.slice(start.length), bytesOf(source)]))
}

const filesOf = (bytes: Map<string, Uint8Array<ArrayBuffer>>): File[] =>
  [...bytes].map(([name, content]) => new File([content], name))

const isFirst = (name: FamilyName): name is GoldenName => name in GOLDENS

/** The goldens of any model. */
export function familyGolden(name: FamilyName): FamilyGolden {
  if (isFirst(name)) return GOLDENS[name] as FamilyGolden
  const golden = FAMILIES[`./families/${name}.json`]
  if (!golden) throw new RangeError(`There is no golden file of ${name}.`)
  return golden
}

/** The id that padding has in a model's goldens. */
export function padIdOf(golden: FamilyGolden): number {
  return golden.padId ?? Number(golden.config['pad_token_id'])
}

/** The values of an entry, row-major. */
export function decode(entry: GoldenArray): Float32Array<ArrayBuffer> {
  return new Float32Array(fromBase64(entry.data).buffer)
}

/** Every tensor of a record, decoded, by its PEFT name. */
export function decodeAll(
  entries: Record<string, GoldenArray>,
): Map<string, { shape: number[]; values: Float32Array }> {
  return new Map(
    Object.entries(entries).map(([name, entry]) => [name, { shape: entry.shape, values: decode(entry) }]),
  )
}

/** A base model's files by name: config.json, tokenizer files, one tensor file or an index and its shards. */
export function modelBytes(name: FamilyName): Map<string, Uint8Array<ArrayBuffer>> {
  return folderBytes(isFirst(name) ? name : `models/${name}`)
}

/** The same as a person would drop them. */
export function modelFiles(name: FamilyName): File[] {
  return filesOf(modelBytes(name))
}

/** The starting adapter as peft wrote it: adapter_config.json, adapter_model.safetensors. */
export function adapterFiles(name: FamilyName, task: 'causal' | 'classify'): File[] {
  return filesOf(folderBytes(isFirst(name) ? `${name}-${task}-adapter` : `adapters/${name}-${task}`))
}

/** The files of a variant as peft wrote them; `folder` is the variant's own. */
export function variantFiles(folder: string): File[] {
  return filesOf(folderBytes(`adapters/${folder}`))
}

/** Largest |ours - theirs|, relative to the largest |theirs|; not a number where any of ours is not. */
export function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) throw new RangeError(`${ours.length} values against ${theirs.length}.`)
  let difference = 0
  let largest = 0
  for (let i = 0; i < ours.length; i++) {
    const delta = Math.abs(ours[i]! - theirs[i]!)
    if (Number.isNaN(delta)) return NaN
    difference = Math.max(difference, delta)
    largest = Math.max(largest, Math.abs(theirs[i]!))
  }
  return largest === 0 ? difference : difference / largest
}
