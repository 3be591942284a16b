"""Loads an adapter that Graft exported with peft, and compares its logits with those that Graft computed.

    python check_export.py <adapter folder or zip> <base folder> <expected.json>

expected.json: {"ids": number[][], "logits": number[], "labels"?: string[]}. `logits` joins one row per sequence: the
logits at its last position (CAUSAL_LM, vocabulary values each) or its label logits (SEQ_CLS). Rows for every position
of every sequence are understood as well. `labels`, where given, must be as many as the score head has rows.
Prints the largest difference relative to the largest logit of its sequence; exits with 1 above 1e-4.
"""

import argparse
import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
import transformers
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

LIMIT = 1e-4


def adapter_folder(path: Path, scratch: Path):
    """The folder with adapter_config.json: `path` itself, or wherever a zip has it."""
    if path.is_dir():
        return path
    with zipfile.ZipFile(path) as archive:
        archive.extractall(scratch)
    found = list(scratch.rglob("adapter_config.json"))
    if len(found) != 1:
        sys.exit(f"{path} holds {len(found)} files named adapter_config.json; one was expected.")
    return found[0].parent


def score_rows(folder: Path):
    """Number of labels: rows of the trained head in the adapter's file."""
    with safe_open(folder / "adapter_model.safetensors", "pt") as tensors:
        for name in tensors.keys():
            if name.endswith("score.weight"):
                return tensors.get_slice(name).get_shape()[0]
    sys.exit("The adapter is a SEQ_CLS one and has no score.weight.")


def check_names(model, folder: Path):
    """peft only warns about tensors that it misses or does not know; here they are errors."""
    expected = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    with safe_open(folder / "adapter_model.safetensors", "pt") as tensors:
        written = set(tensors.keys())
    for title, names in (("missing", expected - written), ("unknown to peft", written - expected)):
        if names:
            sys.exit(f"{len(names)} tensors are {title}: {', '.join(sorted(names)[:5])}")


def load(folder: Path, base: Path):
    config = json.loads((folder / "adapter_config.json").read_text())
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if config["task_type"] == "SEQ_CLS":
        options["num_labels"] = score_rows(folder)
        model = AutoModelForSequenceClassification.from_pretrained(base, **options)
    elif config["task_type"] == "CAUSAL_LM":
        model = AutoModelForCausalLM.from_pretrained(base, **options)
    else:
        sys.exit(f"task_type {config['task_type']} is neither CAUSAL_LM nor SEQ_CLS.")
    model = PeftModel.from_pretrained(model, folder).eval()
    check_names(model, folder)
    return model, config["task_type"]


@torch.no_grad()
def logits_of(model, ids):
    """[T, V], or [1, labels] of a classifier."""
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    return logits if logits.dim() == 2 else logits[None]


def worst_difference(model, sequences, expected):
    full = [logits_of(model, ids) for ids in sequences]
    if len(expected) != sum(rows.numel() for rows in full):
        full = [rows[-1:] for rows in full]
    if len(expected) != sum(rows.numel() for rows in full):
        sys.exit(f"{len(expected)} expected logits do not fit {len(sequences)} sequences of {full[0].shape[-1]} values.")
    worst, at = 0.0, 0
    for rows in full:
        ours = torch.tensor(expected[at : at + rows.numel()]).reshape(rows.shape)
        at += rows.numel()
        difference = ((ours - rows).abs().max() / rows.abs().max()).item()
        worst = difference if difference != difference else max(worst, difference)  # NaN stays
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("expected", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    expected = json.loads(arguments.expected.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        folder = adapter_folder(arguments.adapter, Path(scratch))
        model, task = load(folder, arguments.base)
    if "labels" in expected and task == "SEQ_CLS" and len(expected["labels"]) != model.config.num_labels:
        sys.exit(f"{len(expected['labels'])} labels are named; the score head has {model.config.num_labels}.")
    worst = worst_difference(model, expected["ids"], expected["logits"])
    good = worst <= LIMIT
    print(f"{task}, {len(expected['ids'])} sequences: largest relative difference {worst:.2e} ({'equal' if good else 'NOT equal'})")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
