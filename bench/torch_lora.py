"""The same LoRA step in PyTorch and peft, eager, float32: what Graft is held against.

    python torch_lora.py --config '{"model_type": "llama", ...}' --rows 4 --length 256 [--threads 2] [--device cpu]

Random weights, r 16, alpha 32, all linear layers, AdamW, one batch of rows without padding. After loading and a warm-up it
prints one line of JSON about itself; then, for every line with a number that it reads, it takes that many steps and prints
their seconds and losses. So two programs can take turns on one machine.
"""

import argparse
import json
import sys
import time

import torch
import transformers
from peft import LoraConfig, TaskType, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

WARMUP = 2


def random_ids(rows: int, length: int, vocab: int):
    """The ids of randomWeights.ts."""
    state = 12345
    ids = []
    for _ in range(rows * length):
        state = (state * 1664525 + 1013904223) % 2**32
        ids.append(state * vocab // 2**32)
    return torch.tensor(ids).reshape(rows, length)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    fields = json.loads(options.config)
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    lora = LoraConfig(task_type=TaskType.CAUSAL_LM, r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear")
    model = get_peft_model(model, lora).to(options.device).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    ids = random_ids(options.rows, options.length, config.vocab_size).to(options.device)

    def step():
        start = time.perf_counter()
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss = loss.item()  # waits for the device
        return time.perf_counter() - start, loss

    for _ in range(WARMUP):
        step()
    name = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    about = {"torch": torch.__version__, "transformers": transformers.__version__, "device": name}
    print(json.dumps({**about, "trainable": sum(p.numel() for p in parameters)}), flush=True)
    for line in sys.stdin:
        seconds, losses = zip(*[step() for _ in range(int(line))])
        print(json.dumps({"seconds": seconds, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
