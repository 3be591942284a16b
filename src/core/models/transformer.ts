// A model on the device: frozen weights, shared by every adapter that is used with it.
import { dispose, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import type { Checkpointing } from '../../protocol/run.ts'
import type { Adaptation } from '../nn/adaptation.ts'
import type { TokenBatch } from '../nn/batch.ts'
import type { Block, WayBack } from '../nn/block.ts'
import type { ClassifierHead, LanguageHead } from '../nn/heads.ts'
import type { Inputs } from '../nn/inputs.ts'
import type { Pass, Traced } from '../nn/layer.ts'
import type { Linear } from '../nn/linear.ts'
import type { Norm } from '../nn/norm.ts'
import type { Ops, RopeTable } from '../ops/ops.ts'
import { KeyValueCache } from '../ops/step.ts'
import type { Architecture, Family } from './architecture.ts'

export interface TransformerParts {
  inputs: Inputs
  blocks: Block[]
  finalNorm: Norm | null
  /** Null where the checkpoint came without one. */
  head: LanguageHead | null
  classifier: ClassifierHead
  ropes: RopeTable[]
}

export class Transformer {
  constructor(
    readonly family: Family,
    readonly architecture: Architecture,
    readonly ops: Ops,
    readonly parts: TransformerParts,
  ) {}

  pass(batch: Pick<TokenBatch, 'layout' | 'positions'>, adaptation: Adaptation | null): Pass {
    return { ops: this.ops, layout: batch.layout, positions: batch.positions, adaptation }
  }

  /** The rows of the tokens: ids int32 [N] -> [N, d]. */
  rows(ids: Tensor, adaptation: Adaptation | null): Tensor {
    return this.parts.inputs.rows(this.ops, ids, adaptation)
  }

  /** Rows [N, d] -> the input of the first block [N, d]. Inside a tidy. */
  enter(rows: Tensor, pass: Pass): Traced {
    return this.parts.inputs.trace(rows, pass)
  }

  /** ids int32 [N] -> the input of the first block [N, d]. */
  embed(ids: Tensor, pass: Pass): Tensor {
    return tidy(() => this.enter(this.rows(ids, pass.adaptation), pass).y)
  }

  /** Through all blocks: x [N, d] (consumed, also by a failure) -> [N, d]. */
  forward(x: Tensor, pass: Pass, caches?: KeyValueCache[]): Tensor {
    try {
      this.parts.blocks.forEach((block, layer) => {
        const cache = caches?.[layer]
        const y = block.forward(x, cache ? { ...pass, cache } : pass)
        x.dispose()
        x = y
      })
      return x
    } catch (error) {
      x.dispose()
      throw error
    }
  }

  /** Through all blocks and back to the input of block `from`: x [N, d] (consumed) -> y [N, d] and the way back. Inside a
   *  tidy. */
  forwardAndBack(
    x: Tensor,
    pass: Pass,
    from: number,
    checkpointing: Checkpointing,
  ): { y: Tensor; back: WayBack } {
    const { blocks } = this.parts
    for (const block of blocks.slice(0, from)) {
      const y = block.forward(x, pass)
      x.dispose()
      x = y
    }
    const back: WayBack[] = []
    for (const block of blocks.slice(from)) {
      const passed = block.forwardAndBack(x, pass, checkpointing)
      back.push(passed.back)
      x = passed.y
    }
    return { y: x, back: (dy, sink) => back.reduceRight((gradient, through) => through(gradient, sink), dy) }
  }

  /** Rows of the last block's output h [M, d] as the heads see them [M, d]. Inside a tidy. */
  final(h: Tensor, pass: Pick<Pass, 'ops' | 'adaptation'>): Traced {
    const { finalNorm } = this.parts
    return finalNorm ? finalNorm.trace(h, pass as Pass) : { y: h, back: (dy) => dy }
  }

  /** Throws E_MODEL_UNSUPPORTED where the checkpoint came without a head over the vocabulary. */
  get head(): LanguageHead {
    const { head } = this.parts
    if (!head)
      throw new GraftError(
        'E_MODEL_UNSUPPORTED',
        'This checkpoint has no head over its vocabulary, so it has no scores for tokens. It can still be trained to classify.',
      )
    return head
  }

  /** Linear layers that adapters may stand beside, by module path, in the order of the computation. Those of the
   *  classifier belong to classification alone. */
  linears(task: 'causal' | 'classify'): Linear[] {
    const { blocks, classifier } = this.parts
    const above =
      task === 'classify'
        ? classifier.layers.flatMap((layer) => (layer.kind === 'base' ? [layer.linear] : []))
        : []
    return [...blocks.flatMap((block) => block.linears), ...above]
  }

  get ropes(): readonly RopeTable[] {
    return this.parts.ropes
  }

  /** A cache for each block, with room for so many tokens at most. */
  emptyCaches(limit: number): KeyValueCache[] {
    const { keyValueHeads, headSize } = this.architecture
    return this.parts.blocks.map(() => new KeyValueCache(keyValueHeads, headSize, limit))
  }

  dispose(): void {
    const { inputs, blocks, finalNorm, head, classifier } = this.parts
    for (const block of blocks) block.dispose()
    for (const part of [inputs, finalNorm, head, classifier]) part?.dispose()
    this.disposeRopes()
  }

  disposeRopes(): void {
    for (const { cos, sin } of this.parts.ropes) dispose([cos, sin])
  }
}
