// Gradient sums, the global norm and AdamW.
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { SLOT_ALIGNMENT, type AdamwHyper, type Ops, type Slot } from '../../src/core/ops/ops.ts'
import * as oracle from './oracle.ts'
import type { OpsOf } from './suite.ts'
import { counted, data, expectClose, tensor } from './support.ts'

const SLOTS: Slot[] = [
  { name: 'a', shape: [3, 5], offset: 0, size: 15, decay: true, rate: 1 },
  { name: 'b', shape: [70], offset: SLOT_ALIGNMENT, size: 70, decay: false, rate: 1 },
  { name: 'c', shape: [2, 2], offset: 3 * SLOT_ALIGNMENT, size: 4, decay: true, rate: 1 },
]
const SIZE = 4 * SLOT_ALIGNMENT
const HYPER: AdamwHyper = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clip: 1,
  step: 1,
}

/** Numbers in the slots, zeros between them, as in the flat buffers. */
function flatData(rows: number): oracle.Vector {
  return data(rows * SIZE).map((value, at) => {
    const place = at % SIZE
    return SLOTS.some(({ offset, size }) => place >= offset && place < offset + size) ? value : 0
  })
}

const decays = (at: number): boolean =>
  SLOTS.some(({ decay, offset, size }) => decay && at >= offset && at < offset + size)

/** Learning rates by slot, as LoRA+ has them; 0 keeps a slot as it is. */
const WITH_RATES: Slot[] = SLOTS.map((slot, i) => ({ ...slot, rate: [0.5, 16, 0][i]! }))

/** One step of an optimizer that is made for it. */
export function adamw(
  ops: Ops,
  state: tf.Tensor,
  gradient: tf.Tensor,
  norm: tf.Tensor,
  slots: readonly Slot[],
  hyper: AdamwHyper,
): tf.Tensor {
  const optimizer = ops.optimizer(slots)
  const next = optimizer.step(state, gradient, norm, hyper)
  optimizer.dispose()
  return next
}

export function optimizerTests(ops: OpsOf): void {
  test('gradients add up at their places, with zeros between', async () => {
    const before = tf.memory().numTensors
    const buffer = ops().gradientBuffer(SLOTS, SIZE)
    const expected = new Float64Array(SIZE)
    const add = (name: string): void => {
      const slot = SLOTS.find((candidate) => candidate.name === name)!
      const values = data(slot.size)
      values.forEach((value, at) => (expected[slot.offset + at]! += value))
      const gradient = tensor(values, slot.shape)
      buffer.add(name, gradient)
      gradient.dispose()
    }
    for (const name of ['c', 'a', 'a', 'b']) add(name)
    expect(buffer.flat().shape).toEqual([SIZE])
    await expectClose(buffer.flat(), expected)
    add('c')
    await expectClose(buffer.flat(), expected)
    buffer.clear()
    await expectClose(buffer.flat(), new Float64Array(SIZE), 0)
    expected.fill(0)
    add('b')
    await expectClose(buffer.flat(), expected)
    buffer.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('a gradient may be added inside a tidy', async () => {
    const before = tf.memory().numTensors
    const buffer = ops().gradientBuffer(SLOTS, SIZE)
    tf.tidy(() => {
      buffer.add('c', tf.ones([2, 2]))
      buffer.add('c', tf.ones([2, 2]))
    })
    const flat = await buffer.flat().data()
    expect([...flat.slice(3 * SLOT_ALIGNMENT, 3 * SLOT_ALIGNMENT + 5)]).toEqual([2, 2, 2, 2, 0])
    buffer.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('a gradient of the wrong size or name is refused', () => {
    const buffer = ops().gradientBuffer(SLOTS, SIZE)
    const gradient = tf.zeros([4])
    expect(() => buffer.add('a', gradient)).toThrow(/4 elements instead of 15/)
    expect(() => buffer.add('z', gradient)).toThrow(/No trainable tensor/)
    gradient.dispose()
    buffer.dispose()
  })

  test.each([64, 1000, 70_016])('globalNorm of %i', async (size) => {
    const g = data(size)
    const tg = tensor(g, [size])
    const norm = counted(() => ops().globalNorm(tg))
    expect(norm.shape).toEqual([])
    await expectClose(norm, [Math.sqrt(g.reduce((sum, value) => sum + value * value, 0))])
    tf.dispose([tg, norm])
  })

  test.each([
    { clip: 0 },
    { clip: 1 },
    { clip: 1e6 },
    { weightDecay: 0 },
    { clip: 1, weightDecay: 0.3, step: 7 },
  ])('adamw with %o', async (given) => {
    const hyper = { ...HYPER, ...given }
    let expected = flatData(3)
    expected.forEach((value, at) => (expected[at] = at >= 2 * SIZE ? value * value : value))
    let state = tensor(expected, [3, SIZE])
    for (let step = hyper.step; step < hyper.step + 3; step++) {
      const g = data(SIZE)
      const tg = tensor(g, [SIZE])
      const norm = ops().globalNorm(tg)
      const before = tf.memory().numTensors
      state = adamw(ops(), state, tg, norm, SLOTS, { ...hyper, step })
      expect(tf.memory().numTensors).toBe(before)
      expected = oracle.adamw(expected, g, decays, { ...hyper, step })
      tf.dispose([tg, norm])
    }
    expect(state.shape).toEqual([3, SIZE])
    await expectClose(state, expected)
    state.dispose()
  })

  test.each([0, 0.3])('adamw with a rate for each slot and weight decay %d', async (weightDecay) => {
    const hyper = { ...HYPER, weightDecay }
    const rate = (at: number): number =>
      WITH_RATES.find(({ offset, size }) => at >= offset && at < offset + size)?.rate ?? 1
    let expected: oracle.Vector = flatData(3).map((value, at) => (at >= 2 * SIZE ? value * value : value))
    let state = tensor(expected, [3, SIZE])
    for (let step = 1; step < 4; step++) {
      const g = flatData(1)
      const tg = tensor(g, [SIZE])
      const norm = ops().globalNorm(tg)
      state = adamw(ops(), state, tg, norm, WITH_RATES, { ...hyper, step })
      expected = oracle.adamw(expected, g, decays, { ...hyper, step }, rate)
      tf.dispose([tg, norm])
    }
    await expectClose(state, expected)
    state.dispose()
  })

  test('adamw by hand: the first step moves by the learning rate against the sign', async () => {
    const g = new Float64Array(SIZE)
    g[0] = 2
    g[1] = -0.5
    const [state, tg, norm] = [tensor(new Float64Array(3 * SIZE), [3, SIZE]), tensor(g, [SIZE]), tf.scalar(1)]
    const next = adamw(ops(), state, tg, norm, SLOTS, { ...HYPER, weightDecay: 0, clip: 0 })
    const values = await next.data()
    expect(values[0]).toBeCloseTo(-0.01, 7)
    expect(values[1]).toBeCloseTo(0.01, 7)
    expect(values[2]).toBe(0)
    expect(values[SIZE]).toBeCloseTo(0.2, 6)
    expect(values[2 * SIZE]).toBeCloseTo(0.004, 6)
    tf.dispose([next, tg, norm])
  })

  test.each([NaN, Infinity, -Infinity])('a gradient with %d leaves the state as it was', async (bad) => {
    const values = data(3 * SIZE).map(Math.abs)
    const g = data(SIZE)
    g[17] = bad
    let state = tensor(values, [3, SIZE])
    const tg = tensor(g, [SIZE])
    const norm = ops().globalNorm(tg)
    expect(Number.isFinite((await norm.data())[0])).toBe(false)
    state = adamw(ops(), state, tg, norm, SLOTS, { ...HYPER, step: 3 })
    expect([...(await state.data())]).toEqual([...Float32Array.from(values)])
    tf.dispose([state, tg, norm])
  })
}
