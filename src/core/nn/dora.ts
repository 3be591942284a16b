// DoRA (Liu et al. 2024, arXiv 2402.09353) as PEFT computes it: W' = m (W + s B A) / c, with c the norm of each row of
// W + s B A, which counts as a constant for the gradient.
//   g = m / c;  y = g (x W^T + s u B^T) + b,  u = x A^T.
// With dropout the adapter's share of the product sees the dropped x: y = x W^T - xd W^T + g (xd W^T + s ud B^T) + b.
import {
  add,
  concat,
  div,
  keep,
  mul,
  range,
  sqrt,
  square,
  sub,
  sum,
  tidy,
  transpose,
  type Tensor,
} from '@tensorflow/tfjs-core'
import type { FrozenMatrix, LoraFactors, Ops } from '../ops/ops.ts'
import { loraNames, type LayerFactors } from './adaptation.ts'
import type { Traced } from './layer.ts'

/** Elements of a matrix that are looked at as plain float32 at once: 8 MiB. */
const PIECE = 1 << 21

/** The squares of the row norms of a frozen matrix, made when they are first asked for and kept with it. */
export class DoraNorms {
  #squares: Tensor | null = null

  /** |W_i|^2 [out] */
  of(w: FrozenMatrix, ops: Ops): Tensor {
    return (this.#squares ??= ops.once(() => keep(rowSquares(w, ops))))
  }

  dispose(): void {
    this.#squares?.dispose()
    this.#squares = null
  }
}

/** |W_i|^2 [out] of a matrix in any precision. */
export function rowSquares(w: FrozenMatrix, ops: Ops): Tensor {
  const [out, inputs] = w.shape
  const rows = Math.max(1, Math.floor(PIECE / inputs))
  return tidy(() => {
    const parts: Tensor[] = []
    for (let begin = 0; begin < out; begin += rows)
      parts.push(
        tidy(() => sum(square(ops.embedding(w, range(begin, Math.min(out, begin + rows), 1, 'int32'))), 1)),
      )
    return parts.length === 1 ? parts[0]! : concat(parts)
  })
}

/** c [out]: the norm of each row of W + s B A, without making that matrix. */
export function adaptedRowNorms(
  w: FrozenMatrix,
  squares: Tensor,
  { a, b, scale }: LoraFactors,
  ops: Ops,
): Tensor {
  return tidy(() => {
    const across = transpose(ops.linear(a, w)) // [out, r]: row i is A W_i
    const gram = ops.matmul(a, a, false, true) // [r, r]
    const own = ops.matmul(b, gram) // [out, r]
    const cross = sum(mul(b, add(mul(across, 2 * scale), mul(own, scale * scale))), 1) // [out]
    return sqrt(add(squares, cross))
  })
}

/** x [N, in] -> [N, out]; `squares` are |W_i|^2 [out]. */
export function traceDora(
  x: Tensor,
  w: FrozenMatrix,
  bias: Tensor | undefined,
  lora: LayerFactors & { magnitude: Tensor },
  path: string,
  squares: Tensor,
  ops: Ops,
): Traced {
  const { magnitude, dropout, strength = 1, ...factors } = lora
  const norms = adaptedRowNorms(w, squares, factors, ops) // [out]
  const gain = mul(div(magnitude, norms), strength) // [out]
  const active = dropout !== undefined && dropout.rate > 0
  const dropped = active ? ops.dropout(x, dropout) : x // [N, in]
  const z = ops.linear(dropped, w, undefined, factors) // [N, out]
  const scaled = ops.scaleColumns(z, gain)
  // What is left of the base's own product: all of it where the adapter sees another x, its share at a lower strength.
  const base = active || strength < 1 ? ops.linear(x, w) : null // [N, out]
  const rest = base && (active ? sub(base, ops.linear(dropped, w)) : mul(base, 1 - strength))
  const whole = rest ? add(scaled, rest) : scaled
  return {
    y: bias ? add(whole, bias) : whole,
    back: (dy, sink, more) => {
      const { dx, da, db } = ops.linearBackward(
        ops.scaleColumns(dy, gain),
        dropped,
        w,
        factors,
        base ? undefined : more,
      )
      if (sink) {
        const names = loraNames(path)
        sink.add(names.a, da!)
        sink.add(names.b, db!)
        sink.add(names.magnitude, div(ops.columnSums(mul(dy, z)), norms))
      }
      if (!base) return dx
      const straight = ops.linearBackward(dy, x, w).dx // [N, in]
      const both = active
        ? add(straight, ops.dropout(sub(dx, straight), dropout))
        : add(dx, mul(straight, 1 - strength))
      return more ? add(both, more) : both
    },
  }
}
