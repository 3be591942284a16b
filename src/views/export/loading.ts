// The lines of Python that load an exported adapter on its base.
import type { RunInfo } from '../../state/runs.svelte.ts'

export function loadingCode(info: RunInfo): string {
  return info.config.task === 'classify' ? classifier(info) : language(info)
}

function classifier({ labels, modelName }: RunInfo): string {
  return `import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

base = "path/to/${modelName}"        # the base model's folder
labels = [${(labels ?? []).map((label) => JSON.stringify(label)).join(', ')}]
tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForSequenceClassification.from_pretrained(
    base,
    num_labels=len(labels),
    id2label=dict(enumerate(labels)),
    pad_token_id=tokenizer.pad_token_id,
)
model = PeftModel.from_pretrained(model, "path/to/adapter").eval()

inputs = tokenizer("Your text", return_tensors="pt")
with torch.no_grad():
    scores = model(**inputs).logits.softmax(-1)[0]
print(labels[int(scores.argmax())], float(scores.max()))
`
}

function language({ config, modelName }: RunInfo): string {
  const chat = config.task === 'instruct' || config.task === 'chat'
  const inputs = chat
    ? `inputs = tokenizer.apply_chat_template(
    [{"role": "user", "content": "Your question"}],
    add_generation_prompt=True, return_tensors="pt", return_dict=True,
)`
    : `inputs = tokenizer("Your text", return_tensors="pt")`
  return `from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = "path/to/${modelName}"        # the base model's folder
tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForCausalLM.from_pretrained(base)
model = PeftModel.from_pretrained(model, "path/to/adapter").eval()

${inputs}
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
`
}
