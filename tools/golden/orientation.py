"""What PyTorch reaches on a text,category CSV with LoRA and a score head: the figure that Graft's own is held against.

    python orientation.py --train train.csv --test test.csv --intents 6 --rows 80 --epochs 4 [--head-only | --random-base]

The first `--intents` categories in the order of the training file, `--rows` training rows of each; r 8, alpha 16, all
linear layers, score head, AdamW 2e-3 with a linear schedule to 0 and no warm-up, batch 16, 48 tokens, clip 1.0, float32.
"""

import argparse
import csv
import time
import warnings
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

BATCH = 16
LENGTH = 48
RATE = 2e-3
ROOT = Path(__file__).resolve().parents[2]


def read(path: Path):
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def encode(tokenizer, rows, labels):
    ids = [tokenizer(text)["input_ids"][:LENGTH] for text, _ in rows]
    return list(zip(ids, [labels.index(label) for _, label in rows]))


def batch_of(examples, pad):
    width = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in examples])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in examples])
    return {"input_ids": ids, "attention_mask": mask}, torch.tensor([label for _, label in examples])


def make_model(base: Path, labels: int, pad: int, random_base: bool, head_only: bool):
    options = {"num_labels": labels, "pad_token_id": pad}
    if random_base:
        model = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(base, **options), dtype=torch.float32)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(base, dtype=torch.float32, **options)
    if head_only:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("score"))
        return model
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, target_modules="all-linear")
    return get_peft_model(model, config)


def train(model, examples, epochs, steps, pad, generator):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    total = steps or epochs * -(-len(examples) // BATCH)
    done = 0
    schedule = get_linear_schedule_with_warmup(optimizer, 0, total)
    model.train()
    while done < total:
        order = torch.randperm(len(examples), generator=generator).tolist()
        for start in range(0, len(order), BATCH):
            if done == total:
                break
            done += 1
            inputs, labels = batch_of([examples[i] for i in order[start : start + BATCH]], pad)
            loss = torch.nn.functional.cross_entropy(model(**inputs).logits, labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
    return total, loss.item()


@torch.no_grad()
def accuracy(model, examples, pad):
    model.eval()
    right = 0
    for start in range(0, len(examples), 64):
        inputs, labels = batch_of(examples[start : start + 64], pad)
        right += (model(**inputs).logits.argmax(-1) == labels).sum().item()
    return right / len(examples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=ROOT / "public" / "models" / "graft-7m")
    parser.add_argument("--intents", type=int, default=6)
    parser.add_argument("--rows", type=int, default=80, help="training rows of each intent")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, help="optimizer steps in place of epochs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--head-only", action="store_true")
    kind.add_argument("--random-base", action="store_true")
    options = parser.parse_args()

    warnings.simplefilter("ignore", FutureWarning)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)

    rows = read(options.train)
    labels = list(dict.fromkeys(label for _, label in rows))[: options.intents]
    tokenizer = AutoTokenizer.from_pretrained(options.base)
    pad = tokenizer.pad_token_id
    kept = [row for label in labels for row in [r for r in rows if r[1] == label][: options.rows]]
    examples = encode(tokenizer, kept, labels)
    tests = encode(tokenizer, [row for row in read(options.test) if row[1] in labels], labels)

    model = make_model(options.base, len(labels), pad, options.random_base, options.head_only)
    started = time.time()
    steps, loss = train(model, examples, options.epochs, options.steps, pad, generator)
    seconds = time.time() - started
    largest = max(sum(label == i for _, label in tests) for i in range(len(labels))) / len(tests)
    print(
        f"{len(labels)} intents, {len(examples)} training and {len(tests)} test rows, {steps} steps in {seconds:.0f} s: "
        f"accuracy {accuracy(model, tests, pad):.1%}, last loss {loss:.3f}, largest class {largest:.1%}"
    )


if __name__ == "__main__":
    main()
