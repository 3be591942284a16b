// The golden references as typed values, for tests in Node and in the browser alike: nothing is fetched or read from
// disk, every file is part of the bundle. What each entry means is in README.md; tools/golden makes them.
import oddModel from './tiny-llama-odd/model.safetensors?url&inline'
import oddConfig from './tiny-llama-odd/config.json?raw'
import oddTokenizer from './tiny-llama-odd/tokenizer.json?raw'
import oddTokenizerConfig from './tiny-llama-odd/tokenizer_config.json?raw'
import oddCausalConfig from './tiny-llama-odd-causal-adapter/adapter_config.json?raw'
import oddCausalTensors from './tiny-llama-odd-causal-adapter/adapter_model.safetensors?url&inline'
import oddClassifyConfig from './tiny-llama-odd-classify-adapter/adapter_config.json?raw'
import oddClassifyTensors from './tiny-llama-odd-classify-adapter/adapter_model.safetensors?url&inline'
import oddGolden from './tiny-llama-odd.json'
import tinyModel from './tiny-llama/model.safetensors?url&inline'
import tinyConfig from './tiny-llama/config.json?raw'
import tinyTokenizer from './tiny-llama/tokenizer.json?raw'
import tinyTokenizerConfig from './tiny-llama/tokenizer_config.json?raw'
import tinyCausalConfig from './tiny-llama-causal-adapter/adapter_config.json?raw'
import tinyCausalTensors from './tiny-llama-causal-adapter/adapter_model.safetensors?url&inline'
import tinyClassifyConfig from './tiny-llama-classify-adapter/adapter_config.json?raw'
import tinyClassifyTensors from './tiny-llama-classify-adapter/adapter_model.safetensors?url&inline'
import tinyGolden from './tiny-llama.json'
import vectorGolden from './vectors.json'
import type { Golden, GoldenArray, GoldenName, VectorGolden } from './types.ts'

export type * from './types.ts'

/** Every model that has goldens, by name. */
export const GOLDENS: Record<GoldenName, Golden> = { 'tiny-llama': tinyGolden, 'tiny-llama-odd': oddGolden }
export const GOLDEN_NAMES: readonly GoldenName[] = ['tiny-llama', 'tiny-llama-odd']
/** Single operations in float64. */
export const VECTORS: VectorGolden = vectorGolden

/** A file's text, or a data: URL of its bytes. */
type Sources = Record<string, string>

const MODELS: Record<GoldenName, Sources> = {
  'tiny-llama': {
    'config.json': tinyConfig,
    'model.safetensors': tinyModel,
    'tokenizer.json': tinyTokenizer,
    'tokenizer_config.json': tinyTokenizerConfig,
  },
  'tiny-llama-odd': {
    'config.json': oddConfig,
    'model.safetensors': oddModel,
    'tokenizer.json': oddTokenizer,
    'tokenizer_config.json': oddTokenizerConfig,
  },
}

const ADAPTERS: Record<`${GoldenName}-${'causal' | 'classify'}`, Sources> = {
  'tiny-llama-causal': {
    'adapter_config.json': tinyCausalConfig,
    'adapter_model.safetensors': tinyCausalTensors,
  },
  'tiny-llama-classify': {
    'adapter_config.json': tinyClassifyConfig,
    'adapter_model.safetensors': tinyClassifyTensors,
  },
  'tiny-llama-odd-causal': {
    'adapter_config.json': oddCausalConfig,
    'adapter_model.safetensors': oddCausalTensors,
  },
  'tiny-llama-odd-classify': {
    'adapter_config.json': oddClassifyConfig,
    'adapter_model.safetensors': oddClassifyTensors,
  },
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}

function bytesOf(source: string): Uint8Array<ArrayBuffer> {
  if (!source.startsWith('data:')) return new TextEncoder().encode(source)
  return fromBase64(source.slice(source.indexOf(',') + 1))
}

function filesOf(sources: Sources): File[] {
  return Object.entries(sources).map(([name, source]) => new File([bytesOf(source)], name))
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

/** The base model as a person would drop it: config.json, model.safetensors, tokenizer.json, tokenizer_config.json. */
export function modelFiles(name: GoldenName): File[] {
  return filesOf(MODELS[name])
}

/** The same by file name, as bytes. */
export function modelBytes(name: GoldenName): Map<string, Uint8Array<ArrayBuffer>> {
  return new Map(Object.entries(MODELS[name]).map(([file, source]) => [file, bytesOf(source)]))
}

/** The starting adapter as peft wrote it: adapter_config.json, adapter_model.safetensors. */
export function adapterFiles(name: GoldenName, task: 'causal' | 'classify'): File[] {
  return filesOf(ADAPTERS[`${name}-${task}`])
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
