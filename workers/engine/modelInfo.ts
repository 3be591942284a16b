// What the page is told about a base, and the JSON files it is told from.
import { targetNames } from '../../src/core/adapters/plan.ts'
import type { Architecture, Family } from '../../src/core/models/architecture.ts'
import { DECODER_TASKS } from '../../src/core/models/decoder.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { countParameters } from '../../src/core/models/tensors.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { ModelInfo } from '../../src/protocol/model.ts'
import type { EmbeddedModel } from './modelFiles.ts'

/** The part of a base's description that its architecture tells. */
export function infoOf(
  id: string,
  name: string,
  source: ModelInfo['source'],
  { family, architecture }: { family: Family; architecture: Architecture },
) {
  return {
    id,
    name,
    family: architecture.family,
    kind: architecture.kind,
    tasks: [...family.tasks],
    parameters: countParameters(family, architecture),
    layers: architecture.layers,
    heads: architecture.heads,
    keyValueHeads: architecture.keyValueHeads,
    hidden: architecture.hidden,
    headSize: architecture.headSize,
    intermediate: architecture.intermediate,
    vocab: architecture.vocab,
    context: architecture.context,
    precision: 'f32' as const,
    loaded: false,
    targets: targetNames(family),
    source,
  }
}

/** A description as it was kept by a version that knew only Llama. */
export function wholeInfo(info: ModelInfo): ModelInfo {
  return { ...info, kind: info.kind ?? 'decoder', tasks: info.tasks ?? [...DECODER_TASKS] }
}

/** An embedded base that has not been downloaded into this browser yet. */
export function embeddedInfo(model: EmbeddedModel): ModelInfo {
  return {
    ...infoOf(model.id, model.name, { builtin: model.id }, recogniseModel(model.config)),
    bytes: model.files.reduce((sum, file) => sum + file.bytes, 0),
    stored: false,
    hasChatTemplate: model.hasChatTemplate,
    card: model.card,
  }
}

/** Throws E_MODEL_FILES naming the file. */
export function parseJson(name: string, content: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof content === 'string' ? content : new TextDecoder().decode(content))
  } catch (cause) {
    throw new GraftError(
      'E_MODEL_FILES',
      `${name} is not valid JSON. Was the download cut?`,
      { file: name },
      { cause },
    )
  }
}
