// Attention as numbers: the maps, what they say of each head, their flow through the layers, and heads switched off.
import type { Target } from '../target.ts'
import type { ExplainedOutput, ExplainInput, OutputChoice } from './common.ts'

export interface AttentionMaps {
  tokens: string[]
  ids: number[]
  layers: number
  heads: number
  /** [L, H, T, T]: probability with which token i (third axis) looks at token j (fourth axis). */
  weights: Float32Array
}

export type AttentionRequest = ExplainInput & {
  /** What the maps are compared with: another target (default: the same), another input (default: the same tokens). */
  compare?: { target?: Target; input?: ExplainInput }
  /** Also what `heads` tells of each head, from the same pass. */
  rows?: boolean
}

export interface AttentionResult extends AttentionMaps {
  compared?: AttentionComparison
  /** Layer by layer, head by head; where it was asked for. */
  rows?: HeadRow[]
}

export interface AttentionComparison extends AttentionMaps {
  /** [L, H, T, T]: weights less the compared ones, token by token at the same place; null where the shapes differ. */
  difference: Float32Array | null
  /** [L, H]: share of the attention that lies elsewhere (total variation), mean over the tokens, 0..1; null as above. */
  moved: Float32Array | null
}

export type RolloutRequest = ExplainInput & {
  /** The first layer that is followed; default 0. */
  from?: number
}

export interface RolloutResult {
  tokens: string[]
  ids: number[]
  layers: number
  from: number
  /** [T, T]: share of token j of what token i holds after the last layer; rows add up to 1. */
  weights: Float32Array
}

export interface HeadRow {
  layer: number
  head: number
  /** Nats; mean over the tokens, as all that follows. */
  entropy: number
  /** Entropy over that of looking at all visible tokens alike, 0..1. */
  normalisedEntropy: number
  /** Tokens between the one that looks and those it looks at. */
  distance: number
  /** Shares of the attention on the first token, on the token itself, and on the one before it. */
  first: number
  self: number
  previous: number
}

export interface HeadsResult {
  tokens: string[]
  ids: number[]
  layers: number
  heads: number
  /** Layer by layer, head by head. */
  rows: HeadRow[]
}

export const HEAD_FILLS = ['zero', 'mean'] as const
export type HeadFill = (typeof HEAD_FILLS)[number]

/** [layer, head], both from 0. */
export type HeadPlace = [layer: number, head: number]

export type AblationRequest = ExplainInput &
  OutputChoice & {
    /** Switched off together. Without them, every head is switched off on its own, one after another. */
    heads?: HeadPlace[]
    /** What a head that is off finds: nothing (default), or its mean over the text's tokens. */
    fill?: HeadFill
  }

export interface AblationResult {
  tokens: string[]
  ids: number[]
  layers: number
  heads: number
  fill: HeadFill
  /** With every head on. */
  output: ExplainedOutput
  /** Of the explained output, with every head on. */
  probability: number
  /** Where `heads` were given: with these off. */
  off?: {
    heads: HeadPlace[]
    value: number
    /** value less that of before */
    change: number
    /** Of every label, or of the ten most likely tokens before and after. */
    probabilities: { name: string; index: number; before: number; after: number }[]
  }
  /** Where none were given: [L, H] each, with one head off less with all on. */
  each?: { change: Float32Array; probability: Float32Array }
}
