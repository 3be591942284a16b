"""Goldens of sequence classification: logits of the last real token, loss, gradients of LoRA and score, training."""

from pathlib import Path

import torch
from peft import TaskType
from transformers import AutoModelForSequenceClassification

import trajectory
from adapter import attach, write_adapter
from arrays import array, arrays, global_norm, gradients, mask_of, pad, scalar, snapshot
from tiny import PAD, TinyModel, random_ids

LABELS = 3


def load(folder: Path, pad_id=PAD):
    return AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", num_labels=LABELS, pad_token_id=pad_id
    ).eval()


def logits_of(model, rows):
    """[B, labels]"""
    return model(input_ids=pad(rows, model.config.pad_token_id), attention_mask=mask_of(rows)).logits


def loss_sum(model, micro):
    logits = logits_of(model, micro["ids"])
    total = torch.nn.functional.cross_entropy(logits, torch.tensor(micro["labels"]), reduction="sum")
    return total, len(micro["labels"])


def one_batch(model, micro):
    model.zero_grad()
    result = model(
        input_ids=pad(micro["ids"], model.config.pad_token_id),
        attention_mask=mask_of(micro["ids"]),
        labels=torch.tensor(micro["labels"]),
    )
    result.loss.backward()
    found = gradients(model)
    model.zero_grad()
    return {
        "ids": micro["ids"],
        "labels": micro["labels"],
        "logits": array(result.logits),
        "loss": scalar(result.loss),
        "gradients": arrays(found),
        "gradNorm": scalar(global_norm(found)),
    }


def saliency(model, ids, label):
    """The logit of `label`, and its gradient with respect to the rows that the embedding gave, [T, d]."""
    rows = model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    # Given embeddings only, transformers takes the last position, which is right for one unpadded sequence.
    logit = model(inputs_embeds=rows).logits[0, label]
    (gradient,) = torch.autograd.grad(logit, rows)
    return {
        "ids": ids,
        "label": label,
        "logit": scalar(logit),
        "embeddings": array(rows[0]),
        "gradient": array(gradient[0]),
    }


def micro_batch(spec: TinyModel, lengths, labels, generator):
    return {"ids": [random_ids(spec, length, generator) for length in lengths], "labels": labels}


def classify_goldens(spec: TinyModel, folder: Path, adapter_folder: Path):
    model = attach(load(folder), TaskType.SEQ_CLS, 400 + spec.seed)
    write_adapter(model, adapter_folder, spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(500 + spec.seed)

    batch = micro_batch(spec, (7, 11, 1, 4), [2, 0, 1, 1], generator)
    micros = [
        micro_batch(spec, (5, 8, 3, 10), [0, 1, 2, 1], generator),
        micro_batch(spec, (12, 2, 6), [2, 0, 2], generator),
        micro_batch(spec, (4, 4, 9, 7), [1, 1, 0, 2], generator),
    ]
    order = [[k % 3] for k in range(trajectory.HYPER["steps"])]
    steps = [[micros[i] for i in step] for step in order]

    golden = {
        "adapter": {"r": 4, "alpha": 8, "tensors": arrays(start)},
        "batch": one_batch(model, batch),
        "saliency": saliency(model, batch["ids"][1], 2),
    }
    single = logits_of(model, [batch["ids"][1]])[0, 2].item()
    assert abs(single - golden["saliency"]["logit"]) < 1e-5
    result = trajectory.run(model, steps, 0.0, loss_sum)
    noise = trajectory.sensitivity(model, steps, 0.0, loss_sum, start, result)
    golden["trajectory"] = {"micros": micros, **trajectory.entry(result, 0.0, order, noise)}
    return golden
