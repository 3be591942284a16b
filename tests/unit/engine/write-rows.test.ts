// Rows written by Graft-7M on wasm: the same seed gives the same rows, none is there already, and what is cancelled leaves nothing.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { WriteRowsRequest } from '../../../src/protocol/written.ts'
import { context, engine, type Engine } from './support.ts'

const at = (path: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../../../public/${path}`, import.meta.url)))
const FILES = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']

let e: Engine
let model: string
let dataset: string
beforeAll(async () => {
  e = await engine()
  const files = FILES.map((name) => new File([new Uint8Array(at(`models/graft-7m/${name}`))], name))
  model = (await e.models.load({ files }, {}, context())).id
  const csv = at('samples/support.csv').toString()
  dataset = (await e.dataset(csv, { task: 'classify', columns: { text: 'text', label: 'intent' } })).id
}, 60_000)
afterAll(() => e.close())

const write = (request: Partial<WriteRowsRequest>, call = context()) =>
  e.ask.writeRows(
    dataset,
    {
      target: { model },
      form: 'list',
      labels: ['refund_request'],
      count: 2,
      maxTokens: 48,
      lengths: [0, 1],
      checkLabels: false,
      ...request,
    },
    call,
  )

it('writes new rows of a label, the same with the same seed', async () => {
  const before = e.tensors()
  const call = context()
  const first = await write({ seed: 5 }, call)
  expect(first.columns).toEqual(['text', 'intent'])
  expect(first.labels).toEqual([{ label: 'refund_request', wanted: 2, accepted: first.rows.length }])
  expect(first.rows.length).toBeGreaterThan(0)
  expect(new Set(first.rows.map(([, label]) => label))).toEqual(new Set(['refund_request']))
  expect(first.step).toMatchObject({
    kind: 'addRows',
    rows: first.rows,
    origin: expect.stringMatching(/4 examples an answer as a list, seed 5, temperature 0.8/) as string,
  })
  expect(call.reports.at(-1)).toMatchObject({
    label: 'Writing rows for refund_request',
    total: 2,
    unit: 'rows',
  })
  const again = await write({ seed: 5 })
  expect({ ...again, seconds: 0 }).toEqual({ ...first, seconds: 0 })
  expect((await write({ seed: 6 })).rows).not.toEqual(first.rows)
  expect(e.tensors()).toBe(before)
}, 120_000)

it('leaves out what reads like another label', async () => {
  // Dialogues about hotels and flights are no cancellations of orders.
  const { refused, rows } = await write({
    seed: 5,
    form: 'chat',
    labels: ['cancellation'],
    count: 3,
    checkLabels: true,
  })
  expect(refused.find(({ reason }) => reason === 'label')?.count).toBeGreaterThan(0)
  expect(rows.length).toBeLessThan(3)
}, 60_000)

it('is cancelled without a trace, and refuses what it cannot do in words', async () => {
  const controller = new AbortController()
  const call = { signal: controller.signal, progress: () => controller.abort() }
  const before = e.tensors()
  await expect(write({ count: 50 }, { ...context(), ...call })).rejects.toMatchObject({ code: 'E_ABORTED' })
  expect(e.tensors()).toBe(before)
  await expect(write({ labels: ['nonsense'] })).rejects.toMatchObject({
    code: 'E_DATASET',
    message: expect.stringContaining('no row labelled nonsense') as string,
  })
  await expect(write({ maxTokens: 1020 })).rejects.toMatchObject({ code: 'E_LIMIT' })
}, 60_000)
