// One pre-norm decoder block, forward and backward side by side.
//
//   r = x + o(attention(rope(q(n)), rope(k(n)), v(n))),  n = norm1(x)
//   y = r + down(silu(gate(m)) * up(m)),                 m = norm2(r)
//
// The backward pass is given the block's input and the output's gradient; everything between is computed again
// (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174), so a block keeps nothing but its input.
import { concat, keep, reshape, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { AttentionLayout } from '../ops/layout.ts'
import type { Ops, RopeTable } from '../ops/ops.ts'
import type { Adaptation, GradientSink } from './adaptation.ts'
import type { Linear } from './linear.ts'

/** The linear layers that an adapter may target, in the order of the computation. */
export const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const
export type TargetName = (typeof TARGETS)[number]

export interface BlockShape {
  heads: number
  keyValueHeads: number
  headSize: number
  normEpsilon: number
}

/** What one pass over a batch shares between its blocks. */
export interface Pass {
  ops: Ops
  layout: AttentionLayout
  /** int32 [N] */
  positions: Tensor
  rope: RopeTable
  adaptation: Adaptation | null
}

/** Keys and values of the tokens seen so far, [T, Hkv, hd] each (one sequence). */
export interface KeyValueCache {
  k: Tensor | null
  v: Tensor | null
}

export class Block {
  constructor(
    readonly shape: BlockShape,
    /** [d] */
    readonly attentionNorm: Tensor,
    /** [d] */
    readonly mlpNorm: Tensor,
    readonly linears: Record<TargetName, Linear>,
  ) {}

  /** x [N, d] -> [N, d]; a cache, where given, is read and extended. */
  forward(x: Tensor, pass: Pass, cache?: KeyValueCache): Tensor {
    return tidy(() => {
      const { q, k, v } = this.#projections(x, pass, cache)
      const { output } = pass.ops.attention(q, k, v, pass.layout, this.#scale) // [N, H, hd]
      const r = pass.ops.add(x, this.#linear('o_proj', this.#flat(output), pass)) // [N, d]
      const { h } = this.#mlp(r, pass) // [N, f]
      return pass.ops.add(r, this.#linear('down_proj', h, pass))
    })
  }

  /** Gradient dy [N, d] of the output -> dx [N, d] of the input x; adapter gradients go to the sink. */
  backward(dy: Tensor, x: Tensor, pass: Pass, sink: GradientSink | null): Tensor {
    return tidy(() => {
      const { ops, adaptation } = pass
      const { linears, shape } = this
      const back = (name: TargetName, gradient: Tensor, input: Tensor) =>
        linears[name].backward(ops, gradient, input, adaptation, sink)

      const { n, q, k, v } = this.#projections(x, pass)
      const { output, logSumExp } = ops.attention(q, k, v, pass.layout, this.#scale)
      const context = this.#flat(output) // [N, H hd]
      const r = ops.add(x, this.#linear('o_proj', context, pass)) // [N, d]
      const { m, gate, up, h } = this.#mlp(r, pass)

      const dh = back('down_proj', dy, h) // [N, f]
      const { dGate, dUp } = ops.swigluBackward(dh, gate, up)
      const dm = ops.add(back('gate_proj', dGate, m), back('up_proj', dUp, m)) // [N, d]
      const dr = ops.add(dy, ops.rmsNormBackward(dm, r, this.mlpNorm, shape.normEpsilon)) // [N, d]

      const dContext = back('o_proj', dr, context) // [N, H hd]
      const { dq, dk, dv } = ops.attentionBackward(
        this.#heads(dContext, shape.heads),
        q,
        k,
        v,
        output,
        logSumExp,
        pass.layout,
        this.#scale,
      )
      const unrotate = (d: Tensor) => this.#flat(ops.rope(d, pass.positions, pass.rope, true))
      const dn = ops.add(
        ops.add(back('q_proj', unrotate(dq), n), back('k_proj', unrotate(dk), n)),
        back('v_proj', this.#flat(dv), n),
      ) // [N, d]
      return ops.add(dr, ops.rmsNormBackward(dn, x, this.attentionNorm, shape.normEpsilon))
    })
  }

  /** The attention probabilities of this block for its input x [N, d]: [B, H, T, T]. */
  attentionProbabilities(x: Tensor, pass: Pass): Tensor {
    return tidy(() => {
      const { q, k } = this.#projections(x, pass)
      return pass.ops.attentionProbabilities(q, k, pass.layout, this.#scale)
    })
  }

  dispose(): void {
    this.attentionNorm.dispose()
    this.mlpNorm.dispose()
    for (const linear of Object.values(this.linears)) linear.dispose()
  }

  get #scale(): number {
    return 1 / Math.sqrt(this.shape.headSize)
  }

  #linear(name: TargetName, x: Tensor, pass: Pass): Tensor {
    return this.linears[name].forward(pass.ops, x, pass.adaptation)
  }

  /** [N, heads hd] -> [N, heads, hd] */
  #heads(x: Tensor, heads: number): Tensor {
    return reshape(x, [x.shape[0]!, heads, this.shape.headSize])
  }

  /** [N, heads, hd] -> [N, heads hd] */
  #flat(x: Tensor): Tensor {
    return reshape(x, [x.shape[0]!, x.shape[1]! * x.shape[2]!])
  }

  #projections(x: Tensor, pass: Pass, cache?: KeyValueCache) {
    const { heads, keyValueHeads, normEpsilon } = this.shape
    const n = pass.ops.rmsNorm(x, this.attentionNorm, normEpsilon) // [N, d]
    const rotate = (y: Tensor) => pass.ops.rope(y, pass.positions, pass.rope)
    const q = rotate(this.#heads(this.#linear('q_proj', n, pass), heads)) // [N, H, hd]
    const k = rotate(this.#heads(this.#linear('k_proj', n, pass), keyValueHeads)) // [N, Hkv, hd]
    const v = this.#heads(this.#linear('v_proj', n, pass), keyValueHeads) // [N, Hkv, hd]
    if (!cache) return { n, q, k, v }
    return { n, q, k: extend(cache, 'k', k), v: extend(cache, 'v', v) }
  }

  #mlp(r: Tensor, pass: Pass) {
    const m = pass.ops.rmsNorm(r, this.mlpNorm, this.shape.normEpsilon) // [N, d]
    const gate = this.#linear('gate_proj', m, pass) // [N, f]
    const up = this.#linear('up_proj', m, pass) // [N, f]
    return { m, gate, up, h: pass.ops.swiglu(gate, up) }
  }
}

/** Appends new rows to one half of a cache and returns the whole; the cache owns it. */
function extend(cache: KeyValueCache, half: 'k' | 'v', rows: Tensor): Tensor {
  const old = cache[half]
  const whole = keep(old ? concat([old, rows], 0) : rows.clone())
  old?.dispose()
  cache[half] = whole
  return whole
}
