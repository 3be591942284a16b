// Qwen2 and Qwen2.5: Llama's layout with biases on queries, keys and values.
// Fields as in transformers' configuration_qwen2.py; Yang et al. 2024 (arXiv 2407.10671).
import type { Family } from '../architecture.ts'
import { ConfigReader } from '../config.ts'
import { DECODER_NAMES, DECODER_TASKS, readDecoder, readWindows, SCORE_CLASSIFIER } from '../decoder.ts'

export const qwen2: Family = {
  modelType: 'qwen2',
  tasks: DECODER_TASKS,
  names: DECODER_NAMES,
  classifier: SCORE_CLASSIFIER,
  classes: { language: 'Qwen2ForCausalLM', classify: 'Qwen2ForSequenceClassification' },
  parseConfig(config) {
    const read = new ConfigReader('qwen2', config)
    read.refuseUnless('hidden_act', 'silu', 'silu')
    const a = readDecoder(read, 'qwen2')
    return { ...a, attention: { ...a.attention, bias: true, windows: qwenWindows(read, a.layers) } }
  },
}

/** transformers' own default of `max_window_layers`. */
const WINDOWS_FROM = 28

/** Windows apply only where `use_sliding_window` is set, and from layer `max_window_layers` on. */
export function qwenWindows(read: ConfigReader, layers: number): (number | null)[] {
  const sliding = read.boolean('use_sliding_window', false)
  const window =
    sliding && !read.isNull('sliding_window')
      ? read.size('sliding_window', 4096, Number.MAX_SAFE_INTEGER)
      : null
  const first = read.number('max_window_layers') ?? WINDOWS_FROM
  return readWindows(read, layers, window, (layer) => sliding && layer >= first)
}
