// Layers that share an input in as few dispatches as the device's bindings allow, their adapters read from and added to the
// flat buffers: ops/fused.ts. Per group of layers: one dispatch for the low-rank halves, one for the products; and on the
// way back one for the halves, one for all gradients, one for dx.
import type { Tensor } from '@tensorflow/tfjs-core'
import type { FusedOps, JoinedLayer } from '../fused.ts'
import { gatedJoint, gatedJointBackward } from './activation.ts'
import { jointBackward, jointForward, type JointLayer, type LowRank } from './joint.ts'
import { jointAttention, jointAttentionBackward } from './jointAttention.ts'
import { FEW_ROWS, rowProduct } from './rowProduct.ts'
import { rankBackward, rankForward, rankGradients, type Adapters } from './lowRank.ts'

export const fusedOps: FusedOps = {
  joinedHalves(x, layers) {
    const adapters = adaptersOf(layers)
    return adapters && rankForward(x, x.shape[0]!, adapters)
  },

  joined(x, layers, halves, bias, plus) {
    const adapters = adaptersOf(layers)
    const { placed, width } = placedLayers(layers, adapters, 'b')
    const product = x.shape[0]! <= FEW_ROWS ? rowProduct : jointForward
    return product({
      x,
      rows: x.shape[0]!,
      inner: layers[0]!.w.shape[1],
      layers: placed,
      width,
      low: lowRank(adapters, halves),
      bias,
      plus,
    })
  },

  joinedBackward(dy, x, layers, halves, gradients, plus) {
    const rows = x.shape[0]!
    const adapters = adaptersOf(layers)
    const { placed, width } = placedLayers(layers, adapters, 'a')
    const down = adapters && rankBackward(dy, rows, adapters) // [N, ranks]
    if (gradients && adapters) rankGradients(gradients, x, dy, halves!, down!, rows, adapters)
    const inner = layers[0]!.w.shape[1]
    const dx = jointBackward({ dy, rows, width, inner, layers: placed, low: lowRank(adapters, down), plus })
    down?.dispose()
    return dx
  },

  attention: jointAttention,
  attentionBackward: jointAttentionBackward,
  gated: gatedJoint,
  gatedBackward: gatedJointBackward,
}

/** The adapters of the layers that have one; null if none has. */
function adaptersOf(layers: readonly JoinedLayer[]): Adapters | null {
  let ranks = 0
  let first = 0
  const list = layers.flatMap(({ w, lora }) => {
    const [out] = w.shape
    const begin = first
    first += out
    if (!lora) return []
    const { r, a, b } = lora.places
    ranks += r
    return [{ rank: ranks - r, size: r, a, b, scale: lora.scale, first: begin, out }]
  })
  const parameters = layers.find(({ lora }) => lora)?.lora!.places.parameters
  return parameters ? { parameters, list, ranks, inner: layers[0]!.w.shape[1], width: first } : null
}

/** The layers with their columns, and where the factor lies that the frozen product is joined by. */
function placedLayers(
  layers: readonly JoinedLayer[],
  adapters: Adapters | null,
  factor: 'a' | 'b',
): { placed: JointLayer[]; width: number } {
  let width = 0
  const placed = layers.map(({ w }): JointLayer => {
    const first = width
    width += w.shape[0]
    const own = adapters?.list.find((adapter) => adapter.first === first)
    return { w, first, ...(own && { low: { rank: own.rank, size: own.size, at: own[factor] } }) }
  })
  return { placed, width }
}

function lowRank(adapters: Adapters | null, halves: Tensor | null): LowRank | undefined {
  return adapters && halves ? { halves, ranks: adapters.ranks, parameters: adapters.parameters } : undefined
}
