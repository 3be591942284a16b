// Adapters that peft itself wrote: imported they give its logits, exported again they are the same files.
import { fileURLToPath } from 'node:url'
import { dispose, tensor } from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { tensorAdaptation } from '../../../src/core/adapters/adaptation.ts'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, peftFiles } from '../../../src/core/adapters/peft.ts'
import { readPeft, type ImportedAdapter } from '../../../src/core/adapters/readPeft.ts'
import { startBackend } from '../../../src/core/backend/register.ts'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { parseSafetensors, readTensor } from '../../../src/formats/safetensors.ts'
import { loadTiny, type TinyModel } from '../../golden/follow.ts'
import {
  adapterFiles,
  decode,
  FAMILY_NAMES,
  familyGolden,
  padIdOf,
  relativeError,
  VARIANTS,
  variantFiles,
  type FamilyName,
} from '../../golden/load.ts'

const wasmPaths = fileURLToPath(
  new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
)

interface Case {
  title: string
  model: FamilyName
  files: File[]
  /** Rows of ids and the logits that peft computes for them, one after the other. */
  ids: number[][]
  logits: Float32Array
}

const FAMILY_CASES = FAMILY_NAMES.flatMap((model) => {
  const { causal, classify } = familyGolden(model)
  const cases: Case[] = [
    {
      title: `${model} classify`,
      model,
      files: adapterFiles(model, 'classify'),
      ids: classify.batch.ids,
      logits: decode(classify.batch.logits),
    },
  ]
  if (causal)
    cases.push({
      title: `${model} causal`,
      model,
      files: adapterFiles(model, 'causal'),
      ids: [causal.sequence.ids],
      logits: decode(causal.sequence.logits),
    })
  return cases
})
const VARIANT_CASES = VARIANTS.flatMap((variant): Case[] => {
  const { name: title, model, folder, sequence, after, batch } = variant
  if (!folder) return []
  const row = after ?? sequence
  return [
    {
      title,
      model,
      files: variantFiles(folder),
      ids: row ? [row.ids] : batch!.ids,
      logits: decode(row ? row.logits : batch!.logits!),
    },
  ]
})

const bytesOf = async (files: File[]) =>
  new Map(
    await Promise.all(
      files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const),
    ),
  )
const jsonOf = (files: ReadonlyMap<string, Uint8Array>): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(files.get(ADAPTER_CONFIG)))

async function logitsOf(tiny: TinyModel, adapter: ImportedAdapter, ids: number[][], pad: number) {
  const tensors = new Map(adapter.tensors.map(({ name, shape, data }) => [name, tensor(data, shape)]))
  const trainable = { adaptation: tensorAdaptation(tensors, adapter.plan), classify: adapter.labels !== null }
  const rows: number[] = []
  for (const row of ids) rows.push(...(await inspectLogits(tiny.model, row, trainable, pad)).logits)
  dispose([...tensors.values()])
  return rows
}

beforeAll(async () => {
  await startBackend('wasm', {
    wasmPaths,
    onFault: (error) => {
      throw error
    },
  })
})

describe.each([...FAMILY_CASES, ...VARIANT_CASES])('$title', ({ model, files, ids, logits }) => {
  it("gives peft's logits, and goes out as peft wrote it", async () => {
    const tiny = await loadTiny(model, opsFor('wasm'))
    const { family, architecture } = tiny.model
    const theirs = await bytesOf(files)
    const imported = readPeft(theirs, family, architecture, tiny.bare)
    const pad = padIdOf(familyGolden(model))
    expect(imported.warnings).toEqual([])
    expect(relativeError(await logitsOf(tiny, imported, ids, pad), logits)).toBeLessThan(1e-4)

    const ours = peftFiles({
      name: 'x',
      family,
      architecture,
      adapter: imported.config,
      plan: imported.plan,
      base: imported.baseName!,
      revision: imported.revision,
      labels:
        imported.labels === null ? null : Array.from({ length: imported.labels }, (_, i) => `label ${i}`),
      tensors: imported.tensors,
      facts: [],
      version: 'test',
    })
    const written = ours.get(ADAPTER_WEIGHTS)!
    const original = theirs.get(ADAPTER_WEIGHTS)!
    const before = parseSafetensors(original).tensors
    const after = parseSafetensors(written).tensors
    // Of a saved module peft writes its bias up to three times where all biases are trained.
    const expected = [...before.keys()].filter((name) => !/\.(modules_to_save|original_module)\./.test(name))
    expect([...after.keys()].sort()).toEqual(expected.sort())
    for (const [name, entry] of after) {
      expect(entry.shape, name).toEqual(before.get(name)!.shape)
      expect(readTensor(written, entry), name).toEqual(readTensor(original, before.get(name)!))
    }
    const config = jsonOf(ours)
    const wanted = jsonOf(theirs)
    const same = Object.keys(config).filter((key) => !['target_modules', 'modules_to_save'].includes(key))
    for (const key of same) expect(config[key], key).toEqual(wanted[key])
    const again = readPeft(ours, family, architecture, tiny.bare)
    expect(again.plan).toEqual(imported.plan)
    tiny.model.dispose()
  })
})
