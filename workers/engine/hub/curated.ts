// Small, well-known bases of every family, shown before anything is searched and without a network. Their fields are
// those of their config.json that Graft reads; sizes are of the weights on the Hub (model.safetensors).
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { HubModel } from '../../../src/protocol/model.ts'

export interface CuratedModel {
  id: string
  /** The fields of config.json that its architecture follows from: what a memory estimate needs. */
  config: Readonly<Record<string, unknown>> & { model_type: string }
  /** Weights of its language model. */
  parameters: number
  /** Bytes of model.safetensors. */
  bytes: number
  licence: string
  gated: boolean
}

const smollm2 = {
  model_type: 'llama',
  hidden_act: 'silu',
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
}
const smollm2Small = {
  ...smollm2,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
}
const smollm2Medium = {
  ...smollm2,
  hidden_size: 960,
  intermediate_size: 2560,
  num_hidden_layers: 32,
  num_attention_heads: 15,
  num_key_value_heads: 5,
}
const qwen25 = {
  model_type: 'qwen2',
  hidden_act: 'silu',
  vocab_size: 151936,
  hidden_size: 896,
  intermediate_size: 4864,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  max_position_embeddings: 32768,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  tie_word_embeddings: true,
  use_sliding_window: false,
  sliding_window: 32768,
  max_window_layers: 24,
}
const gemma3 = {
  model_type: 'gemma3_text',
  hidden_activation: 'gelu_pytorch_tanh',
  vocab_size: 262144,
  hidden_size: 640,
  intermediate_size: 2048,
  num_hidden_layers: 18,
  num_attention_heads: 4,
  num_key_value_heads: 1,
  head_dim: 256,
  max_position_embeddings: 32768,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  rope_local_base_freq: 10000,
  query_pre_attn_scalar: 256,
  sliding_window: 512,
  layer_types: Array.from({ length: 18 }, (_, i) => (i % 6 === 5 ? 'full_attention' : 'sliding_attention')),
}
const gpt2 = {
  model_type: 'gpt2',
  activation_function: 'gelu_new',
  vocab_size: 50257,
  n_embd: 768,
  n_head: 12,
  n_positions: 1024,
  layer_norm_epsilon: 1e-5,
  bos_token_id: 50256,
  eos_token_id: 50256,
}
const bert = {
  model_type: 'bert',
  hidden_act: 'gelu',
  vocab_size: 30522,
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
}
const roberta = {
  ...bert,
  model_type: 'roberta',
  vocab_size: 50265,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  bos_token_id: 0,
  pad_token_id: 1,
  eos_token_id: 2,
}
const apache = { licence: 'apache-2.0', gated: false }
const mit = { licence: 'mit', gated: false }
const gemmaTerms = { licence: 'gemma', gated: true }

export const CURATED: readonly CuratedModel[] = [
  {
    id: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    config: { ...smollm2Small, bos_token_id: 1, eos_token_id: 2, pad_token_id: 2 },
    parameters: 134_515_008,
    bytes: 269_060_552,
    ...apache,
  },
  {
    id: 'HuggingFaceTB/SmolLM2-135M',
    config: { ...smollm2Small, bos_token_id: 0, eos_token_id: 0 },
    parameters: 134_515_008,
    bytes: 269_060_552,
    ...apache,
  },
  {
    id: 'HuggingFaceTB/SmolLM2-360M-Instruct',
    config: { ...smollm2Medium, bos_token_id: 1, eos_token_id: 2, pad_token_id: 2 },
    parameters: 361_821_120,
    bytes: 723_674_912,
    ...apache,
  },
  {
    id: 'HuggingFaceTB/SmolLM2-360M',
    config: { ...smollm2Medium, bos_token_id: 0, eos_token_id: 0 },
    parameters: 361_821_120,
    bytes: 723_674_912,
    ...apache,
  },
  {
    id: 'google/gemma-3-270m-it',
    config: { ...gemma3, bos_token_id: 2, eos_token_id: [1, 106], pad_token_id: 0 },
    parameters: 268_098_176,
    bytes: 536_223_056,
    ...gemmaTerms,
  },
  {
    id: 'google/gemma-3-270m',
    config: { ...gemma3, bos_token_id: 2, eos_token_id: 1, pad_token_id: 0 },
    parameters: 268_098_176,
    bytes: 536_223_056,
    ...gemmaTerms,
  },
  {
    id: 'Qwen/Qwen2.5-0.5B-Instruct',
    config: { ...qwen25, bos_token_id: 151643, eos_token_id: 151645 },
    parameters: 494_032_768,
    bytes: 988_097_824,
    ...apache,
  },
  {
    id: 'Qwen/Qwen2.5-0.5B',
    config: { ...qwen25, bos_token_id: 151643, eos_token_id: 151643 },
    parameters: 494_032_768,
    bytes: 988_097_824,
    ...apache,
  },
  {
    id: 'Qwen/Qwen3-0.6B',
    config: {
      model_type: 'qwen3',
      hidden_act: 'silu',
      vocab_size: 151936,
      hidden_size: 1024,
      intermediate_size: 3072,
      num_hidden_layers: 28,
      num_attention_heads: 16,
      num_key_value_heads: 8,
      head_dim: 128,
      attention_bias: false,
      max_position_embeddings: 40960,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000,
      tie_word_embeddings: true,
      use_sliding_window: false,
      max_window_layers: 28,
      bos_token_id: 151643,
      eos_token_id: 151645,
    },
    // Its file holds the tied head a second time.
    parameters: 596_049_920,
    bytes: 1_503_300_328,
    ...apache,
  },
  {
    id: 'TinyLlama/TinyLlama-1.1B-Chat-v1.0',
    config: {
      model_type: 'llama',
      hidden_act: 'silu',
      vocab_size: 32000,
      hidden_size: 2048,
      intermediate_size: 5632,
      num_hidden_layers: 22,
      num_attention_heads: 32,
      num_key_value_heads: 4,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    parameters: 1_100_048_384,
    bytes: 2_200_119_864,
    ...apache,
  },
  {
    id: 'openai-community/gpt2',
    config: { ...gpt2, n_layer: 12 },
    parameters: 124_439_808,
    bytes: 548_105_171,
    ...mit,
  },
  {
    id: 'distilbert/distilgpt2',
    config: { ...gpt2, n_layer: 6 },
    parameters: 81_912_576,
    bytes: 352_824_413,
    ...apache,
  },
  {
    id: 'distilbert/distilbert-base-uncased',
    config: {
      model_type: 'distilbert',
      activation: 'gelu',
      vocab_size: 30522,
      dim: 768,
      hidden_dim: 3072,
      n_layers: 6,
      n_heads: 12,
      max_position_embeddings: 512,
      sinusoidal_pos_embds: false,
      pad_token_id: 0,
    },
    parameters: 66_985_530,
    bytes: 267_954_768,
    ...apache,
  },
  {
    id: 'google-bert/bert-base-uncased',
    config: bert,
    parameters: 109_514_298,
    bytes: 440_449_768,
    ...apache,
  },
  {
    id: 'distilbert/distilroberta-base',
    config: { ...roberta, num_hidden_layers: 6 },
    parameters: 82_170_201,
    bytes: 331_055_963,
    ...apache,
  },
  {
    id: 'FacebookAI/roberta-base',
    config: roberta,
    parameters: 124_697_433,
    bytes: 498_818_054,
    ...mit,
  },
]

/** The list as a search shows it, without estimates. */
export function curatedModels(): HubModel[] {
  return CURATED.map(({ id, config, parameters, bytes, licence, gated }) => ({
    id,
    name: id.split('/').at(-1)!,
    family: config.model_type,
    parameters,
    bytes,
    licence,
    context: recogniseModel(config).architecture.context,
    gated,
    downloads: null,
    curated: true,
    unsupported: null,
    estimate: null,
  }))
}

/** The known fields of a curated model's config.json. */
export function curatedConfig(id: string): Readonly<Record<string, unknown>> | undefined {
  return CURATED.find((model) => model.id === id)?.config
}
