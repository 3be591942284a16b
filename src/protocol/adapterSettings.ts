// What is trained, setting by setting: PEFT's LoraConfig in our spelling, and which of its own names we take too.
import { GraftError } from './errors.ts'
import type { AdapterConfig } from './run.ts'
import { checkSettings, defined, type Setting } from './setting.ts'

/** Ranks above this have more weights than most layers they stand beside. */
const MAX_RANK = 512
const MAX_ALPHA = 4096
const MAX_LAYERS = 1024

export const ADAPTER_SETTINGS = {
  method: {
    kind: 'choice',
    label: 'Method',
    choices: [
      { value: 'lora', label: 'LoRA' },
      { value: 'head', label: 'Head only' },
      { value: 'layers', label: 'Top layers' },
      { value: 'full', label: 'All weights' },
    ],
    help: 'LoRA adds small trainable matrices beside the frozen ones. Head only trains nothing but the label head. Top layers and all weights change the base itself, and need far more memory.',
  },
  r: {
    kind: 'number',
    label: 'Rank',
    min: 1,
    max: MAX_RANK,
    integer: true,
    main: true,
    help: 'How many directions the adapter may learn; more can fit more and forget more.',
  },
  alpha: {
    kind: 'number',
    label: 'Alpha',
    min: 1e-6,
    max: MAX_ALPHA,
    help: 'Strength of the adapter: its output is multiplied by alpha / rank.',
  },
  dropout: {
    kind: 'number',
    label: 'Dropout',
    min: 0,
    max: 0.95,
    help: "Share of the adapter's inputs that is switched off at random while training.",
  },
  useRslora: {
    kind: 'toggle',
    label: 'rsLoRA',
    help: 'Multiplies by alpha / square root of the rank instead, so that high ranks are not damped.',
  },
  useDora: {
    kind: 'toggle',
    label: 'DoRA',
    help: 'Trains the length of every row of a weight apart from its direction: often better at low ranks, and slower.',
  },
  initLoraWeights: {
    kind: 'choice',
    label: 'First values',
    choices: [
      { value: 'true', label: 'Kaiming' },
      { value: 'gaussian', label: 'Gaussian' },
      { value: 'pissa', label: 'PiSSA' },
    ],
    help: "Where the adapter begins. Kaiming and Gaussian begin at the base exactly; PiSSA with the base's main directions, and learns faster.",
  },
  loraPlusRatio: {
    kind: 'number',
    label: 'LoRA+ ratio',
    min: 1,
    max: 1000,
    help: 'Learning rate of the second matrix / learning rate of the first. 1 is plain LoRA; LoRA+ advises 16.',
  },
  bias: {
    kind: 'choice',
    label: 'Biases',
    choices: [
      { value: 'none', label: 'Frozen' },
      { value: 'lora_only', label: 'Of adapted layers' },
      { value: 'all', label: 'All' },
    ],
    help: 'Which biases of the base are trained too.',
  },
  topLayers: {
    kind: 'number',
    label: 'Top layers',
    unit: 'blocks',
    min: 1,
    max: MAX_LAYERS,
    integer: true,
    help: 'For the method of that name: how many blocks, counted from the top, are trained whole.',
  },
} as const satisfies Record<Exclude<keyof AdapterConfig, ListSetting>, Setting>

/** Settings that are lists or tables. */
type ListSetting = 'targets' | 'rankPattern' | 'alphaPattern' | 'layersToTransform' | 'modulesToSave'

interface ListDescription {
  label: string
  help: string
  /** What is wrong, as the rest of a sentence, or null. */
  check(value: unknown): string | null
}

export const ADAPTER_LISTS: Record<ListSetting, ListDescription> = {
  targets: {
    label: 'Adapted layers',
    help: 'Names of the linear layers that get an adapter, or one regular expression for their whole paths.',
    check: (value) =>
      (typeof value === 'string' && value !== '') || isNames(value)
        ? null
        : "must be 'all-linear', a regular expression, or a list of layer names.",
  },
  rankPattern: {
    label: 'Ranks of single layers',
    help: "Ranks that differ from the common one, by the end of the layer's path or a regular expression.",
    check: (value) =>
      checkPattern(
        value,
        (rank) => Number.isInteger(rank) && rank >= 1 && rank <= MAX_RANK,
        `whole numbers from 1 to ${MAX_RANK}`,
      ),
  },
  alphaPattern: {
    label: 'Alphas of single layers',
    help: "Alphas that differ from the common one, by the end of the layer's path or a regular expression.",
    check: (value) =>
      checkPattern(
        value,
        (alpha) => alpha > 0 && alpha <= MAX_ALPHA,
        `numbers above 0 and up to ${MAX_ALPHA}`,
      ),
  },
  layersToTransform: {
    label: 'Blocks',
    help: 'Numbers of the blocks that get adapters, from 0; empty for all.',
    check: (value) =>
      value === null ||
      (Array.isArray(value) &&
        value.length > 0 &&
        value.every((layer) => Number.isInteger(layer) && layer >= 0))
        ? null
        : 'must be null for all blocks, or a list of their numbers from 0.',
  },
  modulesToSave: {
    label: 'Modules trained whole',
    help: 'Modules that are trained whole and saved beside the adapter, by the end of their path, such as lm_head.',
    check: (value) => (isNames(value) ? null : 'must be a list of module names.'),
  },
}

const DEFAULTS: AdapterConfig = {
  method: 'lora',
  r: 16,
  alpha: 32,
  dropout: 0,
  targets: 'all-linear',
  useRslora: false,
  useDora: false,
  initLoraWeights: true,
  loraPlusRatio: 1,
  rankPattern: {},
  alphaPattern: {},
  layersToTransform: null,
  modulesToSave: [],
  bias: 'none',
  topLayers: 1,
}

/** PEFT's own spelling of the same fields. */
const SYNONYMS: Record<string, keyof AdapterConfig> = {
  lora_alpha: 'alpha',
  lora_dropout: 'dropout',
  target_modules: 'targets',
  use_rslora: 'useRslora',
  use_dora: 'useDora',
  init_lora_weights: 'initLoraWeights',
  loraplus_lr_ratio: 'loraPlusRatio',
  rank_pattern: 'rankPattern',
  alpha_pattern: 'alphaPattern',
  layers_to_transform: 'layersToTransform',
  modules_to_save: 'modulesToSave',
}

/** An adapter's settings with all defaults. Takes PEFT's spelling too. Throws E_ARGUMENT naming the setting. */
export function defaultAdapter(given: Partial<AdapterConfig> = {}): AdapterConfig {
  return checkSettings(
    'adapter',
    ADAPTER_SETTINGS,
    { ...structuredClone(DEFAULTS), ...givenAdapter(given) },
    ADAPTER_LISTS,
  )
}

/** What a request says of an adapter, in our spelling; unchecked. Throws E_ARGUMENT where it says a thing twice. */
export function givenAdapter(given: Partial<AdapterConfig>): Partial<AdapterConfig> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(defined(given))) {
    const known = Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name]! : name
    if (known in result)
      throw new GraftError(
        'E_ARGUMENT',
        `adapter.${name} and adapter.${known} are the same setting. Give one of them.`,
        {
          setting: known,
        },
      )
    result[known] = plain(known, value)
  }
  return result
}

/** Settings as they were kept by a version that did not know all of them. */
export function storedAdapter(kept: Partial<AdapterConfig>): AdapterConfig {
  return { ...structuredClone(DEFAULTS), ...kept }
}

/** What PEFT, forms and JSON write in another way. */
function plain(name: string, value: unknown): unknown {
  if (name === 'initLoraWeights' && value === 'true') return true
  if (name === 'layersToTransform' && typeof value === 'number') return [value]
  if (name === 'modulesToSave' && value === null) return []
  if ((name === 'rankPattern' || name === 'alphaPattern') && value === null) return {}
  return value
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== '')
}

function checkPattern(value: unknown, holds: (n: number) => boolean, wanted: string): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'must be an object from layer names to numbers.'
  const wrong = Object.entries(value).find(([, n]) => typeof n !== 'number' || !holds(n))
  return wrong ? `must hold ${wanted}, but has ${String(wrong[1])} for ${wrong[0]}.` : null
}
