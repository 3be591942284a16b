// TracIn and cartography: closed forms, the projection's error, and what one step of plain gradient descent does to a loss.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { storeAdaptation } from '../../../src/core/adapters/adaptation.ts'
import { cartographyOf } from '../../../src/core/explain/influence/cartography.ts'
import { CheckpointGradients } from '../../../src/core/explain/influence/gradients.ts'
import { randomSketch } from '../../../src/core/explain/influence/sketch.ts'
import { traced } from '../../../src/core/explain/influence/tracin.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { ParameterStore, type InitialParameter } from '../../../src/core/optim/parameters.ts'
import { normals } from '../../../src/core/rng.ts'
import { evaluateBatch, exampleBatch, type Example } from '../../../src/core/train/objective.ts'
import { Turns } from '../../../src/core/turns.ts'
import { defaultAdapter } from '../../../src/protocol/settings.ts'
import { loadTiny } from '../../golden/follow.ts'

beforeAll(() => tf.setBackend('cpu'))

describe('cartography', () => {
  const epoch = (gold: number[], predicted: number[] | null) => ({ gold, predicted })

  it('is the mean and the population deviation over epochs; what was never learnt is counted', () => {
    const found = cartographyOf(
      [
        epoch([0.9, 0, 0.1, NaN, 0.2], [0, 0, 0, 0, 1]),
        epoch([0.9, 1, 0.1, 0.5, 0.2], [0, 1, 0, 1, 1]),
        epoch([0.9, 0, 0.1, 0.5, 0.5], [0, 0, 0, 1, 1]),
        epoch([0.9, 1, 0.1, NaN, NaN], [0, 1, 0, 0, 0]),
      ],
      [0, 1, 1, 1, 1],
    )
    expect([...found.places]).toEqual([0, 1, 2, 4])
    expect(found.tooFew).toBe(1)
    expect([...found.epochs]).toEqual([4, 4, 4, 3])
    ;[0.9, 0.5, 0.1, 0.3].forEach((mean, i) => expect(found.confidence[i]).toBeCloseTo(mean, 12))
    ;[0, 0.5, 0, Math.sqrt(0.02)].forEach((sd, i) => expect(found.variability[i]).toBeCloseTo(sd, 12))
    expect([...found.correctness]).toEqual([1, 0.5, 0, 1])
    expect(found.neverLearnt).toBe(1)
    // The third that varied most: one of four. The others by their confidence.
    expect([...found.region]).toEqual([0, 1, 2, 2])
  })

  it('varies by 0.5 at most', () => {
    const wild = Array.from({ length: 8 }, (_, e) => epoch([e % 2, e < 4 ? 1 : 0], null))
    expect([...cartographyOf(wild, null).variability]).toEqual([0.5, 0.5])
  })

  it('of texts counts epochs with a probability of a half', () => {
    const texts = [epoch([0.4, 0.6], null), epoch([0.5, 0.6], null), epoch([0.7, 0.6], null)]
    expect([...cartographyOf(texts, null).correctness]).toEqual([2 / 3, 1])
  })

  it('has nothing to say of fewer than three epochs', () => {
    expect(cartographyOf([epoch([1], null), epoch([1], null)], null)).toMatchObject({
      places: new Int32Array(),
      tooFew: 1,
    })
  })
})

describe('projection', () => {
  const vector = (n: number, seed: number) => Float64Array.from(normals({ seed, purpose: 'noise' }, n))
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>) =>
    Array.from(x).reduce((sum, value, i) => sum + value * y[i]!, 0)

  it('keeps inner products: right on average, with the error that theory gives', async () => {
    const [n, k, seeds] = [3000, 512, 60]
    const x = vector(n, 1)
    const y = x.map((value, i) => 0.5 * value + vector(n, 2)[i]!)
    const bound = Math.sqrt((dot(x, x) * dot(y, y) + dot(x, y) ** 2) / k)
    const errors: number[] = []
    const [tx, ty] = [tf.tensor1d([...x]), tf.tensor1d([...y])]
    for (let seed = 0; seed < seeds; seed++) {
      const sketch = randomSketch(n, k, seed)
      const [px, py] = [await sketch.of(tx).data(), await sketch.of(ty).data()]
      expect(px).toHaveLength(k)
      errors.push(dot(px, py) - dot(x, y))
      sketch.dispose()
    }
    const mean = errors.reduce((sum, error) => sum + error, 0) / seeds
    const rms = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / seeds)
    expect(Math.abs(mean)).toBeLessThan((3 * bound) / Math.sqrt(seeds))
    expect(rms).toBeLessThan(1.3 * bound)
    expect(rms).toBeGreaterThan(0.5 * bound)
  })

  it('with a sum for every number loses nothing; the same seed gives the same sums', async () => {
    const [x, y] = [vector(100, 3), vector(100, 4)]
    const of = async (seed: number, size: number, values: Float64Array) => {
      const sketch = randomSketch(100, size, seed)
      const sums = await sketch.of(tf.tensor1d([...values])).data()
      sketch.dispose()
      return sums
    }
    expect(dot(await of(7, 100, x), await of(7, 100, y))).toBeCloseTo(dot(x, y), 4)
    expect(await of(7, 16, x)).toEqual(await of(7, 16, x))
    expect(await of(7, 16, x)).not.toEqual(await of(8, 16, x))
  })
})

describe('influence', () => {
  it('sums learning rate x inner product over checkpoints', () => {
    const rows = (numbers: number[], squares: number[]) => ({
      numbers: Float32Array.from(numbers),
      squares: Float64Array.from(squares),
    })
    const found = traced([
      { learningRate: 0.5, rows: rows([1, 2, -3, 0], [5, 9]), answer: Float32Array.of(2, 1) },
      { learningRate: 2, rows: rows([0, 1, 1, 1], [1, 2]), answer: Float32Array.of(1, -1) },
    ])
    expect([...found.influence!]).toEqual([0.5 * 4 - 2, 0.5 * -6])
    expect([...found.self]).toEqual([4.5, 8.5])
    const exact = traced([{ learningRate: 2, rows: rows([3, -1], [4, 4]), answer: null }], true)
    expect([...exact.influence!]).toEqual([6, -2])
    expect(traced([{ learningRate: 2, rows: rows([3, -1], [4, 4]), answer: null }]).influence).toBeNull()
  })

  it.each([
    ['of classes', true, {}],
    ['of texts', false, {}],
    ['with a faster B', true, { loraPlusRatio: 4 }],
  ] as const)(
    'is what one step of gradient descent does to the loss: %s',
    async (_, classify, given) => {
      const { model, source } = await loadTiny('tiny-llama', opsFor('cpu'))
      const adapter = defaultAdapter({ r: 2, alpha: 4, ...given })
      const plan = planAdapter(model.family, model.architecture, adapter, classify ? 3 : null)
      // B is not zero any more, as at any checkpoint after the first.
      const parameters = (await initialParameters(plan, adapter, 1, baseValues(model, source))).map(
        (p, layer): InitialParameter => {
          const values = normals({ seed: 5, purpose: 'noise', layer }, p.values.length)
          return { ...p, values: p.values.map((value, i) => value + 0.02 * values[i]!) }
        },
      )
      const example = (i: number): Example => {
        const ids = Array.from({ length: 4 + i }, (__, t) => 5 + ((i * 31 + t * 17) % 50))
        return classify ? { ids, label: i % 3 } : { ids, labels: ids }
      }
      const rows = [example(0), example(1), example(4)]
      const answer = example(3)
      const before = tf.memory().numTensors
      const at = new CheckpointGradients({ model, plan, parameters, classify, padId: 0, turns: new Turns() })
      const { numbers, squares } = await at.products(rows, answer)
      const sketch = randomSketch(at.size, at.size, 1)
      const projected = await at.sketches([...rows, answer], sketch)
      sketch.dispose()

      const lossOf = async (values: InitialParameter[]) => {
        const store = new ParameterStore(model.ops, values)
        const batch = exampleBatch([answer], 0, 64)
        const trainable = { adaptation: storeAdaptation(store, plan), classify }
        const { loss, logits } = evaluateBatch(model, batch, trainable, 1 / batch.labelCount)
        const [value] = await loss.data()
        tf.dispose([loss, ...(logits ? [logits] : [])])
        batch.dispose()
        store.dispose()
        return value!
      }
      for (const [i, row] of rows.entries()) {
        const gradient = at.of(row)
        const g = (await gradient.data()) as Float32Array
        gradient.dispose()
        const stepped = (rate: number) =>
          at.store.slots.map((slot, p): InitialParameter => {
            const { values, ...rest } = parameters[p]!
            const own = g.subarray(slot.offset, slot.offset + slot.size)
            // Gradients are told with the root of the parameter's own rate.
            return { ...rest, values: values.map((v, j) => v - rate * Math.sqrt(slot.rate) * own[j]!) }
          })
        const size = 2e-3 / Math.max(1e-3, Math.abs(numbers[i]!))
        const change = (await lossOf(stepped(-size))) - (await lossOf(stepped(size)))
        expect(change / (2 * size * numbers[i]!)).toBeCloseTo(1, 1)
        // As many sums as numbers: the projection is exact.
        const k = projected.numbers.length / 4
        const sums = (r: number) => projected.numbers.subarray(r * k, (r + 1) * k)
        const product = sums(i).reduce((sum, value, j) => sum + value * sums(3)[j]!, 0)
        expect(product).toBeCloseTo(numbers[i]!, 3)
        expect(squares[i]).toBeGreaterThan(0)
        expect(projected.squares[i]).toBe(squares[i])
        expect(g.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(squares[i]!, 3)
      }
      at.dispose()
      expect(tf.memory().numTensors).toBe(before)
    },
    20_000,
  )
})
