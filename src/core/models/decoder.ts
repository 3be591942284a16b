// What the rotary decoders (Llama, Qwen, Gemma) have in common in their config.json and in their names.
import type { Architecture, Family, Names } from './architecture.ts'
import type { ConfigReader } from './config.ts'
import { MAX, MAX_CONTEXT } from './limits.ts'
import { readRope } from './rotary.ts'

/** Module names of the decoders that follow Llama's layout. */
export const DECODER_NAMES: Names = {
  prefix: 'model.',
  tokens: 'model.embed_tokens',
  block: (layer) => `model.layers.${layer}`,
  linears: {
    q: 'self_attn.q_proj',
    k: 'self_attn.k_proj',
    v: 'self_attn.v_proj',
    o: 'self_attn.o_proj',
    gate: 'mlp.gate_proj',
    up: 'mlp.up_proj',
    down: 'mlp.down_proj',
  },
  norms: {
    attention: 'input_layernorm',
    mlp: 'post_attention_layernorm',
    query: 'self_attn.q_norm',
    key: 'self_attn.k_norm',
  },
  finalNorm: 'model.norm',
  head: { path: 'lm_head' },
}

export const DECODER_TASKS = ['classify', 'instruct', 'chat', 'complete'] as const

/** transformers' sequence classifiers on decoders: one matrix over the last real token. */
export const SCORE_CLASSIFIER: Family['classifier'] = {
  row: 'last',
  layers: [{ path: 'score', out: 'labels', bias: false }],
  modules: ['score'],
}

/** Sizes that every rotary decoder has; heads of equal size, pre-norm, SwiGLU, no biases unless changed. */
export function readDecoder(
  read: ConfigReader,
  family: string,
  theta = 10_000,
  defaultHeadSize?: number,
): Architecture {
  const hidden = read.size('hidden_size', undefined, MAX.width)
  const heads = read.size('num_attention_heads', undefined, MAX.heads)
  const vocab = read.size('vocab_size', undefined, MAX.vocab)
  const layers = read.size('num_hidden_layers', undefined, MAX.layers)
  const headSize = read.size('head_dim', defaultHeadSize ?? hidden / heads, MAX.headSize)
  const context = Math.min(read.size('max_position_embeddings', 2048, Number.MAX_SAFE_INTEGER), MAX_CONTEXT)
  return {
    family,
    kind: 'decoder',
    hidden,
    intermediate: read.size('intermediate_size', undefined, MAX.width),
    layers,
    heads,
    keyValueHeads: read.size('num_key_value_heads', heads, MAX.heads),
    headSize,
    vocab,
    context,
    norm: { kind: 'rms', epsilon: read.positive('rms_norm_eps', 1e-6), offset: 0 },
    order: 'pre',
    attention: {
      scale: 1 / Math.sqrt(headSize),
      causal: true,
      bias: false,
      outputBias: false,
      headNorm: false,
      windows: new Array<null>(layers).fill(null),
    },
    positions: {
      kind: 'rope',
      tables: [readRope(read, theta, context)],
      byLayer: new Array<number>(layers).fill(0),
    },
    mlp: { gated: true, act: 'silu', bias: false },
    inputs: { scale: 1, types: 0, norm: false },
    finalNorm: true,
    tiedHead: read.boolean('tie_word_embeddings', false),
    ...readTokenIds(read, vocab),
  }
}

/** A model can never write a token that it has no row for. */
export function readTokenIds(read: ConfigReader, vocab: number): Pick<Architecture, 'padId' | 'eosIds'> {
  return {
    padId: read.ids('pad_token_id').find((id) => id < vocab) ?? null,
    eosIds: read.ids('eos_token_id').filter((id) => id < vocab),
  }
}

/** Window of each layer from `layer_types`, or where there is none from `fallback`. */
export function readWindows(
  read: ConfigReader,
  layers: number,
  window: number | null,
  fallback: (layer: number) => boolean,
): (number | null)[] {
  const types = read.words('layer_types', layers, ['full_attention', 'sliding_attention'])
  return Array.from({ length: layers }, (_, layer) =>
    (types ? types[layer] === 'sliding_attention' : fallback(layer)) ? window : null,
  )
}
