// Films through the engine: recorded without touching the training, over a stop and a resume, and computed afterwards.
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Run, RunRequest } from '../../../src/protocol/run.ts'
import { readCheckpoint } from '../../../src/store/checkpoints.ts'
import { putFrames } from '../../../src/store/films.ts'
import { sweep } from '../../../src/store/sweep.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { modelFiles } from '../../golden/load.ts'
import { context, engine, type Engine } from './support.ts'

let e: Engine
let model: string
let classify: RunRequest
let complete: RunRequest

const LABELS = ['moon', 'rain', 'sun']
const CSV = `text,label\n${Array.from({ length: 6 }, (_, i) => `the ${LABELS[i % 3]} number ${i},${LABELS[i % 3]}`).join('\n')}\n`
const TEXT = 'the moon number 3'
const training = { steps: 6, batchSize: 3, accumulation: 2, learningRate: 5e-3, checkpointEvery: 1 }
const film = { texts: [{ text: TEXT, output: 'moon' }, `${'rain '.repeat(100)}`], every: 2 }

beforeAll(async () => {
  e = await engine()
  model = (await e.models.load({ files: modelFiles('tiny-llama') }, {}, context())).id
  const rows = async (task: 'classify' | 'complete') =>
    (
      await e.dataset(CSV, {
        task,
        columns: { text: 'text', ...(task === 'classify' && { label: 'label' }) },
      })
    ).id
  const adapter = { r: 2, alpha: 4, dropout: 0.1 }
  classify = { dataset: await rows('classify'), model, adapter, training }
  complete = { dataset: await rows('complete'), model, adapter, training }
}, 60_000)
afterAll(() => e.close())

async function trained(request: RunRequest) {
  const run = await e.runs.wait(await e.runs.start(request))
  expect(run.error).toBeNull()
  return run
}
const ask = (target: object, request: object, heard = context()) =>
  EXPLAINERS.film(e.desk, target as never, request as never, heard)
const weights = async (run: Run) =>
  (await readCheckpoint(e.store, run.id, run.checkpoints.at(-1)!.id)).tensors
const framesOf = async (id: string, text = 0) =>
  (await ask({ run: id }, { text })).frames.map((frame) => ({ ...frame }))

it('is recorded beside the very same training', async () => {
  const plain = await trained(classify)
  const before = e.tensors()
  const filmed = await trained({ ...classify, film })
  expect(e.tensors()).toBe(before)
  expect(await weights(filmed)).toEqual(await weights(plain))
  expect(filmed.history.map(({ loss, gradNorm }) => [loss, gradNorm])).toEqual(
    plain.history.map(({ loss, gradNorm }) => [loss, gradNorm]),
  )

  const [short, long] = filmed.film!.texts
  expect(short).toMatchObject({ text: TEXT, output: 'moon', cut: 0 })
  expect(long!.ids.length).toBe(64)
  expect(long!.cut).toBeGreaterThan(30)
  expect(filmed.film).toMatchObject({ every: 2, frames: 4 })
  expect(filmed.film!.seconds).toBeGreaterThan(0)

  const found = await ask({ run: filmed.id }, {})
  const { layers, heads, tokens, ids } = found
  expect(found).toMatchObject({ over: 'steps', from: 'recording', text: TEXT, cut: 0 })
  expect(found.frames.map(({ at }) => at)).toEqual([0, 2, 4, 6])
  for (const { attention, saliency, explained, outputs } of found.frames) {
    expect(attention!.length).toBe(layers * heads * ids.length ** 2)
    expect(saliency!.length).toBe(tokens.length)
    expect(explained.name).toBe('moon')
    expect(outputs.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5)
  }
  // The last frame is what the finished run says now, but for the rounding of attention.
  const last = found.frames.at(-1)!
  const { weights: now } = await EXPLAINERS.attention(e.desk, { run: filmed.id }, { text: TEXT }, context())
  now.forEach((weight, i) => expect(Math.abs(weight - last.attention![i]!)).toBeLessThan(2.5e-4))
  const request = { text: TEXT, method: 'gradientXInput', output: 'moon' } as const
  const { scores, output } = await EXPLAINERS.saliency(e.desk, { run: filmed.id }, request, context())
  scores.forEach((score, i) => expect(last.saliency![i]).toBeCloseTo(score, 5))
  expect(last.explained.logit).toBeCloseTo(output.logit, 4)
  expect(found.frames[0]!.saliency).not.toEqual(last.saliency)
  expect((await ask({ run: filmed.id }, { text: film.texts[1] })).cut).toBe(long!.cut)

  // Afterwards, from what is stored: the newest two checkpoints, any text.
  const heard = context()
  const again = await ask({ run: plain.id }, { from: 'checkpoints', text: TEXT, output: 'moon' }, heard)
  expect(again.frames.map(({ at, checkpoint }) => [at, checkpoint])).toEqual(
    plain.checkpoints.map(({ id, step }) => [step, id]),
  )
  expect(again.frames.at(-1)!.saliency).toEqual(last.saliency)
  expect(heard.reports.at(-1)).toMatchObject({ done: again.frames.length, total: again.frames.length })

  // Only the maps that were asked for, of the output that was asked for, at the strength of the target.
  const partly = { from: 'checkpoints', text: TEXT, maps: ['saliency'] } as const
  for (const output of LABELS) {
    const { frames } = await ask({ run: plain.id, strength: 0 }, { ...partly, output })
    const request = { text: TEXT, method: 'gradientXInput', output } as const
    const off = { run: plain.id, strength: 0 }
    const { scores: still } = await EXPLAINERS.saliency(e.desk, off, request, context())
    for (const { attention, saliency, explained } of frames) {
      expect(attention).toBeNull()
      expect(explained.name).toBe(output)
      expect(saliency).not.toEqual(last.saliency)
    }
    expect(frames.at(-1)!.saliency).toEqual(still)
  }

  for (const [target, wanted, code] of [
    [{ run: plain.id }, {}, 'E_NOT_FOUND'],
    [{ run: filmed.id }, { text: 2 }, 'E_ARGUMENT'],
    [{ run: filmed.id }, { text: 'another' }, 'E_ARGUMENT'],
    [{ model }, {}, 'E_ARGUMENT'],
    [{ model }, { text: TEXT, over: 'strength' }, 'E_ARGUMENT'],
    [{ run: plain.id }, { text: TEXT, over: 'strength', values: [2] }, 'E_ARGUMENT'],
    [{ run: plain.id }, { text: TEXT, over: 'time' }, 'E_ARGUMENT'],
  ] as const)
    await expect(ask(target, wanted)).rejects.toMatchObject({ code })
  await expect(ask({ run: plain.id }, {})).rejects.toMatchObject({
    message: expect.stringContaining("from: 'checkpoints'"),
  })
  await expect(
    e.runs.start({ ...classify, film: { texts: [{ text: TEXT, output: 'snow' }] } }),
  ).rejects.toMatchObject({ code: 'E_ARGUMENT', message: expect.stringContaining('moon, rain, sun') })

  // It goes with the run.
  await e.runs.remove(filmed.id)
  expect(await e.store.main.frames.count()).toBe(0)
}, 60_000)

it('a run that stops and goes on has the film of one that was never cut', async () => {
  const whole = await trained({ ...complete, film })
  let stopped: Promise<void> | null = null
  e.listen(({ run: { id, step } }) => {
    if (step === 3) stopped ??= e.runs.stop(id)
  })
  const id = await e.runs.start({ ...complete, film })
  const cut = await e.runs.wait(id)
  await stopped
  e.listen(() => undefined)
  expect(cut.status).toBe('stopped')
  expect((await framesOf(id)).at(-1)!.at).toBe(cut.step)
  // Frames of steps that were lost with a crash are made anew.
  const frame = (await e.store.main.frames.where('run').equals(id).first())!
  await putFrames(e.store, [{ ...frame, step: 6 }])
  await e.runs.resume(id)
  const ended = await e.runs.wait(id)
  expect(ended.status).toBe('done')
  expect(await weights(ended)).toEqual(await weights(whole))
  for (const text of [0, 1]) expect(await framesOf(id, text)).toEqual(await framesOf(whole.id, text))
  expect(ended.film).toMatchObject({ frames: 4, every: 2, bytes: whole.film!.bytes })

  await e.store.main.runs.delete(id)
  await sweep(e.store)
  expect(await e.store.main.frames.where('run').equals(id).count()).toBe(0)
}, 60_000)

it('over strength it begins with the base, to the bit', async () => {
  const run = await trained({ ...complete, training: { ...training, learningRate: 0.05 } })
  const found = await ask({ run: run.id }, { text: TEXT, over: 'strength' })
  expect(found.frames.map(({ at }) => at)).toEqual([0, 0.25, 0.5, 0.75, 1])
  const output = found.frames[0]!.explained.index
  const base = await EXPLAINERS.attention(e.desk, { model }, { text: TEXT }, context())
  expect(found.frames[0]!.attention).toEqual(base.weights)
  const request = { text: TEXT, method: 'gradientXInput', output } as const
  expect(found.frames[0]!.saliency).toEqual(
    (await EXPLAINERS.saliency(e.desk, { model }, request, context())).scores,
  )
  const tuned = await EXPLAINERS.attention(e.desk, { run: run.id }, { text: TEXT }, context())
  expect(found.frames.at(-1)!.attention).toEqual(tuned.weights)
  const half = { run: run.id, strength: 0.5 }
  const { weights: between } = await EXPLAINERS.attention(e.desk, half, { text: TEXT }, context())
  expect(found.frames[2]!.attention).toEqual(between)
  expect(between).not.toEqual(base.weights)
  // The whole adapter answers something else than the base, and that is explained from the first frame on.
  const [begun, ended] = [found.frames[0]!, found.frames.at(-1)!]
  expect(ended.prediction.index).not.toBe(begun.prediction.index)
  expect(begun.explained.index).toBe(ended.prediction.index)
  expect(new Set(found.frames.map(({ explained }) => explained.index)).size).toBe(1)
}, 60_000)

it('its cost is said before', async () => {
  const signal = new AbortController().signal
  const { film: plan, sentence } = await e.planner.plan({ ...classify, film }, signal)
  expect(plan).toMatchObject({ frames: 4, every: 2, texts: [{ cut: 0 }, { tokens: 64 }] })
  expect(plan!.seconds).toBeGreaterThan(0)
  expect(sentence).toMatch(/The film of 2 texts \(4 frames, one every 2 steps\) adds about .* MB\./)
  const { film: none } = await e.planner.plan(classify, signal)
  expect(none).toBeUndefined()
  const run = await trained({ ...classify, film })
  expect(run.film!.bytes).toBe(plan!.bytes)
}, 60_000)
