// An export is read back and asked the same questions as what it was made from, before anybody downloads it.
import { dispose, keep, tensor, type Tensor } from '@tensorflow/tfjs-core'
import type { TensorToWrite } from '../../formats/safetensors.ts'
import { elements } from '../../formats/safetensorsStream.ts'
import { GraftError } from '../../protocol/errors.ts'
import { inspectLogits } from '../explain/inspect.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { loadTransformer } from '../models/load.ts'
import { tensorSpecs } from '../models/tensors.ts'
import type { Transformer } from '../models/transformer.ts'
import { openWeights, type ByteFile, type WeightSource } from '../models/weights.ts'
import { savedName } from '../nn/adaptation.ts'
import type { Ops } from '../ops/ops.ts'
import { words } from '../rng.ts'
import type { Trainable } from '../train/objective.ts'
import { tensorAdaptation } from './adaptation.ts'
import type { FloatType } from './encode.ts'
import type { AdapterPlan } from './plan.ts'
import { readPeft } from './readPeft.ts'
import { tensorsAtStrength } from './strength.ts'

/** Largest difference of the logits / largest logit. An adapter is the same numbers in other places; PiSSA's are added up
 *  in another order. */
const ADAPTER_TOLERANCE = 1e-5
const CONVERTED_TOLERANCE = 1e-4
/** What the rounding of every weight to 24, 11 or 8 bits may do to the logits of a deep model. */
const MERGED_TOLERANCE: Record<FloatType, number> = { f32: 1e-4, f16: 2e-2, bf16: 1e-1 }
/** Tokens of the rows that are asked. */
const LENGTHS = [3, 7, 12]
/** Float32 bytes that are loaded at once for the check: of a larger model some layers at a time. */
const CHECK_BYTES = 2 ** 28
/** Such groups of layers that are looked at, at most: each loads the token table again. */
const MAX_GROUPS = 3

export interface AdapterCheck {
  model: Transformer
  /** What was exported, as it stands beside the model. */
  trainable: Trainable
  files: ReadonlyMap<string, Uint8Array>
  /** As planAdapter has it. */
  bare: boolean
  padId: number
  /** Factors were converted on the way: PiSSA. */
  converted: boolean
}

/** The largest relative difference. Throws E_INTERNAL where the written adapter is another one. */
export async function verifyAdapterExport(check: AdapterCheck): Promise<number> {
  const { model, trainable, files, bare, padId, converted } = check
  const imported = readPeft(files, model.family, model.architecture, bare)
  const tensors = upload(imported.tensors)
  try {
    const read = { adaptation: tensorAdaptation(tensors, imported.plan), classify: imported.labels !== null }
    const worst = await largestDifference(
      (ids) => logits(model, ids, trainable, padId),
      (ids) => logits(model, ids, read, padId),
      model.architecture,
    )
    return accept('adapter', worst, converted ? CONVERTED_TOLERANCE : ADAPTER_TOLERANCE)
  } finally {
    dispose([...tensors.values()])
  }
}

export interface MergedCheck {
  family: Family
  architecture: Architecture
  ops: Ops
  /** The checkpoint of the base. */
  source: WeightSource
  plan: AdapterPlan
  tensors: readonly TensorToWrite[]
  strength: number
  classify: boolean
  /** The written safetensors files. */
  weights: readonly ByteFile[]
  dtype: FloatType
  padId: number
  /** Bytes of float32 weights that may be on the device for this. */
  bytes?: number
}

/**
 * Loads the base in float32 with the adapter beside it, then the merged model, and compares. Of a model with too many
 * layers for the memory, a few consecutive layers of both are taken at a time, from the first to the last.
 * Throws E_INTERNAL where they differ by more than rounding.
 */
export async function verifyMergedExport(check: MergedCheck): Promise<number> {
  const { source, plan, strength, classify, family } = check
  const merged = await openWeights(check.weights)
  const tensors = upload(check.tensors)
  const mixed = await tensorsAtStrength(family, source, plan, tensors, strength)
  // The merged model has its own classifier beside the layers that every base has.
  const own = plan.saved.filter(({ start }) => start === 'new')
  const classifier = new Map<string, Tensor>()
  try {
    for (const { name, shape } of own)
      classifier.set(savedName(name), keep(tensor(await merged.read(name), shape as number[])))
    const beside = { adaptation: tensorAdaptation(mixed, plan, strength), classify }
    const alone = { layers: [], saved: own, lowest: Infinity }
    const inside = { adaptation: classify ? tensorAdaptation(classifier, alone) : null, classify }
    let worst = 0
    for (const layers of layerGroups(check)) {
      const expected = await answers(check, layers, source, beside)
      const found = await answers(check, layers, merged, inside)
      worst = Math.max(worst, ...expected.map((row, i) => difference(row, found[i]!)))
    }
    return accept('merged model', worst, MERGED_TOLERANCE[check.dtype])
  } finally {
    dispose([...tensors.values(), ...mixed.values(), ...classifier.values()])
  }
}

/** The logits of some rows from these layers alone. */
async function answers(
  check: MergedCheck,
  layers: readonly number[],
  weights: WeightSource,
  trainable: Trainable,
): Promise<Float32Array[]> {
  const { family, architecture } = withLayers(check, layers)
  const model = await loadTransformer(family, architecture, weights, check.ops)
  try {
    const rows: Float32Array[] = []
    for (const ids of tokenRows(architecture)) rows.push(await logits(model, ids, trainable, check.padId))
    return rows
  } finally {
    model.dispose()
  }
}

/** All layers, or groups of as many as there is room for. */
function layerGroups({ family, architecture: a, bytes = CHECK_BYTES }: MergedCheck): number[][] {
  const size = (of: (layer: number) => boolean) =>
    tensorSpecs(family, a)
      .filter(({ layer }) => of(layer))
      .reduce((sum, { shape }) => sum + 4 * elements(shape), 0)
  const room = bytes - size((layer) => layer < 0 || layer === Infinity)
  const count = Math.max(1, Math.min(a.layers, Math.floor(room / size((layer) => layer === 0))))
  const groups = Math.min(MAX_GROUPS, Math.ceil(a.layers / count))
  return Array.from({ length: groups }, (_, group) => {
    const first = groups === 1 ? 0 : Math.round((group * (a.layers - count)) / (groups - 1))
    return Array.from({ length: count }, (__, i) => first + i)
  })
}

/** The family and architecture of a model that has only these layers, under their own names. */
function withLayers({ family, architecture: a, classify }: MergedCheck, layers: readonly number[]) {
  const { positions, attention } = a
  const rope = positions.kind === 'rope' && {
    positions: { ...positions, byLayer: layers.map((layer) => positions.byLayer[layer]!) },
  }
  return {
    family: { ...family, names: { ...family.names, block: (i: number) => family.names.block(layers[i]!) } },
    architecture: {
      ...a,
      layers: layers.length,
      // A classifier is written without a head over the vocabulary.
      tiedHead: classify || a.tiedHead,
      attention: { ...attention, windows: layers.map((layer) => attention.windows[layer] ?? null) },
      ...rope,
    },
  }
}

/** Rows of ids that every run of the check takes alike. */
function tokenRows({ vocab, context }: Architecture): number[][] {
  const drawn = words({ seed: 0, purpose: 'sample' }, Math.max(...LENGTHS))
  return LENGTHS.map((length) =>
    Array.from(drawn.subarray(0, Math.min(length, context)), (word) => word % vocab),
  )
}

async function largestDifference(
  expected: (ids: number[]) => Promise<Float32Array>,
  found: (ids: number[]) => Promise<Float32Array>,
  architecture: Architecture,
): Promise<number> {
  let worst = 0
  for (const ids of tokenRows(architecture)) {
    const own = difference(await expected(ids), await found(ids))
    worst = own > worst || Number.isNaN(own) ? own : worst
  }
  return worst
}

async function logits(
  model: Transformer,
  ids: number[],
  trainable: Trainable,
  padId: number,
): Promise<Float32Array> {
  return (await inspectLogits(model, ids, trainable, padId)).logits
}

/** Largest |a - b| / largest |a|; not a number where one of them holds none. */
function difference(a: Float32Array, b: Float32Array): number {
  let largest = 0
  let worst = 0
  for (let i = 0; i < a.length; i++) {
    const delta = Math.abs(a[i]! - b[i]!)
    if (Number.isNaN(delta)) return NaN
    worst = Math.max(worst, delta)
    largest = Math.max(largest, Math.abs(a[i]!))
  }
  return largest === 0 ? worst : worst / largest
}

function accept(what: string, worst: number, tolerance: number): number {
  if (worst <= tolerance) return worst
  throw new GraftError(
    'E_INTERNAL',
    `The exported ${what} was loaded again and does not answer as what it was made from: its logits differ by ${worst.toExponential(1)} of the largest, and ${tolerance.toExponential(0)} is allowed. Nothing was handed out; please report this.`,
    { difference: worst, tolerance },
  )
}

function upload(tensors: readonly TensorToWrite[]): Map<string, Tensor> {
  return new Map(tensors.map(({ name, shape, data }) => [name, keep(tensor(data, shape))]))
}
