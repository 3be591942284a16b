"""Goldens of bases in lower precision: weights are rounded and read back, then everything is computed in float32.

Linear layers and tables (the token table, and a head of its own) are rounded as matrices [out, in], row-major, a Conv1D
transposed before. Norms, biases and position tables stay as they are.
- nf4: bitsandbytes, blocks of 64 in the row-major order, double quantisation.
- int8: round half to even of w / (largest |w| of the row / 127).
- f16: round half to even.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from peft import TaskType
from transformers.pytorch_utils import Conv1D

import causal
from adapter import attach
from arrays import array, snapshot
from families import BY_NAME
from family import adapter_entry, draw, load_base
from variants import follow, no_decay_names, plain, single_step, training_rows


@dataclass(frozen=True)
class Rounded:
    model: str
    precision: str
    tables: str
    seed: int
    train: bool = False

    @property
    def name(self):
        return f"{self.precision}-{self.tables}-tables"


ROUNDED = [
    Rounded("tiny-qwen2", "nf4", "f32", 61, train=True),
    Rounded("tiny-qwen2", "nf4", "f16", 62),
    Rounded("tiny-qwen2", "int8", "int8", 63, train=True),
    Rounded("tiny-qwen2", "f16", "f16", 64),
    Rounded("tiny-gpt2", "nf4", "f16", 65),
    Rounded("tiny-gpt2", "int8", "int8", 66),
    Rounded("tiny-gemma3", "nf4", "f16", 67),
    Rounded("tiny-bert", "int8", "int8", 68),
]


def nf4(w):
    codes, state = quantize_4bit(w.contiguous(), blocksize=64, compress_statistics=True, quant_type="nf4")
    return dequantize_4bit(codes, state).reshape(w.shape)


def int8(w):
    scale = w.abs().amax(1, keepdim=True) / 127
    return torch.where(scale > 0, (w / scale).round() * scale, torch.zeros_like(w))


ROUNDING = {"f32": lambda w: w, "f16": lambda w: w.half().float(), "int8": int8, "nf4": nf4}


@torch.no_grad()
def round_base(model, precision: str, tables: str):
    """Rounds in place. A tied head is rounded once, as the table."""
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if module is head or module is model.get_input_embeddings():
            rounding = ROUNDING[tables]
        elif isinstance(module, (torch.nn.Linear, Conv1D)):
            rounding = ROUNDING[precision]
        else:
            continue
        if module is head and head.weight is model.get_input_embeddings().weight:
            continue  # the table, which has been rounded
        weight = module.weight.T if isinstance(module, Conv1D) else module.weight
        rounded = rounding(weight)
        module.weight.copy_(rounded.T if isinstance(module, Conv1D) else rounded)


def rounded_golden(rounded: Rounded, models: Path):
    spec = BY_NAME[rounded.model]
    name = f"{spec.name}-{rounded.name}"
    model = load_base(spec, models / spec.name)
    generator = torch.Generator().manual_seed(800 + rounded.seed)
    sequences = [draw(spec, length, generator) for length in (6, 11)]
    exact = [causal.logits_of(model, ids) for ids in sequences]
    round_base(model, rounded.precision, rounded.tables)
    logits = [causal.logits_of(model, ids) for ids in sequences]
    error = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(logits, exact))
    golden = {
        "name": name,
        "model": spec.name,
        "what": f"linear layers in {rounded.precision}, token table and head in {rounded.tables}",
        "method": "lora",
        "task": "causal",
        "precision": rounded.precision,
        "tables": rounded.tables,
        "sequences": [{"ids": ids, "logits": array(value)} for ids, value in zip(sequences, logits)],
        "errorToF32": float(f"{error:.3g}"),
    }
    if not rounded.train:
        return golden
    options = {"r": 3, "lora_alpha": 6, "fan_in_fan_out": spec.fan_in_fan_out}
    model = attach(model, TaskType.CAUSAL_LM, 700 + rounded.seed, **options)
    start = snapshot(model)
    batch, *micros = training_rows(spec, "causal", generator)
    golden["adapter"] = adapter_entry(model, start)
    golden["batch"] = single_step(model, "causal", batch)
    no_decay = no_decay_names(model)
    options = {"optimizer_of": plain(no_decay)}
    golden["trajectory"] = follow(model, spec, "causal", micros, 0.01, start, name, no_decay, **options)
    return golden
