// Gemma 3, text only: norms with 1 + w before and after attention and MLP, GeGLU, norms on queries and keys, five layers
// in a sliding window to one that sees everything, each kind with its own rotary base, token rows times sqrt(d).
// Fields as in transformers' configuration_gemma3.py (Gemma3TextConfig); Gemma Team 2025 (arXiv 2503.19786).
import type { RopeSettings } from '../../nn/rope.ts'
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { DECODER_NAMES, DECODER_TASKS, readDecoder, readWindows, SCORE_CLASSIFIER } from '../decoder.ts'
import { readScaling } from '../rotary.ts'

const LOCAL_THETA = 10_000
const GLOBAL_THETA = 1_000_000

export const gemma3: Family = {
  modelType: 'gemma3_text',
  tasks: DECODER_TASKS,
  names: {
    ...DECODER_NAMES,
    norms: {
      ...DECODER_NAMES.norms,
      attention: 'input_layernorm',
      attentionOut: 'post_attention_layernorm',
      mlp: 'pre_feedforward_layernorm',
      mlpOut: 'post_feedforward_layernorm',
    },
  },
  classifier: SCORE_CLASSIFIER,
  classes: { language: 'Gemma3ForCausalLM', classify: 'Gemma3TextForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('gemma3_text', config)
    read.refuseUnless('hidden_activation', 'gelu_pytorch_tanh', 'gelu_pytorch_tanh')
    read.refuseUnless('use_bidirectional_attention', false, false)
    for (const field of ['attn_logit_softcapping', 'final_logit_softcapping'])
      if (read.has(field)) read.refuse(field, read.number(field))
    const bias = read.boolean('attention_bias', false)
    const nested = read.within('rope_parameters')?.has('full_attention') === true
    const a = readDecoder(
      nested ? new ConfigReader('gemma3_text', { ...config, rope_parameters: null }) : read,
      'gemma3_text',
      GLOBAL_THETA,
      256,
    )
    const pattern = read.size('sliding_window_pattern', 6, Number.MAX_SAFE_INTEGER)
    const window = read.size('sliding_window', 4096, Number.MAX_SAFE_INTEGER)
    const windows = readWindows(read, a.layers, window, (layer) => (layer + 1) % pattern !== 0)
    return {
      ...a,
      norm: { ...a.norm, offset: 1 },
      order: 'sandwich',
      attention: {
        ...a.attention,
        scale: read.positive('query_pre_attn_scalar', 256) ** -0.5,
        bias,
        outputBias: bias,
        headNorm: true,
        windows,
      },
      positions: {
        kind: 'rope',
        tables: readTables(read, a.context),
        byLayer: windows.map((width) => (width === null ? 0 : 1)),
      },
      mlp: { gated: true, act: 'geluTanh', bias: false },
      inputs: { ...a.inputs, scale: Math.sqrt(a.hidden) },
      tiedHead: read.boolean('tie_word_embeddings', true),
    }
  },
}

/** The rotary tables of layers that see everything, and of those in a window. */
function readTables(read: ConfigReader, context: number): [RopeSettings, RopeSettings] {
  const parameters = read.within('rope_parameters')
  const full = parameters?.within('full_attention')
  const sliding = parameters?.within('sliding_attention')
  const scaling = full ?? read.within('rope_scaling')
  return [
    {
      theta: full?.positive('rope_theta', GLOBAL_THETA) ?? read.positive('rope_theta', GLOBAL_THETA),
      scaling: scaling && readScaling(scaling, context),
    },
    {
      theta:
        sliding?.positive('rope_theta', LOCAL_THETA) ?? read.positive('rope_local_base_freq', LOCAL_THETA),
      scaling: sliding ? readScaling(sliding, context) : null,
    },
  ]
}
