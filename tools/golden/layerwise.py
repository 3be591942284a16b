"""What layers hold, by transformers' hidden states, scikit-learn's regression and HSIC written out: for the logit lens, the
norms of what blocks add, CKA and probes.

    python tools/golden/layerwise.py [--check]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

GOLDEN = Path(__file__).parents[2] / "tests/golden"
OUT = GOLDEN / "layerwise.json"
IDS = [12, 40, 7, 55, 31, 9]

# Where blocks, what is added to the residual, the last norm and the head are found.
FAMILIES = {
    "tiny-llama": ("model.layers", "self_attn", "mlp", "model.norm", "lm_head"),
    "tiny-qwen3": ("model.layers", "self_attn", "mlp", "model.norm", "lm_head"),
    "tiny-gemma3": ("model.layers", "post_attention_layernorm", "post_feedforward_layernorm", "model.norm", "lm_head"),
    "tiny-gpt2": ("transformer.h", "attn", "mlp", "transformer.ln_f", "lm_head"),
    "tiny-bert": ("bert.encoder.layer", "attention.output.dense", "output.dense", None, "cls"),
}


def digits(values):
    return [float(f"{value:.7g}") for value in np.asarray(values, dtype=np.float64).ravel()]


def model_case(name):
    folder = GOLDEN / ("tiny-llama" if name == "tiny-llama" else f"models/{name}")
    auto = AutoModelForMaskedLM if name == "tiny-bert" else AutoModelForCausalLM
    config = AutoConfig.from_pretrained(folder)
    model = auto.from_pretrained(folder, config=config, attn_implementation="eager", dtype=torch.float32).eval()
    blocks, attention, mlp, norm, head = FAMILIES[name]
    made = {"attention": [], "mlp": [], "block": []}

    def keep(kind):
        def hook(_module, _inputs, output):
            made[kind].append((output[0] if isinstance(output, tuple) else output).reshape(len(IDS), -1))

        return hook

    for block in model.get_submodule(blocks):
        block.get_submodule(attention).register_forward_hook(keep("attention"))
        block.get_submodule(mlp).register_forward_hook(keep("mlp"))
        block.register_forward_hook(keep("block"))
    with torch.no_grad():
        out = model(torch.tensor([IDS]), output_hidden_states=True)
        residual = [out.hidden_states[0][0], *made["block"]]
        read = model.get_submodule(norm) if norm else lambda h: h
        lens = torch.stack([model.get_submodule(head)(read(h[None]))[0] for h in residual])
    last = float((lens[-1] - out.logits[0]).abs().max())
    assert last < 1e-5, (name, last)
    probabilities = torch.softmax(lens.double(), -1)
    target = lens[-1].argmax(-1)
    at = lambda rows: torch.stack([rows[:, t, target[t]] for t in range(len(IDS))], 1)
    return {
        "ids": IDS,
        "followed": target.tolist(),
        "logits": digits(at(lens)),
        "probabilities": digits(at(probabilities)),
        "ranks": (lens > at(lens)[..., None]).sum(-1).add(1).flatten().tolist(),
        "top": lens.topk(3, -1).indices.flatten().tolist(),
        "residual": digits(torch.stack(residual).norm(dim=-1)),
        "attention": digits(torch.stack(made["attention"]).norm(dim=-1)),
        "mlp": digits(torch.stack(made["mlp"]).norm(dim=-1)),
    }


def hsic(k, l):
    n = len(k)
    k, l, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), np.ones(len(k))
    whole = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)
    return whole / (n * (n - 3))


def cka_case():
    random = np.random.default_rng(3)
    x = random.normal(size=(12, 5)).astype(np.float32) + 2
    y = (x[:, :3] @ random.normal(size=(3, 4)) + random.normal(size=(12, 4))).astype(np.float32)
    k, l = (m.astype(np.float64) @ m.astype(np.float64).T for m in (x, y))
    value = hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
    return {"x": digits(x), "y": digits(y), "rows": 12, "cka": float(f"{value:.10g}")}


def probe_case():
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, size=60)
    x = (random.normal(size=(60, 4)) + 1.2 * np.eye(3, 4)[labels]).astype(np.float32)
    z = x.astype(np.float64)
    z = (z - z.mean(0)) / z.std(0)
    fit = LogisticRegression(C=1.0, tol=1e-9, max_iter=10_000).fit(z, labels)
    return {
        "x": digits(x),
        "labels": labels.tolist(),
        "weights": digits(fit.coef_),
        # Softmax does not tell a shift of all biases.
        "bias": digits(fit.intercept_ - fit.intercept_.mean()),
        "accuracy": float(f"{fit.score(z, labels):.9g}"),
    }


def make():
    torch.set_num_threads(1)
    return {"models": {name: model_case(name) for name in FAMILIES}, "cka": cka_case(), "probe": probe_case()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    text = json.dumps(make()) + "\n"
    if parser.parse_args().check:
        print("identical" if OUT.read_text() == text else "different")
    else:
        OUT.write_text(text)
