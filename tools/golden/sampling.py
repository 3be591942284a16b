"""What transformers' logits processors leave of one row of logits: the probabilities that a token is sampled with, for
repetition penalty, temperature, top-k, top-p and min-p, alone and together, in the order in which generate applies them.

    python tools/golden/sampling.py [--check]
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

OUT = Path(__file__).parents[2] / "tests/golden/sampling.json"
VOCAB = 97
SEEN = [3, 11, 11, 40, 96, 7]

CASES = [
    {"temperature": 1.0},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"topK": 1},
    {"topK": 7},
    {"topK": 500},
    {"topP": 0.1},
    {"topP": 0.5},
    {"topP": 0.95},
    {"minP": 0.05},
    {"minP": 0.9},
    {"repetitionPenalty": 1.3},
    {"repetitionPenalty": 0.8},
    {"temperature": 0.7, "topK": 40, "topP": 0.95},
    {"temperature": 1.5, "topK": 20, "topP": 0.8, "minP": 0.1, "repetitionPenalty": 1.2},
    {"temperature": 3.0, "topP": 0.99, "minP": 0.3},
    {"temperature": 0.2, "minP": 0.01, "repetitionPenalty": 2.0},
]


def generation(case):
    return GenerationConfig(
        do_sample=True,
        temperature=case.get("temperature", 1.0),
        top_k=case.get("topK", 0),
        top_p=case.get("topP", 1.0),
        min_p=case.get("minP"),
        repetition_penalty=case.get("repetitionPenalty", 1.0),
    )


def make():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    # generate's own list of processors, in its own order; the model is only asked for it.
    model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, n_positions=8, n_embd=4, n_layer=1, n_head=1))
    logits = torch.randn(1, VOCAB) * 3
    rows = []
    for case in CASES:
        processors = model._get_logits_processor(
            generation_config=generation(case), input_ids_seq_length=len(SEEN), device="cpu"
        )
        scores = processors(torch.tensor([SEEN]), logits.clone())
        probabilities = torch.softmax(scores.double(), -1)[0]
        rows.append({"settings": case, "probabilities": [float(f"{p:.8g}") for p in probabilities.tolist()]})
    return {"logits": logits[0].tolist(), "seen": SEEN, "cases": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file in place of writing it")
    made = make()
    if not parser.parse_args().check:
        OUT.write_text(json.dumps(made, separators=(",", ":")).replace('{"settings"', '\n{"settings"') + "\n")
        return
    kept = json.loads(OUT.read_text())
    assert kept["logits"] == made["logits"] and kept["seen"] == made["seen"]
    for ours, theirs in zip(made["cases"], kept["cases"], strict=True):
        assert ours["settings"] == theirs["settings"]
        pairs = zip(ours["probabilities"], theirs["probabilities"], strict=True)
        assert all(abs(a - b) < 1e-7 for a, b in pairs), ours["settings"]


if __name__ == "__main__":
    main()
