// Cross-entropy, alone and fused with the output head. With the head frozen, dh is made chunk by chunk in the same
// pass as the loss (Liger, arXiv 2410.10989), so the [M, V] logits never exist as a whole.
// With z = h W^T: loss = factor sum(logsumexp z - z[label]); dz = factor (softmax z - onehot); dh = dz W.
import {
  add,
  cast,
  concat,
  div,
  greaterEqual,
  log,
  max,
  mul,
  oneHot,
  reshape,
  scalar,
  sub,
  sum,
  tidy,
  zeros,
  type Tensor,
  type Tensor1D,
} from '@tensorflow/tfjs-core'
import type { FrozenMatrix } from '../ops.ts'
import { product, productTransposed } from './matmul.ts'
import { part } from './rows.ts'
import { expOfShifted } from './softmax.ts'

/** Logits of one chunk: 8 MiB of float32. */
const CHUNK_ELEMENTS = 1 << 21

/** logits [M, C], labels int32 [M] (negative: ignored) -> loss [], dLogits [M, C]. */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  factor: number,
): { loss: Tensor; dLogits: Tensor } {
  const [rows, classes] = logits.shape as [number, number]
  return tidy(() => {
    const weight = mul(cast(greaterEqual(labels, scalar(0, 'int32')), 'float32'), factor) // [M], 0 where ignored
    // As integers, then cast: on wasm the kernel writes integer ones whatever type is asked for.
    const target = cast(oneHot(labels as Tensor1D, classes), 'float32') // [M, C], a row of zeros where ignored
    const shifted = sub(logits, max(logits, 1, true)) // [M, C]
    const e = expOfShifted(shifted)
    const total = sum(e, 1, true) // [M, 1]
    const picked = sum(mul(target, shifted), 1) // [M]
    const loss = sum(mul(weight, sub(log(reshape(total, [rows])), picked))) // []
    const dLogits = mul(sub(div(e, total), target), reshape(weight, [rows, 1])) // [M, C]
    return { loss, dLogits }
  })
}

export function headCrossEntropy(
  h: Tensor,
  w: FrozenMatrix,
  labels: Tensor,
  factor: number,
  chunkElements = CHUNK_ELEMENTS,
): { loss: Tensor; dh: Tensor } {
  return tidy(() => {
    const parts = chunks(h, w, chunkElements).map(([start, count]) =>
      tidy(() => {
        const { loss, dLogits } = crossEntropy(
          logitsOf(h, w, start, count),
          rowsOf(labels, start, count),
          factor,
        )
        return { loss, dh: product(dLogits, w.data) } // [count, d]
      }),
    )
    return {
      loss: total(parts.map((part) => part.loss)),
      dh:
        parts.length === 1
          ? parts[0]!.dh
          : parts.length === 0
            ? zeros(h.shape)
            : concat(
                parts.map((part) => part.dh),
                0,
              ),
    }
  })
}

export function headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: number): Tensor {
  return tidy(() =>
    total(
      chunks(h, w, CHUNK_ELEMENTS).map(([start, count]) =>
        tidy(() => crossEntropy(logitsOf(h, w, start, count), rowsOf(labels, start, count), factor).loss),
      ),
    ),
  )
}

/** Start and number of rows of each chunk. */
function chunks(h: Tensor, w: FrozenMatrix, elements: number): [number, number][] {
  const rows = h.shape[0]!
  const step = Math.max(1, Math.floor(elements / w.shape[0]))
  const list: [number, number][] = []
  for (let start = 0; start < rows; start += step) list.push([start, Math.min(step, rows - start)])
  return list
}

function logitsOf(h: Tensor, w: FrozenMatrix, start: number, count: number): Tensor {
  return productTransposed(rowsOf(h, start, count), w.data) // [count, V]
}

function rowsOf(x: Tensor, start: number, count: number): Tensor {
  if (start === 0 && count === x.shape[0]) return x
  const width = x.size / x.shape[0]!
  return part(x, start * width, [count, ...x.shape.slice(1)])
}

function total(parts: Tensor[]): Tensor {
  return parts.reduce((a, b) => add(a, b), zeros([]))
}
