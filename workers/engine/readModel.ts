// A stored model read and checked as far as it can be without the device: everything that can be wrong with its files
// is found here, before a single weight is uploaded.
import type { Architecture, Family } from '../../src/core/models/architecture.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { checkTensors, storedName } from '../../src/core/models/tensors.ts'
import { openWeights, type ByteFile, type WeightSource } from '../../src/core/models/weights.ts'
import { loadTokenizer, type TextTokenizer } from '../../src/data/tokenizer.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { readBlob, readRange, verifyBlob } from '../../src/store/chunks.ts'
import type { ModelFile, ModelRecord, Store } from '../../src/store/database.ts'
import { parseJson } from './modelInfo.ts'
import { probeTokenizer } from './probe.ts'

export interface ReadModel {
  family: Family
  architecture: Architecture
  tokenizer: TextTokenizer
  /** Token that fills short rows of a batch. */
  padId: number
  /** Tokens that end an answer. */
  endIds: ReadonlySet<number>
  weights: WeightSource
  /** The checkpoint came without the layers that a classifier may take from it, such as BERT's pooler. */
  bare: boolean
}

/** Throws E_MODEL_FILES, E_MODEL_UNSUPPORTED, E_FORMAT or E_HASH where the model cannot be used, E_ABORTED. */
export async function readModel(store: Store, record: ModelRecord, signal?: AbortSignal): Promise<ReadModel> {
  const { info, files } = record
  const { family, architecture } = recogniseModel(await jsonOf(store, files, 'config.json'))
  const tokenizer = await readTokenizer(store, files, architecture)
  const generation = await jsonOf(store, files, 'generation_config.json')
  const parts: ByteFile[] = []
  for (const file of files.filter(({ name }) => name.endsWith('.safetensors'))) {
    throwIfAborted(signal)
    const label = `${file.name} of ${info.name}`
    await verifyBlob(store, file, label)
    parts.push({
      name: file.name,
      bytes: file.bytes,
      read: (begin, end) => readRange(store, file, begin, end, label),
    })
  }
  const weights = await openWeights(parts)
  checkTensors(family, architecture, weights)
  return {
    family,
    architecture,
    tokenizer,
    padId: tokenizer.padId ?? architecture.padId ?? architecture.eosIds[0] ?? 0,
    endIds: new Set([...architecture.eosIds, ...idsOf(generation, 'eos_token_id'), ...tokenizer.endIds]),
    weights,
    bare: family.classifier.layers.some(
      ({ base, path }) => base && storedName(family, weights, `${path}.weight`) === null,
    ),
  }
}

/** The tokenizer among a model's files. Throws E_MODEL_FILES or E_MODEL_UNSUPPORTED if it does not go with the model. */
export async function readTokenizer(
  store: Store,
  files: readonly ModelFile[],
  architecture: Architecture,
): Promise<TextTokenizer> {
  const json = await jsonOf(store, files, 'tokenizer.json')
  const config = await jsonOf(store, files, 'tokenizer_config.json')
  const template =
    (await textOf(store, files, 'chat_template.jinja')) ??
    templateOf(await jsonOf(store, files, 'chat_template.json'))
  let tokenizer: TextTokenizer
  try {
    tokenizer = loadTokenizer(json, config ?? {}, template, architecture.vocab)
  } catch (cause) {
    if (cause instanceof GraftError) throw cause
    throw new GraftError(
      'E_MODEL_FILES',
      `tokenizer.json cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      { file: 'tokenizer.json' },
      { cause },
    )
  }
  await probeTokenizer(json)
  const { size, largestId } = tokenizer
  if (!(size > 0 && largestId < architecture.vocab))
    throw new GraftError(
      'E_MODEL_FILES',
      `The tokenizer has ${size} tokens with ids up to ${largestId}, but the model only ${architecture.vocab} rows for them. The files do not belong together.`,
      { file: 'tokenizer.json', size, largestId, vocab: architecture.vocab },
    )
  return tokenizer
}

/** The text of one file, checked against its hash; undefined where the model has no such file. */
export async function textOf(
  store: Store,
  files: readonly ModelFile[],
  name: string,
): Promise<string | undefined> {
  const file = files.find((candidate) => candidate.name === name)
  return file && new TextDecoder().decode(await readBlob(store, file, name))
}

async function jsonOf(store: Store, files: readonly ModelFile[], name: string): Promise<unknown> {
  const text = await textOf(store, files, name)
  return text === undefined ? undefined : parseJson(name, text)
}

/** What transformers wrote between tokenizer_config.json's field and chat_template.jinja: {"chat_template": "…"}. */
function templateOf(json: unknown): string | undefined {
  const template: unknown = Object(json).chat_template
  return typeof template === 'string' ? template : undefined
}

function idsOf(json: unknown, field: string): number[] {
  const value: unknown = Object(json)[field]
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id))
}
