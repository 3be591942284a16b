// adapter_config.json of an adapter that we did not write: every field that changes the maths is read or refused by name.
// Fields as in peft/tuners/lora/config.py.
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import { shown } from '../models/config.ts'

export interface PeftSettings {
  task: 'causal' | 'classify' | null
  baseName: string | null
  revision: string | null
  /** With targets and modulesToSave as PEFT has them. */
  config: AdapterConfig
  excludeModules: string | string[]
  ensureWeightTying: boolean
  warnings: string[]
}

/** Largest rank and factor that are believed. */
const MAX_RANK = 65_536
const MAX_ALPHA = 1e9
/** Fields that change the computation: used only where they are absent, false or empty. */
const REFUSED: Record<string, string> = {
  alora_invocation_tokens: 'aLoRA, which is active after some tokens only',
  arrow_config: 'Arrow routing',
  kasa_config: 'KaSA',
  layer_replication: 'replicated layers',
  lora_bias: 'biases of the factors',
  megatron_config: 'Megatron layers',
  monteclora_config: 'MonteCLoRA',
  target_parameters: 'factors beside parameters that belong to no linear layer',
  trainable_token_indices: 'single trained tokens',
  use_bdlora: 'BD-LoRA',
  use_qalora: 'QA-LoRA',
}
/** Fields that are read below, or that change nothing about an adapter that is already trained. */
const KNOWN: readonly string[] = [
  ...['peft_type', 'task_type', 'base_model_name_or_path', 'revision', 'r', 'lora_alpha', 'lora_dropout'],
  ...['target_modules', 'exclude_modules', 'use_rslora', 'use_dora', 'init_lora_weights', 'rank_pattern'],
  ...['alpha_pattern', 'layers_to_transform', 'modules_to_save', 'bias', 'ensure_weight_tying'],
  ...['velora_config', 'auto_mapping', 'peft_version', 'inference_mode', 'fan_in_fan_out', 'layers_pattern'],
  ...['megatron_core', 'loftq_config', 'eva_config', 'corda_config', 'lora_ga_config', 'qalora_group_size'],
  'runtime_config',
]
/** Initialisations after which the factors belong to a base that was changed. */
const CHANGED_BASE = /^(pissa|olora|corda|lora_ga|loftq)/

export function readConfig(json: unknown): PeftSettings {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong('does not hold an object')
  const fields = json as Record<string, unknown>
  checkKind(fields)
  const warnings: string[] = []
  if (isSet(fields['velora_config']))
    warnings.push('It was trained with VeLoRA, which changes only the training; Graft goes on without it.')
  const unknown = Object.keys(fields).filter((field) => !KNOWN.includes(field) && isSet(fields[field]))
  if (unknown.length > 0)
    warnings.push(
      `Its settings hold ${unknown.slice(0, 5).map(shortName).join(', ')}, which Graft does not know. If that changes how it computes, compare its answers with those of peft.`,
    )
  return {
    task: readTask(fields['task_type']),
    baseName: text(fields, 'base_model_name_or_path'),
    revision: text(fields, 'revision'),
    excludeModules: names(fields, 'exclude_modules') ?? [],
    ensureWeightTying: flag(fields, 'ensure_weight_tying'),
    warnings,
    config: {
      method: 'lora',
      r: size(fields['r'] ?? 8, 'r'),
      alpha: factor(fields['lora_alpha'] ?? 8, 'lora_alpha'),
      dropout: dropout(fields['lora_dropout'] ?? 0),
      targets: names(fields, 'target_modules') ?? [],
      useRslora: flag(fields, 'use_rslora'),
      useDora: flag(fields, 'use_dora'),
      initLoraWeights: true,
      loraPlusRatio: 1,
      rankPattern: pattern(fields, 'rank_pattern', size),
      alphaPattern: pattern(fields, 'alpha_pattern', factor),
      layersToTransform: blocks(fields['layers_to_transform']),
      modulesToSave: list(names(fields, 'modules_to_save') ?? []),
      bias: bias(fields['bias'] ?? 'none'),
      topLayers: 1,
    },
  }
}

function checkKind(fields: Record<string, unknown>): void {
  if (fields['peft_type'] !== 'LORA')
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `The adapter is of type ${shown(fields['peft_type'])}; Graft uses LoRA adapters (DoRA and rsLoRA among them).`,
      { peftType: shown(fields['peft_type']) },
    )
  for (const [field, what] of Object.entries(REFUSED))
    if (isSet(fields[field])) throw unsupported(field, what)
  const init = fields['init_lora_weights']
  if (typeof init === 'string' && CHANGED_BASE.test(init))
    throw unsupported(
      'init_lora_weights',
      `factors that began as ${init} and fit only the base that this changed. Save it again with save_pretrained(..., path_initial_model_for_weight_conversion=...)`,
    )
}

const shortName = (field: string) => (field.length > 40 ? `${field.slice(0, 40)}…` : field)

function readTask(type: unknown): PeftSettings['task'] {
  if (type === undefined || type === null) return null
  if (type === 'CAUSAL_LM') return 'causal'
  if (type === 'SEQ_CLS') return 'classify'
  throw unsupported('task_type', `the task ${shown(type)}; Graft knows CAUSAL_LM and SEQ_CLS`)
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return value !== undefined && value !== null && value !== false
}

function flag(fields: Record<string, unknown>, field: string): boolean {
  const value = fields[field] ?? false
  if (typeof value !== 'boolean') throw wrong(`says ${field} is ${shown(value)}, not true or false`)
  return value
}

function text(fields: Record<string, unknown>, field: string): string | null {
  const value = fields[field]
  return typeof value === 'string' && value !== '' ? value : null
}

function names(fields: Record<string, unknown>, field: string): string | string[] | null {
  const value = fields[field] ?? null
  if (value === null || typeof value === 'string') return value
  if (Array.isArray(value) && value.every((name) => typeof name === 'string' && name !== ''))
    return value as string[]
  throw wrong(`says ${field} is ${shown(value)}, not names of modules`)
}

function list(value: string | string[]): string[] {
  return typeof value === 'string' ? [value] : value
}

function size(value: unknown, field: string): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > MAX_RANK)
    throw wrong(`says ${field} is ${shown(value)}, not a whole number from 1 to ${MAX_RANK}`)
  return value as number
}

function factor(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) > MAX_ALPHA)
    throw wrong(`says ${field} is ${shown(value)}, not a number`)
  return value
}

function dropout(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value < 1))
    throw wrong(`says lora_dropout is ${shown(value)}, not a share from 0 to below 1`)
  return value
}

function bias(value: unknown): AdapterConfig['bias'] {
  if (value !== 'none' && value !== 'all' && value !== 'lora_only')
    throw wrong(`says bias is ${shown(value)}; PEFT knows none, all and lora_only`)
  return value
}

function pattern(
  fields: Record<string, unknown>,
  field: string,
  read: (value: unknown, field: string) => number,
): Record<string, number> {
  const value = fields[field] ?? {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw wrong(`says ${field} is ${shown(value)}, not an object`)
  return Object.fromEntries(
    Object.entries(value as object).map(([key, each]) => [key, read(each, `${field}["${key}"]`)]),
  )
}

function blocks(value: unknown): number[] | null {
  if (value === undefined || value === null) return null
  const numbers = Array.isArray(value) ? value : [value]
  if (!numbers.every((block) => Number.isInteger(block) && block >= 0))
    throw wrong(`says layers_to_transform is ${shown(value)}, not numbers of layers`)
  return numbers.length > 0 ? (numbers as number[]) : null
}

function unsupported(field: string, what: string): GraftError {
  return new GraftError(
    'E_MODEL_UNSUPPORTED',
    `adapter_config.json asks for something that Graft does not do: ${field} means ${what}.`,
    { field },
  )
}

function wrong(what: string): GraftError {
  return new GraftError('E_FORMAT', `adapter_config.json ${what}. Fetch the adapter again.`)
}
