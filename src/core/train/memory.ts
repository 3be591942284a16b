// How much memory a training step takes, before anything is loaded: one function for the badge beside a model, for the
// estimate and for the default precision.
//   weights(precision) + 16 x trainable (value, gradient, two moments, f32)
//   + what the blocks keep for the backward pass: their inputs, 4 N d (L + 1), or all that they made
//   + one block's working set + one tile of the head's logits + what pools and the optimizer hold beyond that
// Where steps are recorded their buffers are known better: recordedMemory.ts.
import type { BackendName } from '../../protocol/engine.ts'
import { PRECISIONS, type Fit, type MemoryEstimate, type Precision } from '../../protocol/model.ts'
import type { AdapterConfig, Checkpointing, TrainingConfig } from '../../protocol/run.ts'
import { countTrainable } from '../adapters/count.ts'
import { planAdapter, type AdapterPlan } from '../adapters/plan.ts'
import { PIECE_BYTES } from '../backend/download.ts'
import { precisionOf } from '../models/load.ts'
import { tensorSpecs } from '../models/tensors.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { rowLength } from '../nn/batch.ts'
import { matrixBytes } from '../ops/matrix.ts'
import { bufferSentence, sentenceOf } from './memoryWords.ts'
import { isRecorded, recordedBytes } from './recordedMemory.ts'
import { blockElements } from './workingSet.ts'

export interface MemoryRequest {
  /** Classes, or null for a language model. */
  labels: number | null
  adapter: AdapterConfig
  batchSize: number
  /** Longest example in tokens. */
  maxLength: number
  checkpointing: TrainingConfig['checkpointing']
}

/** What a device offers. */
export interface MemoryBudget {
  backend: BackendName
  bytes: number
  /** Bytes of the largest buffer: values and moments of everything trained lie in one. Default: no limit. */
  largest?: number
}

const FLOAT = 4
/** Values, first and second moments: the rows of the parameters' state (optim/parameters.ts). */
const STATE_ROWS = 3
/** Above this share of the budget a fit is tight: what other tabs and the browser take varies. */
const COMFORTABLE = 0.8
/** Below this share of the budget all activations are kept: speed is no reason to fill a machine whose memory is guessed. */
const EASY = 0.5
/** Logits of one tile of the head: reference/crossEntropy.ts and webgpu/headCrossEntropy.ts. */
const TILE = { cpu: 1 << 21, wasm: 1 << 21, webgpu: 3 << 23 }
/** Tensors of a tile's size that the head holds at once: logits and what the reference's cross-entropy makes of them. */
const TILE_COPIES = { cpu: 4, wasm: 2, webgpu: 1 }
/** Tensors [P] that a step of the optimizer holds besides value, gradient and moments: all work in place; the reference
 *  also holds the flat gradient, its squares, and copies of the values that the pass has read. */
const OPTIMIZER_COPIES = { cpu: 3, wasm: 3, webgpu: 1 }
/** As a share of all that comes and goes: heaps have gaps; tfjs's pool of GPU buffers reuses only equal sizes, and a buffer
 *  that is disposed stays in use until the commands before it were submitted. */
const SLACK = { cpu: 0.02, wasm: 0.1, webgpu: 1 }

/** Bytes of a training step. Throws E_ARGUMENT where the settings do not go with the model. */
export function estimateMemory(
  family: Family,
  architecture: Architecture,
  request: MemoryRequest,
  precision: Precision | undefined,
  budget: MemoryBudget,
): MemoryEstimate {
  const plan = planAdapter(family, architecture, request.adapter, request.labels)
  const trainableParameters = countTrainable(plan, request.adapter)
  const state = STATE_ROWS * FLOAT * trainableParameters
  const { largest = Infinity } = budget
  const moving = {
    none: movingParts(family, architecture, request, plan, budget.backend, 'none'),
    block: movingParts(family, architecture, request, plan, budget.backend, 'block'),
  }
  const bytesOf = (precision: Precision, checkpointing: Checkpointing): number =>
    Object.values(moving[checkpointing]).reduce(
      (sum, bytes) => sum + bytes,
      weightBytes(family, architecture, precision),
    )
  const checkpointingOf = (precision: Precision): Checkpointing => {
    if (request.checkpointing !== 'auto') return request.checkpointing
    return bytesOf(precision, 'none') <= EASY * budget.bytes ? 'none' : 'block'
  }
  const byPrecision = Object.fromEntries(
    PRECISIONS.map((each) => {
      const bytes = bytesOf(each, checkpointingOf(each))
      return [each, { bytes, fit: state > largest ? 'tooLarge' : fitOf(bytes, budget.bytes) }]
    }),
  ) as MemoryEstimate['byPrecision']
  const chosen = precision ?? bestPrecision(byPrecision)
  const checkpointing = checkpointingOf(chosen)
  const estimate = {
    precision: chosen,
    checkpointing,
    ...byPrecision[chosen],
    parts: { weights: weightBytes(family, architecture, chosen), ...moving[checkpointing] },
    trainableParameters,
    budget: budget.bytes,
    byPrecision,
  }
  const sentence =
    state > largest ? bufferSentence(trainableParameters, state, largest) : sentenceOf(estimate, request)
  return { ...estimate, sentence }
}

/** The first that fits with a margin, else the first that fits at all, else the smallest. */
function bestPrecision(byPrecision: Record<Precision, { fit: Fit }>): Precision {
  const first = (fit: Fit) => PRECISIONS.find((precision) => byPrecision[precision].fit === fit)
  return first('fits') ?? first('tight') ?? 'nf4'
}

function fitOf(bytes: number, budget: number): Fit {
  if (bytes <= COMFORTABLE * budget) return 'fits'
  return bytes <= budget ? 'tight' : 'tooLarge'
}

/** Bytes of a base on the device: matrices in their precision, vectors and rotary tables in f32. */
export function weightBytes(family: Family, a: Architecture, precision: Precision): number {
  const tensors = tensorSpecs(family, a).reduce((sum, { role, shape }) => {
    if (role === 'vector') return sum + FLOAT * size(shape)
    return sum + matrixBytes(shape as [number, number], precisionOf(role, { precision }))
  }, 0)
  const ropes = a.positions.kind === 'rope' ? a.positions.tables.length : 0
  return tensors + ropes * FLOAT * a.context * a.headSize // cosines and sines, [context, hd / 2] each
}

/** Everything but the frozen weights. */
function movingParts(
  family: Family,
  a: Architecture,
  { labels, adapter, batchSize, maxLength }: MemoryRequest,
  plan: AdapterPlan,
  backend: BackendName,
  checkpointing: Checkpointing,
): Omit<MemoryEstimate['parts'], 'weights'> {
  const count = countTrainable(plan, adapter)
  const length = rowLength(Math.min(maxLength, a.context), a.context)
  const tokens = batchSize * length
  const kept = Math.max(0, a.layers - Math.max(0, plan.lowest))
  const trainedBlocks = kept > 0
  // PiSSA keeps its first factors beside the trained ones.
  const trainable = 16 * count * (adapter.method === 'lora' && adapter.initLoraWeights === 'pissa' ? 2 : 1)
  if (backend === 'webgpu' && isRecorded({ family, plan, adapter })) {
    const rows = labels === null ? tokens : batchSize
    const request = { family, architecture: a, plan, adapter, tokens, rows, labels, checkpointing }
    // A checkpoint passes through a buffer.
    const slack = Math.min(PIECE_BYTES, STATE_ROWS * FLOAT * count)
    return { trainable, ...recordedBytes({ ...request, tile: TILE.webgpu }), slack }
  }
  const { trace, besides } = blockElements(
    { family, architecture: a, plan, adapter, backend, batch: batchSize, length },
    trainedBlocks,
  )
  const keepsAll = checkpointing === 'none' && trainedBlocks
  // Rows of tokens and positions, their sums with types, and a norm: nn/inputs.ts holds them through the pass.
  const entering =
    1 + (a.positions.kind === 'learned' ? 2 : 0) + (a.inputs.types ? 1 : 0) + (a.inputs.norm ? 1 : 0)
  const inputs = FLOAT * (entering * tokens * a.hidden + kept * (keepsAll ? trace : tokens * a.hidden))
  const block = FLOAT * (besides + (keepsAll ? 0 : trace))
  const head = FLOAT * headElements(family, a, plan, labels, labels === null ? tokens : batchSize, backend)
  const optimizer = FLOAT * OPTIMIZER_COPIES[backend] * count
  // The optimizer steps when block and head are gone: only what it needs beyond them counts.
  const beyond = Math.max(0, optimizer - block - head - inputs)
  const slack = Math.ceil(beyond + SLACK[backend] * (inputs + block + head))
  return { trainable, inputs, block, head, slack }
}

/** Numbers of the head: a tile of logits over the vocabulary with its copies, rows and their gradients. */
function headElements(
  family: Family,
  a: Architecture,
  plan: AdapterPlan,
  labels: number | null,
  rows: number,
  backend: BackendName,
): number {
  const states = 4 * rows * a.hidden
  if (labels !== null) return states + 8 * rows * Math.max(labels, a.hidden)
  const tile = Math.min(rows * a.vocab, Math.max(TILE[backend], a.vocab))
  const table = `${a.tiedHead ? family.names.tokens : family.names.head.path}.weight`
  const trained = plan.saved.some(({ name }) => name === table)
  // Of a trained head its gradient, and on the reference the sum so far and the next share of it.
  const gradient = trained ? (backend === 'webgpu' ? 1 : 3) * a.vocab * a.hidden : 0
  return states + TILE_COPIES[backend] * tile + gradient
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}
