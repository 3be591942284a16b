// Llama and its look-alikes (SmolLM2, TinyLlama, Graft-7M): RMSNorm, RoPE, grouped-query attention, SwiGLU.
// Fields as in transformers' configuration_llama.py; Touvron et al. 2023 (arXiv 2302.13971).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'

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
    const hidden = read.size('hidden_size')
    const heads = read.size('num_attention_heads')
    return {
      family: 'llama',
      hidden,
      intermediate: read.size('intermediate_size'),
      layers: read.size('num_hidden_layers'),
      heads,
      keyValueHeads: read.size('num_key_value_heads', heads),
      headSize: read.size('head_dim', hidden / heads),
      vocab: read.size('vocab_size'),
      context: read.size('max_position_embeddings', 2048),
      normEpsilon: read.number('rms_norm_eps', 1e-6),
      ropeTheta: read.number(
        'rope_theta',
        typeof rope['rope_theta'] === 'number' ? rope['rope_theta'] : 10_000,
      ),
      tiedHead: read.boolean('tie_word_embeddings', false),
      padId: read.ids('pad_token_id')[0] ?? null,
      eosIds: read.ids('eos_token_id'),
    }
  },
}
