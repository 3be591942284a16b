"""The golden file of one tiny model: logits, attention, saliency, decoding, adapters and their training."""

from pathlib import Path

import torch
from peft import TaskType
from transformers import AutoModelForMaskedLM

import causal
import classify
import trajectory
from adapter import adapted_modules, attach, write_adapter
from arrays import array, arrays, snapshot, trainable
from causal import attention, greedy, logits_of, padded_batch, saliency
from families import Family
from small_tokenizers import tokenizer_goldens
from tiny import random_ids

RANK = 3
ALPHA = 6
SENSITIVITY = 5e-5
"""Trajectories that carry a rounding error further than this could not be held to 1e-3."""
TEXTS = ["Where is my order?", "please send it  back,\nthank you", "漢", ""]


def load_base(spec: Family, folder: Path):
    if not spec.encoder:
        return causal.load(folder, pad_token_id=spec.pad)
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    return AutoModelForMaskedLM.from_pretrained(folder, **options).eval()


def draw(spec: Family, length: int, generator):
    """A random sequence as the family sees them: an encoder's stands between its two special tokens."""
    if not spec.encoder:
        return random_ids(spec, length, generator)
    return [spec.start, *random_ids(spec, length - 2, generator), spec.end]


def safe_greedy(model, spec: Family, generator, count=8):
    """Of some prompts, the one whose continuation is the least doubtful."""
    tries = [greedy(model, random_ids(spec, 4, generator), count) for _ in range(12)]
    best = max(tries, key=lambda each: each["smallestLead"])
    assert best["smallestLead"] > 0.02, (spec.name, best)
    return best


def masked_saliency(model, spec: Family, generator):
    """The logit of a token in place of a mask."""
    ids = draw(spec, 9, generator)
    ids[4] = spec.mask
    return saliency(model, ids, 4, spec.first + 7)


def base_goldens(spec: Family, folder: Path):
    model = load_base(spec, folder)
    generator = torch.Generator().manual_seed(100 + spec.seed)
    sequences = [draw(spec, length, generator) for length in (5, 13)]
    if spec.encoder:
        sequences[1][6] = spec.mask
    rows = [draw(spec, length, generator) for length in (6, 10, 3)]
    golden = {
        "sequences": [{"ids": ids, "logits": array(logits_of(model, ids))} for ids in sequences],
        "batch": padded_batch(model, rows),
        "attention": attention(model, draw(spec, 8, generator)),
    }
    if spec.encoder:
        return {**golden, "saliency": masked_saliency(model, spec, generator)}
    golden["saliency"] = saliency(model, draw(spec, 9, generator), 8, spec.first + 7)
    return {**golden, "greedy": safe_greedy(model, spec, generator)}


def adapter_entry(model, start):
    config = model.peft_config["default"]
    return {"r": config.r, "alpha": config.lora_alpha, "modules": adapted_modules(model), "tensors": arrays(start)}


def trained(model, micros, order, decay, loss_of, start, name, kept=None, **options):
    """A trajectory, with the final values of the `kept` tensors (all, where not given)."""
    steps = [[micros[i] for i in step] for step in order]
    result = trajectory.run(model, steps, decay, loss_of, **options)
    noise = trajectory.sensitivity(model, steps, decay, loss_of, start, result, kept, **options)
    assert noise < SENSITIVITY, (name, noise)
    with torch.no_grad():
        for key, parameter in trainable(model).items():
            parameter.copy_(result["after"][options.get("hyper", trajectory.HYPER)["steps"]][key])
    entry = trajectory.entry(result, decay, order, noise, options.get("hyper", trajectory.HYPER))
    del entry["afterStep2"]
    if kept is not None:
        entry["final"] = {key: entry["final"][key] for key in sorted(kept)}
    return {"micros": micros, **entry}


def causal_goldens(spec: Family, folder: Path, adapter_folder: Path):
    model = attach(
        load_base(spec, folder),
        TaskType.CAUSAL_LM,
        200 + spec.seed,
        r=RANK,
        lora_alpha=ALPHA,
        fan_in_fan_out=spec.fan_in_fan_out,
    )
    write_adapter(model, adapter_folder, spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(300 + spec.seed)
    ids = draw(spec, 10, generator)
    # The second sequence is trained from its first token on, whose label no position predicts.
    batch = causal.micro_batch(spec, [(8, 3), (11, 0)], generator)
    shapes = [[(9, 3), (6, 2)], [(5, 1), (11, 6)], [(12, 7), (7, 0)]]
    micros = [causal.micro_batch(spec, shape, generator) for shape in shapes]
    order = [[2 * k % 3, (2 * k + 1) % 3] for k in range(trajectory.HYPER["steps"])]
    return {
        "adapter": adapter_entry(model, start),
        "sequence": {"ids": ids, "logits": array(logits_of(model, ids))},
        "saliency": saliency(model, ids, 9, spec.first + 5),
        "batch": causal.one_batch(model, batch),
        "trajectory": trained(model, micros, order, 0.01, causal.loss_sum, start, spec.name),
    }


def rows(spec: Family, lengths, labels, generator):
    return {"ids": [draw(spec, length, generator) for length in lengths], "labels": labels}


def classify_goldens(spec: Family, folder: Path, adapter_folder: Path):
    model = attach(
        classify.load(folder, spec.pad),
        TaskType.SEQ_CLS,
        400 + spec.seed,
        r=RANK,
        lora_alpha=ALPHA,
        fan_in_fan_out=spec.fan_in_fan_out,
        modules_to_save=list(spec.saved_modules) or None,
    )
    write_adapter(model, adapter_folder, spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(500 + spec.seed)
    batch = rows(spec, (7, 11, 4), [2, 0, 1], generator)
    shapes = [((5, 8), [0, 2]), ((12, 3, 6), [2, 1, 0]), ((9, 4), [1, 1])]
    micros = [rows(spec, lengths, labels, generator) for lengths, labels in shapes]
    order = [[k % 3] for k in range(trajectory.HYPER["steps"])]
    explained = classify.saliency(model, batch["ids"][1], 2)
    assert abs(classify.logits_of(model, [batch["ids"][1]])[0, 2].item() - explained["logit"]) < 1e-5
    return {
        "adapter": adapter_entry(model, start),
        "batch": classify.one_batch(model, batch),
        "saliency": explained,
        "trajectory": trained(model, micros, order, 0.0, classify.loss_sum, start, spec.name),
    }


def family_golden(spec: Family, folder: Path, adapters: Path, tokenizer, versions):
    golden = {
        "name": spec.name,
        "versions": versions,
        "config": spec.config,
        "padId": spec.pad,
        "tokenizer": tokenizer_goldens(tokenizer, TEXTS),
        "base": base_goldens(spec, folder),
    }
    if not spec.encoder:
        golden["causal"] = causal_goldens(spec, folder, adapters / f"{spec.name}-causal")
    golden["classify"] = classify_goldens(spec, folder, adapters / f"{spec.name}-classify")
    return golden
