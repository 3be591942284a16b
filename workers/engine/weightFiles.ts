// Which files hold a model's weights: one safetensors file, or several by an index. Other formats are refused by name,
// because a pickle can run code when it is read.
import { GraftError } from '../../src/protocol/errors.ts'
import { shownNames } from './hub/repository.ts'

export const WEIGHTS = 'model.safetensors'
export const WEIGHTS_INDEX = 'model.safetensors.index.json'
/** Parts that a model's weights may come in: no model has more. */
const MAX_PARTS = 1000
/** How transformers names the parts: number and count in five digits. */
const PART = /^(.+)-(\d{5})-of-(\d{5})\.safetensors$/
const PICKLES = /\.(bin|pt|pth|ckpt|h5|msgpack|pkl)$/i

/**
 * The names of the files that hold the weights, among all names of a model; an index as parsed JSON where there is one.
 * Throws E_MODEL_FILES naming what is missing or what is there instead.
 */
export function weightNames(model: string, names: readonly string[], index: unknown): string[] {
  if (names.includes(WEIGHTS)) return [WEIGHTS]
  const found = index === undefined ? partsOf(names) : indexedParts(index)
  const missing = found.find((name) => !names.includes(name))
  if (missing !== undefined)
    throw new GraftError(
      'E_MODEL_FILES',
      `The part ${missing} of the weights of ${model} is missing: they come in ${found.length} files. Add it, then load the model again.`,
      { file: missing },
    )
  if (found.length > 0) return found
  throw new GraftError('E_MODEL_FILES', `${model} has no weights as safetensors. ${insteadOf(names)}`, {
    names: names.slice(0, 50),
  })
}

function indexedParts(index: unknown): string[] {
  const map: unknown = Object(index).weight_map
  const parts = [...new Set<unknown>(Object.values(Object(map)))]
  if (parts.length === 0 || parts.length > MAX_PARTS || !parts.every(isWeightsName))
    throw new GraftError(
      'E_MODEL_FILES',
      `${WEIGHTS_INDEX} does not name from 1 to ${MAX_PARTS} files that end in .safetensors. Fetch it again.`,
      { file: WEIGHTS_INDEX },
    )
  return parts.sort()
}

/** Without an index: every part that the names themselves speak of, or the only file there is. */
function partsOf(names: readonly string[]): string[] {
  const files = names.filter((name) => isWeightsName(name) && !name.startsWith('adapter_'))
  const part = files.map((name) => PART.exec(name)).find((match) => match !== null)
  if (!part) return files.length === 1 ? files : []
  const count = Math.min(Number(part[3]), MAX_PARTS)
  return Array.from(
    { length: count },
    (_, i) => `${part[1]}-${String(i + 1).padStart(5, '0')}-of-${part[3]}.safetensors`,
  )
}

function insteadOf(names: readonly string[]): string {
  if (names.includes('adapter_model.safetensors') || names.includes('adapter_config.json'))
    return 'It is an adapter: load its base first, then import the adapter for it.'
  const pickles = names.filter((name) => PICKLES.test(name))
  if (pickles.length > 0)
    return `It has only ${shownNames(pickles, 3)}, which can run code when it is read. Look for a revision with *.safetensors, such as refs/pr/1, or save the model again with transformers' save_pretrained.`
  if (names.some((name) => name.endsWith('.gguf')))
    return 'It has only GGUF files, which are already quantised. Choose the original model.'
  const safetensors = names.filter(isWeightsName)
  if (safetensors.length > 1)
    return `It has ${shownNames(safetensors, 3)}, but no ${WEIGHTS_INDEX} that says how they belong together.`
  return `It needs ${WEIGHTS}, or parts with ${WEIGHTS_INDEX}. It has: ${shownNames(names)}.`
}

function isWeightsName(name: unknown): name is string {
  return typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name)
}
