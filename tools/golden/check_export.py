"""Loads what Graft exported with peft and transformers, and compares their logits with those that Graft computed.

    python check_export.py <folder of cases>
    python check_export.py <adapter folder or zip> <base folder> <expected.json>
    python check_export.py --self-test

A folder of cases has one folder a case, with a `case.json`:

    {
      "kind": "adapter" | "merged",
      "task": "causal" | "classify" | "masked",
      "file": string,           zip or folder that was exported, relative to case.json
      "base": string,           adapter only: folder of the base model, relative to case.json or absolute
      "ids": number[][],        sequences, unpadded, each with the special tokens that it should have
      "logits": number[],       one row a sequence, joined: at its last position (causal, masked), or of its labels
                                (classify); or a row for every position of every sequence
      "labels"?: string[],      classify: names in the order of the logits; a merged model's config must say the same
      "dtype"?: "f32" | "f16" | "bf16",   merged: what its matrices must be stored as
      "limit"?: number          largest relative difference; 1e-4, or more for a merged f16 or bf16
    }

An adapter must hold exactly the tensors that peft would write for its settings. A merged export must have a config.json
and a tokenizer that transformers reads, no tensor missing and none left over. `expected.json` of the second form holds
`ids`, `logits` and `labels`; kind is adapter, and the adapter's own task_type says the task.

`--self-test` does it with adapters that peft itself wrote (tests/golden/adapters), with what peft merges from them, and
makes sure that wrong logits, missing tensors and unknown ones are refused.

The difference is relative to the largest logit of its sequence. Exits with 1 where any case fails.
"""

import argparse
import json
import re
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
import transformers
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

CLASSES = {
    "causal": AutoModelForCausalLM,
    "classify": AutoModelForSequenceClassification,
    "masked": AutoModelForMaskedLM,
}
TASKS = {"CAUSAL_LM": "causal", "SEQ_CLS": "classify"}
LIMITS = {"f32": 1e-4, "f16": 5e-3, "bf16": 4e-2}
DTYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16"}
HEAD = re.compile(r"\.(score|classifier|classifier\.out_proj)\.weight$")
REPEATED = re.compile(r"\.(modules_to_save|original_module)\.")
"""With `bias` "all" peft writes the biases of saved modules a second time, under names that it does not read."""


class Refused(Exception):
    """What is wrong with an export, in one sentence."""


def unpacked(path: Path, marker: str, scratch: Path):
    """The folder that holds `marker`: `path` itself, or wherever a zip has it."""
    if path.is_dir():
        return path
    with zipfile.ZipFile(path) as archive:
        archive.extractall(scratch)
    found = list(scratch.rglob(marker))
    if len(found) != 1:
        raise Refused(f"{path} holds {len(found)} files named {marker}; one was expected.")
    return found[0].parent


def stored(folder: Path, pattern="*.safetensors"):
    """Shape and type of every tensor in a folder's safetensors files."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        with safe_open(path, "pt") as tensors:
            for name in tensors.keys():
                entry = tensors.get_slice(name)
                found[name] = (entry.get_shape(), entry.get_dtype())
    return found


def head_rows(folder: Path):
    """Number of labels: rows of the trained head in the adapter's file."""
    rows = [shape[0] for name, (shape, _) in stored(folder).items() if HEAD.search(name)]
    if len(rows) != 1:
        raise Refused(f"The adapter is a SEQ_CLS one and has {len(rows)} heads; one was expected.")
    return rows[0]


def check_names(model, folder: Path):
    """peft only warns about tensors that it misses or does not know; here they are errors."""
    expected = {name for name in get_peft_model_state_dict(model, save_embedding_layers=False)}
    written = set(stored(folder))
    for title, names in (("missing", expected - written), ("unknown to peft", written - expected)):
        names = [name for name in names if not REPEATED.search(name)]
        if names:
            raise Refused(f"{len(names)} tensors are {title}: {', '.join(sorted(names)[:5])}")


def load_adapter(folder: Path, base: Path):
    config = json.loads((folder / "adapter_config.json").read_text())
    task = TASKS.get(config["task_type"])
    if task is None:
        raise Refused(f"task_type {config['task_type']} is neither CAUSAL_LM nor SEQ_CLS.")
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    if task == "classify":
        options["num_labels"] = head_rows(folder)
    model = PeftModel.from_pretrained(CLASSES[task].from_pretrained(base, **options), folder).eval()
    check_names(model, folder)
    return model, task


def load_merged(folder: Path, task: str, dtype: str | None):
    AutoTokenizer.from_pretrained(folder)
    for name, (shape, kind) in stored(folder).items():
        if dtype is not None and len(shape) > 1 and kind != DTYPES[dtype]:
            raise Refused(f"{name} is stored as {kind}, not {DTYPES[dtype]}.")
    model, report = CLASSES[task].from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    for title in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if report[title]:
            raise Refused(f"{title}: {', '.join(sorted(map(str, report[title]))[:5])}")
    return model.eval()


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
        raise Refused(f"{len(expected)} expected logits do not fit {len(sequences)} sequences of {full[0].shape[-1]} values.")
    worst, at = 0.0, 0
    for rows in full:
        ours = torch.tensor(expected[at : at + rows.numel()]).reshape(rows.shape)
        at += rows.numel()
        difference = ((ours - rows).abs().max() / rows.abs().max()).item()
        worst = difference if difference != difference else max(worst, difference)  # NaN stays
    return worst


def check_labels(model, labels, kind):
    if len(labels) != model.config.num_labels:
        raise Refused(f"{len(labels)} labels are named; the head has {model.config.num_labels}.")
    names = [model.config.id2label[i] for i in range(len(labels))]
    if kind == "merged" and names != labels:
        raise Refused(f"id2label says {names}, not {labels}.")


def check(case: dict, folder: Path):
    """Largest relative difference of a case; raises Refused where it cannot be compared."""
    exported = folder / case["file"]
    with tempfile.TemporaryDirectory() as scratch:
        if case["kind"] == "adapter":
            source = unpacked(exported, "adapter_config.json", Path(scratch))
            model, task = load_adapter(source, folder / case["base"])
            if case.get("task", task) != task:
                raise Refused(f"task_type says {task}, the case {case['task']}.")
        else:
            source = unpacked(exported, "config.json", Path(scratch))
            task = case["task"]
            model = load_merged(source, task, case.get("dtype"))
    if task == "classify" and "labels" in case:
        check_labels(model, case["labels"], case["kind"])
    worst = worst_difference(model, case["ids"], case["logits"])
    limit = case.get("limit", LIMITS[case.get("dtype") or "f32"])
    if not worst <= limit:
        raise Refused(f"largest relative difference {worst:.2e}, more than {limit:.0e}")
    return worst


def report(title: str, case: dict, folder: Path):
    try:
        worst = check(case, folder)
    except Refused as refused:
        print(f"{title}: NOT equal. {refused}")
        return False
    print(f"{title}: equal, {len(case['ids'])} sequences, largest relative difference {worst:.2e}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exported", type=Path, nargs="?", help="folder of cases, or an adapter")
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("expected", type=Path, nargs="?")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)

    if arguments.self_test:
        from check_export_test import self_test

        sys.exit(0 if self_test() else 1)
    if arguments.expected:
        expected = json.loads(arguments.expected.read_text())
        case = {**expected, "kind": "adapter", "file": arguments.exported.resolve(), "base": arguments.base.resolve()}
        sys.exit(0 if report(arguments.exported.name, case, Path()) else 1)
    if not arguments.exported:
        parser.error("a folder of cases, or an adapter with its base and expected.json")
    paths = sorted(arguments.exported.glob("*/case.json"))
    if not paths:
        sys.exit(f"{arguments.exported} holds no case.")
    results = [report(path.parent.name, json.loads(path.read_text()), path.parent) for path in paths]
    print(f"{sum(results)} of {len(results)} cases are equal.")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
