"""Random weights of a tiny model, written as the Hub's checkpoints of its family are."""

import json
from copy import deepcopy
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, BertForPreTraining
from transformers.pytorch_utils import Conv1D

from families import Family


def empty_model(spec: Family):
    """The class whose parameters the family's checkpoints hold; bert's have a pooler and a second head too."""
    config = AutoConfig.for_model(**deepcopy(spec.config))
    if spec.config["model_type"] == "bert":
        return BertForPreTraining(config)
    return (AutoModelForMaskedLM if spec.encoder else AutoModelForCausalLM).from_config(config)


def random_tensors(spec: Family):
    """Values large enough that every term shows: no norm is 1, no bias is 0, attention is far from uniform."""
    model = empty_model(spec)
    conv = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, Conv1D)}
    generator = torch.Generator().manual_seed(spec.seed)
    tensors = {}
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.2 * noise
        elif parameter.dim() == 1:  # a norm; gemma adds 1 to what it stores
            value = 0.3 * noise + (0 if spec.config["model_type"] == "gemma3_text" else 1)
        elif "emb" in name or name.endswith(("wte.weight", "wpe.weight", "lm_head.weight")):
            value = 0.35 * noise
        else:
            inputs = parameter.shape[0 if name in conv else 1]
            value = 1.5 / inputs**0.5 * noise
        tensors[name] = value.to(spec.dtype)
    return tensors


def written_name(spec: Family, name: str):
    if spec.prefix is not None:
        name = name.removeprefix(spec.prefix)
    for new, old in spec.renamed.items():
        name = name.replace(new, old)
    return name


def extra_tensors(spec: Family):
    """What old checkpoints hold besides weights: gpt2 keeps its causal masks, which readers must skip."""
    if spec.config["model_type"] != "gpt2":
        return {}
    mask = torch.ones(spec.context, spec.context).tril()[None, None]
    return {f"h.{i}.attn.bias": mask.clone() for i in range(spec.config["n_layer"])}


def write_weights(spec: Family, folder: Path):
    tensors = {written_name(spec, name): value for name, value in random_tensors(spec).items()}
    tensors |= extra_tensors(spec)
    names = sorted(tensors)
    if spec.shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    place = {}
    for shard in range(spec.shards):
        file = f"model-{shard + 1:05}-of-{spec.shards:05}.safetensors"
        part = names[shard * len(names) // spec.shards : (shard + 1) * len(names) // spec.shards]
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        place |= dict.fromkeys(part, file)
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": place}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def write_checkpoint(spec: Family, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(spec.config, indent=1) + "\n")
    write_weights(spec, folder)
