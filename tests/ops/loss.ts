// Cross-entropy, with and without the head, and rows by index.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import * as oracle from './oracle.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, frozen, ints, tapeIsSlow, tensor } from './support.ts'

const IGNORED = -100

type ChunkedHead = (
  ...args: [...Required<Parameters<Ops['headCrossEntropy']>>, chunkElements?: number]
) => ReturnType<Ops['headCrossEntropy']>

export function lossTests(ops: OpsOf): void {
  test.each([
    [1, 2],
    [5, 7],
  ])('crossEntropy of [%i, %i]', async (m, c) => {
    const logits = data(m * c, 3)
    const labels = Int32Array.from({ length: m }, (_, i) => (i === 2 ? IGNORED : (i * 3) % c))
    const [tz, tl] = [tensor(logits, [m, c]), ints(labels)]
    const factor = 0.3
    const { loss, dLogits } = counted(() => ops().crossEntropy(tz, tl, factor))
    expect(loss.shape).toEqual([])
    const f = (z: oracle.Vector): oracle.Vector => Float64Array.of(oracle.crossEntropy(z, labels, c, factor))
    await expectClose(loss, f(logits))
    await expectClose(dLogits, oracle.difference(f, logits, Float64Array.of(1)))
    tf.dispose([tz, tl, loss, dLogits])
  })

  test.each([
    [1, 3, 5],
    [7, 12, 41],
    [3, 70, 300],
  ])('headCrossEntropy: %i rows of %i, %i words', async (m, d, vocabulary) => {
    const [h, w] = [data(m * d), data(vocabulary * d, 0.5)]
    const labels = Int32Array.from({ length: m }, (_, i) => (i === 1 ? IGNORED : (i * 37 + 4) % vocabulary))
    const [th, tw, tl] = [tensor(h, [m, d]), frozen(w, [vocabulary, d]), ints(labels)]
    const factor = 0.25
    const { loss, dh } = counted(() => ops().headCrossEntropy(th, tw, tl, factor))
    const f = (v: oracle.Vector): oracle.Vector =>
      Float64Array.of(
        oracle.crossEntropy(oracle.timesTransposed(v, w, m, d, vocabulary), labels, vocabulary, factor),
      )
    expect(loss.shape).toEqual([])
    expect(dh.shape).toEqual([m, d])
    await expectClose(loss, f(h))
    await expectClose(dh, oracle.difference(f, h, Float64Array.of(1)))
    const alone = counted(() => ops().headLoss(th, tw, tl, factor))
    await expectClose(alone, f(h))
    const { dw, ...rest } = counted(() => ops().headCrossEntropy(th, tw, tl, factor, { trained: true }))
    const ofHead = (v: oracle.Vector): oracle.Vector =>
      Float64Array.of(
        oracle.crossEntropy(oracle.timesTransposed(h, v, m, d, vocabulary), labels, vocabulary, factor),
      )
    expect(dw!.shape).toEqual([vocabulary, d])
    await expectClose(rest.dh, await dh.data())
    // Differences cost a pass for each weight: the largest case is left out.
    if (w.length < 1000) await expectClose(dw!, oracle.difference(ofHead, w, Float64Array.of(1)))
    tf.dispose([th, tw.data, tl, loss, dh, alone, dw!, rest.loss, rest.dh])
  })

  test('smoothed labels, of classes and of words', async () => {
    const [m, d, vocabulary, factor, smoothing] = [5, 6, 300, 0.3, 0.1]
    const [h, w] = [data(m * d), data(vocabulary * d, 0.5)]
    const labels = Int32Array.from({ length: m }, (_, i) => (i === 2 ? IGNORED : (i * 37 + 4) % vocabulary))
    const [th, tw, tl] = [tensor(h, [m, d]), frozen(w, [vocabulary, d]), ints(labels)]
    const { loss, dh } = counted(() => ops().headCrossEntropy(th, tw, tl, factor, { smoothing }))
    const ofRows = (v: oracle.Vector): oracle.Vector => {
      const z = oracle.timesTransposed(v, w, m, d, vocabulary)
      return Float64Array.of(oracle.crossEntropy(z, labels, vocabulary, factor, smoothing))
    }
    await expectClose(loss, ofRows(h))
    await expectClose(dh, oracle.difference(ofRows, h, Float64Array.of(1)))

    const logits = data(m * 7, 3)
    const classes = Int32Array.of(6, 0, IGNORED, 3, 3)
    const [tz, tc] = [tensor(logits, [m, 7]), ints(classes)]
    const ofClasses = counted(() => ops().crossEntropy(tz, tc, factor, { smoothing }))
    const f = (z: oracle.Vector): oracle.Vector =>
      Float64Array.of(oracle.crossEntropy(z, classes, 7, factor, smoothing))
    await expectClose(ofClasses.loss, f(logits))
    await expectClose(ofClasses.dLogits, oracle.difference(f, logits, Float64Array.of(1)))
    tf.dispose([th, tw.data, tl, loss, dh, tz, tc, ofClasses])
  })

  test('weighted rows, of classes and of words, with smoothed labels and without', async () => {
    const [m, d, vocabulary, factor] = [5, 6, 300, 0.3]
    const [h, w] = [data(m * d), data(vocabulary * d, 0.5)]
    const weights = Float64Array.of(0.25, 3, 7, 1, 0.5)
    const labels = Int32Array.from({ length: m }, (_, i) => (i === 2 ? IGNORED : (i * 37 + 4) % vocabulary))
    const [th, tw, tl] = [tensor(h, [m, d]), frozen(w, [vocabulary, d]), ints(labels)]
    const logits = data(m * 7, 3)
    const classes = Int32Array.of(6, 0, IGNORED, 3, 3)
    const [tz, tc, tweights] = [tensor(logits, [m, 7]), ints(classes), tensor(weights, [m])]
    for (const smoothing of [0, 0.1]) {
      const options = { smoothing, weights: tweights }
      const ofHead = counted(() => ops().headCrossEntropy(th, tw, tl, factor, options))
      const ofRows = (v: oracle.Vector): oracle.Vector => {
        const z = oracle.timesTransposed(v, w, m, d, vocabulary)
        return Float64Array.of(oracle.crossEntropy(z, labels, vocabulary, factor, smoothing, weights))
      }
      await expectClose(ofHead.loss, ofRows(h))
      await expectClose(ofHead.dh, oracle.difference(ofRows, h, Float64Array.of(1)))

      const ofClasses = counted(() => ops().crossEntropy(tz, tc, factor, options))
      const f = (z: oracle.Vector): oracle.Vector =>
        Float64Array.of(oracle.crossEntropy(z, classes, 7, factor, smoothing, weights))
      await expectClose(ofClasses.loss, f(logits))
      await expectClose(ofClasses.dLogits, oracle.difference(f, logits, Float64Array.of(1)))

      // Weights of 1 change no bit.
      const ones = tensor(new Float64Array(m).fill(1), [m])
      const plain = ops().crossEntropy(tz, tc, factor, { smoothing })
      const same = ops().crossEntropy(tz, tc, factor, { smoothing, weights: ones })
      await expectClose(same.loss, await plain.loss.data(), 0)
      await expectClose(same.dLogits, await plain.dLogits.data(), 0)
      tf.dispose([ofHead.loss, ofHead.dh, ofClasses.loss, ofClasses.dLogits, ones])
      tf.dispose([plain.loss, plain.dLogits, same.loss, same.dLogits])
    }
    tf.dispose([th, tw.data, tl, tz, tc, tweights])
  })

  test('headCrossEntropy agrees with the tape of tf', async ({ skip }) => {
    skip(tapeIsSlow(), 'checked on the other backends')
    const [m, d, vocabulary] = [4, 6, 9]
    const [th, tw] = [tensor(data(m * d), [m, d]), frozen(data(vocabulary * d), [vocabulary, d])]
    const tl = ints([1, 0, 8, 3])
    const { loss, dh } = ops().headCrossEntropy(th, tw, tl, 1)
    const { value, grads } = tf.valueAndGrads((x: tf.Tensor) => {
      const z = tf.matMul(x, tw.data, false, true)
      const target = tf.cast(tf.oneHot(tl, vocabulary), 'float32')
      return tf.sub(tf.sum(tf.logSumExp(z, 1)), tf.sum(tf.mul(z, target)))
    })([th])
    await expectClose(loss, await value.data())
    await expectClose(dh, await grads[0]!.data())
    tf.dispose([th, tw.data, tl, loss, dh, value, ...grads])
  })

  test('a batch without labels has no loss and no gradient', async () => {
    const [th, tw, tl] = [tensor(data(6), [2, 3]), frozen(data(12), [4, 3]), ints([IGNORED, IGNORED])]
    const { loss, dh } = ops().headCrossEntropy(th, tw, tl, 1)
    await expectClose(loss, [0])
    await expectClose(dh, [0, 0, 0, 0, 0, 0])
    tf.dispose([th, tw.data, tl, loss, dh])
  })

  test('headCrossEntropy in several chunks of weighted rows, the last one shorter', async () => {
    const [m, d, vocabulary] = [37, 5, 11]
    const labels = ints(Array.from({ length: m }, (_, i) => (i % 5 === 2 ? IGNORED : (i * 7) % vocabulary)))
    const [th, tw] = [tensor(data(m * d), [m, d]), frozen(data(vocabulary * d), [vocabulary, d])]
    // The size of a chunk is an argument behind those of the contract.
    const chunked = ops().headCrossEntropy as ChunkedHead
    const weights = tensor(
      Float64Array.from({ length: m }, (_, i) => 0.5 + (i % 4)),
      [m],
    )
    const options = { trained: true, weights }
    const whole = chunked(th, tw, labels, 0.5, options)
    const parts = counted(() => chunked(th, tw, labels, 0.5, options, 16 * vocabulary))
    await expectClose(parts.loss, await whole.loss.data())
    await expectClose(parts.dh, await whole.dh.data())
    await expectClose(parts.dw!, await whole.dw!.data())
    tf.dispose([labels, weights, th, tw.data])
    tf.dispose([whole, parts])
  })

  test('a part of a tensor', async () => {
    const x = data(30)
    const [tx, tl] = [tensor(x, [3, 10]), ints([1, 2, 3, 4])]
    const some = counted(() => ops().part(tx, 7, [2, 4]))
    const labels = counted(() => ops().part(tl, 1, [2]))
    expect(some.shape).toEqual([2, 4])
    expect(labels.dtype).toBe('int32')
    await expectClose(some, x.slice(7, 15), 0)
    await expectClose(labels, [2, 3], 0)
    tf.dispose([tx, tl, some, labels])
  })

  test('rows by index, and back', async () => {
    const [n, d] = [9, 5]
    const x = data(n * d)
    const [tx, table] = [tensor(x, [n, d]), frozen(x, [n, d])]
    const chosen = [7, 0, 3]
    const indices = ints(chosen)
    const expected = chosen.flatMap((index) => Array.from(x.subarray(index * d, (index + 1) * d)))
    const rows = counted(() => ops().gatherRows(tx, indices))
    const embedded = counted(() => ops().embedding(table, indices))
    await expectClose(rows, expected, 0)
    await expectClose(embedded, expected, 0)
    const inverse = ints(
      Array.from({ length: n }, (_, i) => (chosen.includes(i) ? chosen.indexOf(i) : chosen.length)),
    )
    const back = counted(() => ops().scatterRows(rows, inverse))
    expect(back.shape).toEqual([n, d])
    await expectClose(
      back,
      x.map((value, at) => (chosen.includes(Math.floor(at / d)) ? value : 0)),
      0,
    )
    tf.dispose([tx, table.data, indices, rows, embedded, inverse, back])
  })
}
