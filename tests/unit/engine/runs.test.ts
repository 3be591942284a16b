// Runs through the engine: every method, encoders, precisions, what earlier versions left behind.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunRequest } from '../../../src/protocol/run.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { attention } from '../../../workers/engine/explain/attention.ts'
import { saliency } from '../../../workers/engine/explain/saliency.ts'
import { familyGolden, modelFiles, relativeError, type FamilyName } from '../../golden/load.ts'
import { reportPrecision } from '../../../workers/engine/precisionReport.ts'
import { context, engine, type Engine } from './support.ts'

let e: Engine
beforeEach(async () => {
  e = await engine()
})
afterEach(() => e.close())

const load = async (name: FamilyName) => (await e.models.load({ files: modelFiles(name) }, {}, context())).id
const LABELS = ['moon', 'rain', 'sun']
const CSV = `text,label\n${Array.from({ length: 6 }, (_, i) => `the ${LABELS[i % 3]} number ${i},${LABELS[i % 3]}`).join('\n')}\n`
const CLASSIFY = { task: 'classify' as const, columns: { text: 'text', label: 'label' } }
const COMPLETE = { task: 'complete' as const, columns: { text: 'text' } }
const training = {
  steps: 3,
  batchSize: 6,
  shuffle: false,
  warmup: 0,
  learningRate: 5e-3,
  schedule: 'constant' as const,
}

async function trained(request: RunRequest) {
  const run = await e.runs.wait(await e.runs.start(request))
  expect(run.error).toBeNull()
  return run
}
const logitsOf = async (target: Target, ids: number[]) => (await e.ask.logits(target, undefined, ids)).logits

describe('methods', () => {
  it.each([
    ['tiny-llama', { method: 'full' }],
    ['tiny-gpt2', { method: 'layers', topLayers: 1 }],
    ['tiny-qwen2', { use_dora: true, lora_alpha: 8, r: 4 }],
    ['tiny-llama', { initLoraWeights: 'pissa', r: 2 }],
    ['tiny-gemma3', { modulesToSave: ['embed_tokens'], r: 2 }],
  ] as const)(
    '%s learns text with %j, and is merged as it answers',
    async (name, adapter) => {
      const model = await load(name)
      const dataset = await e.dataset(CSV, COMPLETE)
      const before = e.tensors()
      const run = await trained({ dataset: dataset.id, model, adapter: adapter as object, training })
      expect(run.history.at(-1)!.loss).toBeLessThan(run.history[0]!.loss)
      const ids = [3, 4, 5, 6]
      const base = await logitsOf({ model }, ids)
      const whole = await logitsOf({ run: run.id }, ids)
      expect(relativeError(whole, base)).toBeGreaterThan(1e-4)
      expect(relativeError(await logitsOf({ run: run.id, strength: 0 }, ids), base)).toBeLessThan(1e-6)
      expect(await logitsOf({ run: run.id, strength: 0.5 }, ids)).not.toEqual(whole)
      await e.exporter.merged({ run: run.id }, 'f32', context())
      e.targets.clear()
      // What DoRA keeps of the base's norms stays with the base.
      expect(e.tensors() - before).toBeLessThanOrEqual('use_dora' in adapter ? 100 : 0)
    },
    60_000,
  )

  it.each(['tiny-bert', 'tiny-distilbert', 'tiny-roberta', 'tiny-llama'] as const)(
    '%s learns classes, with a head alone too, is planned, resumed, and exported',
    async (name) => {
      const model = await load(name)
      const dataset = await e.dataset(CSV, CLASSIFY)
      const request = { dataset: dataset.id, model, training: { ...training, steps: 6 } }
      const plan = await e.planner.plan(request, new AbortController().signal)
      const run = await trained(request)
      expect(run.trainableParameters).toBe(plan.trainableParameters)
      expect(run.history.at(-1)!.loss).toBeLessThan(run.history[0]!.loss)
      await e.exporter.adapter({ run: run.id }, context())
      const head = await trained({ ...request, adapter: { method: 'head' } })
      expect(head.trainableParameters).toBeLessThan(run.trainableParameters)
      await expect(e.exporter.adapter({ run: head.id }, context())).rejects.toMatchObject({
        code: 'E_ARGUMENT',
      })

      // Cut short after two steps, it goes on to the same end.
      let stopped: Promise<void> | null = null
      e.listen(({ run: { id, step } }) => {
        if (step === 2) stopped ??= e.runs.stop(id)
      })
      const cut = await e.runs.start({ ...request, training: { ...request.training, checkpointEvery: 1 } })
      const half = await e.runs.wait(cut)
      await stopped
      expect(half.status).toBe('stopped')
      expect(half.step).toBeGreaterThanOrEqual(2)
      expect(half.step).toBeLessThan(6)
      await e.runs.resume(cut)
      const ended = await e.runs.wait(cut)
      expect(ended.status).toBe('done')
      expect(ended.history.map(({ loss }) => loss)).toEqual(run.history.map(({ loss }) => loss))
    },
    60_000,
  )
})

describe('encoders', () => {
  it('classify, fill masks and are explained there; they do not write', async () => {
    const model = await load('tiny-bert')
    const text = await e.dataset(CSV, COMPLETE)
    await expect(e.runs.start({ dataset: text.id, model })).rejects.toMatchObject({
      code: 'E_ARGUMENT',
      message: expect.stringContaining('reads whole texts'),
    })
    await expect(e.ask.generate({ model }, { prompt: 'a' }, context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    await expect(e.ask.predict({ model }, ['a'], ['x', 'y'], context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    await expect(e.ask.evaluate({ model }, text.id, 'train', context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
    const { tokenizer } = await e.models.use(model)
    await expect(
      saliency(e.desk, { model }, { text: 'the sun', method: 'gradientNorm' }, context()),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT', details: { mask: tokenizer.maskText } })
    const { ids, output } = await saliency(
      e.desk,
      { model },
      { text: `the ${tokenizer.maskText} is`, method: 'gradientNorm' },
      context(),
    )
    const at = ids.indexOf(tokenizer.maskId!)
    const { logits, shape } = await e.ask.logits({ model }, undefined, ids)
    expect(shape[0]).toBe(ids.length)
    const row = logits.subarray(at * shape[1], (at + 1) * shape[1])
    expect(output.logit).toBeCloseTo(Math.max(...row), 4)
    // A classifier reads [CLS] ... [SEP], also where the text is cut.
    const rows = await e.dataset(CSV, CLASSIFY)
    const run = await trained({ dataset: rows.id, model, training: { ...training, maxLength: 4 } })
    const asked = await attention(
      e.desk,
      { run: run.id },
      { text: 'the sun and the moon and the rain' },
      context(),
    )
    expect([asked.ids[0], asked.ids.at(-1)]).toEqual([tokenizer.prefixIds[0], tokenizer.suffixIds[0]])
    expect(asked.ids).toHaveLength(4)
  })
})

describe('precision', () => {
  it('is changed by loading again, remembered, and refused while somebody holds the base', async () => {
    const model = await load('tiny-llama')
    const { ids } = familyGolden('tiny-llama').base.sequences[0]!
    const exact = await logitsOf({ model }, ids)
    expect((await e.models.list())[0]).toMatchObject({ precision: 'f32', loaded: true })
    const { release } = await e.models.hold(model)
    const source = { builtin: model }
    await expect(e.models.load(source, { precision: 'int8' }, context())).rejects.toMatchObject({
      code: 'E_BUSY',
    })
    release()
    const errors: number[] = []
    for (const precision of ['f16', 'int8', 'nf4'] as const) {
      expect(await e.models.load(source, { precision }, context())).toMatchObject({ precision })
      errors.push(relativeError(await logitsOf({ model }, ids), exact))
      const { base, release } = await e.models.hold(model)
      const report = await reportPrecision(base, e.turns, ['the sun and the moon', 'rain'], context())
      release()
      expect(report).toMatchObject({ precision })
      expect(report.logitError.relative).toBeGreaterThan(0)
    }
    expect(errors[0]!).toBeGreaterThan(0)
    expect(errors[1]!).toBeGreaterThan(errors[0]!)
    expect(errors[2]!).toBeGreaterThan(errors[1]!)
    e.models.unloadAll()
    expect((await e.models.use(model)).info.precision).toBe('nf4')
    await expect(e.models.load(source, { precision: 'f8' as 'f16' }, context())).rejects.toMatchObject({
      code: 'E_ARGUMENT',
    })
  })

  it('a run that is resumed goes on beside the base that it began with, whatever that was loaded as since', async () => {
    const model = await load('tiny-llama')
    const source = { builtin: model }
    await e.models.load(source, { precision: 'nf4' }, context())
    const dataset = await e.dataset(CSV, COMPLETE)
    const request = { dataset: dataset.id, model, training: { ...training, steps: 6, checkpointEvery: 1 } }
    const whole = await trained(request)
    expect(whole.precision).toBe('nf4')
    let stopped: Promise<void> | null = null
    e.listen(({ run: { id, step } }) => {
      if (step === 2) stopped ??= e.runs.stop(id)
    })
    const cut = await e.runs.start(request)
    await e.runs.wait(cut)
    await stopped
    await e.models.load(source, { precision: 'f32' }, context())
    await e.runs.resume(cut)
    const ended = await e.runs.wait(cut)
    expect(ended).toMatchObject({ status: 'done', precision: 'nf4' })
    expect(ended.history.map(({ loss }) => loss)).toEqual(whole.history.map(({ loss }) => loss))
    expect(e.models.precisionOf(model)).toBe('nf4')
  }, 60_000)

  it('DoRA on four bits begins at the base exactly', async () => {
    const model = await load('tiny-qwen3')
    await e.models.load({ builtin: model }, { precision: 'nf4' }, context())
    const dataset = await e.dataset(CSV, COMPLETE)
    const run = await trained({
      dataset: dataset.id,
      model,
      adapter: { useDora: true, r: 2 },
      training: { ...training, checkpointEvery: 1 },
    })
    const ids = [3, 4, 5, 6]
    const base = await logitsOf({ model }, ids)
    const first = await e.ask.evaluate({ model }, dataset.id, 'train', context())
    expect(run.history[0]!.loss).toBeCloseTo(first.loss, 4)
    expect(relativeError(await logitsOf({ run: run.id }, ids), base)).toBeGreaterThan(1e-5)
  })
})

describe('what earlier versions left', () => {
  it('is read with the settings that they did not know', async () => {
    const model = await load('tiny-llama')
    const dataset = await e.dataset(CSV, CLASSIFY)
    const run = await trained({ dataset: dataset.id, model, adapter: { r: 4, alpha: 8 }, training })
    const answer = await logitsOf({ run: run.id }, [5, 6, 7])
    const record = (await e.store.main.runs.get(run.id))!
    const { method, r, alpha, dropout, targets } = record.run.config.adapter
    const old = { method, r, alpha, dropout, targets } as typeof record.run.config.adapter
    await e.store.main.runs.put({
      ...record,
      run: { ...record.run, config: { ...record.run.config, adapter: old } },
    })
    const base = (await e.store.main.models.get(model))!
    const { kind: _kind, tasks: _tasks, ...info } = base.info
    await e.store.main.models.put({ ...base, info: info as typeof base.info })
    e.targets.clear()
    e.models.unloadAll()
    expect((await e.runs.get(run.id)).config.adapter).toEqual(run.config.adapter)
    expect((await e.models.list())[0]).toMatchObject({
      kind: 'decoder',
      tasks: expect.arrayContaining(['chat']),
    })
    expect(await logitsOf({ run: run.id }, [5, 6, 7])).toEqual(answer)
    await trained({ dataset: dataset.id, model, adapter: { from: run.id }, training })
  })
})
