// Norms with a frozen or trained weight: RMSNorm (Zhang & Sennrich 2019, arXiv 1910.07467), also in Gemma's form with
// 1 + w, and LayerNorm (Ba et al. 2016, arXiv 1607.06450).
import { add, dispose, type Tensor } from '@tensorflow/tfjs-core'
import { savedName, type Adaptation } from './adaptation.ts'
import type { Layer, Pass, Traced } from './layer.ts'

export interface NormSettings {
  kind: 'rms' | 'layer'
  epsilon: number
  /** Added to the stored weight: 1 for Gemma. */
  offset: 0 | 1
}

export class Norm implements Layer {
  /** `weight` [d] as it multiplies, the offset included; `bias` [d] of a LayerNorm. */
  constructor(
    readonly path: string,
    readonly settings: NormSettings,
    readonly weight: Tensor,
    readonly bias?: Tensor,
  ) {}

  /** x [N, d] -> [N, d] */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced {
    const { ops, adaptation } = pass
    const { kind, epsilon } = this.settings
    const trained = adaptation?.tensor(`${this.path}.weight`)
    const trainedBias = adaptation?.tensor(`${this.path}.bias`)
    const { w, b } = this.values(adaptation)
    const layer = kind === 'layer'
    return {
      y: layer ? ops.layerNorm(x, w, b!, epsilon, plus) : ops.rmsNorm(x, w, epsilon, plus),
      back: (dy, sink, more) => {
        if (sink && (trained || trainedBias)) {
          const { dw, db } = layer
            ? ops.layerNormWeightGradients(dy, x, epsilon)
            : { dw: ops.rmsNormWeightGradient(dy, x, epsilon), db: null }
          if (trained) sink.add(savedName(`${this.path}.weight`), dw)
          if (trainedBias && db) sink.add(savedName(`${this.path}.bias`), db)
        }
        return layer
          ? ops.layerNormBackward(dy, x, w, epsilon, more)
          : ops.rmsNormBackward(dy, x, w, epsilon, more)
      },
    }
  }

  /** Weight as it multiplies and bias, [d] each, as they are in a pass: trained or frozen. Inside a tidy. */
  values(adaptation: Adaptation | null): { w: Tensor; b: Tensor | undefined } {
    const trained = adaptation?.tensor(`${this.path}.weight`)
    const w = trained ? (this.settings.offset === 0 ? trained : add(trained, 1)) : this.weight
    return { w, b: adaptation?.tensor(`${this.path}.bias`) ?? this.bias }
  }

  dispose(): void {
    dispose(this.bias ? [this.weight, this.bias] : [this.weight])
  }
}
