// Llama and its look-alikes (SmolLM2, TinyLlama, Graft-7M): RMSNorm, RoPE, grouped-query attention, SwiGLU.
// Fields as in transformers' configuration_llama.py; Touvron et al. 2023 (arXiv 2302.13971).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'

/**
 * Largest sizes taken: far above those of any model that fits a browser, so that a broken or hostile config.json is
 * refused by name before anything is built from it.
 */
const MAX = { layers: 1024, heads: 1024, headSize: 512, width: 2 ** 20, vocab: 2 ** 21 }

/**
 * Models that read more are used up to here. The rotary tables are built for every position, 64 MiB for heads of 128
 * at this length, and no browser has the memory to train or explain a longer sequence.
 */
const MAX_CONTEXT = 131_072

const ATTENTION = new Set(['q_proj', 'k_proj', 'v_proj', 'o_proj'])

export const llama: Family = {
  modelType: 'llama',
  names: {
    embedding: 'model.embed_tokens.weight',
    finalNorm: 'model.norm.weight',
    head: 'lm_head.weight',
    attentionNorm: (layer) => `model.layers.${layer}.input_layernorm.weight`,
    mlpNorm: (layer) => `model.layers.${layer}.post_attention_layernorm.weight`,
    linear: (layer, target) =>
      `model.layers.${layer}.${ATTENTION.has(target) ? 'self_attn' : 'mlp'}.${target}`,
  },
  parseConfig(config) {
    const read = new ConfigReader('llama', config)
    read.refuseUnless('hidden_act', 'silu', 'silu')
    read.refuseUnless('attention_bias', false, false)
    read.refuseUnless('mlp_bias', false, false)
    const rope = read.object('rope_parameters') ?? {}
    const scaling = read.object('rope_scaling') ?? rope
    const ropeType = scaling['rope_type'] ?? scaling['type'] ?? 'default'
    if (ropeType !== 'default') read.refuse('rope_scaling', ropeType)
    const hidden = read.size('hidden_size', undefined, MAX.width)
    const heads = read.size('num_attention_heads', undefined, MAX.heads)
    const vocab = read.size('vocab_size', undefined, MAX.vocab)
    return {
      family: 'llama',
      hidden,
      intermediate: read.size('intermediate_size', undefined, MAX.width),
      layers: read.size('num_hidden_layers', undefined, MAX.layers),
      heads,
      keyValueHeads: read.size('num_key_value_heads', heads, MAX.heads),
      headSize: read.size('head_dim', hidden / heads, MAX.headSize),
      vocab,
      context: Math.min(read.size('max_position_embeddings', 2048, Number.MAX_SAFE_INTEGER), MAX_CONTEXT),
      normEpsilon: read.positive('rms_norm_eps', 1e-6),
      ropeTheta: read.positive(
        'rope_theta',
        typeof rope['rope_theta'] === 'number' ? rope['rope_theta'] : 10_000,
      ),
      tiedHead: read.boolean('tie_word_embeddings', false),
      padId: read.ids('pad_token_id').find((id) => id < vocab) ?? null,
      // The model can never write a token that it has no row for.
      eosIds: read.ids('eos_token_id').filter((id) => id < vocab),
    }
  },
}
