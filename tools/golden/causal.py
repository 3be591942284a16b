"""Goldens of the causal language model: logits, attention, saliency, generation, loss, LoRA gradients, training."""

from pathlib import Path

import torch
from peft import TaskType
from transformers import AutoModelForCausalLM

import trajectory
from adapter import attach, write_adapter
from arrays import IGNORED, array, arrays, global_norm, gradients, mask_of, pad, scalar, snapshot
from tiny import TinyModel, random_ids


def load(folder: Path, **options):
    options = {"dtype": torch.float32, "attn_implementation": "eager", **options}
    return AutoModelForCausalLM.from_pretrained(folder, **options).eval()


@torch.no_grad()
def logits_of(model, ids):
    """[T, V]"""
    return model(input_ids=torch.tensor([ids])).logits[0]


def saliency(model, ids, position, token):
    """The logit of `token` at `position`, and its gradient with respect to the rows that the embedding gave, [T, d]."""
    rows = model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_()
    logit = model(inputs_embeds=rows).logits[0, position, token]
    (gradient,) = torch.autograd.grad(logit, rows)
    return {
        "ids": ids,
        "position": position,
        "token": token,
        "logit": scalar(logit),
        "embeddings": array(rows[0]),
        "gradient": array(gradient[0]),
    }


@torch.no_grad()
def padded_batch(model, rows):
    """Right-padded; logits at padding are written as 0 and mean nothing."""
    mask = mask_of(rows)
    ids = pad(rows, model.config.pad_token_id)
    logits = model(input_ids=ids, attention_mask=mask).logits  # [B, T, V]
    return {
        "ids": ids.tolist(),
        "lengths": [len(row) for row in rows],
        "logits": array(logits * mask[..., None]),
    }


@torch.no_grad()
def attention(model, ids):
    maps = model(input_ids=torch.tensor([ids]), output_attentions=True).attentions  # L x [1, H, T, T]
    return {"ids": ids, "weights": array(torch.cat(maps))}


@torch.no_grad()
def greedy(model, prompt, count):
    """The most likely token, `count` times, without stopping; the smallest lead over the runner-up tells how safe that is."""
    ids, lead = list(prompt), float("inf")
    for _ in range(count):
        best = logits_of(model, ids)[-1].topk(2)
        lead = min(lead, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
    return {"prompt": prompt, "tokens": ids[len(prompt) :], "smallestLead": scalar(lead, 3)}


def loss_sum(model, micro):
    """Sum of cross-entropies over the shifted labels that are not ignored, and their number."""
    ids = pad(micro["ids"], model.config.pad_token_id)
    logits = model(input_ids=ids, attention_mask=mask_of(micro["ids"])).logits  # [B, T, V]
    labels = pad(micro["labels"], IGNORED)[:, 1:]
    total = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED, reduction="sum"
    )
    return total, int((labels != IGNORED).sum())


def one_batch(model, micro):
    """Loss as transformers reports it for one batch (checked against our own sum), and every gradient."""
    model.zero_grad()
    loss = model(
        input_ids=pad(micro["ids"], model.config.pad_token_id),
        attention_mask=mask_of(micro["ids"]),
        labels=pad(micro["labels"], IGNORED),
    ).loss
    total, count = loss_sum(model, micro)
    assert abs(loss.item() - total.item() / count) < 1e-5
    loss.backward()
    found = gradients(model)
    model.zero_grad()
    return {
        "ids": micro["ids"],
        "labels": micro["labels"],
        "loss": scalar(loss),
        "labelCount": count,
        "gradients": arrays(found),
        "gradNorm": scalar(global_norm(found)),
    }


def micro_batch(spec, shape, generator):
    """`shape` lists (length, prompt length) of each sequence; the prompt's labels are ignored, the last token is the end."""
    ids = [random_ids(spec, length - 1, generator) + [spec.end] for length, _ in shape]
    labels = [[IGNORED] * prompt + row[prompt:] for row, (_, prompt) in zip(ids, shape)]
    return {"ids": ids, "labels": labels}


def base_goldens(spec: TinyModel, folder: Path):
    model = load(folder)
    generator = torch.Generator().manual_seed(100 + spec.seed)
    sequences = [random_ids(spec, length, generator) for length in (1, 7, 13)]
    rows = [random_ids(spec, length, generator) for length in (6, 9, 1, 4)]
    return {
        "sequences": [{"ids": ids, "logits": array(logits_of(model, ids))} for ids in sequences],
        "batch": padded_batch(model, rows),
        "attention": attention(model, random_ids(spec, 9, generator)),
        "saliency": saliency(model, random_ids(spec, 8, generator), 7, 42),
        "greedy": greedy(model, random_ids(spec, 5, generator), 12),
    }


def causal_goldens(spec: TinyModel, folder: Path, adapter_folder: Path):
    model = attach(load(folder), TaskType.CAUSAL_LM, 200 + spec.seed)
    write_adapter(model, adapter_folder, spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(300 + spec.seed)
    ids = random_ids(spec, 10, generator)

    # The second sequence is trained from its first token on (whose label no position predicts), the third is one token.
    batch = micro_batch(spec, [(9, 4), (12, 0), (1, 0), (6, 5)], generator)
    shapes = [
        [(9, 3), (6, 2)],
        [(5, 1), (11, 6), (8, 2)],
        [(14, 9), (4, 1)],
        [(7, 0), (7, 3), (3, 1)],
        [(10, 2), (13, 8)],
    ]
    micros = [micro_batch(spec, shape, generator) for shape in shapes]
    order = [[2 * k % 5, (2 * k + 1) % 5] for k in range(trajectory.HYPER["steps"])]
    steps = [[micros[i] for i in step] for step in order]

    golden = {
        "adapter": {"r": 4, "alpha": 8, "tensors": arrays(start)},
        "sequence": {"ids": ids, "logits": array(logits_of(model, ids))},
        "saliency": saliency(model, ids, 9, 17),
        "batch": one_batch(model, batch),
    }
    result = trajectory.run(model, steps, 0.01, loss_sum)
    noise = trajectory.sensitivity(model, steps, 0.01, loss_sum, start, result)
    golden["trajectory"] = {"micros": micros, **trajectory.entry(result, 0.01, order, noise)}
    return golden
