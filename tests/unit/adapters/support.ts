// Adapters that peft wrote, as test cases: their files, and the logits that peft computes with them.
import { fileURLToPath } from 'node:url'
import { dispose, tensor } from '@tensorflow/tfjs-core'
import { tensorAdaptation } from '../../../src/core/adapters/adaptation.ts'
import { hostTensors } from '../../../src/core/adapters/peftTensors.ts'
import { readPeft, type ImportedAdapter } from '../../../src/core/adapters/readPeft.ts'
import { startBackend } from '../../../src/core/backend/register.ts'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import type { Trainable } from '../../../src/core/train/objective.ts'
import { loadTiny, type TinyModel } from '../../golden/follow.ts'
import {
  adapterFiles,
  decode,
  FAMILY_NAMES,
  familyGolden,
  modelBytes,
  padIdOf,
  VARIANTS,
  variantFiles,
  type FamilyName,
} from '../../golden/load.ts'

export async function startWasm(): Promise<void> {
  await startBackend('wasm', {
    wasmPaths: fileURLToPath(
      new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
    ),
    onFault: (error) => {
      throw error
    },
  })
}

export interface Case {
  title: string
  model: FamilyName
  files: File[]
  /** Rows of ids, and the logits that peft computes for them, one after the other. */
  ids: number[][]
  logits: Float32Array
}

const FAMILY_CASES = FAMILY_NAMES.flatMap((model) => {
  const { causal, classify } = familyGolden(model)
  const cases: Case[] = [
    {
      title: `${model}-classify`,
      model,
      files: adapterFiles(model, 'classify'),
      ids: classify.batch.ids,
      logits: decode(classify.batch.logits),
    },
  ]
  if (causal)
    cases.push({
      title: `${model}-causal`,
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

export const CASES: readonly Case[] = [...FAMILY_CASES, ...VARIANT_CASES]

/** A case with its base and its adapter loaded. */
export interface Loaded {
  tiny: TinyModel
  theirs: Map<string, Uint8Array>
  imported: ImportedAdapter
  labels: string[] | null
  pad: number
}

export async function load({ model, files }: Case): Promise<Loaded> {
  const tiny = await loadTiny(model, opsFor('wasm'))
  const theirs = await filesOf(files)
  const imported = readPeft(theirs, tiny.model.family, tiny.model.architecture, tiny.bare)
  const labels =
    imported.labels === null ? null : Array.from({ length: imported.labels }, (_, i) => `label ${i}`)
  return { tiny, theirs, imported, labels, pad: padIdOf(familyGolden(model)) }
}

export async function filesOf(files: File[]): Promise<Map<string, Uint8Array>> {
  const entries = files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const)
  return new Map(await Promise.all(entries))
}

/** All logits of some rows. */
export async function logitsOf(model: Transformer, trainable: Trainable, ids: number[][], pad: number) {
  const rows: number[] = []
  for (const row of ids) rows.push(...(await inspectLogits(model, row, trainable, pad)).logits)
  return rows
}

/** Runs `work` with an adapter on the device. */
export async function beside<T>(
  { imported }: Pick<Loaded, 'imported'>,
  strength: number,
  work: (trainable: Trainable) => Promise<T>,
): Promise<T> {
  const tensors = new Map(imported.tensors.map(({ name, shape, data }) => [name, tensor(data, shape)]))
  try {
    return await work({
      adaptation: tensorAdaptation(tensors, imported.plan, strength),
      classify: imported.labels !== null,
    })
  } finally {
    dispose([...tensors.values()])
  }
}

/** What exports are made of. */
export function exportOf({ tiny, imported, labels, pad }: Loaded, { model }: Case) {
  return {
    name: 'a test',
    family: tiny.model.family,
    architecture: tiny.model.architecture,
    adapter: imported.config,
    plan: imported.plan,
    base: imported.baseName ?? 'base',
    revision: imported.revision,
    labels,
    tensors: imported.tensors,
    facts: ['A fact.'],
    version: 'test',
    merge: {
      source: tiny.source,
      tensors: hostTensors(imported.tensors),
      strength: 1,
      padId: pad,
      config: JSON.parse(new TextDecoder().decode(modelBytes(model).get('config.json'))) as Record<
        string,
        unknown
      >,
      files: new Map([['tokenizer.json', modelBytes(model).get('tokenizer.json')!]]),
    },
  }
}
