// Attention maps, what is made of them, and heads switched off: contracts on closed forms and on tiny models, and numbers
// by transformers and numpy (tools/golden/attention_maps.py).
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ablated } from '../../../src/core/explain/attention/ablation.ts'
import { headRows, mapDifference, type MapShape } from '../../../src/core/explain/attention/maps.ts'
import { through } from '../../../src/core/explain/attention/rollout.ts'
import { answers } from '../../../src/core/explain/answers.ts'
import { inspectAttention } from '../../../src/core/explain/inspect.ts'
import type { Asked } from '../../../src/core/explain/subject.ts'
import { tokenBatch } from '../../../src/core/nn/batch.ts'
import type { Linear } from '../../../src/core/nn/linear.ts'
import { Turns } from '../../../src/core/turns.ts'
import { HEAD_FILLS, type HeadPlace } from '../../../src/protocol/explain.ts'
import { ATTENTION_MAPS, decode } from '../../golden/load.ts'
import { loadTiny } from './tiny.ts'

const NAMES = ['tiny-llama', 'tiny-bert'] as const
const models: Record<string, Asked> = {}

beforeAll(async () => {
  for (const name of NAMES)
    models[name] = {
      model: await loadTiny(name),
      trainable: { adaptation: null, classify: false },
      turns: new Turns(),
      padId: name === 'tiny-bert' ? 0 : 3,
      maskId: null,
    }
})

const largestGap = (ours: ArrayLike<number>, theirs: ArrayLike<number>) => {
  expect(ours.length).toBe(theirs.length)
  return Array.from(ours).reduce((most, value, at) => Math.max(most, Math.abs(value - theirs[at]!)), 0)
}
const capture = ({ model, trainable, padId }: Asked, ids: readonly number[]) =>
  inspectAttention(model, ids, trainable, padId)
const shapeOf = ({ model }: Asked, tokens: number) => {
  const { layers, heads } = model.architecture
  return { layers, heads, tokens }
}

/** Rollout of maps [L, H, T, T], as the engine makes it layer by layer. */
function rollout(weights: Float32Array, shape: MapShape, { from = 0 } = {}): Float32Array {
  const { layers, heads, tokens } = shape
  const size = heads * tokens * tokens
  return tf.tidy(() => {
    let flow: tf.Tensor | null = null
    for (let layer = from; layer < layers; layer++) {
      const maps = tf.tensor(weights.slice(layer * size, (layer + 1) * size), [1, heads, tokens, tokens])
      flow = through(maps, flow)
    }
    return flow!.dataSync() as Float32Array
  })
}

describe.each(NAMES)('%s', (name) => {
  const golden = ATTENTION_MAPS[name]!
  const { ids, position, outputs } = golden
  const question = { ids, position }
  const asked = () => models[name]!

  it('attention is that of transformers; rows sum to 1, and what is masked is 0', async () => {
    const weights = await capture(asked(), ids)
    expect(largestGap(weights, decode(golden.weights))).toBeLessThan(1e-5)
    const n = ids.length
    const { causal } = asked().model.parts.blocks[0]!.attention.parts.mask
    for (let row = 0; row < weights.length; row += n) {
      const shares = weights.subarray(row, row + n)
      expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1)).toBeLessThan(1e-5)
      if (causal) expect(shares.subarray(((row / n) % n) + 1).every((share) => share === 0)).toBe(true)
    }
  })

  it('A V through the output projection is what the layer gives', () => {
    const { model } = asked()
    const { hidden, heads, keyValueHeads, headSize } = model.architecture
    const n = ids.length
    const batch = tokenBatch([ids], 0, n)
    const pass = model.pass(batch, null)
    const gap = tf.tidy(() => {
      const { attention } = model.parts.blocks[1]!
      const x = tf.randomNormal([n, hidden], 0, 1, 'float32', 7)
      const { v } = attention.parts.projections as { v: Linear }
      const values = tf.transpose(tf.reshape(v.trace(x, pass).y, [n, keyValueHeads, headSize]), [1, 0, 2])
      const group = heads / keyValueHeads
      const spread = tf.gather(
        values,
        tf.tensor1d(
          Array.from({ length: heads }, (_, h) => Math.floor(h / group)),
          'int32',
        ),
      )
      const shares = tf.reshape(attention.probabilities(x, pass), [heads, n, n])
      const context = tf.reshape(tf.transpose(tf.matMul(shares, spread), [1, 0, 2]), [n, heads * headSize])
      const expected = attention.parts.output.trace(context, pass).y
      return largestGap(attention.trace(x, pass).y.dataSync(), expected.dataSync())
    })
    batch.dispose()
    expect(gap).toBeLessThan(1e-5)
  })

  it('padding is neither seen nor looked from', async () => {
    const { model } = asked()
    const batch = tokenBatch([ids.slice(0, 3)], 0)
    const length = batch.length
    expect(length).toBeGreaterThan(3)
    const shares = tf.tidy(() => {
      const pass = model.pass(batch, null)
      return model.parts.blocks[0]!.attentionProbabilities(model.embed(batch.ids, pass), pass).dataSync()
    })
    batch.dispose()
    shares.forEach((share, at) => {
      const [i, j] = [Math.floor(at / length) % length, at % length]
      if (i < 3 !== j < 3) expect(share).toBe(0)
    })
  })

  it('rollout and entropies are those of numpy; rows of a rollout sum to 1', async () => {
    const weights = await capture(asked(), ids)
    const shape = shapeOf(asked(), ids.length)
    const flow = rollout(weights, shape)
    expect(largestGap(flow, decode(golden.rollout))).toBeLessThan(1e-5)
    expect(largestGap(rollout(weights, shape, { from: 1 }), decode(golden.rolloutFrom1))).toBeLessThan(1e-5)
    for (let i = 0; i < flow.length; i += ids.length)
      expect(flow.subarray(i, i + ids.length).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5)
    const rows = headRows(weights, shape, (layer) => asked().model.parts.blocks[layer]!.attention.parts.mask)
    expect(
      largestGap(
        rows.map(({ entropy }) => entropy),
        decode(golden.entropy),
      ),
    ).toBeLessThan(1e-5)
  })

  it.each(HEAD_FILLS)('heads filled with %s give the logits of transformers', async (fill) => {
    const { layers, heads } = shapeOf(asked(), ids.length)
    const each = Array.from({ length: layers * heads }, (_, at): HeadPlace[] => [
      [Math.floor(at / heads), at % heads],
    ])
    const before = tf.memory().numTensors
    const reports: number[] = []
    const sets = [...each, golden.together.heads, []]
    const found = await ablated(asked(), question, sets, outputs, {
      fill,
      onBatch: (done) => reports.push(done),
    })
    expect(tf.memory().numTensors).toBe(before)
    expect(reports.at(-1)).toBe(sets.length)
    const theirs = [...golden.each[fill], golden.together[fill], golden.whole]
    const ours = sets.map((_, at) => [...found.logits.subarray(2 * at, 2 * at + 2), found.logSums[at]!])
    expect(largestGap(ours.flat(), theirs.flat())).toBeLessThan(2e-5)
    // Every head does something here.
    for (const row of ours.slice(0, -1)) expect(largestGap(row, ours.at(-1)!)).toBeGreaterThan(1e-4)
  })

  it('with no head off, nothing changes', async () => {
    const whole = await ablated(asked(), question, [[]], 'all')
    const plain = await answers({ ...asked() }, [question], 'all')
    expect(largestGap(whole.logits, plain.logits)).toBeLessThan(1e-6)
    const { model } = asked()
    const batch = tokenBatch([ids], 0, ids.length)
    const [off, none] = tf.tidy(() => {
      const pass = model.pass(batch, null)
      const x = model.embed(batch.ids, pass)
      const { heads } = model.architecture
      const all = { factors: tf.ones([1, 1, heads, 1]), fill: 'zero' as const }
      const block = model.parts.blocks[0]!
      return [block.forward(x, { ...pass, heads: all }).dataSync(), block.forward(x, pass).dataSync()]
    })
    batch.dispose()
    expect(off).toEqual(none)
  })

  it('cancelled, it frees what it had', async () => {
    const before = tf.memory().numTensors
    const abort = new AbortController()
    const stopped = ablated(asked(), question, [[[0, 0]], [[1, 0]]], outputs, {
      signal: abort.signal,
      onBatch: () => abort.abort(),
    })
    await expect(stopped).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(tf.memory().numTensors).toBe(before)
  })
})

it('the gradient through a switched layer agrees with central differences, in both fills', () => {
  const { model } = models['tiny-llama']!
  const { hidden, heads } = model.architecture
  const ids = [12, 40, 7, 55]
  const batch = tokenBatch([ids], 3, 4)
  for (const fill of HEAD_FILLS)
    tf.tidy(() => {
      const factors = tf.tensor([0, ...new Array<number>(heads - 1).fill(1)], [1, 1, heads, 1])
      const pass = { ...model.pass(batch, null), heads: { factors, fill } }
      const { attention } = model.parts.blocks[0]!
      const x = tf.randomNormal([4, hidden], 0, 1, 'float32', 3)
      const [dy, direction] = [5, 6].map((seed) => tf.randomNormal([4, hidden], 0, 1, 'float32', seed))
      const dot = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0]!
      const at = (step: number) => dot(attention.trace(tf.add(x, tf.mul(direction!, step)), pass).y, dy!)
      const numeric = (at(5e-3) - at(-5e-3)) / 1e-2
      const exact = dot(attention.trace(x, pass).back(dy!, null), direction!)
      expect(Math.abs(numeric - exact)).toBeLessThan(2e-3 * Math.max(1, Math.abs(exact)))
    })
  batch.dispose()
})

describe('closed forms', () => {
  const identity = (maps: number, n: number) =>
    Float32Array.from({ length: maps * n * n }, (_, at) => Number(Math.floor(at / n) % n === at % n))

  it('identity attention rolls out to I, whatever the layers', async () => {
    expect(rollout(identity(6, 4), { layers: 3, heads: 2, tokens: 4 })).toEqual(identity(1, 4))
  })

  it('one layer is half its mean head and half the token itself', async () => {
    const [a, b] = [
      [1, 0, 0.5, 0.5],
      [1, 0, 0.1, 0.9],
    ]
    const flow = rollout(Float32Array.from([...a!, ...b!]), { layers: 1, heads: 2, tokens: 2 })
    expect(largestGap(flow, [1, 0, 0.15, 0.85])).toBeLessThan(1e-6)
  })

  it('layers multiply in their order, from the one that was asked for', async () => {
    // Layer 0: token 1 looks at 0; layer 1: token 2 looks at 1.
    const first = [1, 0, 0, 1, 0, 0, 0, 0, 1]
    const second = [1, 0, 0, 0, 1, 0, 0, 1, 0]
    const shape = { layers: 2, heads: 1, tokens: 3 }
    const both = Float32Array.from([...first, ...second])
    expect([...rollout(both, shape)]).toEqual([1, 0, 0, 0.5, 0.5, 0, 0.25, 0.25, 0.5])
    expect([...rollout(both, shape, { from: 1 })]).toEqual([1, 0, 0, 0, 1, 0, 0, 0.5, 0.5])
  })

  it('numbers of heads: uniform, itself, the one before', () => {
    const n = 4
    const causal = () => ({ causal: true, window: null })
    const map = (share: (i: number, j: number) => number) =>
      Array.from({ length: n * n }, (_, at) => share(Math.floor(at / n), at % n))
    const uniform = map((i, j) => (j <= i ? 1 / (i + 1) : 0))
    const itself = map((i, j) => Number(i === j))
    const before = map((i, j) => Number(j === Math.max(0, i - 1)))
    const rows = headRows(
      Float32Array.from([...uniform, ...itself, ...before]),
      { layers: 1, heads: 3, tokens: n },
      causal,
    )
    expect(rows[0]!.normalisedEntropy).toBeCloseTo(1, 6)
    expect(rows[0]!.entropy).toBeCloseTo((Math.log(2) + Math.log(3) + Math.log(4)) / 3, 6)
    expect(rows[0]!.distance).toBeCloseTo((0.5 + 1 + 1.5) / 3, 6)
    expect(rows[0]!.first).toBeCloseTo((1 / 2 + 1 / 3 + 1 / 4) / 3, 6)
    expect(rows[1]).toEqual({
      layer: 0,
      head: 1,
      entropy: 0,
      normalisedEntropy: 0,
      distance: 0,
      first: 0,
      self: 1,
      previous: 0,
    })
    expect(rows[2]).toMatchObject({ distance: 1, self: 0, previous: 1, first: 1 / 3 })
  })

  it('of both directions: distances count either way, and only the first token follows none', () => {
    const [row] = headRows(new Float32Array(9).fill(1 / 3), { layers: 1, heads: 1, tokens: 3 }, () => ({
      causal: false,
      window: null,
    }))
    expect(row!.distance).toBeCloseTo((1 + 2 / 3 + 1) / 3, 6)
    for (const share of [row!.first, row!.self, row!.previous]) expect(share).toBeCloseTo(1 / 3, 6)
  })

  it('each layer is judged by its own mask', () => {
    const n = 4
    const masks = [null, 2].map((window) => ({ causal: true, window }))
    const uniform = masks.flatMap(({ window }) =>
      Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [Math.floor(at / n), at % n]
        const from = window === null ? 0 : Math.max(0, i - window + 1)
        return j <= i && j >= from ? 1 / (i - from + 1) : 0
      }),
    )
    const rows = headRows(Float32Array.from(uniform), { layers: 2, heads: 1, tokens: n }, (l) => masks[l]!)
    for (const { normalisedEntropy } of rows) expect(normalisedEntropy).toBeCloseTo(1, 6)
  })

  it('a window and both directions are taken into account', () => {
    const n = 5
    const look = { causal: false, window: 2 }
    const uniform = Float32Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      return Math.abs(i - j) < 2 ? 1 / (i === 0 || i === n - 1 ? 2 : 3) : 0
    })
    const [row] = headRows(uniform, { layers: 1, heads: 1, tokens: n }, () => look)
    expect(row!.normalisedEntropy).toBeCloseTo(1, 6)
  })

  it('a text of one token has numbers', () => {
    const [row] = headRows(Float32Array.of(1), { layers: 1, heads: 1, tokens: 1 }, () => ({
      causal: true,
      window: null,
    }))
    expect(Object.values(row!).every(Number.isFinite)).toBe(true)
  })

  it('a map differs from itself by nothing, and from its opposite by all', () => {
    const shape = { layers: 1, heads: 1, tokens: 2 }
    const a = Float32Array.of(1, 0, 1, 0)
    expect([...mapDifference(a, a, shape).moved]).toEqual([0])
    const { difference, moved } = mapDifference(a, Float32Array.of(0, 1, 0, 1), shape)
    expect([...difference]).toEqual([1, -1, 1, -1])
    expect([...moved]).toEqual([1])
  })
})
