// Trains tiny models for a few steps in every way that Graft has, exports them with the functions that the page uses, checks
// each export as the page does, and writes it with Graft's logits where tools/golden/check_export.py reads it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dispose, tensor } from '@tensorflow/tfjs-core'
import { tensorAdaptation } from '../../src/core/adapters/adaptation.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import type { FloatType } from '../../src/core/adapters/encode.ts'
import { fileBlob, mergedFiles } from '../../src/core/adapters/mergedFiles.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { peftFiles } from '../../src/core/adapters/peft.ts'
import { hasStart, hostTensors } from '../../src/core/adapters/peftTensors.ts'
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import { tensorsAtStrength } from '../../src/core/adapters/strength.ts'
import { verifyAdapterExport, verifyMergedExport } from '../../src/core/adapters/verify.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { words } from '../../src/core/rng.ts'
import type { Example } from '../../src/core/train/objective.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import { Turns } from '../../src/core/turns.ts'
import type { TensorToWrite } from '../../src/formats/safetensors.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { loadTiny, type TinyModel } from '../../tests/golden/follow.ts'
import { familyGolden, modelBytes, padIdOf } from '../../tests/golden/load.ts'
import { EXPORT_CASES, type ExportCase } from './settings.ts'

const LABELS = ['bad', 'good', 'so "so"']
const STEPS = 6
const DEFAULTS = defaultAdapter({ r: 3, alpha: 6 })

/** What was trained, on the host. */
interface Trained {
  tiny: TinyModel
  plan: AdapterPlan
  config: AdapterConfig
  tensors: TensorToWrite[]
  padId: number
  labels: string[] | null
}

/** Writes a folder a case below `output`; `base` gives the folder of a base model. */
export async function writeCases(output: string, base: (model: string) => string): Promise<number> {
  const wasmPaths = fileURLToPath(
    new URL('../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
  )
  await startBackend('wasm', {
    wasmPaths,
    onFault: (error) => {
      throw error
    },
  })
  let count = 0
  for (const each of EXPORT_CASES) {
    const trained = await train(each)
    const title = `${each.model}-${each.task}-${each.title}`
    if (!each.mergedOnly) {
      await writeAdapter(join(output, `${title}-adapter`), each, trained, base(each.model))
      count++
    }
    for (const dtype of each.merged ?? []) {
      await writeMerged(join(output, `${title}-merged-${dtype}`), each, trained, dtype)
      count++
    }
    trained.tiny.model.dispose()
  }
  return count
}

async function train(each: ExportCase): Promise<Trained> {
  const golden = familyGolden(each.model)
  const padId = padIdOf(golden)
  const tiny = await loadTiny(each.model, opsFor('wasm'))
  const { model } = tiny
  const config = { ...DEFAULTS, ...each.adapter }
  const labels = each.task === 'classify' ? LABELS : null
  const plan = planAdapter(model.family, model.architecture, config, labels?.length ?? null, tiny.bare)
  const initial = await initialParameters(plan, config, 3, baseValues(model, tiny.source))
  const examples = rowsFor(model.architecture.vocab, labels?.length ?? null)
  let last: TrainerState | undefined
  const trainer = new Trainer({
    model,
    plan,
    initial,
    dropout: 0,
    training: {
      epochs: 1,
      steps: STEPS,
      batchSize: 2,
      accumulation: 1,
      packing: false,
      checkpointing: 'auto',
      labelSmoothing: 0,
      learningRate: 3e-2,
      schedule: 'constant',
      warmup: 0,
      weightDecay: 0,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      clip: 1,
      maxLength: 32,
      shuffle: false,
      seed: 0,
      validateEvery: 0,
      checkpointEvery: 0,
      recordRows: false,
    },
    checkpointing: 'none',
    labels: labels?.length ?? null,
    padId,
    train: {
      rows: examples.length,
      get: (places) => Promise.resolve(places.map((place) => examples[place]!)),
    },
    validation: null,
    turns: new Turns(),
    readEvery: STEPS,
    hooks: {
      entries: () => undefined,
      validation: () => undefined,
      checkpoint: async (state) => {
        last = state
        return true
      },
    },
  })
  await trainer.run()
  trainer.dispose()
  const values = last!.parameters.values
  const tensors = initial.map(({ name, shape }) => ({ name, shape, data: values[name]! }))
  return { tiny, plan, config, tensors, padId, labels }
}

/** Random rows, all different; ids above the special tokens of the tiny tokenizers. */
function rowsFor(vocab: number, classes: number | null): Example[] {
  return Array.from({ length: 2 * STEPS }, (_, row) => {
    const ids = Array.from(
      words({ seed: 5, purpose: 'sample', step: row }, 7),
      (word) => 6 + (word % (vocab - 7)),
    )
    return classes === null ? { ids, labels: ids } : { ids, label: row % classes }
  })
}

const cardOf = (each: ExportCase, { tiny, labels }: Trained) => ({
  name: each.title,
  family: tiny.model.family,
  architecture: tiny.model.architecture,
  base: each.model,
  labels,
  facts: [`${STEPS} steps on random rows.`],
  version: '0',
})

async function writeAdapter(folder: string, each: ExportCase, trained: Trained, base: string): Promise<void> {
  const { tiny, plan, config, tensors, padId } = trained
  const files = peftFiles({
    ...cardOf(each, trained),
    adapter: config,
    plan,
    revision: null,
    tensors,
    forLlamaCpp: each.forLlamaCpp === true,
  })
  const { ids, logits } = await ask(trained, 1, async (trainable) => {
    await verifyAdapterExport({
      model: tiny.model,
      trainable,
      files,
      bare: tiny.bare,
      padId,
      converted: hasStart(plan, hostTensors(tensors)) || each.forLlamaCpp === true,
    })
  })
  writeFiles(join(folder, 'adapter'), files)
  writeCase(folder, { kind: 'adapter', task: each.task, file: 'adapter', base, ids, logits }, trained.labels)
}

async function writeMerged(
  folder: string,
  each: ExportCase,
  trained: Trained,
  dtype: FloatType,
): Promise<void> {
  const { tiny, plan, tensors, padId, labels } = trained
  const { family, architecture } = tiny.model
  const { strength = 1, shardBytes } = each
  const bytes = modelBytes(each.model)
  const kept = [...bytes].filter(
    ([name]) => name.startsWith('tokenizer') || name === 'generation_config.json',
  )
  const exported = mergedFiles({
    ...cardOf(each, trained),
    plan,
    source: tiny.source,
    tensors: hostTensors(tensors),
    strength,
    dtype,
    config: JSON.parse(new TextDecoder().decode(bytes.get('config.json'))),
    files: new Map(kept),
    padId,
    ...(shardBytes && { shardBytes }),
  })
  const files = new Map<string, Uint8Array>()
  for (const file of exported)
    files.set(file.name, new Uint8Array(await (await fileBlob(file)).arrayBuffer()))
  const weights = [...files].filter(([name]) => name.endsWith('.safetensors'))
  await verifyMergedExport({
    family,
    architecture,
    ops: tiny.model.ops,
    source: tiny.source,
    plan,
    tensors,
    strength,
    classify: labels !== null,
    weights: weights.map(([name, content]) => ({
      name,
      bytes: content.length,
      read: (begin, end) => Promise.resolve(content.subarray(begin, end)),
    })),
    dtype,
    padId,
  })
  const { ids, logits } = await ask(trained, strength)
  writeFiles(join(folder, 'model'), files)
  writeCase(folder, { kind: 'merged', task: each.task, file: 'model', dtype, ids, logits }, labels)
}

/** Graft's own answers to rows that it was not trained on. */
async function ask(
  { tiny, plan, tensors, padId, labels }: Trained,
  strength: number,
  meanwhile: (trainable: Parameters<typeof inspectLogits>[2]) => Promise<void> = async () => undefined,
) {
  const { model, source } = tiny
  const uploaded = new Map(tensors.map(({ name, shape, data }) => [name, tensor(data, shape)]))
  const mixed = await tensorsAtStrength(model.family, source, plan, uploaded, strength)
  const trainable = { adaptation: tensorAdaptation(mixed, plan, strength), classify: labels !== null }
  const { vocab } = model.architecture
  const ids = [4, 9].map((length) =>
    Array.from(
      words({ seed: 8, purpose: 'sample', step: length }, length),
      (word) => 6 + (word % (vocab - 7)),
    ).slice(0, length),
  )
  const logits: number[] = []
  for (const row of ids) logits.push(...(await inspectLogits(model, row, trainable, padId)).logits)
  await meanwhile(trainable)
  dispose([...uploaded.values(), ...mixed.values()])
  return { ids, logits }
}

function writeFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of files) writeFileSync(join(folder, name), content)
}

function writeCase(folder: string, entry: Record<string, unknown>, labels: string[] | null): void {
  writeFileSync(join(folder, 'case.json'), JSON.stringify({ ...entry, ...(labels && { labels }) }))
}
