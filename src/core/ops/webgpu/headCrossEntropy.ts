// Output head and cross-entropy in chunks of rows: a product makes the chunk's logits in a buffer of fixed size, one
// kernel turns them in place into their gradient and the losses, a second product makes dh (Liger, arXiv 2410.10989).
// Each logit is computed once, and memory is bounded by the chunk, whatever the vocabulary and the batch.
import { zeros, type Tensor } from '@tensorflow/tfjs-core'
import type { Changing } from '../changing.ts'
import type { FrozenMatrix, LossOptions } from '../ops.ts'
import { clear, part } from './elementwise.ts'
import { timesPartsInto, timesPartsTransposed } from './linear.ts'
import { productInto } from './matmul.ts'
import { reductions } from './reductions.ts'
import { f32, i32, run, runInPlace, scratch, type Kernel } from './runner.ts'
import { DEFAULT, enables, rowSettings, sizeClass, SUBGROUPS } from './tuning/settings.ts'
import { settingFor } from './tuning/tuner.ts'

/** Logits of a chunk: 96 MiB of float32, or one row of a very large vocabulary. Half of 1,024 rows for a vocabulary of
 *  SmolLM2's size: a chunk costs three dispatches, and memory in the fullest moment of a step. */
const CHUNK_ELEMENTS = 3 << 23
/** Threads that work on a row. */
const THREADS = 256

export function headCrossEntropy(
  h: Tensor,
  w: FrozenMatrix,
  labels: Tensor,
  factor: Changing,
  { trained = false, smoothing, weights, each }: LossOptions & { trained?: boolean } = {},
  chunkElements = CHUNK_ELEMENTS,
): { loss: Tensor; dh: Tensor; dw?: Tensor } {
  const [outputs, inputs] = w.shape
  const dw = trained ? zeroed([outputs, inputs]) : null // [V, d]
  const dh = scratch([h.shape[0]!, inputs]) // [M, d]
  const head = { h, w, labels, factor, smoothing, weights, each, chunkElements }
  const loss = inChunks(head, (dLogits, { start, count }) => {
    timesPartsInto(dh, dLogits, w, count, start)
    if (!dw) return
    const rows = part(h, start * inputs, [count, inputs]) // [count, d]
    const product = { a: dLogits, b: rows, orientation: 'TN', m: outputs, n: inputs, k: count } as const
    productInto(dw, product, { accumulate: true })
    rows.dispose()
  })
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
  options: LossOptions = {},
): { loss: Tensor; dLogits: Tensor } {
  const [count, vocabulary] = logits.shape as [number, number]
  const dLogits = part(logits, 0, [count, vocabulary])
  const losses = scratch([count])
  softmaxGradient(dLogits, losses, labels, {
    ...options,
    start: 0,
    count,
    vocabulary,
    factor,
    gradient: true,
  })
  const loss = sumOf(losses)
  losses.dispose()
  return { loss, dLogits }
}

function zeroed(shape: number[]): Tensor {
  const zeros = scratch(shape)
  if (zeros.size > 0) clear(zeros)
  return zeros
}

interface Head extends LossOptions {
  h: Tensor
  w: FrozenMatrix
  labels: Tensor
  factor: Changing
  chunkElements: number
}

/** Walks the chunks; `use` gets the gradient of the logits, [>= count, V], for the call. */
function inChunks(
  { h, w, labels, factor, chunkElements, each, ...options }: Head,
  use: ((dLogits: Tensor, chunk: { start: number; count: number }) => void) | null,
): Tensor {
  const m = h.shape[0]!
  const vocabulary = w.shape[0]
  const capacity = Math.max(1, Math.min(Math.floor(chunkElements / vocabulary), roomFor(m)))
  if (m === 0) return zeroed([])
  const losses = scratch([m])
  for (let start = 0; start < m; start += capacity) {
    const count = Math.min(capacity, m - start)
    const chunk = scratch([capacity, vocabulary])
    timesPartsTransposed(chunk, h, w, count, start)
    softmaxGradient(chunk, losses, labels, {
      ...{ ...options, start, count, vocabulary, factor },
      gradient: use !== null,
    })
    use?.(chunk, { start, count })
    chunk.dispose()
  }
  each?.(losses)
  const loss = sumOf(losses)
  losses.dispose()
  return loss
}

/** A power of two, so that batches of every size share a few sizes of buffers. */
function roomFor(rows: number): number {
  return Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(1, rows))))
}

interface Chunk extends LossOptions {
  start: number
  count: number
  vocabulary: number
  factor: Changing
  /** Whether the logits become their gradient; the losses are written in any case. */
  gradient: boolean
}

/** In place: logits [>= count, V] -> factor (softmax - target), times the row's weight where there are weights; the loss of
 *  each row goes to losses [M]. */
function softmaxGradient(chunk: Tensor, losses: Tensor, labels: Tensor, given: Chunk): void {
  const { start, count, vocabulary, factor, smoothing = 0, weights, gradient } = given
  const smooth = smoothing > 0
  const turnAround = `
    for (var i = i32(localIndex); i < uniforms.vocabulary; i += ${THREADS}) {
      let target_ = select(0.0, ${smooth ? '1.0 - uniforms.smoothing' : '1.0'}, i == label)${smooth ? ' + share' : ''};
      result[base + i] = weight * (exp(result[base + i] - lse) - target_);
    }`
  const kernel = (setting: string, inputs: { labels: Tensor; weights?: Tensor }): Kernel => ({
    name: 'softmaxGradient',
    variant: `${gradient ? 'gradient' : 'loss'} ${smooth ? 'smooth ' : ''}${inputs.weights ? 'weighted ' : ''}${setting}`,
    inputs,
    uniforms: {
      start: i32(start),
      rows: i32(count),
      vocabulary: i32(vocabulary),
      factor: f32(factor),
      ...(smooth && { smoothing: f32(smoothing) }),
    },
    workgroup: [THREADS, 1, 1],
    groups: count,
    enable: enables(setting),
    code: `
  ${setting === SUBGROUPS ? reductions(THREADS, true, true) : ONLINE}
  ${smooth ? TOTAL : ''}

  fn main() {
    let row = groupIndex();
    // Groups beyond the last row do nothing, but pass the barriers.
    let width = select(0, uniforms.vocabulary, row < uniforms.rows);
    let base = min(row, uniforms.rows - 1) * uniforms.vocabulary;

    // Online logsumexp (Milakov & Gimelshein 2018): a maximum and a sum by thread, then over the threads.
    var top = -3.0e38;
    var sum = 0.0;
    ${smooth ? 'var total = 0.0;' : ''}
    for (var i = i32(localIndex); i < width; i += ${THREADS}) {
      let z = result[base + i];
      ${smooth ? 'total += z;' : ''}
      if (z > top) {
        sum *= exp(top - z);
        top = z;
      }
      sum += exp(z - top);
    }
    ${smooth ? 'addTotals(total);' : ''}
    ${
      setting === SUBGROUPS
        ? `let highest = maxOfThreads(top);
    let whole = sumOfThreads(sum * exp(top - highest));
    let logSum = log(whole);
    let lse = highest + logSum;
    if (row >= uniforms.rows) { return; }`
        : `joinThreads(top, sum);
    if (row >= uniforms.rows) { return; }
    let highest = tops[0];
    let logSum = log(sums[0]);
    let lse = highest + logSum;`
    }
    let label = labels[uniforms.start + row];
    let weight = select(0.0, uniforms.factor${inputs.weights ? ' * weights[uniforms.start + row]' : ''}, label >= 0);
    ${smooth ? 'let share = uniforms.smoothing / f32(uniforms.vocabulary);' : ''}
    // The thread that later overwrites the label's logit reads it first. Of a sure answer the loss is small, and would drown
    // in the size of the logits if these were not subtracted from each other first.
    if (i32(localIndex) == max(label, 0) % ${THREADS}) {
      losses[uniforms.start + row] = weight * (logSum + (highest - ${
        smooth
          ? '(1.0 - uniforms.smoothing) * result[base + max(label, 0)] - share * totals[0]'
          : 'result[base + max(label, 0)]'
      }));
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
        kernel: (setting) => kernel(setting, { labels: tried }),
        written: { result: scratch(chunk.shape), losses: scratch(losses.shape) },
        tensors: [tried],
      }
    },
  })
  runInPlace(kernel(setting ?? DEFAULT, { labels, ...(weights && { weights }) }), chunk, { losses })
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

/** Adds up the logits of a row, for their mean: `totals[0]`. */
const TOTAL = `
  var<workgroup> totals : array<f32, ${THREADS}>;
  fn addTotals(total : f32) {
    totals[localIndex] = total;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { totals[localIndex] += totals[localIndex + half]; }
      workgroupBarrier();
    }
  }`

/** The sum of x [n], [], by one group in a fixed order. */
function sumOf(x: Tensor): Tensor {
  return run(
    {
      name: 'sumOf',
      inputs: { x },
      uniforms: { count: i32(x.size) },
      workgroup: [THREADS, 1, 1],
      groups: 1,
      code: `
  var<workgroup> partial : array<f32, ${THREADS}>;

  fn main() {
    var sum = 0.0;
    for (var i = i32(localIndex); i < uniforms.count; i += ${THREADS}) { sum += x[i]; }
    partial[localIndex] = sum;
    workgroupBarrier();
    for (var half = ${THREADS / 2}u; half > 0u; half = half >> 1u) {
      if (localIndex < half) { partial[localIndex] += partial[localIndex + half]; }
      workgroupBarrier();
    }
    if (localIndex == 0u) { result[0] = partial[0]; }
  }`,
    },
    [],
  )
}
