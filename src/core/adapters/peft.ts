// An adapter as PEFT writes it: adapter_config.json, adapter_model.safetensors, README.md (the model card).
// Names and fields: PEFT docs, developer_guides/checkpoint; card fields: the Hub's model-card metadata.
import { writeSafetensors } from '../../formats/safetensors.ts'
import type { Task } from '../../protocol/data.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import { resolveTargets } from './lora.ts'

export interface PeftExport {
  name: string
  task: Task
  adapter: AdapterConfig
  /** What `base_model_name_or_path` says: a Hub id, or the name of a local folder. */
  base: string
  /** Commit or branch of a Hub base. */
  revision: string | null
  labels: string[] | null
  tensors: { name: string; shape: number[]; data: Float32Array }[]
  /** Sentences for the card: what it was trained on and how well it does. */
  facts: string[]
  version: string
}

/** The files of the export by name. */
export function peftFiles(spec: PeftExport): Map<string, Uint8Array> {
  const text = (content: string) => new TextEncoder().encode(content)
  return new Map([
    ['adapter_config.json', text(`${JSON.stringify(adapterConfig(spec), null, 2)}\n`)],
    ['adapter_model.safetensors', writeSafetensors(spec.tensors, { format: 'pt' })],
    ['README.md', text(modelCard(spec))],
  ])
}

function adapterConfig({ task, adapter, base, revision, labels }: PeftExport): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: task === 'classify' ? 'SEQ_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: base,
    revision,
    r: adapter.r,
    lora_alpha: adapter.alpha,
    lora_dropout: adapter.dropout,
    bias: 'none',
    target_modules: resolveTargets(adapter.targets),
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    modules_to_save: labels ? ['classifier', 'score'] : null,
    rank_pattern: {},
    alpha_pattern: {},
    layers_to_transform: null,
    layers_pattern: null,
    init_lora_weights: true,
    inference_mode: true,
    auto_mapping: null,
  }
}

function modelCard(spec: PeftExport): string {
  const { name, task, base, labels, facts, version } = spec
  const classifier = task === 'classify'
  const loader = classifier ? 'AutoModelForSequenceClassification' : 'AutoModelForCausalLM'
  const labelArguments = labels
    ? `, num_labels=${labels.length}, id2label={${labels.map((label, i) => `${i}: ${JSON.stringify(label)}`).join(', ')}}`
    : ''
  return `---
library_name: peft
base_model: ${JSON.stringify(base)}
pipeline_tag: ${classifier ? 'text-classification' : 'text-generation'}
tags: ${JSON.stringify([`base_model:adapter:${base}`, 'lora', 'transformers', 'graft'])}
---
# ${name}

A LoRA adapter for \`${base}\`, trained in the browser with Graft ${version}.

${facts.map((fact) => `- ${fact}`).join('\n')}
${labels ? `\nLabels, in the order of the score head: ${labels.map((label) => `\`${label}\``).join(', ')}.\n` : ''}
## Use it

\`\`\`python
from peft import PeftModel
from transformers import AutoTokenizer, ${loader}

base = ${loader}.from_pretrained(${JSON.stringify(base)}${labelArguments})
tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(base)})
${classifier ? 'base.config.pad_token_id = tokenizer.pad_token_id\n' : ''}model = PeftModel.from_pretrained(base, "path/to/this/folder")
\`\`\`

\`${base}\` is a Hub id or the folder of the base model on your disk.
`
}
