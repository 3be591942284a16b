// A decoder on the device: frozen weights, shared by every adapter that is used with it.
import { dispose, keep, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Adaptation, GradientSink } from '../nn/adaptation.ts'
import type { TokenBatch } from '../nn/batch.ts'
import type { Block, KeyValueCache, Pass } from '../nn/block.ts'
import type { FrozenMatrix, Ops, RopeTable } from '../ops/ops.ts'
import type { Architecture } from './architecture.ts'

export interface TransformerWeights {
  /** [V, d] */
  embedding: FrozenMatrix
  blocks: Block[]
  /** [d] */
  finalNorm: Tensor
  /** [V, d]; the embedding itself where the head is tied. */
  head: FrozenMatrix
  rope: RopeTable
}

export class Transformer {
  constructor(
    readonly architecture: Architecture,
    readonly ops: Ops,
    readonly weights: TransformerWeights,
  ) {}

  pass(batch: Pick<TokenBatch, 'layout' | 'positions'>, adaptation: Adaptation | null): Pass {
    return {
      ops: this.ops,
      layout: batch.layout,
      positions: batch.positions,
      rope: this.weights.rope,
      adaptation,
    }
  }

  /** ids int32 [N] -> [N, d] */
  embed(ids: Tensor): Tensor {
    return this.ops.embedding(this.weights.embedding, ids)
  }

  /** Through all blocks: x [N, d] -> [N, d]. Consumes x unless `inputs` is given, which then collects and owns
   *  the input of every block for the backward pass. */
  forward(x: Tensor, pass: Pass, inputs?: Tensor[], caches?: KeyValueCache[]): Tensor {
    this.weights.blocks.forEach((block, layer) => {
      const y = block.forward(x, pass, caches?.[layer])
      if (inputs) inputs.push(x)
      else x.dispose()
      x = y
    })
    return x
  }

  /** Back through all blocks from dx [N, d] of the last output (consumed) to the gradient of the first input.
   *  Consumes and disposes the collected inputs as it goes. */
  backward(dx: Tensor, inputs: Tensor[], pass: Pass, sink: GradientSink | null): Tensor {
    for (let layer = this.weights.blocks.length - 1; layer >= 0; layer--) {
      const x = inputs.pop()!
      const next = this.weights.blocks[layer]!.backward(dx, x, pass, sink)
      dispose([dx, x])
      dx = next
    }
    return dx
  }

  /** h [M, d] -> normalised [M, d] */
  norm(h: Tensor): Tensor {
    return this.ops.rmsNorm(h, this.weights.finalNorm, this.architecture.normEpsilon)
  }

  normBackward(dy: Tensor, h: Tensor): Tensor {
    return this.ops.rmsNormBackward(dy, h, this.weights.finalNorm, this.architecture.normEpsilon)
  }

  /** Full logits of normalised rows [M, d] -> [M, V]: for inspection and decoding, never for training. */
  logits(h: Tensor): Tensor {
    return this.ops.linear(h, this.weights.head)
  }

  emptyCaches(): KeyValueCache[] {
    return this.weights.blocks.map(() => ({ k: null, v: null }))
  }

  dispose(): void {
    const { embedding, blocks, finalNorm, head, rope } = this.weights
    for (const block of blocks) block.dispose()
    dispose([embedding.data, finalNorm, rope.cos, rope.sin])
    if (head.data !== embedding.data) head.data.dispose()
  }
}

export function disposeCaches(caches: KeyValueCache[]): void {
  for (const cache of caches) {
    cache.k?.dispose()
    cache.v?.dispose()
    cache.k = cache.v = null
  }
}

/** A tidy whose result outlives every enclosing tidy. */
export function keptTidy(make: () => Tensor): Tensor {
  return keep(tidy(make))
}
