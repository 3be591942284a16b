// Search on the Hub, for models whose weights are safetensors. The Hub tells a model's type, its weights by data type and
// its licence without a file being fetched; what Graft cannot use is shown with the reason.
// https://huggingface.co/docs/hub/api; fields as in huggingface.js' list-models.ts.
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { asGraftError, GraftError } from '../../../src/protocol/errors.ts'
import type { HubModel } from '../../../src/protocol/model.ts'
import { HubClient, type HubCall } from './client.ts'
import { CURATED, curatedModels } from './curated.ts'

/** How many models a search brings. */
const SEARCH_LIMIT = 40
const FIELDS = ['config', 'safetensors', 'gated', 'downloads', 'cardData', 'tags', 'library_name']
/** Bytes of an element, as the Hub names the types. */
const DTYPE_BYTES: Record<string, number> = { F64: 8, F32: 4, BF16: 2, F16: 2 }
/** Types that only hold indices or masks of float models, or packed weights of quantised ones. */
const INTEGERS: Record<string, number> = {
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
}

/**
 * Models whose name holds the query, most downloaded first, those that Graft cannot use last. An empty query gives the
 * curated list, without a network. Estimates are left to the caller. Throws E_NETWORK, E_ABORTED.
 */
export async function searchHub(
  query: string,
  call: HubCall = {},
  client = new HubClient(),
): Promise<HubModel[]> {
  const words = query.trim()
  if (words === '') return curatedModels()
  const parameters = new URLSearchParams([
    ['search', words],
    ['filter', 'safetensors'],
    ['sort', 'downloads'],
    ['limit', String(SEARCH_LIMIT)],
    ...FIELDS.map((field) => ['expand', field]),
  ])
  const found = await client.api(`api/models?${parameters}`, `a search for "${words}"`, call)
  if (!Array.isArray(found))
    throw new GraftError(
      'E_NETWORK',
      `${new URL(client.endpoint).host} answered a search with something that is no list of models. Try again later.`,
    )
  const models = found.map(modelOf).filter((model) => model !== null)
  return [
    ...models.filter(({ unsupported }) => !unsupported),
    ...models.filter(({ unsupported }) => unsupported),
  ]
}

function modelOf(entry: unknown): HubModel | null {
  const { id, config, safetensors, gated, downloads, cardData, tags, library_name } = fields(entry)
  if (typeof id !== 'string') return null
  const known = CURATED.find((model) => model.id === id)
  const family = fields(config)['model_type']
  const weights = weightsOf(safetensors)
  return {
    id,
    name: id.split('/').at(-1)!,
    family: typeof family === 'string' ? family : null,
    parameters: known?.parameters ?? weights.parameters,
    bytes: known?.bytes ?? weights.bytes,
    licence: licenceOf(cardData, tags),
    context: known ? recogniseModel(known.config).architecture.context : null,
    gated: gated !== undefined && gated !== null && gated !== false,
    downloads: typeof downloads === 'number' ? downloads : null,
    curated: known !== undefined,
    unsupported: unsupportedReason(fields(config), weights, library_name),
    estimate: null,
  }
}

interface Weights {
  parameters: number | null
  bytes: number | null
  /** Most of its weights are integers: stored in a quantised form. */
  packed: boolean
}

/** `safetensors` of the API: `{ parameters: { BF16: 134515008 }, total }`. */
function weightsOf(safetensors: unknown): Weights {
  let [parameters, bytes, integers] = [0, 0, 0]
  for (const [dtype, count] of Object.entries(fields(fields(safetensors)['parameters']))) {
    if (typeof count !== 'number') continue
    const size = DTYPE_BYTES[dtype]
    if (size === undefined) integers += count
    else parameters += count
    bytes += count * (size ?? INTEGERS[dtype] ?? 1)
  }
  if (bytes === 0) return { parameters: null, bytes: null, packed: false }
  return { parameters: parameters || null, bytes, packed: integers > parameters }
}

function unsupportedReason(
  config: Record<string, unknown>,
  weights: Weights,
  library: unknown,
): string | null {
  if (library === 'peft' || config['peft'] !== undefined)
    return 'An adapter, not a base: load its base, then import it there.'
  const quantised = fields(config['quantization_config'])['quant_method']
  if (quantised !== undefined || weights.packed)
    return `Already quantised${typeof quantised === 'string' ? ` (${quantised})` : ''}: choose the original model.`
  const type = config['model_type']
  if (typeof type !== 'string') return 'The Hub does not say what type of model it is.'
  try {
    recogniseModel({ model_type: type })
  } catch (thrown) {
    const { code, message, details } = asGraftError(thrown)
    // Sizes are missing here; whether the rest can be used, its config.json will tell.
    if (code === 'E_MODEL_UNSUPPORTED' && 'modelType' in details) return message
  }
  return null
}

function licenceOf(cardData: unknown, tags: unknown): string | null {
  const { license, license_name } = fields(cardData)
  if (license === 'other' && typeof license_name === 'string') return license_name
  if (typeof license === 'string') return license
  const tag = Array.isArray(tags) ? tags.find((name) => String(name).startsWith('license:')) : undefined
  return typeof tag === 'string' ? tag.slice('license:'.length) : null
}

function fields(value: unknown): Record<string, unknown> {
  return Object(value) as Record<string, unknown>
}
