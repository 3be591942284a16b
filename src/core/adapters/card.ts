// The model cards of exports, with the metadata that the Hub reads (huggingface.co/docs/hub/model-cards).
import type { Family } from '../models/architecture.ts'

export interface CardSource {
  name: string
  family: Family
  /** Hub id of the base, or the name of a local folder. */
  base: string
  /** Licence of the base as the Hub names it; what is made from it stays under it. */
  licence?: string
  labels: readonly string[] | null
  /** Sentences: what it was trained on and how well it does. */
  facts: readonly string[]
  version: string
}

/** README.md of an adapter: `how` names its kind, as in "A DoRA adapter". */
export function adapterCard(source: CardSource, how: string): string {
  const { base, labels } = source
  const loader = autoClass(source)
  const labelArguments = labels
    ? `, num_labels=${labels.length}, id2label={${labels.map((label, i) => `${i}: ${JSON.stringify(label)}`).join(', ')}}`
    : ''
  return `${head(source, 'peft', 'adapter', ['lora', 'transformers'])}
A ${how} adapter for \`${base}\`, trained in the browser with Graft ${source.version}.

${body(source)}
## Use it

\`\`\`python
from peft import PeftModel
from transformers import AutoTokenizer, ${loader}

base = ${loader}.from_pretrained(${JSON.stringify(base)}${labelArguments})
tokenizer = AutoTokenizer.from_pretrained(${JSON.stringify(base)})
${padding(source, 'base')}model = PeftModel.from_pretrained(base, "path/to/this/folder")
\`\`\`

\`${base}\` is a Hub id or the folder of the base model on your disk.
`
}

/** README.md of a whole model. */
export function mergedCard(source: CardSource): string {
  const loader = autoClass(source)
  return `${head(source, 'transformers', 'finetune', ['transformers'])}
\`${source.base}\`, fine-tuned in the browser with Graft ${source.version}.

${body(source)}
## Use it

\`\`\`python
from transformers import AutoTokenizer, ${loader}

model = ${loader}.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
\`\`\`
`
}

function head(
  { name, base, licence, labels }: CardSource,
  library: string,
  relation: string,
  tags: string[],
): string {
  const all = [`base_model:${relation}:${base}`, ...tags, 'graft']
  return `---
library_name: ${library}
base_model: ${JSON.stringify(base)}
base_model_relation: ${relation}
pipeline_tag: ${labels ? 'text-classification' : 'text-generation'}
tags: ${JSON.stringify(all)}
${licence ? `license: ${JSON.stringify(licence)}\n` : ''}---
# ${name.replace(/\s+/g, ' ')}
`
}

function body({ facts, labels }: CardSource): string {
  const list = facts.map((fact) => `- ${fact}`).join('\n')
  return labels
    ? `${list}\n\nLabels, in the order of the classifier: ${labels.map((label) => `\`${label}\``).join(', ')}.\n`
    : `${list}\n`
}

/** Classifiers that read the last real token have to know which id is none. */
function padding({ family, labels }: CardSource, model: string): string {
  return labels && family.classifier.row === 'last'
    ? `${model}.config.pad_token_id = tokenizer.pad_token_id\n`
    : ''
}

function autoClass({ labels }: CardSource): string {
  return labels ? 'AutoModelForSequenceClassification' : 'AutoModelForCausalLM'
}
