// One block: attention and MLP, each on a residual path, with norms where the family has them.
//   pre       r = x + attention(n1(x));          y = r + mlp(n2(r))             (Llama, Qwen, GPT-2)
//   sandwich  r = x + n1'(attention(n1(x)));     y = r + n2'(mlp(n2(r)))        (Gemma 3)
//   post      r = n1(x + attention(x));          y = n2(r + mlp(r))             (BERT)
// For the way back a block keeps its input alone and computes the rest again, or all that it made (Checkpointing).
import { add, dispose, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Checkpointing } from '../../protocol/run.ts'
import type { GradientSink } from './adaptation.ts'
import type { Attention } from './attention.ts'
import { collected } from './collected.ts'
import { chain, residual, type Layer, type Pass, type Traced } from './layer.ts'
import type { Linear } from './linear.ts'
import type { Mlp } from './mlp.ts'
import type { Norm } from './norm.ts'

export type { Pass } from './layer.ts'

/** The norms of a block by its order. */
export type BlockNorms =
  | { order: 'pre'; attention: Norm; mlp: Norm }
  | { order: 'sandwich'; attention: Norm; attentionOut: Norm; mlp: Norm; mlpOut: Norm }
  | { order: 'post'; attentionOut: Norm; mlpOut: Norm }

/** From the gradient dy [N, d] of a block's output (consumed) to that of its input [N, d]; frees what was kept for it. */
export type WayBack = (dy: Tensor, sink: GradientSink | null) => Tensor

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

  /** x [N, d], which the way back owns, -> y [N, d] and the way back; gradients of trained tensors go to the sink.
   *  Inside a tidy, which frees what is kept if anything fails. */
  forwardAndBack(x: Tensor, pass: Pass, checkpointing: Checkpointing): { y: Tensor; back: WayBack } {
    const { result, made } =
      checkpointing === 'none'
        ? collected(() => this.#trace(x, pass))
        : { result: { y: this.forward(x, pass), back: null }, made: [] }
    return {
      y: result.y,
      back: (dy, sink) => {
        const dx = tidy(() => (result.back ?? this.#trace(x, pass).back)(dy, sink))
        dispose([dy, x, ...made])
        return dx
      },
    }
  }

  /** The attention probabilities of this block for its input x [N, d]: [B, H, T, T]. */
  attentionProbabilities(x: Tensor, pass: Pass): Tensor {
    return tidy(() => {
      const input = this.norms.order === 'post' ? x : this.norms.attention.trace(x, pass).y
      return this.attention.probabilities(input, pass)
    })
  }

  /** What attention and MLP add to the residual for the block's input x [N, d], and the output y, each [N, d]. In a block
   *  of order 'post' the sum is then normalised; what is given is what was added. */
  additions(x: Tensor, pass: Pass): { attention: Tensor; mlp: Tensor; y: Tensor } {
    return tidy(() => {
      let y = x
      const [attention, mlp] = this.#sublayers().map(({ added, after }) => {
        const addition = chain(added, y, pass).y
        const sum = add(y, addition)
        y = after ? after.trace(sum, pass).y : sum
        return addition
      }) as [Tensor, Tensor]
      return { attention, mlp, y }
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
    const steps = this.#sublayers().flatMap(({ added, after }) => [
      onResidual(added),
      ...(after ? [after] : []),
    ])
    return chain(steps, x, pass)
  }

  /** Attention and MLP: the layers whose output is added to the residual, and the norm that then replaces it. */
  #sublayers(): [Sublayer, Sublayer] {
    const { attention, mlp, norms } = this
    switch (norms.order) {
      case 'pre':
        return [{ added: [norms.attention, attention] }, { added: [norms.mlp, mlp] }]
      case 'sandwich':
        return [
          { added: [norms.attention, attention, norms.attentionOut] },
          { added: [norms.mlp, mlp, norms.mlpOut] },
        ]
      case 'post':
        return [
          { added: [attention], after: norms.attentionOut },
          { added: [mlp], after: norms.mlpOut },
        ]
      default:
        return norms satisfies never
    }
  }
}

interface Sublayer {
  added: readonly Layer[]
  after?: Norm
}

function onResidual(layers: readonly Layer[]): Pick<Layer, 'trace'> {
  return { trace: (x, pass) => residual(layers, x, pass) }
}
