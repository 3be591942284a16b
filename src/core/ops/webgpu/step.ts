// One token's row through layers: ops/step.ts. A product takes one dispatch, and one more for the low-rank halves of its
// adapters; a device with few bindings takes one for every layer or two.
import type { Tensor } from '@tensorflow/tfjs-core'
import { partsOf } from '../matrix.ts'
import type { Beside, RowNorm, StepLayer, StepOps } from '../step.ts'
import { gatedJoint } from './activation.ts'
import type { LowRank } from './joint.ts'
import { layerNorm } from './layerNorm.ts'
import { rmsNorm } from './rmsNorm.ts'
import { canNorm, gatedRowProduct, rowProduct, type RowLayer, type RowProduct } from './rowProduct.ts'
import { choose, readToken } from './sample.ts'
import { stepAttention } from './stepAttention.ts'

export const stepOps: StepOps = {
  rows: (x, layers, beside, plus) =>
    prepared(x, layers, beside, (product) => rowProduct({ ...product, plus })),

  gatedRows: (act, x, layers, beside) =>
    prepared(x, layers, beside, (product) => {
      const whole = layers.every(({ w }) => w.kind !== 'split')
      const together = whole ? gatedRowProduct(act, product) : null
      if (together) return together
      const joint = rowProduct(product) // [1, 2 f]
      const gated = gatedJoint(act, joint)
      joint.dispose()
      return gated
    }),

  attention: stepAttention,
  choose,
  read: readToken,
}

/** Makes a product of x [1, in] through layers, with what has to be made first, and frees that. */
function prepared(
  x: Tensor,
  layers: readonly StepLayer[],
  { norm, bias, gain, then }: Beside,
  make: (product: RowProduct) => Tensor,
): Tensor {
  const inner = layers[0]!.w.shape[1]
  const inside = norm !== undefined && canNorm(inner)
  const input = norm && !inside ? normed(x, norm) : x
  const low = halvesOf(input, inner, layers, inside ? norm : undefined)
  const { placed, width } = place(layers)
  const y = make({
    x: input,
    rows: 1,
    inner,
    layers: placed,
    width,
    norm: inside ? norm : undefined,
    low,
    bias,
    gain,
    then,
  })
  low?.halves.dispose()
  if (input !== x) input.dispose()
  return y
}

function normed(x: Tensor, { kind, weight, bias, eps }: RowNorm): Tensor {
  return kind === 'layer' ? layerNorm(x, weight, bias!, eps) : rmsNorm(x, weight, eps)
}

/** s norm(x) A^T of all adapters, side by side [1, ranks]. */
function halvesOf(
  x: Tensor,
  inner: number,
  layers: readonly StepLayer[],
  norm: RowNorm | undefined,
): LowRank | undefined {
  let ranks = 0
  const factors = layers.flatMap(({ lora }): RowLayer[] => {
    if (!lora) return []
    ranks += lora.r
    return [
      {
        w: { kind: 'rows', shape: [lora.r, inner], data: lora.parameters, at: lora.a },
        first: ranks - lora.r,
        scale: lora.scale,
      },
    ]
  })
  const parameters = layers.find(({ lora }) => lora)?.lora!.parameters
  if (!parameters) return undefined
  const halves = rowProduct({ x, rows: 1, inner, layers: factors, width: ranks, norm })
  return { halves, ranks, parameters }
}

/** The layers with their columns, matrices in parts as a layer each. */
function place(layers: readonly StepLayer[]): { placed: RowLayer[]; width: number } {
  let width = 0
  let rank = 0
  const placed = layers.flatMap(({ w, lora }) => {
    const first = width
    const own = rank
    width += w.shape[0]
    rank += lora?.r ?? 0
    return partsOf(w).map(({ part, begin }): RowLayer => {
      const at = lora && lora.b + begin * lora.r
      return {
        w: part,
        first: first + begin,
        ...(lora && { low: { rank: own, size: lora.r, at: at! } }),
      }
    })
  })
  return { placed, width }
}
