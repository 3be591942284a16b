// Weights from a recipe's step to the loss: a row of weight 2 is the same row twice, a row of weight 1 is a row.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TaskConfig } from '../../../src/protocol/data.ts'
import type { RecipeStep } from '../../../src/protocol/recipe.ts'
import type { RunRequest } from '../../../src/protocol/run.ts'
import { modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let e: Engine
beforeEach(async () => {
  e = await engine()
})
afterEach(() => e.close())

const ROWS = ['the moon is far,moon', 'rain falls on the town,rain', 'sun,sun', 'so much rain,rain']
const TIMES: Record<string, number> = { moon: 2, rain: 1, sun: 3 }
const csv = (rows: readonly string[]) => `text,label\n${rows.join('\n')}\n`
const REPEATED = csv(ROWS.flatMap((row) => Array<string>(TIMES[row.split(',')[1]!]!).fill(row)))
const TASKS: TaskConfig[] = [
  { task: 'classify', columns: { text: 'text', label: 'label' } },
  { task: 'complete', columns: { text: 'text' } },
]
const weigh = (weights: Record<string, number>): RecipeStep => ({
  kind: 'weigh',
  column: 'label',
  by: 'value',
  weights: Object.entries(weights),
})
const load = async () => (await e.models.load({ files: modelFiles('tiny-llama') }, {}, context())).id
const training = {
  ...{ steps: 4, batchSize: 16, shuffle: false, warmup: 0, learningRate: 5e-3, labelSmoothing: 0.1 },
  schedule: 'constant' as const,
}

async function trained(request: RunRequest) {
  const run = await e.runs.wait(await e.runs.start(request))
  expect(run.error).toBeNull()
  return run
}

describe.each(TASKS)('weighted rows, $task', (config) => {
  it('teach as the same rows so many times', async () => {
    const model = await load()
    const { id } = await e.dataset(csv(ROWS), config)
    await e.apply(id, [weigh(TIMES)])
    const repeated = await e.dataset(REPEATED, config)
    const ours = await trained({ dataset: id, model, training })
    const theirs = await trained({ dataset: repeated.id, model, training })
    expect(ours).toMatchObject({ weights: { least: 1, most: 3 }, rows: 4 })
    expect(theirs.weights).toBeUndefined()
    for (const [i, { loss, gradNorm }] of ours.history.entries()) {
      expect(loss / theirs.history[i]!.loss).toBeCloseTo(1, 4)
      expect(gradNorm / theirs.history[i]!.gradNorm).toBeCloseTo(1, 3)
    }
    expect(ours.history.at(-1)!.loss).toBeLessThan(ours.history[0]!.loss)
  })

  it('of weight 1 give the bits of rows without', async () => {
    const model = await load()
    const { id } = await e.dataset(csv(ROWS), config)
    const request = { dataset: id, model, training: { ...training, batchSize: 1, accumulation: 3 } }
    const plain = await trained(request)
    await e.apply(id, [weigh({ moon: 1 })])
    const weighted = await trained(request)
    const numbers = ({ history }: typeof plain) => history.map(({ loss, gradNorm }) => [loss, gradNorm])
    expect(numbers(weighted)).toEqual(numbers(plain))
    const ids = [5, 6, 7]
    const [a, b] = [plain, weighted].map(({ id: run }) => e.ask.logits({ run }, undefined, ids))
    expect((await b)!.logits).toEqual((await a)!.logits)
  })
})

it('are told of, leave validation alone, and a run goes on with them to the same end', async () => {
  const model = await load()
  const { id } = await e.dataset(csv(ROWS), TASKS[0]!)
  const before = await e.ask.evaluate(
    { run: (await trained({ dataset: id, model, training })).id },
    id,
    'train',
    context(),
  )
  await e.apply(id, [weigh({ moon: 4, sun: 0.25 })])
  const request = {
    dataset: id,
    model,
    training: { ...training, steps: 6, batchSize: 1, accumulation: 2, checkpointEvery: 1 },
  }
  const { sentence } = await e.planner.plan(request, new AbortController().signal)
  expect(sentence).toContain('The recipe weighs rows in the loss, from 0.25 to 4.')
  const whole = await trained(request)
  // A question about rows knows no weights.
  const first = (await e.runs.list())[0]!
  expect(await e.ask.evaluate({ run: first.id }, id, 'train', context())).toEqual(before)

  let stopped: Promise<void> | null = null
  e.listen(({ run: { id: run, step } }) => {
    if (step === 2) stopped ??= e.runs.stop(run)
  })
  const cut = await e.runs.start(request)
  await e.runs.wait(cut)
  await stopped
  // Other weights are other data.
  await e.apply(id, [weigh({ moon: 4 })])
  await e.runs.resume(cut)
  expect((await e.runs.wait(cut)).error).toMatchObject({ code: 'E_DATASET' })
  await e.apply(id, [weigh({ moon: 4, sun: 0.25 })])
  await e.runs.resume(cut)
  const ended = await e.runs.wait(cut)
  expect(ended.status).toBe('done')
  expect(ended.history.map(({ loss }) => loss)).toEqual(whole.history.map(({ loss }) => loss))
})
