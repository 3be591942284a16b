// Llama and its look-alikes (SmolLM2, TinyLlama, Graft-7M): RMSNorm, RoPE, grouped-query attention, SwiGLU.
// Fields as in transformers' configuration_llama.py; Touvron et al. 2023 (arXiv 2302.13971).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { DECODER_NAMES, DECODER_TASKS, readDecoder, SCORE_CLASSIFIER } from '../decoder.ts'

export const llama: Family = {
  modelType: 'llama',
  tasks: DECODER_TASKS,
  names: DECODER_NAMES,
  classifier: SCORE_CLASSIFIER,
  classes: { language: 'LlamaForCausalLM', classify: 'LlamaForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('llama', config)
    read.refuseUnless('hidden_act', 'silu', 'silu')
    const bias = read.boolean('attention_bias', false)
    const a = readDecoder(read, 'llama')
    return {
      ...a,
      attention: { ...a.attention, bias, outputBias: bias },
      mlp: { ...a.mlp, bias: read.boolean('mlp_bias', false) },
    }
  },
}
