// Attention, rollout, heads and ablation through the desk, on wasm.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ablated } from '../../../src/core/explain/attention/ablation.ts'
import { HEAD_FILLS, type HeadPlace } from '../../../src/protocol/explain.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { ablation } from '../../../workers/engine/explain/ablation.ts'
import { attention, heads, rollout } from '../../../workers/engine/explain/attention.ts'
import { adapterFiles, ATTENTION_MAPS, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let on: Engine
let base: Target
let tuned: Target
const text = 'good day'

beforeAll(async () => {
  on = await engine()
  const { id: model } = await on.models.load({ files: modelFiles('tiny-llama') }, {}, context())
  const { id: adapter } = await on.adapters.import(
    model,
    { files: adapterFiles('tiny-llama', 'causal') },
    {},
    context(),
  )
  base = { model }
  tuned = { model, adapter }
})
afterAll(() => on.close())

describe('attention', () => {
  it('compares base and tuned on the same tokens, and with itself finds nothing', async () => {
    const { weights, compared } = await attention(
      on.desk,
      tuned,
      { text, compare: { target: base } },
      context(),
    )
    const alone = await attention(on.desk, base, { text }, context())
    expect(alone.compared).toBeUndefined()
    expect(compared!.weights).toEqual(alone.weights)
    expect(compared!.difference).toEqual(weights.map((value, at) => value - alone.weights[at]!))
    expect(Math.max(...compared!.moved!)).toBeGreaterThan(1e-4)
    const same = await attention(on.desk, base, { text, compare: {} }, context())
    expect(same.compared!.moved!.every((share) => share === 0)).toBe(true)
  })

  it('reads two texts, with a difference where they are as long', async () => {
    const compare = { input: { text: 'good day to you' } }
    const { ids, compared } = await attention(on.desk, base, { text, compare }, context())
    expect(compared!.ids.length).toBeGreaterThan(ids.length)
    expect(compared).toMatchObject({ difference: null, moved: null })
  })

  it('tells the numbers of heads from the same pass, and hands its maps over', async () => {
    const handed: ArrayBufferLike[] = []
    const asked = { ...context(), handOver: (buffer: ArrayBufferLike) => void handed.push(buffer) }
    const found = await attention(on.desk, tuned, { text, rows: true, compare: { target: base } }, asked)
    expect(found.rows).toEqual((await heads(on.desk, tuned, { text }, context())).rows)
    const { weights, difference } = found.compared!
    expect(handed).toEqual([found.weights.buffer, weights.buffer, difference!.buffer])
  })

  it('rolls out from a layer, and refuses one that is not there', async () => {
    const reports = context()
    const { weights, tokens, from } = await rollout(on.desk, base, { text, from: 1 }, reports)
    expect(from).toBe(1)
    expect(weights).toHaveLength(tokens.length ** 2)
    expect(reports.reports.at(-1)).toMatchObject({ done: 2, total: 2, secondsLeft: 0 })
    // From the last layer on: the mean of its heads, and half for the token itself.
    const maps = await attention(on.desk, base, { text }, context())
    const n = tokens.length
    weights.forEach((share, at) => {
      const each = Array.from({ length: maps.heads }, (_, h) => maps.weights[(maps.heads + h) * n * n + at]!)
      const mean = each.reduce((sum, weight) => sum + weight, 0) / maps.heads
      expect(share).toBeCloseTo((mean + Number(at % n === Math.floor(at / n))) / 2, 6)
    })
    const sum = weights.subarray(0, tokens.length).reduce((total, share) => total + share, 0)
    expect(sum).toBeCloseTo(1, 5)
    for (const wrong of [2, -1, 0.5])
      await expect(rollout(on.desk, base, { text, from: wrong }, context())).rejects.toMatchObject({
        code: 'E_ARGUMENT',
      })
  })

  it('has a row for every head', async () => {
    const { rows, layers, heads: count } = await heads(on.desk, base, { text }, context())
    expect(rows.map(({ layer, head }) => layer * count + head)).toEqual([...Array(layers * count).keys()])
    for (const { normalisedEntropy, first, self } of rows)
      for (const share of [normalisedEntropy, first, self]) {
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThanOrEqual(1)
      }
  })
})

describe('ablation', () => {
  it('tells the change of the number and of the probabilities, for a list as for every head', async () => {
    const before = on.tensors()
    const all = await ablation(on.desk, tuned, { text, contrast: 5 }, context())
    expect(all.each!.change).toHaveLength(all.layers * all.heads)
    const place: HeadPlace = [1, 2]
    const one = await ablation(on.desk, tuned, { text, contrast: 5, heads: [place] }, context())
    const at = place[0] * one.heads + place[1]
    expect(one.off!.change).toBeCloseTo(all.each!.change[at]!, 4)
    expect(one.off!.value).toBeCloseTo(one.output.value + one.off!.change, 5)
    expect(one.probability).toBeCloseTo(all.probability, 5)
    const own = one.off!.probabilities.find(({ index }) => index === one.output.index)!
    expect(own.before).toBeCloseTo(one.probability, 6)
    expect(own.after - own.before).toBeCloseTo(all.each!.probability[at]!, 5)
    expect(on.tensors()).toBe(before)
  })

  it('tells the ten most likely tokens before and after', async () => {
    const { layers, heads: count, ids, output } = await ablation(on.desk, base, { text }, context())
    const places = Array.from({ length: layers * count }, (_, at): HeadPlace => [
      Math.floor(at / count),
      at % count,
    ])
    const { off } = await ablation(on.desk, base, { text, heads: places }, context())
    const { base: loaded, trainable, release } = await on.targets.resolve(base)
    const asked = { model: loaded.model, trainable, turns: on.turns, padId: loaded.padId, maskId: null }
    const question = { ids, position: output.position }
    const { logits } = await ablated(asked, question, [[], places], 'all')
    release()
    const top = [0, 1].map((row) => {
      const each = logits.subarray((row * logits.length) / 2, ((row + 1) * logits.length) / 2)
      return [...each.keys()].sort((a, b) => each[b]! - each[a]!).slice(0, 10)
    })
    expect(new Set(off!.probabilities.map(({ index }) => index))).toEqual(new Set(top.flat()))
    // Without attention it would say something else.
    expect(top[1]).not.toEqual(expect.arrayContaining(top[0]!))
  })

  it.each(['tiny-llama', 'tiny-bert'] as const)('explains a label of %s', async (name) => {
    const { id: model } = await on.models.load({ files: modelFiles(name) }, {}, context())
    const files = { files: adapterFiles(name, 'classify') }
    const { id: adapter, labels } = await on.adapters.import(model, files, {}, context())
    const target = { model, adapter }
    const label = labels![1]!
    const all = await ablation(on.desk, target, { text, output: label, contrast: labels![0]! }, context())
    expect(all.output).toMatchObject({ name: label, index: 1 })
    const place: HeadPlace = [1, 1]
    const request = { text, output: label, contrast: labels![0]!, heads: [place] }
    const { off, heads: count, probability } = await ablation(on.desk, target, request, context())
    expect(off!.change).toBeCloseTo(all.each!.change[place[0] * count + place[1]]!, 4)
    // Every label is told, before and after, and both are distributions.
    expect(off!.probabilities.map((each) => each.name)).toEqual(labels)
    expect(off!.probabilities.reduce((sum, each) => sum + each.before, 0)).toBeCloseTo(1, 5)
    expect(off!.probabilities.reduce((sum, each) => sum + each.after, 0)).toBeCloseTo(1, 5)
    expect(off!.probabilities[1]!.before).toBeCloseTo(probability, 5)
    expect(Math.max(...all.each!.change.map(Math.abs))).toBeGreaterThan(1e-6)
  })

  it.each(HEAD_FILLS)('on wasm too, %s gives the logits of transformers', async (fill) => {
    const { ids, position, outputs, each } = ATTENTION_MAPS['tiny-llama']!
    const { base: loaded, trainable, release } = await on.targets.resolve(base)
    const { model, padId } = { model: loaded.model, padId: loaded.padId }
    const asked = { model, trainable, turns: on.turns, padId, maskId: null }
    const { heads: count, layers } = model.architecture
    const sets = Array.from({ length: layers * count }, (_, at): HeadPlace[] => [
      [Math.floor(at / count), at % count],
    ])
    const { logits, logSums } = await ablated(asked, { ids, position }, sets, outputs, { fill })
    release()
    sets.forEach((_, at) =>
      [logits[2 * at]!, logits[2 * at + 1]!, logSums[at]!].forEach((value, k) =>
        expect(value).toBeCloseTo(each[fill][at]![k]!, 4),
      ),
    )
  })

  it('refuses heads that are not there, an empty list, an unknown fill', async () => {
    for (const wrong of [
      { heads: [] },
      { heads: [[2, 0]] },
      { heads: [[0, 4]] },
      { heads: [[0]] },
      { fill: 'noise' },
    ])
      await expect(ablation(on.desk, base, { text, ...wrong } as never, context())).rejects.toMatchObject({
        code: 'E_ARGUMENT',
      })
  })
})
