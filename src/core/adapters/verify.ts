// An export is read back and asked the same questions as what it was made from, before anybody downloads it.
import { dispose, keep, tensor, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import type { TensorToWrite } from '../../formats/safetensors.ts'
import { inspectLogits } from '../explain/inspect.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { loadTransformer } from '../models/load.ts'
import { tensorSpecs } from '../models/tensors.ts'
import type { Transformer } from '../models/transformer.ts'
import { openWeights, type ByteFile, type WeightSource } from '../models/weights.ts'
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
/** Float32 bytes of a model that is loaded for the check: of a larger one, some layers. */
const CHECK_BYTES = 2 ** 30

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
 * layers for the memory, the same few are taken of both, from the first to the last.
 * Throws E_INTERNAL where they differ by more than rounding.
 */
export async function verifyMergedExport(check: MergedCheck): Promise<number> {
  const { source, ops, plan, strength, classify, padId } = check
  const { family, architecture } = someLayers(check)
  const rows = tokenRows(architecture)
  const ask = async (weights: WeightSource, trainable: (model: Transformer) => Promise<Trainable>) => {
    const model = await loadTransformer(family, architecture, weights, ops)
    try {
      const asked = await trainable(model)
      const answers: Float32Array[] = []
      for (const ids of rows) answers.push(await logits(model, ids, asked, padId))
      return answers
    } finally {
      model.dispose()
    }
  }
  const tensors = upload(check.tensors)
  const mixed = await tensorsAtStrength(family, source, plan, tensors, strength)
  dispose([...tensors.values()])
  try {
    const expected = await ask(source, async () => ({
      adaptation: tensorAdaptation(mixed, plan, strength),
      classify,
    }))
    // Its own classifier is the one thing that the merged model still has beside the layers that every base has.
    const merged = await openWeights(check.weights)
    const own = plan.saved.filter(({ start }) => start === 'new')
    const classifier = new Map<string, Tensor>()
    for (const { name, shape } of own)
      classifier.set(`base_model.model.${name}`, keep(tensor(await merged.read(name), shape as number[])))
    const beside = tensorAdaptation(classifier, { layers: [], saved: own, lowest: Infinity })
    const found = await ask(merged, async () => ({ adaptation: classify ? beside : null, classify })).finally(
      () => dispose([...classifier.values()]),
    )
    const worst = Math.max(...expected.map((row, i) => difference(row, found[i]!)))
    return accept('merged model', worst, MERGED_TOLERANCE[check.dtype])
  } finally {
    dispose([...mixed.values()])
  }
}

/** The family and architecture with as many layers as there is room for, spread from the first to the last. */
function someLayers({ family, architecture: a, classify, bytes = CHECK_BYTES }: MergedCheck) {
  const size = (layer: (index: number) => boolean) =>
    tensorSpecs(family, a)
      .filter((spec) => layer(spec.layer))
      .reduce((sum, { shape }) => sum + 4 * shape.reduce((product, extent) => product * extent, 1), 0)
  const room = bytes - size((layer) => layer < 0 || layer === Infinity)
  const count = Math.max(1, Math.min(a.layers, Math.floor(room / size((layer) => layer === 0))))
  const chosen = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (a.layers - 1)) / (count - 1)),
  )
  const { positions } = a
  return {
    family: { ...family, names: { ...family.names, block: (i: number) => family.names.block(chosen[i]!) } },
    architecture: {
      ...a,
      layers: count,
      // A classifier is written without a head over the vocabulary.
      tiedHead: classify || a.tiedHead,
      attention: { ...a.attention, windows: chosen.map((layer) => a.attention.windows[layer] ?? null) },
      positions:
        positions.kind === 'rope'
          ? { ...positions, byLayer: chosen.map((layer) => positions.byLayer[layer]!) }
          : positions,
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
