// What is trained and exported for the check with peft and transformers: every family with plain LoRA, and every other way
// to train on one that shows it.
import type { AdapterConfig } from '../../src/protocol/run.ts'
import type { FloatType } from '../../src/core/adapters/encode.ts'
import { FAMILY_NAMES, type FamilyName } from '../../tests/golden/load.ts'

export interface ExportCase {
  title: string
  model: FamilyName
  task: 'causal' | 'classify'
  adapter: Partial<AdapterConfig>
  /** What is exported, besides the adapter: the merged model in these types; of some at half the strength. */
  merged?: FloatType[]
  strength?: number
  /** Parts of at most so many bytes. */
  shardBytes?: number
  forLlamaCpp?: boolean
  /** Nothing that PEFT has a format for. */
  mergedOnly?: boolean
}

const ENCODERS: FamilyName[] = ['tiny-bert', 'tiny-distilbert', 'tiny-roberta']

const PLAIN = FAMILY_NAMES.flatMap((model): ExportCase[] => [
  { title: 'lora', model, task: 'classify', adapter: {}, merged: ['f32'] },
  ...(ENCODERS.includes(model)
    ? []
    : [{ title: 'lora', model, task: 'causal' as const, adapter: {}, merged: ['f32' as const] }]),
])

const DORA = { useDora: true }
const RSLORA = { useRslora: true, r: 5, alpha: 4 }
const PATTERNS = {
  rankPattern: { q_proj: 5, 'layers.1.mlp.down_proj': 2 },
  alphaPattern: { v_proj: 9, 'model\\.layers\\.0\\.mlp\\.up_proj': 4 },
}
const OTHERS: ExportCase[] = [
  { title: 'dora', model: 'tiny-qwen2', task: 'causal', adapter: DORA, merged: ['f32', 'f16'] },
  { title: 'dora', model: 'tiny-gpt2', task: 'causal', adapter: DORA, merged: ['f32'] },
  { title: 'dora', model: 'tiny-bert', task: 'classify', adapter: DORA, merged: ['bf16'] },
  { title: 'rslora', model: 'tiny-gemma3', task: 'causal', adapter: RSLORA, merged: ['bf16'] },
  { title: 'rslora-dora', model: 'tiny-llama3', task: 'causal', adapter: { ...RSLORA, ...DORA } },
  {
    title: 'pissa',
    model: 'tiny-qwen2',
    task: 'causal',
    adapter: { initLoraWeights: 'pissa' },
    merged: ['f32'],
  },
  {
    title: 'pissa-rslora',
    model: 'tiny-gpt2',
    task: 'causal',
    adapter: { initLoraWeights: 'pissa', ...RSLORA },
  },
  {
    title: 'pissa-patterns',
    model: 'tiny-qwen3',
    task: 'causal',
    adapter: { initLoraWeights: 'pissa', ...RSLORA, ...PATTERNS },
    merged: ['f32'],
  },
  { title: 'patterns', model: 'tiny-llama3', task: 'causal', adapter: PATTERNS, merged: ['f32'] },
  {
    title: 'layers',
    model: 'tiny-gemma3',
    task: 'causal',
    adapter: { layersToTransform: [0, 2], targets: ['q_proj', 'down_proj'] },
    merged: ['f32'],
  },
  { title: 'layers-of-all', model: 'tiny-qwen2', task: 'classify', adapter: { layersToTransform: [1] } },
  {
    title: 'regex',
    model: 'tiny-qwen2',
    task: 'causal',
    adapter: { targets: '.*\\.[01]\\.(mlp\\.up|self_attn\\.v)_proj' },
  },
  { title: 'loraplus', model: 'tiny-roberta', task: 'classify', adapter: { loraPlusRatio: 8 } },
  {
    title: 'table-and-head',
    model: 'tiny-qwen2',
    task: 'causal',
    adapter: { modulesToSave: ['embed_tokens', 'lm_head'] },
    merged: ['f32'],
  },
  {
    title: 'tied-table',
    model: 'tiny-llama3',
    task: 'causal',
    adapter: { modulesToSave: ['embed_tokens'] },
    merged: ['f32'],
  },
  {
    title: 'norms',
    model: 'tiny-gemma3',
    task: 'causal',
    adapter: { modulesToSave: ['input_layernorm'] },
    merged: ['f32'],
  },
  {
    title: 'conv1d',
    model: 'tiny-gpt2',
    task: 'causal',
    adapter: { modulesToSave: ['mlp.c_fc'] },
    merged: ['f32'],
  },
  { title: 'bias-all', model: 'tiny-gpt2', task: 'causal', adapter: { bias: 'all' }, merged: ['f32'] },
  { title: 'bias-all', model: 'tiny-bert', task: 'classify', adapter: { bias: 'all', targets: ['query'] } },
  {
    title: 'bias-lora',
    model: 'tiny-qwen2',
    task: 'causal',
    adapter: { bias: 'lora_only' },
    merged: ['f32'],
  },
  {
    title: 'llamacpp',
    model: 'tiny-llama',
    task: 'causal',
    adapter: { ...RSLORA, ...PATTERNS },
    forLlamaCpp: true,
  },
  {
    title: 'half',
    model: 'tiny-gpt2',
    task: 'causal',
    adapter: { ...DORA, bias: 'all' },
    merged: ['f32'],
    strength: 0.5,
  },
  {
    title: 'shards',
    model: 'tiny-llama-odd',
    task: 'causal',
    adapter: {},
    merged: ['f32'],
    shardBytes: 20_000,
  },
]

const WITHOUT: ExportCase[] = [
  { title: 'full', model: 'tiny-gpt2', task: 'causal', adapter: { method: 'full' } },
  { title: 'full', model: 'tiny-gemma3', task: 'causal', adapter: { method: 'full' } },
  { title: 'full', model: 'tiny-bert', task: 'classify', adapter: { method: 'full' } },
  { title: 'top', model: 'tiny-qwen2', task: 'causal', adapter: { method: 'layers', topLayers: 1 } },
  { title: 'head', model: 'tiny-distilbert', task: 'classify', adapter: { method: 'head' } },
].map((each) => ({ ...each, merged: ['f32'], mergedOnly: true }) as ExportCase)

export const EXPORT_CASES: readonly ExportCase[] = [...PLAIN, ...OTHERS, ...WITHOUT]
