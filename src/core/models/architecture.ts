// What a model is, family by family: numbers, choices and names, no code. A family turns its config.json into this, and
// models/build.ts turns this into layers.
import type { Task } from '../../protocol/data.ts'
import type { ModelKind } from '../../protocol/model.ts'
import type { NormSettings } from '../nn/norm.ts'
import type { RopeSettings } from '../nn/rope.ts'
import type { Activation } from '../ops/ops.ts'

export interface Architecture {
  family: string
  kind: ModelKind
  /** d */
  hidden: number
  /** Width of the MLP. */
  intermediate: number
  layers: number
  /** H and Hkv */
  heads: number
  keyValueHeads: number
  /** hd */
  headSize: number
  vocab: number
  /** Longest sequence in tokens. */
  context: number
  norm: NormSettings
  /** Where the norms of a block stand (nn/block.ts). */
  order: 'pre' | 'sandwich' | 'post'
  attention: {
    /** Factor of q k^T. */
    scale: number
    causal: boolean
    /** Biases of the projections, and of the output. */
    bias: boolean
    outputBias: boolean
    /** Norms over the head size on queries and keys. */
    headNorm: boolean
    /** Window of each layer; null: all keys. */
    windows: readonly (number | null)[]
  }
  /** Rotary tables with which layer reads which, or a learned table of positions read from `offset` on. */
  positions:
    | { kind: 'rope'; tables: readonly RopeSettings[]; byLayer: readonly number[] }
    | { kind: 'learned'; rows: number; offset: number }
  mlp: { gated: boolean; act: Activation; bias: boolean }
  /** Factor of the token rows; number of token types, 0 for none; a norm after everything is added. */
  inputs: { scale: number; types: number; norm: boolean }
  finalNorm: boolean
  /** The output head is the token table. */
  tiedHead: boolean
  padId: number | null
  eosIds: readonly number[]
}

/** The linear layers of a block by what they do. */
export type LinearRole = 'qkv' | 'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down'
/** The norms of a block: before and after attention and MLP, and on the heads. */
export type NormRole = 'attention' | 'attentionOut' | 'mlp' | 'mlpOut' | 'query' | 'key'

/** Names of a family's modules in its checkpoints; PEFT's keys are built from the same paths. */
export interface Names {
  /** What a checkpoint of the bare model leaves out in front of its names, such as `bert.`. */
  prefix: string
  /** Module paths of the tables. */
  tokens: string
  positions?: string
  types?: string
  inputNorm?: string
  /** Path of a block, and of its modules within. */
  block(layer: number): string
  linears: Partial<Record<LinearRole, string>>
  norms: Partial<Record<NormRole, string>>
  finalNorm?: string
  /** Output head over the vocabulary. */
  head: LanguageHeadNames
}

export interface LanguageHeadNames {
  /** Module path of the matrix where it is not tied. */
  path: string
  /** Whole name of the bias tensor. */
  bias?: string
  /** Dense layer and norm of a masked-language head; the activation is the MLP's unless it is named. */
  transform?: { dense: string; norm: string; act?: Activation }
}

/** A layer of a family's classifier: from the hidden size to itself, or to the labels. */
export interface ClassifierLayerSpec {
  path: string
  out: 'hidden' | 'labels'
  bias: boolean
  act?: Activation
  /** Taken from the checkpoint and frozen where it is there; else trained and saved whole. */
  base?: boolean
}

export interface Family {
  /** `model_type` of config.json. */
  modelType: string
  tasks: readonly Task[]
  names: Names
  classifier: {
    /** Which token's row is read: the first ([CLS]), or the last real one. */
    row: 'first' | 'last'
    layers: readonly ClassifierLayerSpec[]
    /** What PEFT calls the classifier's modules in `modules_to_save`. */
    modules: readonly string[]
  }
  /** transformers' classes, for model cards and exported configurations. */
  classes: { language: string; classify: string }
  /** Linear weights are stored [in, out], as GPT-2's Conv1D. */
  transposed?: boolean
  /** Throws E_MODEL_UNSUPPORTED naming the field where the maths would differ from ours. */
  parseConfig(config: Record<string, unknown>): Architecture
}

/** Output and input width of each linear layer of a block, in the order of the computation. */
export function linearShapes(family: Family, a: Architecture): Map<LinearRole, [number, number]> {
  const queries = a.heads * a.headSize
  const keys = a.keyValueHeads * a.headSize
  const shapes: Record<LinearRole, [number, number]> = {
    qkv: [queries + 2 * keys, a.hidden],
    q: [queries, a.hidden],
    k: [keys, a.hidden],
    v: [keys, a.hidden],
    o: [a.hidden, queries],
    gate: [a.intermediate, a.hidden],
    up: [a.intermediate, a.hidden],
    down: [a.hidden, a.intermediate],
  }
  const roles = Object.keys(shapes) as LinearRole[]
  return new Map(roles.filter((role) => family.names.linears[role]).map((role) => [role, shapes[role]]))
}

/** Module path of a linear layer of a block. */
export function linearPath(family: Family, layer: number, role: LinearRole): string {
  return `${family.names.block(layer)}.${family.names.linears[role]!}`
}

/** The norms that the blocks of an architecture have. */
export function normRoles(a: Architecture): NormRole[] {
  const around: Record<Architecture['order'], NormRole[]> = {
    pre: ['attention', 'mlp'],
    sandwich: ['attention', 'attentionOut', 'mlp', 'mlpOut'],
    post: ['attentionOut', 'mlpOut'],
  }
  return [...around[a.order], ...(a.attention.headNorm ? (['query', 'key'] as const) : [])]
}
