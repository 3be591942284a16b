// Output head and cross-entropy in chunks of rows: a product makes the chunk's logits in a buffer of fixed size, one
// kernel turns them in place into their gradient and the losses, a second product makes dh (Liger, arXiv 2410.10989).
// Each logit is computed once, and memory is bounded by the chunk, whatever the vocabulary and the batch.
import { concat, dispose, fill, slice, zeros, type Tensor } from '@tensorflow/tfjs-core'
import type { FrozenMatrix } from '../ops.ts'
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
  factor: number,
  trained = false,
  chunkElements = CHUNK_ELEMENTS,
): { loss: Tensor; dh: Tensor; dw?: Tensor } {
  const parts: Tensor[] = []
  const dw = trained ? fill(w.shape, 0) : null // [V, d]
  const loss = inChunks({ h, w, labels, factor, chunkElements }, (dLogits, rows, count) => {
    parts.push(backward(dLogits, count, w)) // [count, d]
    if (!dw) return
    const [m, n] = w.shape
    productInto(dw, { a: dLogits, b: rows, orientation: 'TN', m, n, k: count }, { accumulate: true })
  })
  const dh = joined(parts, h.shape)
  return dw ? { loss, dh, dw } : { loss, dh }
}

export function headLoss(h: Tensor, w: FrozenMatrix, labels: Tensor, factor: number): Tensor {
  return inChunks({ h, w, labels, factor, chunkElements: CHUNK_ELEMENTS }, null)
}

interface Head {
  h: Tensor
  w: FrozenMatrix
  labels: Tensor
  factor: number
  chunkElements: number
}

/** Walks the chunks; `use` gets the gradient of the logits, [>= count, V], and the chunk of h, [count, d], for the call. */
function inChunks(
  { h, w, labels, factor, chunkElements }: Head,
  use: ((dLogits: Tensor, rows: Tensor, count: number) => void) | null,
): Tensor {
  const [m, d] = h.shape as [number, number]
  const vocabulary = w.shape[0]
  const capacity = Math.max(1, Math.min(Math.floor(chunkElements / vocabulary), roomFor(m)))
  const loss = zeros([])
  for (let start = 0; start < m; start += capacity) {
    const count = Math.min(capacity, m - start)
    const rows = start === 0 && count === m ? h : slice(h, [start, 0], [count, d]) // [count, d]
    // [capacity, V] logits, and a loss for each row behind them.
    const chunk = scratch([capacity * (vocabulary + 1)])
    timesPartsTransposed(chunk, rows, w, count)
    softmaxGradient(chunk, labels, { start, count, capacity, vocabulary, factor, gradient: use !== null })
    addLosses(loss, chunk, capacity * vocabulary, count)
    use?.(chunk, rows, count)
    dispose([chunk, ...(rows === h ? [] : [rows])])
  }
  return loss
}

/** A power of two, so that batches of every size share a few sizes of buffers. */
function roomFor(rows: number): number {
  return Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(1, rows))))
}

function joined(parts: Tensor[], shape: number[]): Tensor {
  if (parts.length === 0) return zeros(shape)
  if (parts.length === 1) return parts[0]!
  const whole = concat(parts, 0)
  dispose(parts)
  return whole
}

interface Chunk {
  start: number
  count: number
  capacity: number
  vocabulary: number
  factor: number
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
      const tried = fill([start + count], 0, 'int32')
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

/** loss [] += the chunk's losses, added up by one group in a fixed order. */
function addLosses(loss: Tensor, chunk: Tensor, first: number, count: number): void {
  runInPlace(
    {
      name: 'addLosses',
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
    if (localIndex == 0u) { result[0] += partial[0]; }
  }`,
    },
    loss,
  )
}
