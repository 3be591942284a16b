// The scripting API in the built site: what it promises in docs/api.md, and what it refuses.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { GOLDENS, decode, relativeError } from '../golden/load.ts'
import { parseSafetensors } from '../../src/formats/safetensors.ts'
import { loadTiny, type Site } from './support/site.ts'

let site: Site
beforeAll(async () => {
  site = await openSite()
})
afterAll(() => site?.close())

const SMALL =
  'text,label\n' +
  Array.from(
    { length: 24 },
    (_, i) => `${i % 2 ? 'good day number' : 'bad night number'} ${i},${i % 2 ? 'good' : 'bad'}`,
  ).join('\n')

describe('scripting API', () => {
  it('all three backends agree on logits, with each other and with PyTorch', async () => {
    const { page } = site
    const golden = GOLDENS['tiny-llama'].base.sequences[0]!
    for (const backend of ['webgpu', 'wasm', 'cpu'] as const) {
      const info = await page.evaluate((name) => window.graft.engine.use(name), backend)
      expect(info.backend).toBe(backend)
      const model = await loadTiny(page)
      const logits = await page.evaluate(
        async ([id, ids]) => Array.from((await window.graft.logits({ model: id }, { ids })).logits),
        [model, golden.ids] as const,
      )
      expect(relativeError(logits, decode(golden.logits)), backend).toBeLessThan(1e-4)
    }
    await page.evaluate(() => window.graft.engine.use('auto'))
  })

  it('trains, pauses, resumes, predicts, explains and exports', async () => {
    const { page } = site
    const model = await loadTiny(page)
    const outcome = await page.evaluate(
      async ([model, csv]) => {
        const { graft } = window
        const dataset = await graft.datasets.import(new File([csv], 'moods.csv'))
        await graft.datasets.configure(dataset.id, {
          task: 'classify',
          columns: { text: 'text', label: 'label' },
        })
        const split = await graft.datasets.split(dataset.id, {
          train: 0.5,
          validation: 0.25,
          test: 0.25,
          seed: 1,
          stratify: 'label',
        })
        const id = await graft.runs.start({
          dataset: dataset.id,
          model,
          task: 'classify',
          adapter: { method: 'lora', r: 2, alpha: 4, dropout: 0.1, targets: ['q_proj', 'v_proj'] },
          training: { steps: 6, batchSize: 4, maxLength: 16, learningRate: 1e-2 },
        })
        const seen: number[] = []
        graft.runs.subscribe(id, ({ entries }) => seen.push(...entries.map((entry) => entry.step)))
        await graft.runs.pause(id)
        const paused = (await graft.runs.get(id)).status
        // A question to the paused, live model.
        const live = await graft.predict({ run: id }, 'good day number 3')
        await graft.runs.resume(id)
        const run = await graft.runs.wait(id)
        const attention = await graft.explain.attention({ run: id }, { text: 'good day' })
        const saliency = await graft.explain.saliency(
          { run: id },
          { text: 'good day', method: 'integratedGradients', output: 'good' },
        )
        const zip = await graft.export.adapter(id)
        const evaluation = await graft.evaluate({ run: id }, { dataset: dataset.id })
        const strengthless = await graft.logits({ run: id, strength: 0 }, { text: 'good day' })
        return {
          split: split.split!.rows,
          paused,
          live: live[0]!.scores,
          run,
          seen,
          evaluation,
          attention: { ...attention, weights: attention.weights.length },
          saliency: { ...saliency, scores: [...saliency.scores] },
          strengthless: strengthless.shape,
          zip: [...new Uint8Array(await zip.arrayBuffer())],
        }
      },
      [model, SMALL] as const,
    )
    expect(outcome.split).toEqual({ train: 12, validation: 6, test: 6 })
    expect(outcome.paused).toBe('paused')
    expect(Object.keys(outcome.live)).toEqual(['bad', 'good'])
    expect(Object.values(outcome.live).reduce((a, b) => a + b)).toBeCloseTo(1, 6)
    expect(outcome.run.status).toBe('done')
    expect(outcome.run.history.map((entry) => entry.step)).toEqual([1, 2, 3, 4, 5, 6])
    expect(outcome.run.history.at(-1)!.validationLoss).toBeGreaterThan(0)
    expect(new Set(outcome.seen).size).toBe(6)
    expect(outcome.run.checkpoints.at(-1)!.step).toBe(6)
    const { tokens, layers, heads, weights } = outcome.attention
    expect(weights).toBe(layers * heads * tokens.length ** 2)
    expect(outcome.saliency.output.name).toBe('good')
    expect(outcome.saliency.scores).toHaveLength(tokens.length)
    expect(outcome.strengthless).toEqual([1, 2])
    expect(outcome.evaluation.rows).toBe(6)
    expect(outcome.evaluation.majority).toBeCloseTo(0.5)

    const files = unzipSync(Uint8Array.from(outcome.zip))
    expect(Object.keys(files).sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
    ])
    const config = JSON.parse(new TextDecoder().decode(files['adapter_config.json']))
    expect(config).toMatchObject({
      peft_type: 'LORA',
      task_type: 'SEQ_CLS',
      r: 2,
      lora_alpha: 4,
      target_modules: ['q_proj', 'v_proj'],
      modules_to_save: ['classifier', 'score'],
    })
    const { tensors } = parseSafetensors(files['adapter_model.safetensors']!)
    expect(tensors.get('base_model.model.score.weight')!.shape).toEqual([2, 32])
    expect(tensors.get('base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight')!.shape).toEqual([
      2, 32,
    ])
    expect(tensors.size).toBe(2 * 2 * 2 + 1)
  })

  it('runs wait in line, and one that waits can be stopped or removed', async () => {
    const { page } = site
    const model = await loadTiny(page)
    const seen = await page.evaluate(
      async ([model, csv]) => {
        const { graft } = window
        const dataset = await graft.datasets.import(new File([csv], 'moods.csv'))
        await graft.datasets.configure(dataset.id, dataset.suggestion!)
        const start = () =>
          graft.runs.start({ dataset: dataset.id, model, training: { steps: 3, batchSize: 2, maxLength: 8 } })
        const [first, second, third] = [await start(), await start(), await start()]
        await graft.runs.stop(second)
        await graft.runs.remove(third)
        const stopped = (await graft.runs.get(second)).status
        const done = (await graft.runs.wait(first)).status
        const left = (await graft.runs.list()).some((run) => run.id === third)
        return { stopped, done, left }
      },
      [model, SMALL] as const,
    )
    expect(seen).toEqual({ stopped: 'stopped', done: 'done', left: false })
  })

  it('the same seed gives the same answer', async () => {
    const { page } = site
    const model = await loadTiny(page)
    const [once, again, other] = await page.evaluate(
      (id) =>
        Promise.all(
          [1, 1, 2].map((seed) =>
            window.graft.generate({ model: id }, { prompt: 'Where', maxTokens: 6, temperature: 1, seed }),
          ),
        ),
      model,
    )
    expect(again!.tokens).toEqual(once!.tokens)
    expect(other!.tokens).not.toEqual(once!.tokens)
  })

  it.each([
    ['a picture', 'x.csv', '\x89PNG\r\n\x1a\n\0\0\0', 'E_NOT_A_TABLE'],
    ['an unknown dataset', null, '', 'E_NOT_FOUND'],
  ])('refuses %s with a code', async (_, name, content, code) => {
    const error = await site.page.evaluate(
      async ([name, content]) => {
        try {
          if (name)
            await window.graft.datasets.import(
              new File([Uint8Array.from(content!, (c) => c.charCodeAt(0))], name),
            )
          else await window.graft.datasets.get('nothing')
          return null
        } catch (thrown) {
          const { code, message } = thrown as { code: string; message: string }
          return { code, message }
        }
      },
      [name, content],
    )
    expect(error?.code).toBe(code)
    expect(error!.message.length).toBeGreaterThan(20)
  })

  it('refuses settings by name', async () => {
    const { page } = site
    const model = await loadTiny(page)
    const message = await page.evaluate(
      async ([model, csv]) => {
        const { graft } = window
        const dataset = await graft.datasets.import(new File([csv], 'moods.csv'))
        await graft.datasets.configure(dataset.id, dataset.suggestion!)
        const attempts = [
          { training: { learningRate: -1 } },
          { training: { maxLength: 100_000 } },
          { adapter: { targets: ['w_proj'] } },
          { adapter: { r: 0 } },
        ]
        return Promise.all(
          attempts.map((attempt) =>
            graft.runs.start({ dataset: dataset.id, model, ...attempt }).then(
              () => 'started',
              (error: { code: string; message: string }) => `${error.code} ${error.message}`,
            ),
          ),
        )
      },
      [model, SMALL] as const,
    )
    expect(message[0]).toMatch(/^E_\w+ .*learningRate/)
    expect(message[1]).toMatch(/^E_ARGUMENT .*maxLength.*256/)
    expect(message[2]).toMatch(/w_proj/)
    expect(message[3]).toMatch(/^E_ARGUMENT adapter\.r/)
  })

  it('the example of docs/api.md runs from import to export', async () => {
    const { page } = site
    await page.evaluate(() => window.graft.engine.use('wasm'))
    const text = readFileSync(join(import.meta.dirname, '../../docs/api.md'), 'utf8')
    const example = /```js\n([\s\S]*?)```/.exec(text)![1]!
    // As a reader would paste it, but with a few steps in place of three epochs.
    const short = example.replace('epochs: 3', 'steps: 3').replace('batchSize: 16', 'batchSize: 4')
    expect(short).not.toBe(example)
    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 120_000 }),
      page.evaluate(`(async () => {${short}})()`),
    ])
    expect(download.suggestedFilename()).toBe('adapter.zip')
    await page.evaluate(() => window.graft.engine.use('auto'))
  })

  it('reported no error and no policy violation', () => {
    expect(site.errors.filter((error) => !error.includes('Failed to load resource'))).toEqual([])
  })
})
