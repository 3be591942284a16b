// What stands above the last block: the head over the vocabulary, and the layers of a classifier.
import type { Tensor } from '@tensorflow/tfjs-core'
import { disposeMatrix, type FrozenMatrix } from '../ops/matrix.ts'
import type { Changing } from '../ops/changing.ts'
import type { Activation, LossOptions } from '../ops/ops.ts'
import { savedName, type Adaptation, type GradientSink } from './adaptation.ts'
import { chain, type Layer, type Pass, type Traced } from './layer.ts'
import { Linear, trainedMatrix } from './linear.ts'
import type { Norm } from './norm.ts'

export interface LanguageHeadParts {
  /** Name of the matrix's tensor; a tied head has the name of the token table. */
  name: string
  /** [V, d]; the token table itself where tied. */
  matrix: FrozenMatrix
  tied: boolean
  /** [V] */
  bias?: Tensor
  /** What masked-language models put before the matrix. */
  transform?: { dense: Linear; act: Activation; norm: Norm }
}

/** Scores over the vocabulary. */
export class LanguageHead {
  constructor(readonly parts: LanguageHeadParts) {}

  /** Normalised rows [M, d] -> logits [M, V]: for inspection and decoding, never for training. */
  logits(n: Tensor, pass: Pick<Pass, 'ops' | 'adaptation'>): Tensor {
    return pass.ops.linear(this.transformed(n, pass).y, this.matrix(pass.adaptation), this.parts.bias)
  }

  /** n [M, d] -> the loss (see Ops.headCrossEntropy) and dn [M, d]; the gradient of a trained head goes to the sink. */
  lossAndGradient(
    n: Tensor,
    labels: Tensor,
    factor: Changing,
    pass: Pick<Pass, 'ops' | 'adaptation'>,
    sink: GradientSink,
    options: LossOptions = {},
  ): { loss: Tensor; dn: Tensor } {
    const trained = pass.adaptation?.tensor(this.parts.name) !== undefined
    const matrix = this.matrix(pass.adaptation)
    const { loss, dh, dw } = pass.ops.headCrossEntropy(n, matrix, labels, factor, { ...options, trained })
    if (dw) sink.add(savedName(this.parts.name), dw)
    return { loss, dn: dh }
  }

  /** The matrix as it is in a pass: trained or frozen. */
  matrix(adaptation: Adaptation | null): FrozenMatrix {
    const trained = adaptation?.tensor(this.parts.name)
    return trained ? trainedMatrix(trained) : this.parts.matrix
  }

  /** n [M, d] -> what meets the matrix [M, d]. */
  transformed(n: Tensor, pass: Pick<Pass, 'ops' | 'adaptation'>): Traced {
    const { transform } = this.parts
    if (!transform) return { y: n, back: (dy) => dy }
    return chain([transform.dense, activation(transform.act), transform.norm], n, pass as Pass)
  }

  dispose(): void {
    const { matrix, tied, bias, transform } = this.parts
    if (!tied) disposeMatrix(matrix)
    bias?.dispose()
    transform?.dense.dispose()
    transform?.norm.dispose()
  }
}

/** One layer of a classifier: its own, always trained, or one that the base brings (BERT's pooler). */
export type ClassifierLayer =
  | { kind: 'base'; linear: Linear; act?: Activation }
  | { kind: 'own'; path: string; bias: boolean; act?: Activation }

/** Logits of classes from one row a text. */
export class ClassifierHead {
  constructor(readonly layers: readonly ClassifierLayer[]) {}

  /** n [B, d] -> logits [B, C]; what a classifier owns is found in the adaptation. */
  trace(n: Tensor, pass: Pick<Pass, 'ops' | 'adaptation'>): Traced {
    const steps = this.layers.flatMap((layer) => [
      layer.kind === 'base' ? layer.linear : own(layer.path, layer.bias),
      ...(layer.act ? [activation(layer.act)] : []),
    ])
    return chain(steps, n, pass as Pass)
  }

  dispose(): void {
    for (const layer of this.layers) if (layer.kind === 'base') layer.linear.dispose()
  }
}

/** A small trained linear layer. */
function own(path: string, hasBias: boolean): Pick<Layer, 'trace'> {
  return {
    trace(x, { ops, adaptation }) {
      const w = adaptation!.tensor(`${path}.weight`)! // [out, in]
      const b = hasBias ? adaptation!.tensor(`${path}.bias`)! : null // [out]
      const y = ops.matmul(x, w, false, true)
      return {
        y: b ? ops.add(y, b) : y,
        back: (dy, sink) => {
          if (sink) {
            sink.add(savedName(`${path}.weight`), ops.matmul(dy, x, true, false))
            if (b) sink.add(savedName(`${path}.bias`), ops.columnSums(dy))
          }
          return ops.matmul(dy, w)
        },
      }
    },
  }
}

function activation(act: Activation): Pick<Layer, 'trace'> {
  return {
    trace: (x, { ops }) => ({
      y: ops.activation(act, x),
      back: (dy) => ops.activationBackward(act, dy, x),
    }),
  }
}
