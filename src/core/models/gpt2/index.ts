// GPT-2 and DistilGPT-2: LayerNorm, learned positions, one matrix for queries, keys and values, GELU in its tanh form;
// linear weights are stored [in, out] (Conv1D). Fields as in transformers' configuration_gpt2.py; Radford et al. 2019.
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { DECODER_TASKS, readTokenIds, SCORE_CLASSIFIER } from '../decoder.ts'
import { MAX, MAX_CONTEXT } from '../limits.ts'

export const gpt2: Family = {
  modelType: 'gpt2',
  tasks: DECODER_TASKS,
  transposed: true,
  names: {
    prefix: 'transformer.',
    tokens: 'transformer.wte',
    positions: 'transformer.wpe',
    block: (layer) => `transformer.h.${layer}`,
    linears: { qkv: 'attn.c_attn', o: 'attn.c_proj', up: 'mlp.c_fc', down: 'mlp.c_proj' },
    norms: { attention: 'ln_1', mlp: 'ln_2' },
    finalNorm: 'transformer.ln_f',
    head: { path: 'lm_head' },
  },
  classifier: SCORE_CLASSIFIER,
  classes: { language: 'GPT2LMHeadModel', classify: 'GPT2ForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('gpt2', config)
    read.refuseUnless('scale_attn_weights', true, true)
    read.refuseUnless('scale_attn_by_inverse_layer_idx', false, false)
    read.refuseUnless('add_cross_attention', false, false)
    const hidden = read.size('n_embd', undefined, MAX.width)
    const heads = read.size('n_head', undefined, MAX.heads)
    const layers = read.size('n_layer', undefined, MAX.layers)
    const vocab = read.size('vocab_size', undefined, MAX.vocab)
    const positions = read.size('n_positions', 1024, MAX_CONTEXT)
    const headSize = hidden / heads
    return {
      family: 'gpt2',
      kind: 'decoder',
      hidden,
      intermediate: read.size('n_inner', 4 * hidden, MAX.width),
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      vocab,
      context: positions,
      norm: { kind: 'layer', epsilon: read.positive('layer_norm_epsilon', 1e-5), offset: 0 },
      order: 'pre',
      attention: {
        scale: 1 / Math.sqrt(headSize),
        causal: true,
        bias: true,
        outputBias: true,
        headNorm: false,
        windows: new Array<null>(layers).fill(null),
      },
      positions: { kind: 'learned', rows: positions, offset: 0 },
      mlp: {
        gated: false,
        act: read.choice('activation_function', 'gelu_new', {
          gelu_new: 'geluTanh',
          gelu_pytorch_tanh: 'geluTanh',
          gelu: 'gelu',
          relu: 'relu',
        } as const),
        bias: true,
      },
      inputs: { scale: 1, types: 0, norm: false },
      finalNorm: true,
      tiedHead: read.boolean('tie_word_embeddings', true),
      ...readTokenIds(read, vocab),
    }
  },
}
