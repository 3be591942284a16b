"""Attention rollout, entropies and head ablation of two tiny models, by transformers' eager attention and numpy.

    python tools/golden/attention_maps.py [--check]

Rollout (Abnar & Zuidema 2020) in float64 from transformers' attentions; a head is switched off by a forward pre-hook
that sets its slice of the output projection's input to 0, or to its mean over the text's tokens.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from arrays import array, scalars, write_compact

ROOT = Path(__file__).parents[2] / "tests/golden"
OUT = ROOT / "attention-maps.json"

CASES = {
    "tiny-llama": {
        "folder": ROOT / "tiny-llama",
        "load": AutoModelForCausalLM,
        "ids": [12, 40, 7, 55, 31, 9, 22],
        "position": 6,
        "outputs": [9, 2],
        "projection": lambda model, layer: model.model.layers[layer].self_attn.o_proj,
    },
    "tiny-bert": {
        "folder": ROOT / "models/tiny-bert",
        "load": AutoModelForMaskedLM,
        "ids": [2, 20, 31, 4, 44, 12, 3],
        "position": 3,
        "outputs": [17, 30],
        "projection": lambda model, layer: model.bert.encoder.layer[layer].attention.output.dense,
    },
}


def rollout(maps, first):
    flow = np.eye(maps.shape[-1])
    for weights in maps[first:]:
        mixed = weights.mean(0) + np.eye(maps.shape[-1])
        flow = mixed / mixed.sum(-1, keepdims=True) @ flow
    return torch.tensor(flow)


def entropies(maps):
    """Mean of -sum a ln a over the tokens that see more than one: [L, H]."""
    logs = np.log(np.where(maps > 0, maps, 1))
    rows = -(maps * logs).sum(-1)
    choosing = (maps[0, 0] > 0).sum(-1) > 1
    return rows[..., choosing].mean(-1)


def switched_off(head, size, fill):
    def hook(_, inputs):
        context = inputs[0].clone()
        part = slice(head * size, (head + 1) * size)
        context[..., part] = context[..., part].mean(-2, keepdim=True) if fill == "mean" else 0
        return (context, *inputs[1:])

    return hook


@torch.no_grad()
def case(folder, load, ids, position, outputs, projection):
    model = load.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens = torch.tensor([ids])
    whole = model(input_ids=tokens, output_attentions=True)
    maps = torch.cat(whole.attentions).double().numpy()  # [L, H, T, T]
    layers, heads = maps.shape[:2]

    def answer():
        return model(input_ids=tokens).logits[0, position]

    def without(places, fill):
        size = projection(model, 0).in_features // heads
        hooks = [
            projection(model, layer).register_forward_pre_hook(switched_off(head, size, fill))
            for layer, head in places
        ]
        row = answer()
        for each in hooks:
            each.remove()
        return scalars([*row[outputs], torch.logsumexp(row, 0)])

    everything = [[layer, head] for layer in range(layers) for head in range(heads)]
    together = [everything[0], everything[-1]]
    assert torch.equal(answer(), whole.logits[0, position])
    return {
        "ids": ids,
        "position": position,
        "outputs": outputs,
        "weights": array(torch.tensor(maps)),
        "rollout": array(rollout(maps, 0)),
        "rolloutFrom1": array(rollout(maps, 1)),
        "entropy": array(torch.tensor(entropies(maps))),
        # The logits of the outputs, and ln sum exp.
        "whole": without([], "zero"),
        "each": {fill: [without([place], fill) for place in everything] for fill in ("zero", "mean")},
        "together": {"heads": together, "zero": without(together, "zero"), "mean": without(together, "mean")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="make again and compare with the file")
    torch.set_num_threads(1)
    golden = {name: case(**settings) for name, settings in CASES.items()}
    if parser.parse_args().check:
        print("identical" if json.loads(OUT.read_text()) == golden else "different")
    else:
        write_compact(OUT, golden)


if __name__ == "__main__":
    main()
