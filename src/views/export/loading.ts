// The lines of Python that load an export: an adapter on its base, or a merged model on its own.
import type { Asked } from '../parts/target.ts'

type Told = Pick<Asked, 'classify' | 'labels' | 'baseName' | 'task'>
type Form = 'adapter' | 'merged'

export function loadingCode(asked: Told, form: Form): string {
  return asked.classify ? classifier(asked, form) : language(asked, form)
}

function classifier({ labels, baseName }: Told, form: Form): string {
  const names = (labels ?? []).map((label) => JSON.stringify(label)).join(', ')
  const load =
    form === 'adapter'
      ? `base = "path/to/${baseName}"        # the base model's folder
labels = [${names}]
tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForSequenceClassification.from_pretrained(
    base,
    num_labels=len(labels),
    id2label=dict(enumerate(labels)),
    pad_token_id=tokenizer.pad_token_id,
)
model = PeftModel.from_pretrained(model, "path/to/adapter").eval()`
      : `folder = "path/to/the/unpacked/zip"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
labels = model.config.id2label`
  return `import torch
${form === 'adapter' ? 'from peft import PeftModel\n' : ''}from transformers import AutoModelForSequenceClassification, AutoTokenizer

${load}

inputs = tokenizer("Your text", return_tensors="pt")
with torch.no_grad():
    scores = model(**inputs).logits.softmax(-1)[0]
print(labels[int(scores.argmax())], float(scores.max()))
`
}

function language({ task, baseName }: Told, form: Form): string {
  const chat = task === 'instruct' || task === 'chat'
  const inputs = chat
    ? `inputs = tokenizer.apply_chat_template(
    [{"role": "user", "content": "Your question"}],
    add_generation_prompt=True, return_tensors="pt", return_dict=True,
)`
    : `inputs = tokenizer("Your text", return_tensors="pt")`
  const load =
    form === 'adapter'
      ? `base = "path/to/${baseName}"        # the base model's folder
tokenizer = AutoTokenizer.from_pretrained(base)
model = AutoModelForCausalLM.from_pretrained(base)
model = PeftModel.from_pretrained(model, "path/to/adapter").eval()`
      : `folder = "path/to/the/unpacked/zip"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()`
  return `${form === 'adapter' ? 'from peft import PeftModel\n' : ''}from transformers import AutoModelForCausalLM, AutoTokenizer

${load}

${inputs}
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
`
}
