// A frozen linear layer with an optional adapter beside it: y = x W^T + b + s drop(x) A^T B^T (Hu et al. 2021, arXiv 2106.09685).
import type { Tensor } from '@tensorflow/tfjs-core'
import type { FrozenMatrix, Ops } from '../ops/ops.ts'
import { loraNames, type Adaptation, type GradientSink } from './adaptation.ts'

export class Linear {
  constructor(
    /** Module path, for the adapter's names. */
    readonly path: string,
    /** [out, in] */
    readonly weight: FrozenMatrix,
    /** [out] */
    readonly bias?: Tensor,
  ) {}

  /** x [N, in] -> [N, out] */
  forward(ops: Ops, x: Tensor, adaptation: Adaptation | null): Tensor {
    return ops.linear(x, this.weight, this.bias, adaptation?.factors(this.path))
  }

  /** dy [N, out] -> dx [N, in]; the factors' gradients go to the sink. */
  backward(
    ops: Ops,
    dy: Tensor,
    x: Tensor,
    adaptation: Adaptation | null,
    sink: GradientSink | null,
  ): Tensor {
    const { dx, da, db } = ops.linearBackward(dy, x, this.weight, adaptation?.factors(this.path))
    if (sink && da && db) {
      const names = loraNames(this.path)
      sink.add(names.a, da)
      sink.add(names.b, db)
    }
    return dx
  }

  dispose(): void {
    this.weight.data.dispose()
    this.bias?.dispose()
  }
}
