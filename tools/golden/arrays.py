"""How goldens are written: rounded scalars, float32 arrays as base64, and PEFT's names for trainable tensors."""

import base64
import json
from pathlib import Path

import numpy as np
import torch

IGNORED = -100
"""Label of a position that is not trained."""


def scalar(value, digits=9):
    """A number with `digits` significant digits."""
    if isinstance(value, torch.Tensor):
        value = value.item()
    return float(f"{float(value):.{digits}g}")


def scalars(values, digits=9):
    return [scalar(value, digits) for value in values]


def array(tensor):
    """{shape, data}: row-major little-endian float32, base64."""
    values = np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype="<f4")
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode("ascii")}


def arrays(tensors):
    return {name: array(tensors[name]) for name in sorted(tensors)}


def write_json(path: Path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def compact(value, indent=0):
    """JSON with a line for each entry, but lists of plain numbers on one."""
    inner = " " * (indent + 1)
    if isinstance(value, dict) and set(value) != {"shape", "data"} and value:
        parts = [f"{inner}{json.dumps(key)}: {compact(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        parts = [inner + compact(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"
    return json.dumps(value, ensure_ascii=False)


def write_compact(path: Path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compact(value) + "\n", encoding="utf-8")


def pad(rows, filler):
    """Right-padded int64 [B, T]."""
    width = max(len(row) for row in rows)
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


def mask_of(rows):
    """1 for real positions, 0 for padding: int64 [B, T]."""
    return pad([[1] * len(row) for row in rows], 0)


def peft_name(name):
    """The name on disk: PEFT strips the adapter's name and the wrapper of saved modules."""
    name = name.replace(".modules_to_save.default", "").replace("lora_magnitude_vector.default.weight", "lora_magnitude_vector")
    return name.replace(".default", "")


def trainable(model):
    """Every trainable parameter by its PEFT name, sorted."""
    found = {peft_name(name): p for name, p in model.named_parameters() if p.requires_grad}
    return {name: found[name] for name in sorted(found)}


def snapshot(model):
    return {name: p.detach().clone() for name, p in trainable(model).items()}


def gradients(model):
    """Zeros where nothing flowed: a parameter of a layer that the loss does not reach."""
    pairs = trainable(model).items()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone() for name, p in pairs}


def global_norm(tensors):
    return torch.sqrt(sum((t.double() ** 2).sum() for t in tensors.values()))
