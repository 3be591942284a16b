// How a layer is written: forward and backward side by side in one function. `trace` computes the output and hands out the
// way back, which reads what the forward pass left in its scope. Nothing is taped and nothing outlives the surrounding
// tidy: a block that is asked for its output alone drops the way back, and traces itself again when the gradient comes
// (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout } from '../ops/layout.ts'
import type { Ops } from '../ops/ops.ts'
import type { Adaptation, GradientSink } from './adaptation.ts'

/** Keys and values of the tokens seen so far, [T, Hkv, hd] each (one sequence). */
export interface KeyValueCache {
  k: Tensor | null
  v: Tensor | null
}

/** What one pass over a batch shares between its layers. */
export interface Pass {
  ops: Ops
  layout: AttentionLayout
  /** int32 [N] */
  positions: Tensor
  adaptation: Adaptation | null
  /** Of the block that is being computed; read and extended. */
  cache?: KeyValueCache
}

export interface Traced {
  y: Tensor
  /** Gradient dy of the output -> gradient of the input; those of trained tensors go to the sink. */
  back(dy: Tensor, sink: GradientSink | null): Tensor
}

export interface Layer {
  /** x [N, in] -> y [N, out]. Inside a tidy; consumes nothing. */
  trace(x: Tensor, pass: Pass): Traced
  dispose(): void
}

/** One layer after the other. */
export function chain(layers: readonly Pick<Layer, 'trace'>[], x: Tensor, pass: Pass): Traced {
  const steps: Traced[] = []
  for (const layer of layers) steps.push(layer.trace(steps.at(-1)?.y ?? x, pass))
  return {
    y: steps.at(-1)?.y ?? x,
    back: (dy, sink) => steps.reduceRight((gradient, step) => step.back(gradient, sink), dy),
  }
}

/** x + layers(x) */
export function residual(layers: readonly Pick<Layer, 'trace'>[], x: Tensor, pass: Pass): Traced {
  const inner = chain(layers, x, pass)
  return {
    y: pass.ops.add(x, inner.y),
    back: (dy, sink) => pass.ops.add(dy, inner.back(dy, sink)),
  }
}
