// One block: attention and MLP, each on a residual path, with norms where the family has them.
//   pre       r = x + attention(n1(x));          y = r + mlp(n2(r))             (Llama, Qwen, GPT-2)
//   sandwich  r = x + n1'(attention(n1(x)));     y = r + n2'(mlp(n2(r)))        (Gemma 3)
//   post      r = n1(x + attention(x));          y = n2(r + mlp(r))             (BERT)
// A block keeps nothing but its input: the backward pass is given that and computes the rest again.
import { tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { GradientSink } from './adaptation.ts'
import type { Attention } from './attention.ts'
import { chain, residual, type Layer, type Pass, type Traced } from './layer.ts'
import type { Linear } from './linear.ts'
import type { Mlp } from './mlp.ts'
import type { Norm } from './norm.ts'

export type { KeyValueCache, Pass } from './layer.ts'

/** The norms of a block by its order. */
export type BlockNorms =
  | { order: 'pre'; attention: Norm; mlp: Norm }
  | { order: 'sandwich'; attention: Norm; attentionOut: Norm; mlp: Norm; mlpOut: Norm }
  | { order: 'post'; attentionOut: Norm; mlpOut: Norm }

export class Block {
  constructor(
    readonly attention: Attention,
    readonly mlp: Mlp,
    readonly norms: BlockNorms,
  ) {}

  /** x [N, d] -> [N, d]; a cache in the pass is read and extended. */
  forward(x: Tensor, pass: Pass): Tensor {
    return tidy(() => this.#trace(x, pass).y)
  }

  /** Gradient dy [N, d] of the output -> dx [N, d] of the input x; gradients of trained tensors go to the sink. */
  backward(dy: Tensor, x: Tensor, pass: Pass, sink: GradientSink | null): Tensor {
    return tidy(() => this.#trace(x, pass).back(dy, sink))
  }

  /** The attention probabilities of this block for its input x [N, d]: [B, H, T, T]. */
  attentionProbabilities(x: Tensor, pass: Pass): Tensor {
    return tidy(() => {
      const input = this.norms.order === 'post' ? x : this.norms.attention.trace(x, pass).y
      return this.attention.probabilities(input, pass)
    })
  }

  /** Every linear layer, in the order of the computation. */
  get linears(): Linear[] {
    return [...this.attention.linears, ...this.mlp.linears]
  }

  dispose(): void {
    this.attention.dispose()
    this.mlp.dispose()
    const { order: _, ...norms } = this.norms
    for (const norm of Object.values(norms)) norm.dispose()
  }

  #trace(x: Tensor, pass: Pass): Traced {
    return chain(this.#sublayers(), x, pass)
  }

  #sublayers(): Pick<Layer, 'trace'>[] {
    const { attention, mlp, norms } = this
    switch (norms.order) {
      case 'pre':
        return [onResidual([norms.attention, attention]), onResidual([norms.mlp, mlp])]
      case 'sandwich':
        return [
          onResidual([norms.attention, attention, norms.attentionOut]),
          onResidual([norms.mlp, mlp, norms.mlpOut]),
        ]
      case 'post':
        return [onResidual([attention]), norms.attentionOut, onResidual([mlp]), norms.mlpOut]
      default:
        return norms satisfies never
    }
  }
}

function onResidual(layers: readonly Layer[]): Pick<Layer, 'trace'> {
  return { trace: (x, pass) => residual(layers, x, pass) }
}
