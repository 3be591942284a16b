// Output head and cross-entropy in chunks of rows: a product makes the chunk's logits in a buffer of fixed size, one
// kernel turns them in place into their gradient and the losses, a second product makes dh (Liger, arXiv 2410.10989).
// Each logit is computed once, and memory is bounded by the chunk, whatever the vocabulary and the batch.
import { dispose, zeros, type Tensor } from '@tensorflow/tfjs-core'
import type { Changing } from '../changing.ts'
import type { FrozenMatrix } from '../ops.ts'
import { clear, copyInto, part } from './elementwise.ts'
import { backward, timesPartsTransposed } from './linear.ts'
import { productInto } from './matmul.ts'
import { reductions } from './reductions.ts'
import { f32, i32, runInPlace, scratch, type Kernel } from './runner.ts'
import { DEFAULT, enables, rowSettings, sizeClass, SUBGROUPS } from './tuning/settings.ts'
import { settingFor } from './tuning/tuner.ts'

/** Logits of a chunk: 32 MiB of float32, or one row of a very large vocabulary. */
const CHUNK_ELEMENTS = 1 << 23
/** Threads that work on a row. */
const THREADS = 256

export function headCrossEntropy(
  h: Tensor,
  w: FrozenMatrix,
  labels: Tensor,
  factor: Changing,
  trained = false,
  chunkElements = CHUNK_ELEMENTS,
): { loss: Tensor; dh: Tensor; dw?: Tensor } {
  const [m, d] = h.shape as [number, number]
  let dh: Tensor | null = null
  const dw = trained ? zeroed(w.shape as [number, number]) : null // [V, d]
  const loss = inChunks({ h, w, labels, factor, chunkElements }, (dLogits, rows, { start, count }) => {
    const part = backward(dLogits, count, w) // [count, d]
    if (count === m) dh = part
    else {
      dh ??= scratch([m, d])
      copyInto(dh, start * d, part)
      part.dispose()
    }
    if (!dw) return
    const [outputs, inputs] = w.shape
    const product = { a: dLogits, b: rows, orientation: 'TN', m: outputs, n: inputs, k: count } as const
    productInto(dw, product, { accumulate: true })
  })
  dh ??= zeroed([m, d])
  return dw ? { loss, dh, dw } : { loss, dh }
}

export function headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: Changing): Tensor {
  return inChunks({ h, w, labels, factor, chunkElements: CHUNK_ELEMENTS }, null)
}

/** logits [M, C], labels int32 [M] (negative: ignored) -> loss [], dLogits [M, C]: one chunk, of logits that are there. */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  factor: Changing,
): { loss: Tensor; dLogits: Tensor } {
  const [count, vocabulary] = logits.shape as [number, number]
  const chunk = scratch([count * (vocabulary + 1)])
  copyInto(chunk, 0, logits)
  softmaxGradient(chunk, labels, { start: 0, count, capacity: count, vocabulary, factor, gradient: true })
  const loss = scratch([])
  addLosses(loss, chunk, count * vocabulary, count, true)
  const dLogits = part(chunk, 0, [count, vocabulary])
  chunk.dispose()
  return { loss, dLogits }
}

function zeroed(shape: number[]): Tensor {
  const zeros = scratch(shape)
  if (zeros.size > 0) clear(zeros)
  return zeros
}

interface Head {
  h: Tensor
  w: FrozenMatrix
  labels: Tensor
  factor: Changing
  chunkElements: number
}

/** Walks the chunks; `use` gets the gradient of the logits, [>= count, V], and the chunk of h, [count, d], for the call. */
function inChunks(
  { h, w, labels, factor, chunkElements }: Head,
  use: ((dLogits: Tensor, rows: Tensor, chunk: { start: number; count: number }) => void) | null,
): Tensor {
  const [m, d] = h.shape as [number, number]
  const vocabulary = w.shape[0]
  const capacity = Math.max(1, Math.min(Math.floor(chunkElements / vocabulary), roomFor(m)))
  if (m === 0) return zeroed([])
  const loss = scratch([])
  for (let start = 0; start < m; start += capacity) {
    const count = Math.min(capacity, m - start)
    const rows = start === 0 && count === m ? h : part(h, start * d, [count, d]) // [count, d]
    // [capacity, V] logits, and a loss for each row behind them.
    const chunk = scratch([capacity * (vocabulary + 1)])
    timesPartsTransposed(chunk, rows, w, count)
    softmaxGradient(chunk, labels, { start, count, capacity, vocabulary, factor, gradient: use !== null })
    addLosses(loss, chunk, capacity * vocabulary, count, start === 0)
    use?.(chunk, rows, { start, count })
    dispose([chunk, ...(rows === h ? [] : [rows])])
  }
  return loss
}

/** A power of two, so that batches of every size share a few sizes of buffers. */
function roomFor(rows: number): number {
  return Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(1, rows))))
}

interface Chunk {
  start: number
  count: number
  capacity: number
  vocabulary: number
  factor: Changing
  /** Whether the logits become their gradient; the losses are written in any case. */
  gradient: boolean
}

/** In place: logits [capacity, V] -> factor (softmax - onehot), and behind them the loss of each row. */
function softmaxGradient(chunk: Tensor, labels: Tensor, given: Chunk): void {
  const { start, count, capacity, vocabulary, factor, gradient } = given
  const turnAround = `
    for (var i = i32(localIndex); i < uniforms.vocabulary; i += ${THREADS}) {
      let target_ = select(0.0, 1.0, i == label);
      result[base + i] = weight * (exp(result[base + i] - lse) - target_);
    }`
  const kernel = (setting: string, labels: Tensor): Kernel => ({
    name: 'softmaxGradient',
    variant: `${gradient ? 'gradient' : 'loss'} ${setting}`,
    inputs: { labels },
    uniforms: {
      start: i32(start),
      rows: i32(count),
      vocabulary: i32(vocabulary),
      losses: i32(capacity * vocabulary),
      factor: f32(factor),
    },
    workgroup: [THREADS, 1, 1],
    groups: count,
    enable: enables(setting),
    code: `
  ${setting === SUBGROUPS ? reductions(THREADS, true, true) : ONLINE}

  fn main() {
    let row = groupIndex();
    // Groups beyond the last row do nothing, but pass the barriers.
    let width = select(0, uniforms.vocabulary, row < uniforms.rows);
    let base = min(row, uniforms.rows - 1) * uniforms.vocabulary;

    // Online logsumexp (Milakov & Gimelshein 2018): a maximum and a sum by thread, then over the threads.
    var top = -3.0e38;
    var sum = 0.0;
    for (var i = i32(localIndex); i < width; i += ${THREADS}) {
      let z = result[base + i];
      if (z > top) {
        sum *= exp(top - z);
        top = z;
      }
      sum += exp(z - top);
    }
    ${
      setting === SUBGROUPS
        ? `let highest = maxOfThreads(top);
    let whole = sumOfThreads(sum * exp(top - highest));
    let lse = highest + log(whole);
    if (row >= uniforms.rows) { return; }`
        : `joinThreads(top, sum);
    if (row >= uniforms.rows) { return; }
    let lse = tops[0] + log(sums[0]);`
    }
    let label = labels[uniforms.start + row];
    let weight = select(0.0, uniforms.factor, label >= 0);
    // The thread that later overwrites the label's logit reads it first.
    if (i32(localIndex) == max(label, 0) % ${THREADS}) {
      result[uniforms.losses + row] = weight * (lse - result[base + max(label, 0)]);
    }
    ${gradient ? turnAround : ''}
  }`,
  })
  const setting = settingFor({
    key: `softmax ${sizeClass(vocabulary)}`,
    settings: rowSettings,
    trial() {
      const tried = zeros([start + count], 'int32')
      return {
        kernel: (setting) => kernel(setting, tried),
        written: { result: scratch(chunk.shape) },
        tensors: [tried],
      }
    },
  })
  runInPlace(kernel(setting ?? DEFAULT, labels), chunk)
}

/** Joins maxima and sums of the threads by halves: `tops[0]` and `sums[0]`. */
const ONLINE = `
  var<workgroup> tops : array<f32, ${THREADS}>;
  var<workgroup> sums : array<f32, ${THREADS}>;
  fn joinThreads(top : f32, sum : f32) {
    tops[localIndex] = top;
    sums[localIndex] = sum;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) {
        let other = tops[localIndex + half];
        let higher = max(tops[localIndex], other);
        sums[localIndex] = sums[localIndex] * exp(tops[localIndex] - higher) + sums[localIndex + half] * exp(other - higher);
        tops[localIndex] = higher;
      }
      workgroupBarrier();
    }
  }`

/** loss [] = (or +=) the chunk's losses, added up by one group in a fixed order. */
function addLosses(loss: Tensor, chunk: Tensor, first: number, count: number, begins: boolean): void {
  runInPlace(
    {
      name: 'addLosses',
      variant: begins ? 'first' : 'next',
      inputs: { chunk },
      uniforms: { first: i32(first), count: i32(count) },
      workgroup: [THREADS, 1, 1],
      groups: 1,
      code: `
  var<workgroup> partial : array<f32, ${THREADS}>;

  fn main() {
    var sum = 0.0;
    for (var i = i32(localIndex); i < uniforms.count; i += ${THREADS}) { sum += chunk[uniforms.first + i]; }
    partial[localIndex] = sum;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { partial[localIndex] += partial[localIndex + half]; }
      workgroupBarrier();
    }
    if (localIndex == 0u) { result[0] ${begins ? '=' : '+='} partial[0]; }
  }`,
    },
    loss,
  )
}
