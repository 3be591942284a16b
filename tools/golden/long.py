"""A hundred steps of one model in every precision of its base: past the point where every cache is warm."""

from pathlib import Path

from peft import TaskType
import torch

import causal
import trajectory
from adapter import attach
from arrays import snapshot
from families import BY_NAME
from family import adapter_entry, load_base, trained
from precision import round_base
from variants import no_decay_names, plain

MODEL = "tiny-qwen2"
HYPER = {**trajectory.HYPER, "steps": 100, "warmup": 5}
TABLES = {"f32": "f32", "f16": "f16", "int8": "int8", "nf4": "f32"}
SEED = 71


def long_golden(models: Path):
    """The same adapter, batches and settings on each base; one micro-batch a step."""
    spec = BY_NAME[MODEL]
    golden = {"model": spec.name, "runs": []}
    for precision, tables in TABLES.items():
        base = load_base(spec, models / spec.name)
        round_base(base, precision, tables)
        model = attach(base, TaskType.CAUSAL_LM, 700 + SEED, r=3, lora_alpha=6, fan_in_fan_out=spec.fan_in_fan_out)
        start = snapshot(model)
        generator = torch.Generator().manual_seed(800 + SEED)
        shapes = [[(9, 3), (6, 2)], [(5, 1), (11, 6)], [(12, 7), (7, 0)]]
        micros = [causal.micro_batch(spec, shape, generator) for shape in shapes]
        order = [[k % 3] for k in range(HYPER["steps"])]
        options = {"hyper": HYPER, "optimizer_of": plain(no_decay_names(model))}
        name = f"{spec.name}, {precision}, 100 steps"
        golden["adapter"] = adapter_entry(model, start)
        entry = trained(model, micros, order, 0.01, causal.loss_sum, start, name, list(start), **options)
        golden["runs"].append({"precision": precision, "tables": tables, "trajectory": entry})
    return golden
