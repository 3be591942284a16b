// What people take away: an adapter in PEFT's layout, or the whole model with the adapter merged in. Each is read back and
// asked the same questions as what it was made from, before anything is handed out.
import { dispose, keep, tensor } from '@tensorflow/tfjs-core'
import { version } from '../../package.json'
import { tensorAdaptation } from '../../src/core/adapters/adaptation.ts'
import type { CardSource } from '../../src/core/adapters/card.ts'
import { fileBlob, mergedFiles } from '../../src/core/adapters/mergedFiles.ts'
import { peftFiles } from '../../src/core/adapters/peft.ts'
import { hasStart, hostTensors } from '../../src/core/adapters/peftTensors.ts'
import { verifyAdapterExport, verifyMergedExport } from '../../src/core/adapters/verify.ts'
import type { Turns } from '../../src/core/turns.ts'
import { writeZip } from '../../src/formats/zip.ts'
import { zipBlobs } from '../../src/formats/zipStream.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Run } from '../../src/protocol/run.ts'
import { ADAPTER_READERS, type AdapterReader, type Target } from '../../src/protocol/target.ts'
import { readBlob } from '../../src/store/chunks.ts'
import type { ModelRecord, Store } from '../../src/store/database.ts'
import { findModel } from '../../src/store/models.ts'
import { parseJson } from './modelInfo.ts'
import type { Targets, TrainedTarget } from './targets.ts'
import { secondsLeft } from './time.ts'

export type MergedType = 'f32' | 'f16' | 'bf16'
const TYPES: readonly MergedType[] = ['f32', 'f16', 'bf16']
/** Files of the base that a merged model takes along as they are. */
const KEPT_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  'chat_template.jinja',
  'chat_template.json',
]

export class Exporter {
  readonly #parts: { store: Store; targets: Targets; turns: Turns }

  constructor(parts: { store: Store; targets: Targets; turns: Turns }) {
    this.#parts = parts
  }

  /** A zip in PEFT's layout. Throws E_ARGUMENT where there is no such format, E_INTERNAL where it reads back differently. */
  async adapter(
    target: Target,
    { progress, signal }: CallContext,
    reader: AdapterReader = 'peft',
  ): Promise<Blob> {
    if (!ADAPTER_READERS.includes(reader))
      throw new GraftError(
        'E_ARGUMENT',
        `reader must be one of ${ADAPTER_READERS.join(', ')}, but is ${String(reader)}.`,
      )
    const forLlamaCpp = reader === 'llama.cpp'
    if ((target.strength ?? 1) !== 1)
      throw new GraftError(
        'E_ARGUMENT',
        `An adapter is exported as it was trained, not at strength ${target.strength}. Leave the strength out, or export the merged model.`,
        { strength: target.strength },
      )
    const trained = await this.#parts.targets.trained(target)
    const { base, plan, labels, tensors, config } = trained
    try {
      const { card, revision } = await this.#card(trained, target)
      const files = peftFiles({
        ...card,
        architecture: base.model.architecture,
        adapter: config,
        plan,
        revision,
        tensors,
        forLlamaCpp,
      })
      progress({ label: 'Checking the adapter', done: 0, unit: 'items' })
      throwIfAborted(signal)
      const device = new Map(tensors.map(({ name, shape, data }) => [name, keep(tensor(data, shape))]))
      try {
        await this.#parts.turns.take(() =>
          verifyAdapterExport({
            model: base.model,
            trainable: { adaptation: tensorAdaptation(device, plan), classify: labels !== null },
            files,
            bare: base.bare,
            padId: base.padId,
            converted: forLlamaCpp || hasStart(plan, hostTensors(tensors)),
          }),
        )
      } finally {
        dispose([...device.values()])
      }
      return new Blob([writeZip(Object.fromEntries(files))], { type: 'application/zip' })
    } finally {
      trained.release()
    }
  }

  /**
   * A zip with the whole model. Throws E_ARGUMENT, E_LIMIT where a zip cannot hold it, E_NON_FINITE where a value does not
   * fit the type, E_INTERNAL where it reads back differently, E_ABORTED.
   */
  async merged(target: Target, dtype: MergedType = 'f32', { progress, signal }: CallContext): Promise<Blob> {
    if (!TYPES.includes(dtype))
      throw new GraftError('E_ARGUMENT', `dtype must be one of ${TYPES.join(', ')}, but is ${String(dtype)}.`)
    const trained = await this.#parts.targets.trained(target)
    const { base, plan, labels, tensors } = trained
    const { family, weights, padId, model } = base
    const { architecture } = model
    const strength = target.strength ?? 1
    try {
      const { card, record } = await this.#card(trained, target)
      const files = mergedFiles({
        ...card,
        architecture,
        source: weights,
        plan,
        tensors: hostTensors(tensors),
        strength,
        dtype,
        config: await this.#configOf(record),
        files: await this.#keptFiles(record),
        padId,
      })
      const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
      const started = performance.now()
      let done = 0
      const blobs = new Map<string, Blob>()
      for (const file of files) {
        const blob = await fileBlob(file, (bytes) => {
          throwIfAborted(signal)
          done += bytes
          const left = secondsLeft(started, done, total)
          progress({ label: `Merging ${file.name}`, done, total, unit: 'bytes', secondsLeft: left })
        })
        blobs.set(file.name, blob)
      }
      progress({ label: 'Checking the merged model', done: 0, unit: 'items' })
      await this.#parts.turns.take(() =>
        verifyMergedExport({
          family,
          architecture,
          ops: model.ops,
          source: weights,
          plan,
          tensors,
          strength,
          classify: labels !== null,
          weights: [...blobs].filter(([name]) => name.endsWith('.safetensors')).map(byteFile),
          dtype,
          padId,
        }),
      )
      throwIfAborted(signal)
      return await zipBlobs(blobs, signal)
    } finally {
      trained.release()
    }
  }

  /** What model cards tell, with the record of the base. */
  async #card(trained: TrainedTarget, target: Target) {
    const { base, name, labels, run, adapter } = trained
    const record = await findModel(this.#parts.store, base.info.id)
    if (!record)
      throw new GraftError(
        'E_NOT_FOUND',
        `The base ${base.info.name} is no longer in this browser. Load it again.`,
        {
          id: base.info.id,
        },
      )
    const { source, licence } = record.info
    const card: CardSource = {
      name,
      family: base.family,
      base: 'hub' in source ? source.hub : 'builtin' in source ? source.builtin : base.info.name,
      ...(licence !== undefined && { licence }),
      labels,
      facts: run ? runFacts(run, target) : adapter ? [`Taken in from ${originOf(adapter)}.`] : [],
      version,
    }
    return { card, record, revision: 'hub' in source ? source.revision : null }
  }

  async #configOf(record: ModelRecord): Promise<Record<string, unknown>> {
    const [bytes] = (await this.#read(record, ['config.json'])).values()
    return parseJson('config.json', bytes!) as Record<string, unknown>
  }

  #keptFiles(record: ModelRecord): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    return this.#read(record, KEPT_FILES)
  }

  async #read(
    { files }: ModelRecord,
    names: readonly string[],
  ): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const found = new Map<string, Uint8Array<ArrayBuffer>>()
    for (const file of files)
      if (names.includes(file.name)) found.set(file.name, await readBlob(this.#parts.store, file, file.name))
    return found
  }
}

function byteFile([name, blob]: [string, Blob]) {
  return {
    name,
    bytes: blob.size,
    read: async (begin: number, end: number) => new Uint8Array(await blob.slice(begin, end).arrayBuffer()),
  }
}

function originOf({ source, baseName }: NonNullable<TrainedTarget['adapter']>): string {
  const from = 'hub' in source ? `\`${source.hub}\`` : source.files.map((name) => `\`${name}\``).join(', ')
  return baseName === null ? from : `${from}, trained on \`${baseName}\``
}

/** Sentences about a run: of the state that is exported, which may be an earlier one. */
function runFacts(run: Run, target: Target): string[] {
  const { config, datasetName, rows, history } = run
  const { training } = config
  const wanted =
    'checkpoint' in target ? run.checkpoints.find(({ id }) => id === target.checkpoint) : undefined
  const step = wanted?.step ?? run.step
  const until = history.filter((entry) => entry.step <= step)
  const last = until.at(-1)
  const validation = until.findLast((entry) => entry.validationLoss !== undefined)
  const accuracy = validation?.validationAccuracy
  return [
    `Data: ${datasetName}, ${rows} training rows.`,
    `Training: ${step} of ${run.steps} steps, batch ${training.batchSize * training.accumulation}, learning rate ${training.learningRate}, ${training.schedule} schedule, seed ${training.seed}.`,
    ...(last ? [`Last training loss: ${last.loss.toFixed(4)}.`] : []),
    ...(validation
      ? [
          `Validation loss: ${validation.validationLoss!.toFixed(4)}${accuracy === undefined ? '' : `, accuracy ${(100 * accuracy).toFixed(1)}%`}.`,
        ]
      : []),
  ]
}
