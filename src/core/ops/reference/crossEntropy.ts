// Cross-entropy, alone and fused with the output head. With the head frozen, dh is made chunk by chunk in the same
// pass as the loss (Liger, arXiv 2410.10989), so the [M, V] logits never exist as a whole.
// With z = h W^T: loss = factor sum(logsumexp z - z[label]); dz = factor (softmax z - onehot); dh = dz W; dW = dz^T h.
import {
  add,
  cast,
  concat,
  dispose,
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
import { times, timesTransposed } from './frozen.ts'
import { product } from './matmul.ts'
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
  trained = false,
  chunkElements = chunkFor(w),
): { loss: Tensor; dh: Tensor; dw?: Tensor } {
  return tidy(() => {
    const dh: Tensor[] = []
    let loss: Tensor = zeros([])
    let dw: Tensor = zeros(trained ? w.shape : [])
    for (const [start, count] of chunks(h, w, chunkElements)) {
      const made = tidy(() => {
        const rows = rowsOf(h, start, count) // [count, d]
        const target = rowsOf(labels, start, count) // [count]
        const chunk = crossEntropy(timesTransposed(rows, w), target, factor) // [count, V]
        return {
          loss: add(loss, chunk.loss),
          dh: times(chunk.dLogits, w), // [count, d]
          dw: trained ? add(dw, product(chunk.dLogits, rows, true, false)) : zeros([]), // [V, d]
        }
      })
      dispose([loss, dw])
      loss = made.loss
      dw = made.dw
      dh.push(made.dh)
    }
    const joined = dh.length === 1 ? dh[0]! : dh.length === 0 ? zeros(h.shape) : concat(dh, 0) // [M, d]
    return trained ? { loss, dh: joined, dw } : { loss, dh: joined }
  })
}

export function headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: number): Tensor {
  return tidy(() =>
    chunks(h, w, chunkFor(w))
      .map(([start, count]) =>
        tidy(() => {
          const logits = timesTransposed(rowsOf(h, start, count), w) // [count, V]
          return crossEntropy(logits, rowsOf(labels, start, count), factor).loss
        }),
      )
      .reduce((a, b) => add(a, b), zeros([])),
  )
}

/** Packed matrices are unpacked for each chunk: fewer, larger ones pay. */
function chunkFor(w: FrozenMatrix): number {
  return w.kind === 'f32' ? CHUNK_ELEMENTS : 2 * CHUNK_ELEMENTS
}

/** Start and number of rows of each chunk. */
function chunks(h: Tensor, w: FrozenMatrix, elements: number): [number, number][] {
  const rows = h.shape[0]!
  const step = Math.max(1, Math.floor(elements / w.shape[0]))
  const list: [number, number][] = []
  for (let start = 0; start < rows; start += step) list.push([start, Math.min(step, rows - start)])
  return list
}

function rowsOf(x: Tensor, start: number, count: number): Tensor {
  if (start === 0 && count === x.shape[0]) return x
  const width = x.size / x.shape[0]!
  return part(x, start * width, [count, ...x.shape.slice(1)])
}
