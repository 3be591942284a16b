// Merged models: loaded again they answer as the base with peft's adapter beside it, whole, sharded, in every type and at
// every strength.
import { beforeAll, describe, expect, it } from 'vitest'
import { unzipSync } from 'fflate'
import { tensor } from '@tensorflow/tfjs-core'
import { tensorAdaptation } from '../../../src/core/adapters/adaptation.ts'
import type { FloatType } from '../../../src/core/adapters/encode.ts'
import { fileBlob, mergedFiles } from '../../../src/core/adapters/mergedFiles.ts'
import { peftFiles } from '../../../src/core/adapters/peft.ts'
import { tensorsAtStrength } from '../../../src/core/adapters/strength.ts'
import { verifyAdapterExport, verifyMergedExport } from '../../../src/core/adapters/verify.ts'
import type { ByteFile } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { zipBlobs } from '../../../src/formats/zipStream.ts'
import { relativeError } from '../../golden/load.ts'
import { beside, CASES, exportOf, load, logitsOf, startWasm, type Case, type Loaded } from './support.ts'

const byTitle = (title: string) => CASES.find((each) => each.title === title)!

async function merged(loaded: Loaded, each: Case, dtype: FloatType, strength = 1, shardBytes?: number) {
  const { merge, ...rest } = exportOf(loaded, each)
  const files = mergedFiles({ ...rest, ...merge, dtype, strength, ...(shardBytes && { shardBytes }) })
  const blobs = new Map<string, Blob>()
  for (const file of files) {
    const blob = await fileBlob(file)
    expect(blob.size, file.name).toBe(file.bytes)
    blobs.set(file.name, blob)
  }
  return blobs
}

function weightFiles(blobs: ReadonlyMap<string, Blob>): ByteFile[] {
  return [...blobs]
    .filter(([name]) => name.endsWith('.safetensors'))
    .map(([name, blob]) => ({
      name,
      bytes: blob.size,
      read: async (begin, end) => new Uint8Array(await blob.slice(begin, end).arrayBuffer()),
    }))
}

function checkOf(loaded: Loaded, blobs: ReadonlyMap<string, Blob>, dtype: FloatType, strength = 1) {
  const { tiny, imported, pad } = loaded
  return {
    family: tiny.model.family,
    architecture: tiny.model.architecture,
    ops: opsFor('wasm'),
    source: tiny.source,
    plan: imported.plan,
    tensors: imported.tensors,
    strength,
    classify: imported.labels !== null,
    weights: weightFiles(blobs),
    dtype,
    padId: pad,
  }
}

beforeAll(startWasm)

describe.each(CASES)('$title', (each) => {
  it('is the same model merged and beside its base, and both exports pass their check', async () => {
    const loaded = await load(each)
    const { tiny, imported, pad } = loaded
    for (const strength of [1, 0.5]) {
      const blobs = await merged(loaded, each, 'f32', strength)
      expect(await verifyMergedExport(checkOf(loaded, blobs, 'f32', strength))).toBeLessThan(2e-5)
    }
    const files = peftFiles(exportOf(loaded, each))
    await beside(loaded, 1, async (trainable) => {
      const check = { model: tiny.model, trainable, files, bare: tiny.bare, padId: pad, converted: false }
      expect(await verifyAdapterExport(check)).toBe(0)
      // The check can fail: another strength is another adapter.
      const weaker = beside(loaded, 0.9, (other) => verifyAdapterExport({ ...check, trainable: other }))
      await expect(weaker).rejects.toMatchObject({ code: 'E_INTERNAL' })
    })
    expect(imported.plan.layers.length + imported.plan.saved.length).toBeGreaterThan(0)
    tiny.model.dispose()
  })
})

describe('strength', () => {
  const atStrength = async (loaded: Loaded, strength: number, ids: number[][]) => {
    const { tiny, imported, pad } = loaded
    const tensors = new Map(imported.tensors.map(({ name, shape, data }) => [name, tensor(data, shape)]))
    const { family } = tiny.model
    const mixed = await tensorsAtStrength(family, tiny.source, imported.plan, tensors, strength)
    const adaptation = tensorAdaptation(mixed, imported.plan, strength)
    return logitsOf(tiny.model, { adaptation, classify: imported.labels !== null }, ids, pad)
  }

  it.each(['tiny-qwen2-causal', 'tiny-qwen2-dora', 'tiny-gpt2-bias-all', 'tiny-qwen2-embeddings'])(
    '%s: 0 is the base to the bit, 1 is the adapter',
    async (title) => {
      const each = byTitle(title)
      const loaded = await load(each)
      const base = await logitsOf(
        loaded.tiny.model,
        { adaptation: null, classify: false },
        each.ids,
        loaded.pad,
      )
      expect(await atStrength(loaded, 0, each.ids)).toEqual(base)
      expect(relativeError(await atStrength(loaded, 1, each.ids), each.logits)).toBeLessThan(1e-4)
      const half = await atStrength(loaded, 0.5, each.ids)
      expect(relativeError(half, base)).toBeGreaterThan(1e-3)
      expect(relativeError(half, each.logits)).toBeGreaterThan(1e-3)
    },
  )

  it("0.5 is peft's adapter with half its alpha", async () => {
    const each = byTitle('tiny-gpt2-causal')
    const loaded = await load(each)
    const { imported, tiny, pad } = loaded
    const layers = imported.plan.layers.map((layer) => ({ ...layer, scale: layer.scale / 2 }))
    const halved = { imported: { ...imported, plan: { ...imported.plan, layers } } }
    const expected = await beside(halved, 1, (trainable) => logitsOf(tiny.model, trainable, each.ids, pad))
    expect(relativeError(await atStrength(loaded, 0.5, each.ids), expected)).toBeLessThan(1e-6)
  })
})

describe('files', () => {
  it('rounds to f16 and bf16 within what they can hold', async () => {
    for (const title of ['tiny-gemma3-causal', 'tiny-bert-classify'])
      for (const dtype of ['f16', 'bf16'] as const) {
        const loaded = await load(byTitle(title))
        const blobs = await merged(loaded, byTitle(title), dtype)
        const worst = await verifyMergedExport(checkOf(loaded, blobs, dtype))
        expect(worst, `${title} ${dtype}`).toBeGreaterThan(0)
        expect(worst, `${title} ${dtype}`).toBeLessThan(dtype === 'f16' ? 5e-3 : 4e-2)
        loaded.tiny.model.dispose()
      }
  })

  it('writes shards with an index, and a zip of them', async () => {
    const each = byTitle('tiny-qwen2-causal')
    const loaded = await load(each)
    const blobs = await merged(loaded, each, 'f32', 1, 12_000)
    const parts = weightFiles(blobs)
    expect(parts.length).toBeGreaterThan(2)
    const index = JSON.parse(await blobs.get('model.safetensors.index.json')!.text())
    expect(new Set(Object.values(index.weight_map))).toEqual(new Set(parts.map(({ name }) => name)))
    expect(await verifyMergedExport(checkOf(loaded, blobs, 'f32'))).toBeLessThan(2e-5)
    const zip = unzipSync(new Uint8Array(await (await zipBlobs(blobs)).arrayBuffer()))
    expect(Object.keys(zip)).toEqual([...blobs.keys()])
    for (const [name, blob] of blobs)
      expect(zip[name], name).toEqual(new Uint8Array(await blob.arrayBuffer()))
  })

  it('says in config.json and the card what the model is', async () => {
    const each = byTitle('tiny-gpt2-classify')
    const loaded = await load(each)
    const blobs = await merged(loaded, each, 'bf16')
    expect(JSON.parse(await blobs.get('config.json')!.text())).toMatchObject({
      architectures: ['GPT2ForSequenceClassification'],
      torch_dtype: 'bfloat16',
      id2label: { 0: 'label 0', 1: 'label 1', 2: 'label 2' },
      label2id: { 'label 0': 0, 'label 1': 1, 'label 2': 2 },
      pad_token_id: loaded.pad,
    })
    const card = await blobs.get('README.md')!.text()
    expect(card).toContain('base_model:finetune:')
    expect(card).toContain('pipeline_tag: text-classification')
  })

  it('notices a merged model that is another one', async () => {
    const each = byTitle('tiny-qwen2-dora')
    const loaded = await load(each)
    const blobs = await merged(loaded, each, 'f32', 0.8)
    await expect(verifyMergedExport(checkOf(loaded, blobs, 'f32'))).rejects.toMatchObject({
      code: 'E_INTERNAL',
    })
  })

  it('checks the layers in groups where not all have room, and still notices', async () => {
    const each = byTitle('tiny-gemma3-causal')
    const loaded = await load(each)
    const blobs = await merged(loaded, each, 'f32')
    const check = { ...checkOf(loaded, blobs, 'f32'), bytes: 50_000 }
    expect(await verifyMergedExport(check)).toBeLessThan(2e-5)
    const { plan } = loaded.imported
    for (const layer of [0, 1, 2]) {
      const without = { ...plan, layers: plan.layers.filter((adapted) => adapted.layer !== layer) }
      await expect(verifyMergedExport({ ...check, plan: without })).rejects.toMatchObject({
        code: 'E_INTERNAL',
      })
    }
  })
})
