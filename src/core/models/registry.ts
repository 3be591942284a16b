// The model families that Graft knows: one line each.
import { GraftError } from '../../protocol/errors.ts'
import type { Architecture, Family } from './architecture.ts'
import { shown } from './config.ts'
import { bert } from './bert/index.ts'
import { distilbert } from './distilbert/index.ts'
import { gemma3 } from './gemma3/index.ts'
import { gpt2 } from './gpt2/index.ts'
import { llama } from './llama/index.ts'
import { qwen2 } from './qwen2/index.ts'
import { qwen3 } from './qwen3/index.ts'
import { roberta } from './roberta/index.ts'

export const FAMILIES: readonly Family[] = [llama, qwen2, qwen3, gemma3, gpt2, bert, distilbert, roberta]

/** The family and architecture of a parsed config.json; refuses by name what is not supported. */
export function recogniseModel(config: unknown): { family: Family; architecture: Architecture } {
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new GraftError(
      'E_MODEL_FILES',
      'config.json does not hold an object. Is it the file of a Hugging Face model?',
    )
  const modelType = (config as Record<string, unknown>)['model_type']
  const family = FAMILIES.find((known) => known.modelType === modelType)
  if (!family)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `Graft does not support models of type ${shown(modelType)}. Supported: ${FAMILIES.map((known) => known.modelType).join(', ')}.`,
      { modelType: shown(modelType) },
    )
  const quantised: unknown = (config as Record<string, unknown>)['quantization_config'] ?? null
  if (quantised !== null)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      'The weights of this model are already quantised (quantization_config). Choose the original; Graft quantises it while it loads.',
      { field: 'quantization_config' },
    )
  const architecture = family.parseConfig(config as Record<string, unknown>)
  if (!Number.isInteger(architecture.headSize))
    throw new GraftError(
      'E_MODEL_FILES',
      `config.json: a hidden size of ${architecture.hidden} cannot be split over ${architecture.heads} heads.`,
    )
  if (architecture.positions.kind === 'rope' && architecture.headSize % 2 !== 0)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `Head size ${architecture.headSize} is odd; rotary positions need pairs.`,
    )
  if (architecture.heads % architecture.keyValueHeads !== 0)
    throw new GraftError(
      'E_MODEL_FILES',
      `config.json: ${architecture.heads} attention heads cannot share ${architecture.keyValueHeads} key-value heads evenly.`,
    )
  return { family, architecture }
}
