"""Goldens of weighted rows: classes weighed by PyTorch's CrossEntropyLoss, texts with smoothed labels, scikit-learn's weights.

A step's loss is sum w ce / sum w over all its labels; its micro-batches differ in both sums, so that a mean of means is wrong.
"""

from pathlib import Path

import numpy
import torch
from sklearn.utils.class_weight import compute_class_weight

import causal
import classify
import trajectory
from arrays import IGNORED, array, arrays, global_norm, gradients, mask_of, pad, scalar, snapshot
from families import BY_NAME
from family import adapter_entry, draw, rows, trained
from variants import Variant, attach_variant, config_entry, no_decay_names, plain

CLASS_WEIGHTS = [0.4, 2.5, 1.25]
SMOOTHING = 0.1
HYPER = {**trajectory.HYPER, "steps": 20}
DECAY = 0.01
ORDER = [[k % 4, (k + 1) % 4] for k in range(HYPER["steps"])]

CLASSES = Variant(
    "tiny-bert", "class-weights", 31, "classes with weights", {"target_modules": ["query", "value"]}, "classify", folder=False
)
ROWS = Variant(
    "tiny-qwen2",
    "row-weights",
    32,
    "rows with weights, smoothed labels",
    {"target_modules": ["q_proj", "down_proj"]},
    folder=False,
)
WEIGHTED = [CLASSES, ROWS]

COUNTS = [{"a": 90, "b": 9, "c": 1}, {"yes": 7, "no": 7}, {"one": 5}, {"x": 1, "y": 2, "z": 3, "w": 1000}]
"""Rows of each label, for the balanced weights."""


def class_sum(model, micro):
    """What CrossEntropyLoss(weight) divides, and what it divides by."""
    logits, labels = classify.logits_of(model, micro["ids"]), torch.tensor(micro["labels"])
    weights = torch.tensor(CLASS_WEIGHTS)
    total = torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum")
    return total, weights[labels].sum().item()


def row_sum(model, micro):
    """Each learnt token's smoothed cross-entropy times the weight of its row."""
    ids = pad(micro["ids"], model.config.pad_token_id)
    logits = model(input_ids=ids, attention_mask=mask_of(micro["ids"])).logits[:, :-1]  # [B, T - 1, V]
    labels = pad(micro["labels"], IGNORED)[:, 1:]
    each = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none", label_smoothing=SMOOTHING
    )  # [B, T - 1]
    weights = torch.tensor(micro["weights"])[:, None] * (labels != IGNORED)
    return (each * weights).sum(), weights.sum().item()


def micro_batches(variant, spec, generator):
    """One batch for a single step and four micro-batches for the trajectory, with the weight of every row."""
    if variant is CLASSES:
        shapes = [((7, 10, 4), [2, 0, 1]), ((5, 8), [0, 2]), ((12, 3, 6), [2, 1, 0]), ((9, 4), [1, 1]), ((6, 5), [0, 0])]
        micros = [rows(spec, lengths, labels, generator) for lengths, labels in shapes]
        return [{**micro, "weights": [CLASS_WEIGHTS[label] for label in micro["labels"]]} for micro in micros]
    shapes = [[(8, 3), (10, 0)], [(9, 3), (6, 2)], [(5, 1), (11, 6)], [(12, 7), (7, 0)], [(6, 2), (9, 1)]]
    weights = [[0.5, 3.0], [1.0, 0.2], [4.0, 1.5], [0.1, 0.1], [2.0, 1.0]]
    return [
        {**causal.micro_batch(spec, shape, generator), "weights": of}
        for shape, of in zip(shapes, weights)
    ]


def one_batch(variant, model, batch, loss_sum):
    model.zero_grad()
    total, weight = loss_sum(model, batch)
    loss = total / weight
    if variant is CLASSES:
        whole = torch.nn.CrossEntropyLoss(weight=torch.tensor(CLASS_WEIGHTS))
        theirs = whole(classify.logits_of(model, batch["ids"]), torch.tensor(batch["labels"]))
        assert abs(theirs.item() - loss.item()) < 1e-6
        loss = theirs
    loss.backward()
    found = gradients(model)
    model.zero_grad()
    return {**batch, "loss": scalar(loss), "gradients": arrays(found), "gradNorm": scalar(global_norm(found))}


def weighted_golden(variant: Variant, models: Path):
    spec = BY_NAME[variant.model]
    name = f"{spec.name}-{variant.name}"
    model = attach_variant(variant, spec, models / spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(800 + variant.seed)
    ids = draw(spec, 9, generator)
    batch, *micros = micro_batches(variant, spec, generator)
    loss_sum = class_sum if variant is CLASSES else row_sum
    golden = {
        "name": name,
        "model": spec.name,
        "task": variant.task,
        "what": variant.what,
        "method": "lora",
        "adapter": {**adapter_entry(model, start), "config": config_entry(model, variant)},
        "folder": None,
    }
    if variant is ROWS:
        golden["labelSmoothing"] = SMOOTHING
        golden["sequence"] = {"ids": ids, "logits": array(causal.logits_of(model, ids))}
    golden["batch"] = one_batch(variant, model, batch, loss_sum)
    no_decay = no_decay_names(model)
    options = {"hyper": HYPER, "optimizer_of": plain(no_decay)}
    entry = trained(model, micros, ORDER, DECAY, loss_sum, start, name, list(start), **options)
    golden["trajectory"] = {**entry, **({"noDecay": no_decay} if no_decay else {})}
    return golden


def balanced_golden():
    """compute_class_weight('balanced') by scikit-learn: rows / (labels x rows of the label)."""
    cases = []
    for counts in COUNTS:
        labels = numpy.repeat(list(counts), list(counts.values()))
        classes = numpy.unique(labels)
        weights = compute_class_weight("balanced", classes=classes, y=labels)
        cases.append({"counts": counts, "weights": dict(zip(classes.tolist(), weights.tolist()))})
    return {"balanced": cases}
