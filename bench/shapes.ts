// The sizes that are measured: config.json of each model as far as it changes the maths. Weights are made in memory
// (randomWeights.ts), so the bench needs no download.

export type ShapeName = 'graft-7m' | 'smollm2-135m' | 'qwen2.5-0.5b' | 'nanogpt' | 'tiny'

export interface Shape {
  title: string
  config: Record<string, unknown>
  /** Tokens in one row of a training batch: the default of `maxLength`, or the context where that is shorter. */
  rowTokens: number
}

export const SHAPES: Record<ShapeName, Shape> = {
  'graft-7m': {
    title: 'Graft-7M',
    rowTokens: 256,
    config: {
      model_type: 'llama',
      hidden_size: 256,
      intermediate_size: 704,
      num_hidden_layers: 8,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 64,
      vocab_size: 4096,
      max_position_embeddings: 1024,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
    },
  },
  'smollm2-135m': {
    title: 'SmolLM2-135M',
    rowTokens: 256,
    config: {
      model_type: 'llama',
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      vocab_size: 49152,
      max_position_embeddings: 8192,
      rms_norm_eps: 1e-5,
      rope_theta: 100000,
      tie_word_embeddings: true,
    },
  },
  'qwen2.5-0.5b': {
    title: 'Qwen2.5-0.5B',
    rowTokens: 256,
    config: {
      model_type: 'qwen2',
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      vocab_size: 151936,
      max_position_embeddings: 32768,
      rms_norm_eps: 1e-6,
      rope_theta: 1000000,
      tie_word_embeddings: true,
    },
  },
  // The default of @genai-fi/nanogpt 1.3.0: 6 blocks of width 256, MLP of four times that with GELU, 2,000 tokens of
  // vocabulary, 128 tokens of context. GPT-2's block has products of exactly these sizes.
  nanogpt: {
    title: 'nanogpt default',
    rowTokens: 128,
    config: {
      model_type: 'gpt2',
      n_embd: 256,
      n_layer: 6,
      n_head: 4,
      n_positions: 128,
      vocab_size: 2000,
      activation_function: 'gelu_new',
      layer_norm_epsilon: 1e-5,
    },
  },
  // For a look at whether everything runs, on adapters made of software.
  tiny: {
    title: 'tiny Llama',
    rowTokens: 16,
    config: {
      model_type: 'llama',
      hidden_size: 64,
      intermediate_size: 160,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      vocab_size: 256,
      max_position_embeddings: 64,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
    },
  },
}
