// What training rows did, as scripts ask for it: through a run, a cut and its resumption, with planted label errors.
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Target } from '../../../src/protocol/target.ts'
import { readRowEpochs } from '../../../src/store/rowEpochs.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let parts: Engine
let model: string
let dataset: string
/** Rows whose label is another one than their words say. */
const PLANTED = [7, 22, 33]
const CONFIG = { task: 'classify' as const, columns: { text: 'text', label: 'label' } }
const training = {
  epochs: 5,
  batchSize: 6,
  learningRate: 5e-3,
  schedule: 'constant' as const,
  warmup: 0,
  maxLength: 32,
}

async function trained(more: object = {}, request: object = {}) {
  const started = await parts.runs.start({ dataset, model, training: { ...training, ...more }, ...request })
  const run = await parts.runs.wait(started)
  expect(run.error).toBeNull()
  return run
}
const cartography = (target: Target, request = {}) =>
  EXPLAINERS.cartography(parts.desk, target, request, context())

beforeAll(async () => {
  parts = await engine()
  model = (await parts.models.load({ files: modelFiles('tiny-llama') }, {}, context())).id
  const rows = Array.from({ length: 36 }, (_, i) => {
    const payment = (i % 2 === 1) !== PLANTED.includes(i)
    return i % 2
      ? `I was charged ${i} times,${payment ? 'payment' : 'delivery'}`
      : `Where is parcel ${i}?,${payment ? 'payment' : 'delivery'}`
  })
  dataset = (await parts.dataset(`text,label\n${rows.join('\n')}\n`, CONFIG)).id
}, 60_000)
afterAll(() => parts.close())

it('planted label errors are hard, influence themselves most, and speak against the answer of their words', async () => {
  const run = await trained()
  const target = { run: run.id }
  const map = await cartography(target)
  expect(map).toMatchObject({ recorded: 5, tooFew: 0, labels: ['delivery', 'payment'] })
  expect([...map.rows]).toEqual(Array.from({ length: 36 }, (_, i) => i))
  expect(Math.max(...map.variability)).toBeLessThanOrEqual(0.5)
  const byConfidence = [...map.rows].sort((a, b) => map.confidence[a]! - map.confidence[b]!)
  expect(byConfidence.slice(0, 3).sort((a, b) => a - b)).toEqual(PLANTED)
  for (const row of PLANTED) expect(map.correctness[row]).toBeLessThan(0.5)

  const clear = parts.tensors()
  const reports = context()
  const alone = await EXPLAINERS.influence(parts.desk, target, {}, reports)
  expect(alone).toMatchObject({ output: null, of: 36, skipped: 0, projection: 512, approximate: true })
  expect(
    alone.rows
      .slice(0, 3)
      .map(({ row }) => row)
      .sort((a, b) => a - b),
  ).toEqual(PLANTED)
  expect(alone.rows.every(({ self, influence }) => self >= 0 && influence === null)).toBe(true)
  expect(alone.checkpoints.length).toBe(run.checkpoints.length)
  expect(alone.checkpoints.every(({ learningRate }) => learningRate === 5e-3)).toBe(true)
  expect(reports.reports.at(-1)).toMatchObject({ done: 36 * run.checkpoints.length, secondsLeft: 0 })

  const text = 'I was charged 4 times'
  const ask = (request: object) =>
    EXPLAINERS.influence(parts.desk, target, { text, output: 'payment', ...request }, context())
  const exact = await ask({ projection: 0 })
  expect(exact.output).toEqual({ name: 'payment', index: 1 })
  // Those that say the same of the same words speak for it; a row of these words with the other label against it.
  expect(exact.rows[0]).toMatchObject({ label: 'payment' })
  expect(exact.rows.slice(0, 5).every(({ text: own }) => own.startsWith('I was charged'))).toBe(true)
  expect(exact.rows.at(-1)!.influence).toBeLessThan(0)
  const against = exact.rows.slice(-6).map(({ row }) => row)
  expect(against).toContain(7)
  const order = exact.rows.map(({ influence }) => influence!)
  expect(order).toEqual([...order].sort((a, b) => b - a))
  // What speaks for the other label.
  const contrary = await ask({ projection: 0, output: 'delivery' })
  expect(contrary.rows[0]!.label).toBe('delivery')

  // The projection agrees, and the same rows asked about again are remembered.
  const exactOf = new Map(exact.rows.map(({ row, influence }) => [row, influence!]))
  const projected = await ask({})
  const [a, b] = [
    projected.rows.map(({ influence }) => influence!),
    projected.rows.map(({ row }) => exactOf.get(row)!),
  ]
  expect(correlation(a, b)).toBeGreaterThan(0.95)
  expect(projected.rows.map(({ self }) => self)).toEqual(
    projected.rows.map(({ row }) => alone.rows.find((each) => each.row === row)!.self),
  )
  const some = await ask({ rows: 10, seed: 3 })
  expect(some.rows).toHaveLength(10)
  expect(await ask({ rows: 10, seed: 3 })).toEqual(some)
  expect((await ask({ indices: [3, 8] })).rows.map(({ row }) => row).sort()).toEqual([3, 8])
  parts.targets.clear()
  expect(parts.tensors()).toBeLessThanOrEqual(clear)

  const refuse = (request: object, code: string) => expect(ask(request)).rejects.toMatchObject({ code })
  await refuse({ projection: -1 }, 'E_ARGUMENT')
  await refuse({ rows: 0 }, 'E_ARGUMENT')
  await refuse({ indices: [99] }, 'E_ARGUMENT')
  await refuse({ output: 'nobody' }, 'E_ARGUMENT')
  await refuse({ answer: 'payment' }, 'E_ARGUMENT')
  await refuse({ checkpoints: ['step-999'] }, 'E_NOT_FOUND')
  await refuse({ checkpoints: [] }, 'E_NOT_FOUND')
  await expect(EXPLAINERS.influence(parts.desk, { model }, { text }, context())).rejects.toMatchObject({
    code: 'E_ARGUMENT',
  })
  const cancelled = { ...context(), signal: AbortSignal.abort() }
  await expect(EXPLAINERS.influence(parts.desk, target, { text, seed: 9 }, cancelled)).rejects.toMatchObject({
    code: 'E_ABORTED',
  })
}, 60_000)

it('what was recorded survives a cut, and goes with the run; too few epochs are told', async () => {
  const whole = await trained({ epochs: 3 })
  let stopped: Promise<void> | null = null
  parts.listen(({ run: { id, step } }) => {
    if (step === 9) stopped ??= parts.runs.stop(id)
  })
  const id = await parts.runs.start({
    dataset,
    model,
    training: { ...training, epochs: 3, checkpointEvery: 4 },
  })
  const half = await parts.runs.wait(id)
  await stopped
  expect(half.status).toBe('stopped')
  parts.listen(() => undefined)
  await expect(cartography({ run: id })).rejects.toMatchObject({
    code: 'E_ARGUMENT',
    message: expect.stringContaining('needs 3 epochs'),
  })
  // Of the epoch that was cut only what the checkpoint knows is kept.
  const [, second] = await readRowEpochs(parts.store, id)
  const met = second!.gold.filter((p) => !Number.isNaN(p)).length
  expect(met).toBe((half.step - 6) * 6)
  await parts.runs.resume(id)
  expect((await parts.runs.wait(id)).status).toBe('done')
  expect(await cartography({ run: id })).toEqual(await cartography({ run: whole.id }))
  await expect(cartography({ run: id }, { epochs: 2 })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  await expect(cartography({ model })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  await parts.runs.remove(id)
  expect(await readRowEpochs(parts.store, id)).toEqual([])

  const silent = await trained({ epochs: 3, recordRows: false })
  await expect(cartography({ run: silent.id })).rejects.toMatchObject({
    message: expect.stringContaining('recordRows'),
  })
  expect(silent.history.map(({ loss }) => loss)).toEqual(whole.history.map(({ loss }) => loss))
}, 60_000)

it('of texts: by the probability of what is learnt, and by an answer in words', async () => {
  const csv = `prompt,completion\n${Array.from({ length: 12 }, (_, i) => `Say ${i % 2 ? 'sun' : 'moon'} ${i},${i % 2 ? 'bright' : 'dark'}`).join('\n')}\n`
  const config = { task: 'complete' as const, columns: { prompt: 'prompt', completion: 'completion' } }
  const { id } = await parts.dataset(csv, config)
  const run = await trained({ epochs: 4 }, { dataset: id })
  const target = { run: run.id }
  const map = await cartography(target)
  expect(map).toMatchObject({ label: null, labels: null, recorded: 4 })
  expect(map.confidence.every((p) => p > 0 && p < 1)).toBe(true)
  const ask = (request: object) =>
    EXPLAINERS.influence(parts.desk, target, { text: 'Say sun 3', ...request }, context())
  const found = await ask({ answer: 'bright' })
  expect(found.output!.name).toBe('bright')
  expect(found.rows[0]).toMatchObject({ label: 'bright' })
  expect((await ask({})).output!.index).toBeGreaterThanOrEqual(0)
  await expect(ask({ answer: '' })).rejects.toMatchObject({ code: 'E_ARGUMENT' })
}, 60_000)

it('rows that are others now are not told', async () => {
  const run = await trained({ epochs: 3 })
  await parts.apply(dataset, [{ kind: 'dropRows', rows: [0] } as never])
  for (const ask of [
    () => cartography({ run: run.id }),
    () => EXPLAINERS.influence(parts.desk, { run: run.id }, {}, context()),
  ])
    await expect(ask()).rejects.toMatchObject({ code: 'E_DATASET' })
}, 60_000)

function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]) => v.reduce((sum, value) => sum + value, 0) / v.length
  const [mx, my] = [mean(x), mean(y)]
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0)
  return (
    sum((i) => (x[i]! - mx) * (y[i]! - my)) /
    Math.sqrt(sum((i) => (x[i]! - mx) ** 2) * sum((i) => (y[i]! - my) ** 2))
  )
}
