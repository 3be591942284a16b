// Qwen3: Llama's layout with a norm on every head of queries and keys, and a head size of its own.
// Fields as in transformers' configuration_qwen3.py; Yang et al. 2025 (arXiv 2505.09388).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { DECODER_NAMES, DECODER_TASKS, readDecoder, SCORE_CLASSIFIER } from '../decoder.ts'
import { qwenWindows } from '../qwen2/index.ts'

export const qwen3: Family = {
  modelType: 'qwen3',
  tasks: DECODER_TASKS,
  names: DECODER_NAMES,
  classifier: SCORE_CLASSIFIER,
  classes: { language: 'Qwen3ForCausalLM', classify: 'Qwen3ForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('qwen3', config)
    read.refuseUnless('hidden_act', 'silu', 'silu')
    const bias = read.boolean('attention_bias', false)
    // transformers' own default, which does not follow from the hidden size.
    const a = readDecoder(read, 'qwen3', 10_000, 128)
    return {
      ...a,
      attention: {
        ...a.attention,
        bias,
        outputBias: bias,
        headNorm: true,
        windows: qwenWindows(read, a.layers),
      },
    }
  },
}
