// A frozen linear layer with an optional adapter beside it: y = x W^T + b + s drop(x) A^T B^T (Hu et al. 2021, arXiv
// 2106.09685). Its own weight or bias may be trained in place of the frozen ones. The base is shared and stays as it is, so
// PiSSA's residual is W with its first factors taken away beside it: - s x A0^T B0^T (Meng et al. 2024, arXiv 2404.02948).
import type { Tensor } from '@tensorflow/tfjs-core'
import { disposeMatrix, type FrozenMatrix } from '../ops/matrix.ts'
import { loraNames, savedName } from './adaptation.ts'
import { DoraNorms, traceDora } from './dora.ts'
import { Joined } from './joined.ts'
import type { Layer, Pass, Traced } from './layer.ts'

export class Linear implements Layer {
  readonly #norms = new DoraNorms()
  readonly #joined = new Joined([this])

  constructor(
    /** Module path, for the adapter's names. */
    readonly path: string,
    /** [out, in] */
    readonly weight: FrozenMatrix,
    /** [out] */
    readonly bias?: Tensor,
  ) {}

  /** x [N, in] -> [N, out] */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced {
    return this.#joined.trace(x, pass, plus) ?? this.#traceAlone(x, pass, plus)
  }

  dispose(): void {
    disposeMatrix(this.weight)
    this.bias?.dispose()
    this.#norms.dispose()
  }

  #traceAlone(x: Tensor, pass: Pass, plus?: Tensor): Traced {
    const { ops, adaptation } = pass
    const names = { weight: `${this.path}.weight`, bias: `${this.path}.bias` }
    const trainedWeight = adaptation?.tensor(names.weight)
    const trainedBias = adaptation?.tensor(names.bias)
    const w = trainedWeight ? trainedMatrix(trainedWeight) : this.weight
    const bias = trainedBias ?? this.bias
    const lora = adaptation?.factors(this.path)
    const product = lora?.magnitude
      ? traceDora(x, w, bias, { ...lora, magnitude: lora.magnitude }, this.path, this.#norms.of(w, ops), ops)
      : null
    const sum = (z: Tensor) => (plus ? ops.add(z, plus) : z)
    const whole = product ? sum(product.y) : ops.linear(x, w, bias, lora, plus) // [N, out]
    const start = lora?.start
    const taken = (z: Tensor, first: Tensor, second: Tensor, transposed: boolean) =>
      ops.scale(ops.matmul(ops.matmul(z, first, false, transposed), second, false, transposed), -lora!.scale)
    const y = start ? ops.add(whole, taken(x, start.a, start.b, true)) : whole
    return {
      y,
      back: (dy, sink, more) => {
        if (sink && trainedWeight) sink.add(savedName(names.weight), ops.matmul(dy, x, true, false)) // [out, in]
        if (sink && trainedBias) sink.add(savedName(names.bias), ops.columnSums(dy))
        if (product) return product.back(dy, sink, more)
        const { dx, da, db } = ops.linearBackward(dy, x, w, lora, more)
        if (sink && da && db) {
          const lowRank = loraNames(this.path)
          sink.add(lowRank.a, da)
          sink.add(lowRank.b, db)
        }
        return start ? ops.add(dx, taken(dy, start.b, start.a, false)) : dx
      },
    }
  }
}

/** A trained f32 weight where a frozen one is expected. */
export function trainedMatrix(data: Tensor): FrozenMatrix {
  return { kind: 'f32', shape: data.shape as [number, number], data }
}
