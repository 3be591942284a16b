// Self-attention with everything that families do differently about it: separate or fused projections, biases, norms on
// queries and keys, rotary positions or none, grouped heads, causal, bidirectional or in a sliding window.
//   q, k, v = rope(norm(heads(project(x))));  y = o(softmax(scale q k^T + mask) v)
import { concat, reshape, slice, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import type { JointHeads } from '../ops/fused.ts'
import type { AttentionMask } from '../ops/layout.ts'
import type { RopeTable } from '../ops/ops.ts'
import type { GradientSink } from './adaptation.ts'
import { Joined } from './joined.ts'
import type { Layer, Pass, Traced } from './layer.ts'
import type { Linear } from './linear.ts'
import type { Norm } from './norm.ts'
import { switched } from './switches.ts'

export interface AttentionShape {
  heads: number
  keyValueHeads: number
  headSize: number
}

/** Queries, keys and values from one matrix (GPT-2's c_attn), or from three. */
export type Projections = { qkv: Linear } | { q: Linear; k: Linear; v: Linear }

export interface AttentionParts {
  projections: Projections
  output: Linear
  /** Norms over the head size, before the rotation. */
  headNorms?: { q: Norm; k: Norm }
  /** Shared by the blocks; the model owns it. */
  rope?: RopeTable
  mask: AttentionMask
}

export class Attention implements Layer {
  readonly #joined: Joined

  constructor(
    readonly shape: AttentionShape,
    readonly parts: AttentionParts,
  ) {
    this.#joined = new Joined(Object.values(parts.projections))
  }

  /** x [N, d] -> [N, d] */
  trace(x: Tensor, pass: Pass, plus?: Tensor): Traced {
    const seen = this.#joinedContext(x, pass) ?? this.#context(x, pass) // [N, H hd]
    const context = pass.heads ? switched(seen, pass.heads, this.shape, pass.layout.batch) : seen
    const out = this.parts.output.trace(context.y, pass, plus) // [N, d]
    return {
      get y() {
        return out.y
      },
      back: (dy, sink, more) => context.back(out.back(dy, sink), sink, more),
    }
  }

  /** What the output projection reads, from queries, keys and values side by side; null where they are made one by one. */
  #joinedContext(x: Tensor, pass: Pass): Traced | null {
    const { headNorms, rope, mask } = this.parts
    const norms = headNorms && plainNorms(headNorms, pass)
    const joint = norms === null ? null : this.#joined.trace(x, pass) // [N, (H + 2 Hkv) hd]
    if (!joint) return null
    const fused = pass.ops.fused!
    const heads: JointHeads = {
      ...this.shape,
      joint: joint.y,
      ...(norms && { norms }),
      ...(rope && { rope: { table: rope, positions: pass.positions } }),
      layout: pass.layout,
      mask,
    }
    const seen = fused.attention(heads)
    return {
      y: seen.output,
      back: (dContext, sink, plus) => joint.back(fused.attentionBackward(dContext, heads, seen), sink, plus),
    }
  }

  /** The same from queries, keys and values of their own. */
  #context(x: Tensor, pass: Pass): Traced {
    const { heads } = this.shape
    const { mask } = this.parts
    const projected = this.#project(x, pass)
    const { q, k, v } = projected
    if (pass.cache) {
      const output = pass.ops.cachedAttention(q, k, v, pass.cache, pass.layout, mask) // [N, H, hd]
      return { y: flat(output), back: noWayBack }
    }
    const seen = pass.ops.attention(q, k, v, pass.layout, mask) // [N, H, hd]
    return {
      y: flat(seen.output),
      back: (dContext, sink, plus) => {
        const { dq, dk, dv } = pass.ops.attentionBackward(
          this.#split(dContext, heads),
          q,
          k,
          v,
          seen.output,
          seen.logSumExp,
          pass.layout,
          mask,
        )
        return projected.back(dq, dk, dv, sink, plus)
      },
    }
  }

  /** The attention probabilities for the input x [N, d]: [B, H, T, T]. */
  probabilities(x: Tensor, pass: Pass): Tensor {
    const { q, k } = this.#project(x, pass)
    return pass.ops.attentionProbabilities(q, k, pass.layout, this.parts.mask)
  }

  /** Every linear layer. */
  get linears(): Linear[] {
    const { projections, output } = this.parts
    return [...Object.values(projections), output]
  }

  dispose(): void {
    for (const linear of this.linears) linear.dispose()
    this.parts.headNorms?.q.dispose()
    this.parts.headNorms?.k.dispose()
    this.#joined.dispose()
  }

  /** q [N, H, hd] and k, v [N, Hkv, hd] of x [N, d], and the way back to x. */
  #project(x: Tensor, pass: Pass) {
    const { heads, keyValueHeads } = this.shape
    const { projections, headNorms } = this.parts
    const joint = this.#linears(projections, x, pass)
    const query = this.#place(joint.q, heads, headNorms?.q, pass)
    const key = this.#place(joint.k, keyValueHeads, headNorms?.k, pass)
    return {
      q: query.y,
      k: key.y,
      v: this.#split(joint.v, keyValueHeads),
      back: (dq: Tensor, dk: Tensor, dv: Tensor, sink: GradientSink | null, plus?: Tensor): Tensor =>
        joint.back(query.back(dq, sink), key.back(dk, sink), flat(dv), sink, plus),
    }
  }

  /** The raw projections [N, H hd], [N, Hkv hd] twice. */
  #linears(projections: Projections, x: Tensor, pass: Pass) {
    if ('qkv' in projections) {
      const { heads, keyValueHeads, headSize } = this.shape
      const all = projections.qkv.trace(x, pass) // [N, (H + 2 Hkv) hd]
      const widths = [heads, keyValueHeads, keyValueHeads].map((count) => count * headSize)
      const part = (index: number) => {
        const begin = widths.slice(0, index).reduce((sum, width) => sum + width, 0)
        return slice(all.y, [0, begin], [all.y.shape[0]!, widths[index]!])
      }
      return {
        q: part(0),
        k: part(1),
        v: part(2),
        back: (dq: Tensor, dk: Tensor, dv: Tensor, sink: GradientSink | null, plus?: Tensor) =>
          all.back(concat([dq, dk, dv], 1), sink, plus),
      }
    }
    const q = projections.q.trace(x, pass)
    const k = projections.k.trace(x, pass)
    const v = projections.v.trace(x, pass)
    return {
      q: q.y,
      k: k.y,
      v: v.y,
      back: (dq: Tensor, dk: Tensor, dv: Tensor, sink: GradientSink | null, plus?: Tensor) =>
        v.back(dv, sink, k.back(dk, sink, q.back(dq, sink, plus))),
    }
  }

  /** [N, heads hd] -> normalised and rotated [N, heads, hd]; back again to [N, heads hd]. */
  #place(x: Tensor, heads: number, norm: Norm | undefined, pass: Pass): Traced {
    const { rope } = this.parts
    const { headSize } = this.shape
    const tokens = x.shape[0]!
    const normed = norm?.trace(reshape(x, [tokens * heads, headSize]), pass)
    const split = this.#split(normed?.y ?? x, heads, tokens)
    return {
      y: rope ? pass.ops.rope(split, pass.positions, rope) : split,
      back: (dy, sink) => {
        const unrotated = rope ? pass.ops.rope(dy, pass.positions, rope, true) : dy
        if (!normed) return flat(unrotated)
        return reshape(normed.back(reshape(unrotated, [tokens * heads, headSize]), sink), [
          tokens,
          heads * headSize,
        ])
      },
    }
  }

  /** [N, heads hd] -> [N, heads, hd] */
  #split(x: Tensor, heads: number, tokens = x.shape[0]!): Tensor {
    return reshape(x, [tokens, heads, this.shape.headSize])
  }
}

/** [N, heads, hd] -> [N, heads hd] */
function flat(x: Tensor): Tensor {
  return reshape(x, [x.shape[0]!, x.shape[1]! * x.shape[2]!])
}

/** The frozen weights of norms on heads; null where they are trained or are no RMSNorm. */
function plainNorms({ q, k }: { q: Norm; k: Norm }, { adaptation }: Pass): JointHeads['norms'] | null {
  const trained = [q, k].some(({ path }) => adaptation?.tensor(`${path}.weight`))
  if (trained || q.settings.kind !== 'rms') return null
  return { q: q.weight, k: k.weight, eps: q.settings.epsilon }
}

function noWayBack(): never {
  throw new GraftError('E_INTERNAL', 'Nothing is learnt from a text that is read with a cache.')
}
