"""What Captum says of three tiny models, for tests/golden/saliency.json: saliency, gradient x input, SmoothGrad and
integrated gradients of a next token, of a label, and of the contrast of two.

    pip install captum==0.9.0
    python tools/golden/saliency.py [--check]

In float64. Captum's own NoiseTunnel draws its noise where nobody can follow, so Captum's Saliency is asked of inputs with
the noise that Graft draws (Philox4x32-10 and Box-Muller, as in src/data/rng.ts), and the norms are averaged.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from arrays import scalar, scalars, write_compact

ROOT = Path(__file__).parents[2] / "tests/golden"
OUT = ROOT / "saliency.json"
SEED = 7
NOISE_SHARE = 0.15
NOISE = 5
"""Number of the purpose 'noise'."""

LLAMA = ROOT / "tiny-llama"
BERT = ROOT / "models/tiny-bert"
CASES = {
    "tiny-llama": {"base": LLAMA, "adapter": None, "ids": [12, 40, 7, 55, 31, 9, 22], "pad": 3, "outputs": [9, 2]},
    "tiny-llama classify": {
        "base": LLAMA,
        "adapter": ROOT / "tiny-llama-classify-adapter",
        "ids": [90, 12, 41, 8, 66, 5],
        "pad": 3,
        "outputs": [2, 0],
    },
    "tiny-bert classify": {
        "base": BERT,
        "adapter": ROOT / "adapters/tiny-bert-classify",
        "ids": [2, 20, 31, 5, 44, 12, 27, 3],
        "pad": 0,
        "outputs": [1, 2],
    },
}


def philox(step, count):
    """Words of the stream of (SEED, noise, step): counter (block, 0, step, 0), key (seed, purpose)."""
    words = []
    for block in range(math.ceil(count / 4)):
        c, k = [block, 0, step, 0], [SEED, NOISE]
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        words += c
    return words[:count]


def normals(step, count):
    pairs = np.array(philox(step, count), dtype=np.float64).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log((pairs[:, 0] + 0.5) / 2**32))
    angle = 2 * np.pi * pairs[:, 1] / 2**32
    return torch.tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel())


def load(base, adapter, pad):
    settings = {"dtype": torch.float64, "attn_implementation": "eager"}
    if adapter is None:
        return AutoModelForCausalLM.from_pretrained(base, **settings).eval()
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=3, pad_token_id=pad, **settings)
    return PeftModel.from_pretrained(model, adapter).double().eval()


def explained(model, ids, pad, output, contrast):
    rows = model.get_input_embeddings()

    def forward(x):
        logits = model(inputs_embeds=x, attention_mask=torch.ones(x.shape[:2])).logits
        logits = logits[:, -1] if logits.ndim == 3 else logits
        return logits[:, output] - (0 if contrast is None else logits[:, contrast])

    embed = lambda tokens: rows(torch.tensor([tokens])).detach()  # [1, T, d]
    x, padding = embed(ids), embed([pad] * len(ids))
    gradient = lambda at: Saliency(forward).attribute(at.clone().requires_grad_(), abs=False)
    per_token = lambda attribution: scalars(attribution[0].sum(-1).tolist())
    sigma = NOISE_SHARE * x.std(correction=0)
    noisy = [gradient(x + sigma * normals(k, x.numel()).view(x.shape)).norm(dim=-1)[0] for k in range(10)]

    def integrated(baseline):
        scores, delta = IntegratedGradients(forward).attribute(
            x, baselines=baseline, n_steps=50, method="gausslegendre", return_convergence_delta=True
        )
        with torch.no_grad():
            return {
                "scores": per_token(scores),
                "delta": scalar(forward(x) - forward(baseline)),
                "residual": scalar(delta),
            }

    with torch.no_grad():
        value = scalar(forward(x))
    return {
        "output": output,
        "contrast": contrast,
        "value": value,
        "gradientNorm": scalars(gradient(x).norm(dim=-1)[0].tolist()),
        "gradientXInput": per_token(InputXGradient(forward).attribute(x.clone().requires_grad_())),
        "smoothGrad": scalars(torch.stack(noisy).mean(0).tolist()),
        "integratedGradients": {"pad": integrated(padding), "zero": integrated(torch.zeros_like(x))},
    }


def case(base, adapter, ids, pad, outputs):
    model = load(base, adapter, pad)
    one, other = outputs
    return {
        "ids": ids,
        "pad": pad,
        "seed": SEED,
        "explained": [explained(model, ids, pad, one, contrast) for contrast in (None, other)],
    }


def close(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return abs(a - b) < 1e-6 if isinstance(a, float) else a == b


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the file in place of writing it")
    torch.set_num_threads(1)
    golden = {name: case(**settings) for name, settings in CASES.items()}
    if not parser.parse_args().check:
        write_compact(OUT, golden)
        return
    assert close(golden, json.loads(OUT.read_text()))


if __name__ == "__main__":
    main()
