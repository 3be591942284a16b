"""A LoRA adapter with every value drawn from our own seed, B included: zero would hide the gradient of A."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, TaskType, get_peft_model
from peft.tuners.lora import LoraLayer

from arrays import trainable

RANK = 4
ALPHA = 8


def attach(model, task: TaskType, seed: int, **options):
    """peft on all linear layers; a classification model also trains its head."""
    options = {"r": RANK, "lora_alpha": ALPHA, "lora_dropout": 0.0, "target_modules": "all-linear", **options}
    model = get_peft_model(model, LoraConfig(task_type=task, **options))
    randomise(model, seed)
    return model.eval()


def randomise(model, seed: int):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in trainable(model).items():
            if name.endswith("lora_A.weight"):  # [r, in]: kaiming uniform with a = sqrt 5, as PEFT does
                bound = 1 / parameter.shape[1] ** 0.5
                parameter.copy_(bound * (2 * torch.rand(parameter.shape, generator=generator) - 1))
            elif name.endswith("lora_B.weight"):  # [out, r]
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
            elif "score" in name or "classifier" in name:  # score [labels, hidden]
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
            elif name.endswith("lora_magnitude_vector"):  # [out]: away from the norms that it starts as
                parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=generator))
            else:  # whatever the base gave a value to
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def adapted_modules(model):
    """Paths, as the base names them, of the layers that peft has really put factors on."""
    found = [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    return sorted(name.removeprefix("base_model.model.") for name in found)


def write_adapter(model, folder: Path, base: str, **options):
    """The folder that peft itself writes, without the model card, its lists in a fixed order."""
    model.save_pretrained(folder, save_embedding_layers=False, **options)
    for card in folder.glob("*.md"):
        card.unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = base
    for key in ("target_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
