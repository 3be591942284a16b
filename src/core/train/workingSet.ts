// The numbers that are alive while one block is computed forward and backward. Every tensor that its layers make stays
// until the gradient is out (nn/layer.ts), so the working set is the sum of their sizes, read off trace() and back() of
// nn/attention.ts, nn/mlp.ts, nn/block.ts and nn/linear.ts, plus the largest scratch of a single op.
import type { AdapterConfig } from '../../protocol/run.ts'
import { linearPath, linearShapes, type Architecture, type Family } from '../models/architecture.ts'
import type { AdapterPlan } from '../adapters/plan.ts'
import type { Activation } from '../ops/ops.ts'
import { QUERIES } from '../ops/reference/wasmAttention.ts'
import type { BackendName } from '../../protocol/engine.ts'

/** Tensors [B, H, T, T] that the reference's attentionBackward holds at once: scores (2), P (1), dP (2), dS (1). */
const SCORES_BACKWARD = 6
/** And its forward pass: scores (2), P (1). */
const SCORES_FORWARD = 3
/** The same on wasm, whose kernels work some queries at a time and in place: scores, dP; of [B, H, some queries, T]. */
const WASM_SCORES = { backward: 2, forward: 1 }
/** And what it adds to scores, [B, T, T] for each kind of mask. */
const WASM_MASKS = 2
/** Copies [N, H hd] and [N, Hkv hd] by heads that the reference makes of q, k, v, dO and of the results. */
const GROUPED = 5
/** Tensors [N, f] that the reference holds for the slope of an activation, besides its results. */
const SLOPE_SCRATCH: Record<Activation, number> = { silu: 6, gelu: 12, geluTanh: 16, relu: 3, tanh: 4 }

export interface BlockRequest {
  family: Family
  architecture: Architecture
  plan: AdapterPlan
  adapter: Pick<AdapterConfig, 'useDora' | 'dropout'>
  backend: BackendName
  /** Sequences and padded tokens of each. */
  batch: number
  length: number
}

export interface BlockElements {
  /** What the forward pass makes for the way back, if there is one. */
  trace: number
  /** What is alive besides in the widest moment. */
  besides: number
}

/** Numbers alive in the widest moment of a block. `trained`: there is a way back through it. */
export function blockElements(request: BlockRequest, trained: boolean): BlockElements {
  const { architecture: a, batch, length, backend } = request
  const tokens = batch * length
  const d = a.hidden
  const f = a.intermediate
  const q = a.heads * a.headSize
  const kv = a.keyValueHeads * a.headSize
  const fused = 'qkv' in request.family.names.linears
  const norms = a.order === 'sandwich' ? 4 : 2
  const rope = a.positions.kind === 'rope' ? 1 : 0
  const headNorm = a.attention.headNorm ? 1 : 0

  // Forward: norms, projections (sliced out of one where they are fused), head norms, rotation, context, output, residual;
  // then gate, up and their product, down, residual.
  const attention = (q + 2 * kv) * (fused ? 2 : 1) + (q + kv) * (rope + headNorm) + q
  const mlp = f * (a.mlp.gated ? 3 : 2)
  const trace = tokens * (norms * d + attention + 2 * d + mlp + 2 * d)
  const scores = batch * a.heads * length * length
  const onWasm = (some: number): number =>
    batch * length * (some * a.heads * Math.min(length, QUERIES) + WASM_MASKS * length)
  if (!trained) {
    const forward = { webgpu: 0, wasm: onWasm(WASM_SCORES.forward), cpu: SCORES_FORWARD * scores }
    return { trace, besides: forward[backend] }
  }

  // Backward: a gradient for each of these, sums where paths meet, and the residuals.
  const sums = (fused ? 1 : 5) + (a.mlp.gated ? 3 : 1)
  const attentionBack = q + (q + 2 * kv) * (fused ? 2 : 1) + (q + kv) * (rope + headNorm)
  const back = tokens * (norms * d + attentionBack + mlp + sums * d + 2 * d)
  const inPlace = backend === 'wasm' && (a.mlp.act === 'silu' || a.mlp.act === 'geluTanh')
  const attentionScratch =
    backend === 'wasm' ? onWasm(WASM_SCORES.backward) : SCORES_BACKWARD * scores + tokens * GROUPED * (q + kv)
  const scratch =
    backend === 'webgpu'
      ? tokens * a.heads
      : Math.max(
          attentionScratch,
          inPlace ? 0 : tokens * f * SLOPE_SCRATCH[a.mlp.act],
          tokens * widest(request),
        )
  const dora = (tokens * beside(request)) / 2 // each way
  return { trace: trace + dora, besides: back + scratch + dora }
}

/** Numbers a token that DoRA keeps beside the plain products of a block, with dropout also the dropped inputs. */
function beside({ family, architecture, plan, adapter }: BlockRequest): number {
  if (!adapter.useDora) return 0
  const layer = plan.layers.find(({ layer }) => Number.isFinite(layer))?.layer ?? 0
  const adapted = new Set(plan.layers.map(({ path }) => path))
  let numbers = 0
  for (const [role, [out, inputs]] of linearShapes(family, architecture))
    if (adapted.has(linearPath(family, layer, role)))
      // z and its scaled copies on both ways; the straight product and the difference where inputs are dropped.
      numbers += 4 * out + (adapter.dropout > 0 ? 5 * out + 3 * inputs : 0)
  return numbers
}

/** Scratch a token of the widest linear layer with factors: its product beside the frozen one, the mask, the dropped x. */
function widest({ family, architecture, adapter }: BlockRequest): number {
  const shapes = [...linearShapes(family, architecture).values()]
  return Math.max(...shapes.map(([out, inputs]) => 2 * out + (adapter.dropout > 0 ? 3 : 1) * inputs))
}
