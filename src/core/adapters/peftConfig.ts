// adapter_config.json as PEFT writes it for LoRA (tuners/lora/config.py), from a run's settings and its plan.
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { savedTable } from './peftTensors.ts'
import { linearLayers, type AdapterPlan } from './plan.ts'
import { isAllLinear, isTargeted } from './targets.ts'

/** What PEFT saves of a classifier by itself. */
export const CLASSIFIER_MODULES = ['classifier', 'score'] as const
/** Names by which PEFT knows a token table that is tied to the head. */
const TIED_TABLE = 'embed_tokens'

export interface PeftConfigSource {
  family: Family
  architecture: Architecture
  adapter: AdapterConfig
  plan: AdapterPlan
  classify: boolean
  base: string
  revision: string | null
  /** PiSSA's factors were turned into twice as many. */
  doubled: boolean
}

export function peftConfig(source: PeftConfigSource): Record<string, unknown> {
  const { family, architecture, adapter, plan, classify, base, revision, doubled } = source
  const modules = savedModules(source)
  // The scale stays what it was: alpha / r, or alpha / sqrt(r).
  const rank = (r: number) => (doubled ? 2 * r : r)
  const alpha = (value: number) => (doubled ? value * (adapter.useRslora ? Math.SQRT2 : 2) : value)
  const tied = !classify && architecture.tiedHead && savedTable(family, plan) !== undefined
  return {
    peft_type: 'LORA',
    task_type: classify ? 'SEQ_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: base,
    revision,
    r: rank(adapter.r),
    lora_alpha: alpha(adapter.alpha),
    lora_dropout: adapter.dropout,
    bias: adapter.bias,
    ...targetModules(source, modules),
    layers_pattern: null,
    fan_in_fan_out: family.transposed === true,
    use_rslora: adapter.useRslora,
    use_dora: adapter.useDora,
    modules_to_save: modules.length ? modules : null,
    rank_pattern: mapped(adapter.rankPattern, rank),
    alpha_pattern: mapped(adapter.alphaPattern, alpha),
    init_lora_weights: true,
    inference_mode: true,
    auto_mapping: null,
    ...(tied && { ensure_weight_tying: true }),
  }
}

/** Throws E_ARGUMENT where PEFT has no format for what was trained. */
export function checkPeftExport({ family, architecture, adapter, plan, classify }: PeftConfigSource): void {
  if (adapter.method !== 'lora')
    throw new GraftError(
      'E_ARGUMENT',
      `The method "${adapter.method}" changes the base's own weights, which PEFT has no format for. Export the merged model instead.`,
      { method: adapter.method },
    )
  if (
    !classify &&
    architecture.tiedHead &&
    savedTable(family, plan) &&
    !family.names.tokens.endsWith(TIED_TABLE)
  )
    throw new GraftError(
      'E_ARGUMENT',
      `The token table ${family.names.tokens} was trained, and it is the output head, too; PEFT would put it in one of the two places only. Export the merged model instead.`,
      { tensor: `${family.names.tokens}.weight` },
    )
}

/** modules_to_save: the classifier by PEFT's names, layers of it that those do not cover, and what the settings name. */
function savedModules({ family, plan, adapter, classify }: PeftConfigSource): string[] {
  const own = plan.saved
    .filter(({ start, name }) => start === 'new' && name.endsWith('.weight'))
    .map(({ name }) => name.slice(0, -'.weight'.length))
    .filter(
      (path) => !path.split('.').some((part) => (CLASSIFIER_MODULES as readonly string[]).includes(part)),
    )
  const modules = [
    ...(classify ? CLASSIFIER_MODULES : []),
    ...own,
    ...adapter.modulesToSave.filter((module) => !family.classifier.modules.includes(module) || !classify),
  ]
  return [...new Set(modules)]
}

/** target_modules and layers_to_transform: short where PEFT would find exactly the same layers, else whole paths. */
function targetModules(source: PeftConfigSource, modulesToSave: string[]) {
  const { adapter, plan } = source
  const { targets, layersToTransform } = adapter
  const blocks = layersToTransform?.length ? [...layersToTransform] : null
  const regular = typeof targets === 'string' && !isAllLinear(targets)
  // PEFT takes no list of blocks beside an expression.
  if (regular && !blocks) return { target_modules: targets, layers_to_transform: null }
  const paths = plan.layers.map(({ path }) => path)
  const names =
    typeof targets === 'string' ? [...new Set(paths.map((path) => path.split('.').at(-1)!))] : targets
  const settings = { targets: names, layersToTransform: blocks, modulesToSave }
  const meant = peftLinears(source).filter(({ path, layer }) => isTargeted(path, layer, settings))
  const same = meant.length === paths.length && meant.every(({ path }) => paths.includes(path))
  return same
    ? { target_modules: [...names].sort(), layers_to_transform: blocks }
    : { target_modules: [...paths].sort(), layers_to_transform: null }
}

/** Every linear layer that PEFT finds in transformers' class. */
function peftLinears({ family, architecture, classify }: PeftConfigSource) {
  const inside = linearLayers(family, architecture, classify)
  const above = classify ? family.classifier.layers.map(({ path }) => path) : [family.names.head.path]
  const extra = above.filter((path) => !inside.some((known) => known.path === path))
  return [...inside, ...extra.map((path) => ({ path, layer: Infinity }))]
}

function mapped(pattern: Record<string, number>, change: (value: number) => number): Record<string, number> {
  return Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, change(value)]))
}
