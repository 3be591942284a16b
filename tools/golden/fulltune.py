"""Goldens of training without an adapter: every weight, the last blocks, or the classification head alone."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch

import classify
import trajectory
from adapter import randomise
from arrays import arrays, snapshot
from families import BY_NAME
from family import load_base
from variants import follow, no_decay_names, plain, single_step, training_rows

HYPER = {**trajectory.HYPER, "steps": 10, "warmup": 2, "learningRate": 1e-3}
SMALL = 800
"""Final values of larger tensors are not kept, except of embeddings and heads."""


@dataclass(frozen=True)
class Tuning:
    model: str
    name: str
    method: str
    seed: int
    what: str
    task: str = "causal"
    trained: str = ""
    """A regular expression for the start of the names; empty for all."""


TUNINGS = [
    Tuning("tiny-qwen2", "full", "full", 31, "every weight of an untied model"),
    Tuning("tiny-gpt2", "full", "full", 32, "every weight of a tied model"),
    Tuning("tiny-gemma3", "full", "full", 33, "every weight of a tied model with 1 + w norms and a scaled table"),
    Tuning("tiny-bert", "full", "full", 34, "every weight of a classifier", "classify"),
    Tuning("tiny-qwen2", "top", "layers", 35, "the last block and what stands above it", trained=r"model\.layers\.1\.|model\.norm\.|lm_head\."),
    Tuning("tiny-qwen2", "score", "head", 36, "the classification head alone", "classify", r"score\."),
    Tuning("tiny-roberta", "classifier", "head", 37, "a head of two layers alone", "classify", r"classifier\."),
]


def prepare(tuning: Tuning, folder: Path):
    """The model with the chosen weights trainable, and the values of those that no checkpoint has."""
    spec = BY_NAME[tuning.model]
    model = load_base(spec, folder) if tuning.task == "causal" else classify.load(folder, spec.pad)
    heads = ("score.", "classifier.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(heads))
    randomise(model, 700 + tuning.seed)
    fresh = snapshot(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(re.match(tuning.trained, name) is not None)
    return model, spec, fresh


def kept(name, value):
    return value.numel() <= SMALL or any(part in name for part in ("embed", "wte", "wpe", "lm_head"))


def tuning_golden(tuning: Tuning, models: Path):
    model, spec, fresh = prepare(tuning, models / tuning.model)
    start = snapshot(model)
    name = f"{spec.name}-{tuning.name}"
    generator = torch.Generator().manual_seed(800 + tuning.seed)
    batch, *micros = training_rows(spec, tuning.task, generator)
    golden = {
        "name": name,
        "model": spec.name,
        "task": tuning.task,
        "what": tuning.what,
        "method": tuning.method,
        "trained": sorted(start),
        "initial": arrays(fresh),
        "batch": single_step(model, tuning.task, batch),
    }
    no_decay = no_decay_names(model)
    options = {"hyper": HYPER, "optimizer_of": plain(no_decay)}
    entry = follow(model, spec, tuning.task, micros, 0.01, start, name, no_decay, **options)
    entry["final"] = {key: value for key, value in entry["final"].items() if kept(key, start[key])}
    return {**golden, "trajectory": entry}
