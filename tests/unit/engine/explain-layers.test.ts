// The layer-wise explanations as scripts ask for them.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ckaMatrix, geometry, moved } from '../../../src/core/explain/layers/cka.ts'
import { probeLayer, probeSplit, shuffled } from '../../../src/core/explain/layers/probe.ts'
import { pooledStates } from '../../../src/core/explain/layers/states.ts'
import { POOLS, type Pool } from '../../../src/protocol/explain.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { drawRows } from '../../../workers/engine/explain/rowStates.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { adapterFiles, modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let parts: Engine
let model: string
let causal: string
let classify: string
let dataset: string

const text = 'Where is my order?'

beforeAll(async () => {
  parts = await engine()
  model = (await parts.models.load({ files: modelFiles('tiny-llama') }, {}, context())).id
  const bring = async (task: 'causal' | 'classify') =>
    (await parts.adapters.import(model, { files: adapterFiles('tiny-llama', task) }, {}, context())).id
  causal = await bring('causal')
  classify = await bring('classify')
  const rows = Array.from({ length: 40 }, (_, i) => {
    const [said, label] =
      i % 2 ? [`I was charged ${i} times`, 'payment'] : [`Where is parcel ${i}?`, 'delivery']
    // A special token here and there: means leave it out.
    return `${said}${i % 3 ? '' : '<|endoftext|>'},${label}`
  })
  const csv = `text,label\n${rows.join('\n')}\n`
  dataset = (await parts.dataset(csv, { task: 'classify', columns: { text: 'text', label: 'label' } })).id
}, 60_000)
afterAll(() => parts.close())

it('the lens, of tokens and of labels', async () => {
  const lens = await EXPLAINERS.logitLens(parts.desk, { model }, { text, k: 2 }, context())
  expect(lens.positions.length).toBe(lens.tokens.length)
  expect(lens.ranks.length).toBe((lens.layers + 1) * lens.tokens.length)
  expect(lens.topNames.length).toBe(2 * lens.ranks.length)
  const { tokenizer } = await parts.models.use(model)
  expect(lens.topNames).toEqual(tokenizer.tokens([...lens.topIds]))
  for (const { name, index } of lens.followed) expect(name).toBe(tokenizer.tokens([index])[0])
  expect(new Set(lens.followed.map(({ index }) => index)).size).toBeGreaterThan(1)
  expect([...lens.ranks.slice(-lens.tokens.length)]).toEqual(lens.tokens.map(() => 1))
  const { output: explained } = await EXPLAINERS.layers(parts.desk, { model }, { text }, context())
  expect(explained.logit).toBeCloseTo(lens.logits.at(-1)!, 5)
  const target = { model, adapter: classify }
  const found = await EXPLAINERS.logitLens(parts.desk, target, { text, output: 1, k: 99 }, context())
  expect(found.followed.every(({ index }) => index === 1)).toBe(true)
  const sum = found.topProbabilities.slice(-found.k).reduce((total, share) => total + share, 0)
  expect(sum).toBeCloseTo(1, 5)
  const { direct, output } = await EXPLAINERS.layers(
    parts.desk,
    target,
    { text, contrast: 0, output: 1 },
    context(),
  )
  const { input, bias, attention, mlp } = direct!
  const total = [input, bias, ...attention, ...mlp].reduce((all, part) => all + part, 0)
  expect(total).toBeCloseTo(output.value, 4)
  const ask = (request: object) =>
    EXPLAINERS.logitLens(parts.desk, { model }, { text, ...request }, context())
  for (const request of [{ k: 0 }, { output: 9999 }, { positions: [] }, { positions: [99] }])
    await expect(ask(request)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  const clear = parts.tensors()
  await EXPLAINERS.layers(parts.desk, target, { text }, context())
  await EXPLAINERS.logitLens(parts.desk, target, { text }, context())
  await EXPLAINERS.similarity(parts.desk, target, { dataset, rows: 4 }, context())
  expect(parts.tensors()).toBe(clear)
})

it('where tuning changed the model', async () => {
  const ask = { dataset, rows: 16 }
  const plain = await EXPLAINERS.similarity(parts.desk, { model }, ask, context())
  expect(plain).toMatchObject({ rows: 16, base: null })
  for (let l = 0; l <= plain.layers; l++) expect(plain.self[l * (plain.layers + 2)]).toBeCloseTo(1, 10)
  const none = { model, adapter: causal, strength: 0 }
  const still = (await EXPLAINERS.similarity(parts.desk, none, ask, context())).base!
  still.same.forEach((share) => expect(share).toBeCloseTo(1, 6))
  still.moved.forEach((share) => expect(share).toBeLessThan(1e-5))
  const tuned = await EXPLAINERS.similarity(parts.desk, { model, adapter: causal }, ask, context())
  expect(tuned.base!.moved[0]).toBe(0)
  expect(tuned.base!.moved.at(-1)).toBeGreaterThan(1e-3)
  expect(tuned.base!.same.at(-1)).toBeLessThan(1)
  await expect(
    EXPLAINERS.similarity(parts.desk, { model }, { texts: ['a', 'b'] }, context()),
  ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
})

/** States of each layer [n, d] of ids, outside of the explanation that reads them too. */
async function statesOf(target: Target, texts: number[][], pool: Pool): Promise<Float32Array[]> {
  const { base, trainable, release } = await parts.targets.resolve(target)
  const { model, padId, tokenizer } = base
  const asked = { model, trainable, turns: parts.turns, padId, maskId: null }
  const states = await pooledStates(asked, texts, { pool, isSpecial: (id) => tokenizer.isSpecial(id) })
  release()
  return states
}

it.each(POOLS)('base and tuned, layer by layer, each in its place: %s', async (pool) => {
  const texts = ['Where is my order?', 'good day<|endoftext|>', 'I was charged twice', 'rain', 'the sun']
  const target = { model, adapter: causal }
  const found = await EXPLAINERS.similarity(parts.desk, target, { texts, pool }, context())
  const { base, release } = await parts.targets.resolve(target)
  const ids = texts.map((each) => base.tokenizer.encode(each))
  release()
  const [before, after] = [await statesOf({ model }, ids, pool), await statesOf(target, ids, pool)]
  const [ours, theirs] = [before, after].map((states) => states.map((layer) => geometry(layer, texts.length)))
  const near = (numbers: ArrayLike<number>) => Array.from(numbers, (each) => expect.closeTo(each, 6))
  expect([...found.self]).toEqual(near(ckaMatrix(theirs!, theirs!)))
  expect([...found.base!.self]).toEqual(near(ckaMatrix(ours!, ours!)))
  expect([...found.base!.cross]).toEqual(near(ckaMatrix(ours!, theirs!)))
  expect([...found.base!.moved]).toEqual(
    near(before.map((layer, l) => moved(layer, after[l]!, texts.length))),
  )
  // They are not the same: in another place each of them would be seen.
  expect([...found.base!.cross]).not.toEqual(near(ckaMatrix(theirs!, ours!)))
  expect([...found.self]).not.toEqual(near(found.base!.self))
})

it('rows are drawn by the seed, from the part that was asked for', async () => {
  const ask = (request: object) =>
    EXPLAINERS.similarity(parts.desk, { model }, { dataset, rows: 8, ...request }, context())
  const one = await ask({ seed: 1 })
  expect((await ask({ seed: 1 })).self).toEqual(one.self)
  expect((await ask({ seed: 2 })).self).not.toEqual(one.self)
  // All rows are in the training part.
  await expect(ask({ split: 'test' })).rejects.toMatchObject({ code: 'E_DATASET' })
})

it('from which layer on a label can be read', async () => {
  const found = await EXPLAINERS.probe(parts.desk, { model }, { dataset, controls: 2 }, context())
  expect(found).toMatchObject({ labels: ['delivery', 'payment'], train: 28, test: 12, majority: 0.5 })
  expect(found.accuracy[found.best]).toBeGreaterThan(0.9)
  found.selectivity.forEach((share, l) => expect(share).toBe(found.accuracy[l]! - found.control[l]!))
  expect(await EXPLAINERS.probe(parts.desk, { model }, { dataset, controls: 2 }, context())).toEqual(found)

  // The same by hand: the rows of the seed, the seed's split, and a shuffle of the labels for each round.
  for (const pool of POOLS) {
    const request = { dataset, seed: 5, rows: 24, controls: 3, pool }
    const asked = await EXPLAINERS.probe(parts.desk, { model }, request, context())
    const resolved = await parts.targets.resolve({ model })
    const { examples } = await drawRows(parts.desk, resolved, { ...request, task: 'classify' })
    resolved.release()
    const labels = examples.map((example) => ('label' in example ? example.label : -1))
    const split = probeSplit(labels, 5)
    const states = await statesOf({ model }, examples.map(({ ids }) => ids), pool) // prettier-ignore
    states.forEach((layer, l) => {
      expect(asked.accuracy[l]).toBe(probeLayer(layer, labels, 2, split))
      const rounds = [0, 1, 2].map((round) => probeLayer(layer, shuffled(labels, 5, round), 2, split))
      expect(asked.control[l]).toBeCloseTo((rounds[0]! + rounds[1]! + rounds[2]!) / 3, 12)
    })
    expect(asked.best).toBe([...asked.accuracy].indexOf(Math.max(...asked.accuracy)))
  }
  await expect(
    EXPLAINERS.probe(parts.desk, { model }, { dataset, rows: 3 }, context()),
  ).rejects.toMatchObject({
    code: 'E_ARGUMENT',
  })
})

it("an encoder's classifier is read at its own token, and has no direct contributions", async () => {
  const bert = (await parts.models.load({ files: modelFiles('tiny-bert') }, {}, context())).id
  const source = { files: adapterFiles('tiny-bert', 'classify') }
  const { id } = await parts.adapters.import(bert, source, {}, context())
  const target = { model: bert, adapter: id }
  const lens = await EXPLAINERS.logitLens(parts.desk, target, { text: 'abc' }, context())
  expect(lens.positions).toEqual([0])
  const { direct, output } = await EXPLAINERS.layers(parts.desk, target, { text: 'abc' }, context())
  expect(direct).toBeNull()
  expect(output).toMatchObject({ index: lens.followed[0]!.index, position: 0 })
  expect(output.logit).toBeCloseTo(lens.logits.at(-1)!, 5)
})
