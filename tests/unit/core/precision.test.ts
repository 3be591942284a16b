// What the precisions cost Graft-7M on lines of the samples, and that the float32 model may be streamed block by block.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import Papa from 'papaparse'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBackend } from '../../../src/core/backend/register.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights, type WeightSource } from '../../../src/core/models/weights.ts'
import { referenceOps } from '../../../src/core/ops/reference/index.ts'
import {
  maskedTokens,
  nextTokens,
  precisionCost,
  residentReference,
  streamedReference,
  type ScoredText,
} from '../../../src/core/train/precision.ts'
import { loadTokenizer } from '../../../src/data/tokenizer.ts'
import { PRECISIONS, type Precision, type PrecisionReport } from '../../../src/protocol/model.ts'
import { loadTiny } from '../../golden/follow.ts'
import { FAMILY_NAMES } from '../../golden/load.ts'
import golden from '../../golden/quantise.json'
import { loadFolder } from '../support/tokenizers.ts'

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url))
const FOLDER = path('public/models/graft-7m')

let source: WeightSource
let reference: Transformer
let texts: ScoredText[]
let before: number

async function load(precision: Precision): Promise<Transformer> {
  const config: unknown = JSON.parse(readFileSync(`${FOLDER}/config.json`, 'utf8'))
  const { family, architecture } = recogniseModel(config)
  return loadTransformer(family, architecture, source, referenceOps, { precision })
}

beforeAll(async () => {
  const wasmPaths = path('node_modules/@tensorflow/tfjs-backend-wasm/dist/')
  await startBackend('wasm', { onFault: (fault) => expect.fail(fault.message), wasmPaths })
  const file = readFileSync(`${FOLDER}/model.safetensors`)
  source = await openWeights([memoryFile('model.safetensors', file)])
  const tokenizer = loadTokenizer(...loadFolder(FOLDER))
  const csv = Papa.parse<{ text: string }>(readFileSync(path('public/samples/support.csv'), 'utf8'), {
    header: true,
  })
  texts = csv.data.slice(0, golden.perplexity.lines).map(({ text }) => nextTokens(tokenizer.encode(text)))
  before = tf.memory().numTensors
  reference = await load('f32')
}, 60_000)

afterAll(() => {
  reference.dispose()
  expect(tf.memory().numTensors, 'tensors left behind').toBe(before)
})

describe('Graft-7M', () => {
  const reports = new Map<Precision, PrecisionReport>()

  test.each(PRECISIONS)(
    '%s',
    async (precision) => {
      const model = await load(precision)
      const report = await precisionCost({
        model,
        precision,
        reference: residentReference(reference),
        texts,
      })
      model.dispose()
      reports.set(precision, report)
      expect(report.precision).toBe(precision)
      const { perplexity } = golden
      expect(report.tokens).toBe(perplexity.tokens)
      // The checkpoint is in halves: f16 changes nothing.
      const pytorch = perplexity[precision === 'f16' ? 'f32' : precision]
      expect(Math.abs(report.perplexity / pytorch - 1)).toBeLessThan(1e-5)
      expect(Math.abs(report.perplexityF32 / perplexity.f32 - 1)).toBeLessThan(1e-5)
    },
    60_000,
  )

  test('fewer bits cost more', () => {
    const [f32, f16, int8, nf4] = PRECISIONS.map((precision) => reports.get(precision)!)
    expect(f32!.logitError).toEqual({ relative: 0, rms: 0 })
    expect(f16!.logitError).toEqual({ relative: 0, rms: 0 })
    expect(int8!.logitError.rms).toBeGreaterThan(f16!.logitError.rms)
    expect(nf4!.logitError.rms).toBeGreaterThan(3 * int8!.logitError.rms)
  })

  test('the streamed reference gives the same report', async () => {
    const model = await load('int8')
    const few = texts.slice(0, 3)
    const layers: number[] = []
    const streamed = await streamedReference(model, source, { onLayer: (done) => layers.push(done) })
    const tensors = tf.memory().numTensors
    const report = await precisionCost({ model, precision: 'int8', reference: streamed, texts: few })
    expect(tf.memory().numTensors).toBe(tensors)
    streamed.dispose()
    expect(layers).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    const resident = await precisionCost({
      model,
      precision: 'int8',
      reference: residentReference(reference),
      texts: few,
    })
    expect(report).toEqual(resident)
    model.dispose()
  }, 60_000)

  test('an encoder is asked for hidden tokens, never for the special ones', () => {
    const ids = Array.from({ length: 20 }, (_, i) => 100 + i)
    const { ids: shown, targets } = maskedTokens(ids, 4, [1, 19])
    const hidden = ids.filter((_, at) => targets[at] !== -100)
    expect(hidden).toEqual([104, 111, 118])
    expect(shown).toEqual(ids.map((id) => (hidden.includes(id) ? 4 : id)))
    expect(targets).toEqual(ids.map((id) => (hidden.includes(id) ? id : -100)))
  })

  test('texts without a target are refused', async () => {
    const work = precisionCost({
      model: reference,
      precision: 'f32',
      reference: residentReference(reference),
      texts: [nextTokens([5])],
    })
    await expect(work).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })
})

describe('every family', () => {
  test.each(FAMILY_NAMES)('%s passes through block by block as it does whole', async (name) => {
    const { model, source: tinySource } = await loadTiny(name, referenceOps)
    const streamed = await streamedReference(model, tinySource)
    const ids = Array.from({ length: 9 }, (_, i) => 5 + ((i * 7) % 30))
    const tiny = [nextTokens(ids), nextTokens(ids.slice(3))]
    const report = await precisionCost({ model, precision: 'f32', reference: streamed, texts: tiny })
    expect(report.logitError).toEqual({ relative: 0, rms: 0 })
    expect(report.perplexity).toBe(report.perplexityF32)
    expect(report.perplexity).toBeGreaterThan(1)
    streamed.dispose()
    model.dispose()
  })
})
