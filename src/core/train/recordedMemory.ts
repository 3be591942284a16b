// What a recorded step holds beside weights and optimizer (ops/webgpu/sharing.ts): its buffers change hands between tensors
// that are not used at the same time. In each of the fullest moments of a step some tensors are alive together; sorted by
// size, the first buffer is as large as the largest first tensor of all moments, the second as the largest second, and so on.
import type { AdapterConfig, Checkpointing } from '../../protocol/run.ts'
import type { AdapterPlan } from '../adapters/plan.ts'
import {
  linearPath,
  linearShapes,
  type Architecture,
  type Family,
  type LinearRole,
} from '../models/architecture.ts'

export interface RecordedRequest {
  family: Family
  architecture: Architecture
  plan: AdapterPlan
  adapter: Pick<AdapterConfig, 'useDora' | 'dropout' | 'initLoraWeights'>
  /** Padded tokens of a micro-batch, and rows that meet the head. */
  tokens: number
  rows: number
  labels: number | null
  /** Logits of a chunk of the head (webgpu/headCrossEntropy.ts). */
  tile: number
  checkpointing: Checkpointing
}

const FLOAT = 4
/** Bytes of uniforms of a dispatch, dispatches of a block and others: each recording has its own. */
const UNIFORMS = 256
const DISPATCHES = { block: 45, others: 60 }

/** Whether such training is recorded: what goes through ops of tfjs is not. */
export function isRecorded({
  family,
  plan,
  adapter,
}: Pick<RecordedRequest, 'family' | 'plan' | 'adapter'>): boolean {
  if (adapter.useDora) return false
  // One matrix for queries, keys and values is cut by tfjs where its parts are not made together.
  return !('qkv' in family.names.linears && goesApart({ family, plan, adapter }))
}

/** Whether layers are made one by one (nn/joined.ts). */
function goesApart({ family, plan, adapter }: Pick<RecordedRequest, 'family' | 'plan' | 'adapter'>): boolean {
  const matrices = new Set(Object.values(family.names.linears).map((name) => `${name}.weight`))
  const trained = plan.saved.some(({ name }) => [...matrices].some((matrix) => name.endsWith(matrix)))
  return adapter.dropout > 0 || adapter.initLoraWeights === 'pissa' || trained
}

/** Bytes of the buffers: what is kept for the way back, what a block adds to it, and what the head adds to both. */
export function recordedBytes(request: RecordedRequest): { inputs: number; block: number; head: number } {
  const { architecture: a, plan, tokens, checkpointing } = request
  const trained = plan.lowest < Infinity
  const depth = trained ? a.layers - Math.max(0, plan.lowest) : 1
  const { trace, above, attention } = blockTensors(request)
  const input = tokens * a.hidden
  const keepsAll = checkpointing === 'none' && trained
  const perBlock = keepsAll ? [input, ...trace] : [input]
  const kept = Array.from({ length: depth }, () => perBlock).flat()
  const dy = input
  const own = keepsAll ? [] : trace
  // `above` are the last of a trace, and gone when the way back has passed them.
  const alive = without([...kept, ...own], above.gone)
  const moments = trained
    ? [
        [...alive, dy, ...above.gradients],
        [...without(alive, above.read), dy, ...attention],
      ]
    : [[...kept, ...trace]]
  const whole = trainedTensors(request)
  const inputs = FLOAT * held([[...kept, ...whole]])
  const block = FLOAT * held(moments.map((moment) => [...moment, ...whole])) - inputs
  const all = [...moments, [...kept, ...headTensors(request)]].map((moment) => [...moment, ...whole])
  const uniforms = UNIFORMS * (DISPATCHES.block * a.layers + DISPATCHES.others)
  return { inputs: inputs + uniforms, block, head: FLOAT * held(all) - inputs - block }
}

/** The sum over places of the largest number at each, the moments' numbers being sorted. */
export function held(moments: readonly (readonly number[])[]): number {
  const sorted = moments.map((sizes) => [...sizes].sort((a, b) => b - a))
  const places = Math.max(0, ...sorted.map((sizes) => sizes.length))
  let sum = 0
  for (let place = 0; place < places; place++) sum += Math.max(...sorted.map((sizes) => sizes[place] ?? 0))
  return sum
}

interface BlockTensors {
  /** Of the forward pass, for the way back. */
  trace: number[]
  /** In the moment when the MLP's activation goes back: what of the trace is gone, and has been read soon after; and the
   *  gradients. */
  above: { gone: number[]; read: number[]; gradients: number[] }
  /** What the way back of attention adds. */
  attention: number[]
}

/** Numbers of the tensors of a block, as nn/ makes them. */
function blockTensors(request: RecordedRequest): BlockTensors {
  const { architecture: a, tokens } = request
  const apart = goesApart(request)
  const [d, f] = [a.hidden, a.intermediate]
  const q = a.heads * a.headSize
  const kv = a.keyValueHeads * a.headSize
  const ranks = (...roles: LinearRole[]) => rankOf(request, roles)
  const norms = a.attention.headNorm ? 1 : 0
  const rope = a.positions.kind === 'rope' ? 1 : 0
  const heads = apart
    ? [q, kv, kv, ...times(norms + rope, q, kv), q]
    : [ranks('qkv', 'q', 'k', 'v'), q + 2 * kv, ...times(norms, q + kv), q]
  const attention = [...heads, a.heads, apart ? 0 : ranks('o')]
  const inner = a.mlp.gated ? (apart ? [f, f] : [2 * f]) : [f]
  const mlp = [...(apart ? [] : [ranks('gate', 'up')]), ...inner]
  // Norms, what attention adds up to, and in sandwiches what the inner norms read; the norm before is the first.
  const between = { pre: [d, d, d], sandwich: [d, d, d, d], post: [d, d] }[a.order]
  const down = apart ? [f] : [f, ranks('down')]
  const last = a.order === 'pre' ? [] : [d]
  const ofTokens = (sizes: number[]) => sizes.filter((size) => size > 0).map((size) => tokens * size)
  return {
    trace: ofTokens([...between, ...attention, ...mlp, ...down, ...last]),
    above: {
      gone: ofTokens([...down, ...last]),
      read: ofTokens(mlp),
      gradients: ofTokens([f, ...inner]),
    },
    attention: ofTokens([q, ...(apart ? [q, kv, kv] : [q + 2 * kv]), ...times(norms, q + kv), a.heads]),
  }
}

/** Ranks of the adapters on some layers of a block, together. */
function rankOf({ family, architecture, plan }: RecordedRequest, roles: readonly LinearRole[]): number {
  const layer = plan.layers.find(({ layer }) => Number.isFinite(layer))?.layer ?? 0
  const paths = new Set(
    [...linearShapes(family, architecture).keys()]
      .filter((role) => roles.includes(role))
      .map((role) => linearPath(family, layer, role)),
  )
  return plan.layers.reduce((sum, { path, r }) => sum + (paths.has(path) ? r : 0), 0)
}

/** Rows of the head, their gradients and losses, and a chunk of logits, with its rows where the head is trained. */
function headTensors({ architecture: a, plan, rows, labels, tile }: RecordedRequest): number[] {
  const states = times(3, rows * a.hidden)
  if (labels !== null) return [...states, ...times(3, rows * Math.max(labels, a.hidden))]
  const room = Math.max(16, 2 ** Math.ceil(Math.log2(rows)))
  const chunk = Math.max(1, Math.min(Math.floor(tile / a.vocab), room))
  return [...states, rows, chunk * a.vocab, ...(plan.saved.length > 0 ? [chunk * a.hidden] : [])]
}

/** Copies of tensors that are trained whole, from their first use to their last, and the largest of their gradients. */
function trainedTensors({ plan }: RecordedRequest): number[] {
  const sizes = plan.saved.map(({ shape }) => shape.reduce((product, extent) => product * extent, 1))
  return sizes.length === 0 ? [] : [...sizes, Math.max(...sizes)]
}

function times(count: number, ...sizes: number[]): number[] {
  return Array.from({ length: count }, () => sizes).flat()
}

/** The list with as many of each number less as are in the other. */
function without(sizes: readonly number[], less: readonly number[]): number[] {
  const rest = [...sizes]
  for (const size of less) {
    const at = rest.indexOf(size)
    if (at >= 0) rest.splice(at, 1)
  }
  return rest
}
