// How a layer is written: forward and backward side by side in one function. `trace` computes the output and hands out the
// way back, which reads what the forward pass left in its scope. Nothing is taped and nothing outlives the surrounding
// tidy: a block that is asked for its output alone drops the way back, and traces itself again when the gradient comes
// (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout } from '../ops/layout.ts'
import type { Ops } from '../ops/ops.ts'
import type { KeyValueCache } from '../ops/step.ts'
import type { Adaptation, GradientSink } from './adaptation.ts'
import type { HeadSwitches } from './switches.ts'

/** What one pass over a batch shares between its layers. */
export interface Pass {
  ops: Ops
  layout: AttentionLayout
  /** int32 [N] */
  positions: Tensor
  adaptation: Adaptation | null
  /** Of the block that is being computed; read and extended. */
  cache?: KeyValueCache
  /** Of the block that is being computed. */
  heads?: HeadSwitches
}

export interface Traced {
  readonly y: Tensor
  /** Gradient dy of the output -> gradient of the input, with `plus` added to it; those of trained tensors go to the sink. */
  back(dy: Tensor, sink: GradientSink | null, plus?: Tensor): Tensor
}

export interface Layer {
  /** x [N, in] -> y [N, out], with `plus` added to it. Inside a tidy; consumes nothing. */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced
  dispose(): void
}

/** One layer after the other; what is added, is added by the last, and on the way back by the first. */
export function chain(layers: readonly Pick<Layer, 'trace'>[], x: Tensor, pass: Pass, plus?: Tensor): Traced {
  const steps: Traced[] = []
  layers.forEach((layer, i) =>
    steps.push(layer.trace(steps.at(-1)?.y ?? x, pass, i === layers.length - 1 ? plus : undefined)),
  )
  return {
    get y() {
      return steps.at(-1)?.y ?? x
    },
    back: (dy, sink, more) =>
      steps.reduceRight((gradient, step, i) => step.back(gradient, sink, i === 0 ? more : undefined), dy),
  }
}

/** x + layers(x) */
export function residual(layers: readonly Pick<Layer, 'trace'>[], x: Tensor, pass: Pass): Traced {
  const inner = chain(layers, x, pass, x)
  return {
    get y() {
      return inner.y
    },
    back: (dy, sink) => inner.back(dy, sink, dy),
  }
}
