"""Thirty AdamW steps, written out as HF's Trainer does them: sum of losses over a step's labels, clip, step, schedule."""

import torch
from transformers import get_linear_schedule_with_warmup

from arrays import arrays, scalar, scalars, snapshot, trainable

HYPER = {
    "steps": 30,
    "warmup": 3,
    "learningRate": 2e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "clip": 1.0,
}


def plain_adamw(model, weight_decay, hyper, no_decay=()):
    """PyTorch's AdamW; the parameters named in `no_decay` are not decayed."""
    parameters = trainable(model)
    groups = [
        {"params": [p for name, p in parameters.items() if name not in no_decay], "weight_decay": weight_decay},
        {"params": [p for name, p in parameters.items() if name in no_decay], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=hyper["learningRate"],
        betas=(hyper["beta1"], hyper["beta2"]),
        eps=hyper["epsilon"],
    )


def run(model, steps, weight_decay, loss_of, start=None, hyper=HYPER, optimizer_of=plain_adamw):
    """Trains `model` from `start` (or as it is) over `steps`, each a list of micro-batches.

    loss_of(model, micro) -> (sum of cross-entropies, labels); a step's loss is the sum over its micro-batches / its labels.
    optimizer_of(model, weight_decay, hyper) makes the optimizer; its first group has the rate that is noted.
    """
    parameters = trainable(model)
    if start is not None:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(start[name])
    optimizer = optimizer_of(model, weight_decay, hyper)
    schedule = get_linear_schedule_with_warmup(optimizer, hyper["warmup"], hyper["steps"])
    losses, norms, rates, labels, after = [], [], [], [], {}
    for index, step in enumerate(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.zero_grad()
        sums = [loss_of(model, micro) for micro in step]
        count = sum(n for _, n in sums)
        for total, _ in sums:
            (total / count).backward()
        losses.append(sum(total.item() for total, _ in sums) / count)
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), hyper["clip"]).item())
        labels.append(count)
        optimizer.step()
        schedule.step()
        if index + 1 in (2, hyper["steps"]):  # step 1 has learning rate 0
            after[index + 1] = snapshot(model)
    return {"loss": losses, "gradNorm": norms, "learningRate": rates, "labels": labels, "after": after}


def sensitivity(model, steps, weight_decay, loss_of, start, result, kept=None, **options):
    """How far one rounding error of float32 in every starting value (relative 6e-8) carries over the whole trajectory:
    the largest difference of a final tensor, relative to that tensor's largest element. Tolerances must lie above it.
    `kept`: the tensors that are compared; all by default."""
    generator = torch.Generator().manual_seed(99)
    nudged = {
        name: value * (1 + 6e-8 * torch.sign(torch.randn(value.shape, generator=generator)))
        for name, value in start.items()
    }
    other = run(model, steps, weight_decay, loss_of, nudged, **options)
    last = options.get("hyper", HYPER)["steps"]
    pairs = [(result["after"][last][name], other["after"][last][name]) for name in kept or start]
    return max(((a - b).abs().max() / a.abs().max()).item() for a, b in pairs)


def entry(result, weight_decay, order, noise, hyper=HYPER):
    """What the golden file keeps."""
    return {
        "hyper": {**hyper, "weightDecay": weight_decay},
        "order": order,
        "loss": scalars(result["loss"]),
        "gradNorm": scalars(result["gradNorm"]),
        "learningRate": scalars(result["learningRate"]),
        "labels": result["labels"],
        "afterStep2": arrays(result["after"][2]),
        "final": arrays(result["after"][hyper["steps"]]),
        "sensitivity": scalar(noise, 2),
    }
