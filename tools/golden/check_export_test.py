"""check_export.py on adapters of known worth: those that peft wrote, what it merges from them, and spoilt ones."""

import base64
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from check_export import CLASSES, Refused, check, load_adapter, report

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden"
LABELS = ["first", "second", "third"]


def decoded(entry):
    return np.frombuffer(base64.b64decode(entry["data"]), "<f4").tolist()


def golden_cases():
    """Every adapter folder with the logits that its golden file has."""
    for path in sorted((GOLDEN / "families").glob("*.json")):
        golden = json.loads(path.read_text())
        if "causal" in golden:
            yield golden["name"], f"{golden['name']}-causal", "causal", [golden["causal"]["sequence"]]
        yield golden["name"], f"{golden['name']}-classify", "classify", golden["classify"]["batch"]
    for path in sorted((GOLDEN / "variants").glob("*.json")):
        golden = json.loads(path.read_text())
        if golden.get("folder"):
            causal = [golden["after"] if "after" in golden else golden.get("sequence")]
            yield golden["model"], golden["folder"], golden["task"], causal if golden["task"] == "causal" else golden["batch"]


def expected(task, golden):
    if task == "classify":
        return {"ids": golden["ids"], "logits": decoded(golden["logits"]), "labels": LABELS}
    return {"ids": [each["ids"] for each in golden], "logits": sum((decoded(each["logits"]) for each in golden), [])}


def merged(adapter: Path, base: Path, target: Path, dtype=torch.float32):
    """What peft merges, saved as transformers does."""
    model, task = load_adapter(adapter, base)
    model = model.merge_and_unload().to(dtype)
    if task == "classify":
        model.config.id2label = dict(enumerate(LABELS))
        model.config.label2id = {label: i for i, label in enumerate(LABELS)}
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(base).save_pretrained(target)


def refused(title, case, folder: Path):
    try:
        check(case, folder)
    except Refused as reason:
        print(f"{title}: refused, as it should be. {reason}")
        return True
    print(f"{title}: NOT refused")
    return False


def spoilt(case, adapter: Path, scratch: Path):
    """Wrong logits, a tensor too few and one too many."""
    results = [refused("wrong logits", {**case, "logits": [value * 1.001 for value in case["logits"]]}, adapter.parent)]
    results.append(refused("not a number", {**case, "logits": [float("nan"), *case["logits"][1:]]}, adapter.parent))
    tensors = load_file(adapter / "adapter_model.safetensors")
    first = sorted(tensors)[0]
    changes = {
        "a missing tensor": {name: value for name, value in tensors.items() if name != first},
        "an unknown tensor": {**tensors, first.replace("lora_A", "lora_C"): tensors[first].clone()},
    }
    for title, changed in changes.items():
        folder = scratch / title
        shutil.copytree(adapter, folder)
        save_file(changed, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        results.append(refused(title, {**case, "file": folder}, adapter.parent))
    return all(results)


def self_test():
    good = True
    for index, (model, name, task, golden) in enumerate(golden_cases()):
        base, adapter = GOLDEN / "models" / model, GOLDEN / "adapters" / name
        case = {"kind": "adapter", "task": task, "file": name, "base": base, **expected(task, golden)}
        good &= report(f"{name}, adapter", case, adapter.parent)
        with tempfile.TemporaryDirectory() as scratch:
            merged(adapter, base, Path(scratch) / "merged")
            case_merged = {**case, "kind": "merged", "file": Path(scratch) / "merged", "dtype": "f32"}
            good &= report(f"{name}, merged", case_merged, adapter.parent)
            if index == 0:
                good &= spoilt(case, adapter, Path(scratch))
                merged(adapter, base, Path(scratch) / "bf16", torch.bfloat16)
                good &= report(f"{name}, bf16", {**case_merged, "file": Path(scratch) / "bf16", "dtype": "bf16"}, adapter.parent)
    print("All as they should be." if good else "Some are NOT as they should be.")
    return good
