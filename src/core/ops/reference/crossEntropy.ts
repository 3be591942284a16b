// Cross-entropy, alone and fused with the output head. With the head frozen, dh is made chunk by chunk in the same
// pass as the loss (Liger, arXiv 2410.10989), so the [M, V] logits never exist as a whole.
// With z = h W^T: loss = factor sum(logsumexp z - z[label]); dz = factor (softmax z - onehot); dh = dz W; dW = dz^T h.
// With labels smoothed by e (Szegedy et al., arXiv 1512.00567) z[label] is (1 - e) z[label] + e mean z, and onehot likewise.
// A row's weight multiplies its loss and its dz. The factor comes last, when the numbers are few.
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
  softmax,
  sub,
  sum,
  tensor1d,
  tidy,
  zeros,
  type Tensor,
  type Tensor1D,
} from '@tensorflow/tfjs-core'
import type { FrozenMatrix, LossOptions } from '../ops.ts'
import { times, timesTransposed } from './frozen.ts'
import { floatsOf, hasHostArrays, wordsOf } from './hostArrays.ts'
import { product } from './matmul.ts'
import { ownCopy, part } from './rows.ts'
import { expOfShifted } from './softmax.ts'
import { wasmKernels } from './wasmKernels.ts'
import { rowKernel } from './wasmRows.ts'

/** Below this, a probability of float32 is too inexact for its logarithm. */
const SMALLEST = 1e-30

/** Logits of one chunk: 8 MiB of float32. */
const CHUNK_ELEMENTS = 1 << 21

/** logits [M, C], labels int32 [M] (negative: ignored) -> loss [], dLogits [M, C]. */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  factor: number,
  options: LossOptions = {},
): { loss: Tensor; dLogits: Tensor } {
  return tidy(() => {
    const { loss, difference } = compared(logits, labels, false, options)
    return { loss: mul(loss, factor), dLogits: mul(difference, factor) }
  })
}

interface Compared {
  /** [] */
  loss: Tensor
  /** [M, C] */
  difference: Tensor
  /** [M], what the loss is the sum of, without smoothing. */
  losses: Float32Array | Tensor
}

/** Sum of the cross-entropies [], and softmax z - target [M, C] with zeros in rows that are ignored; in place of the logits,
 *  where these may be used up. */
function compared(
  logits: Tensor,
  labels: Tensor,
  usedUp: boolean,
  { smoothing = 0, weights }: LossOptions,
): Compared {
  if (!hasHostArrays()) return comparedOnDevice(logits, labels, smoothing, weights)
  const more = smoothing > 0 ? smoothingLoss(logits, labels, smoothing, weights) : 0
  const sums = wasmKernels()
    ? comparedByKernel(usedUp ? logits : ownCopy(logits), labels, weights)
    : comparedInPlace(logits, labels, weights)
  if (smoothing > 0) smoothTargets(sums.difference, labels, smoothing)
  if (weights) weighRows(sums.difference, weights)
  return smoothing > 0 ? { ...sums, loss: add(sums.loss, more) } : sums
}

/** What smoothing adds to the loss: e (z[label] - mean z), over the rows that count. */
function smoothingLoss(logits: Tensor, labels: Tensor, smoothing: number, weights?: Tensor): number {
  const classes = logits.shape[1]!
  const z = floatsOf(logits)
  const weightOf = rowWeights(weights)
  return wordsOf(labels).reduce((sum, label, row) => {
    if (label < 0) return sum
    const own = z.subarray(row * classes, (row + 1) * classes)
    return sum + weightOf(row) * smoothing * (own[label]! - own.reduce((a, b) => a + b, 0) / classes)
  }, 0)
}

function rowWeights(weights?: Tensor): (row: number) => number {
  if (!weights) return () => 1
  const values = floatsOf(weights)
  return (row) => values[row]!
}

/** Each row of x [M, C] times its weight, in place. */
function weighRows(x: Tensor, weights: Tensor): void {
  const width = x.shape[1]!
  const values = floatsOf(x)
  floatsOf(weights).forEach((weight, row) => {
    for (let i = row * width; i < (row + 1) * width; i++) values[i]! *= weight
  })
}

/** softmax z - onehot -> softmax z - ((1 - e) onehot + e / C), in place. */
function smoothTargets(difference: Tensor, labels: Tensor, smoothing: number): void {
  const classes = difference.shape[1]!
  const values = floatsOf(difference)
  wordsOf(labels).forEach((label, row) => {
    if (label < 0) return
    const begin = row * classes
    for (let i = begin; i < begin + classes; i++) values[i]! -= smoothing / classes
    values[begin + label]! += smoothing
  })
}

/** Where memory is at hand: after the softmax one number of a row is touched. */
function comparedInPlace(logits: Tensor, labels: Tensor, weights?: Tensor): Compared {
  const classes = logits.shape[1]!
  const difference = softmax(logits) // [M, C]
  const values = floatsOf(difference)
  const z = floatsOf(logits)
  const weightOf = rowWeights(weights)
  let loss = 0
  const losses = new Float32Array(logits.shape[0]!)
  wordsOf(labels).forEach((label, row) => {
    const begin = row * classes
    if (label < 0) {
      values.fill(0, begin, begin + classes)
      return
    }
    const p = values[begin + label]!
    const own =
      weightOf(row) * (p > SMALLEST ? -Math.log(p) : negativeLog(z.subarray(begin, begin + classes), label))
    loss += own
    losses[row] = own
    values[begin + label] = p - 1
  })
  return { loss: scalar(loss), difference, losses }
}

/** On wasm: the kernel leaves the largest logit of each row and the sum of the others beside it. */
function comparedByKernel(logits: Tensor, labels: Tensor, weights?: Tensor): Compared {
  const [rows, classes] = logits.shape as [number, number]
  const scored = wordsOf(labels)
  const z = floatsOf(logits)
  const picked = Array.from(scored, (label, row) => (label < 0 ? 0 : z[row * classes + label]!))
  const [top, sum] = rowKernel('softmax', rows, classes, {
    inputs: [logits, undefined],
    outputs: [[rows], [rows]],
    numbers: [rows, 1, rows, classes, 0],
  }) as [Tensor, Tensor]
  const [largest, total, values] = [floatsOf(top), floatsOf(sum), floatsOf(logits)]
  const weightOf = rowWeights(weights)
  let loss = 0
  const losses = new Float32Array(rows)
  wordsOf(labels).forEach((label, row) => {
    const begin = row * classes
    if (label < 0) {
      values.fill(0, begin, begin + classes)
      return
    }
    const own = weightOf(row) * (Math.log(total[row]!) + largest[row]! - picked[row]!)
    loss += own
    losses[row] = own
    values[begin + label]! -= 1
  })
  return { loss: scalar(loss), difference: logits, losses }
}

/** logsumexp z - z[label], for probabilities that float32 has no digits for. */
function negativeLog(z: Float32Array, label: number): number {
  const top = z.reduce((a, b) => Math.max(a, b), -Infinity)
  return Math.log(z.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top - z[label]!
}

function comparedOnDevice(logits: Tensor, labels: Tensor, smoothing: number, weights?: Tensor): Compared {
  const [rows, classes] = logits.shape as [number, number]
  const counts = cast(greaterEqual(labels, scalar(0, 'int32')), 'float32') // [M], 0 where ignored
  const weight = weights ? mul(counts, weights) : counts // [M]
  const label = cast(oneHot(labels as Tensor1D, classes), 'float32') // [M, C], a row of zeros where ignored
  const target =
    smoothing === 0
      ? label
      : add(mul(label, 1 - smoothing), mul(reshape(counts, [rows, 1]), smoothing / classes)) // [M, C]
  const shifted = sub(logits, max(logits, 1, true)) // [M, C]
  const e = expOfShifted(shifted)
  const total = sum(e, 1, true) // [M, 1]
  const picked = sum(mul(target, shifted), 1) // [M]
  const losses = mul(weight, sub(log(reshape(total, [rows])), picked)) // [M]
  return {
    loss: sum(losses),
    losses,
    difference: mul(sub(div(e, total), target), reshape(weight, [rows, 1])),
  }
}

export function headCrossEntropy(
  h: Tensor,
  w: FrozenMatrix,
  labels: Tensor,
  factor: number,
  { trained = false, smoothing, weights, each }: LossOptions & { trained?: boolean } = {},
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
        const options = { smoothing, ...(weights && { weights: rowsOf(weights, start, count) }) }
        const chunk = compared(timesTransposed(rows, w), target, true, options) // difference [count, V]
        each?.(mul(chunk.losses instanceof Float32Array ? tensor1d(chunk.losses) : chunk.losses, factor))
        return {
          loss: add(loss, chunk.loss),
          dh: times(chunk.difference, w), // [count, d]
          dw: trained ? product(chunk.difference, rows, true, false, 1, ownCopy(dw)) : zeros([]), // [V, d]
        }
      })
      dispose([loss, dw])
      loss = made.loss
      dw = made.dw
      dh.push(made.dh)
    }
    const joined = dh.length === 1 ? dh[0]! : dh.length === 0 ? zeros(h.shape) : concat(dh, 0) // [M, d]
    const result = { loss: mul(loss, factor), dh: mul(joined, factor) }
    return trained ? { ...result, dw: mul(dw, factor) } : result
  })
}

export function headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: number): Tensor {
  return tidy(() =>
    chunks(h, w, chunkFor(w))
      .map(([start, count]) =>
        tidy(() => {
          const logits = timesTransposed(rowsOf(h, start, count), w) // [count, V]
          return mul(compared(logits, rowsOf(labels, start, count), true, {}).loss, factor)
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
