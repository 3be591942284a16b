"""Goldens of PiSSA: the start from principal components, training on the residual base, and the conversion to plain LoRA."""

import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model

import causal
from adapter import adapted_modules, write_adapter
from arrays import array, arrays, snapshot
from families import BY_NAME
from family import adapter_entry, draw, load_base
from variants import Variant, config_entry, follow, single_step, training_rows

PISSA = [
    Variant("tiny-qwen2", "pissa", 51, "PiSSA", {"init_lora_weights": "pissa"}),
    Variant("tiny-gpt2", "pissa", 52, "PiSSA on Conv1D layers", {"init_lora_weights": "pissa", "target_modules": ["c_attn", "c_fc"]}),
    Variant("tiny-qwen2", "pissa-rslora", 53, "PiSSA with rsLoRA", {"init_lora_weights": "pissa", "use_rslora": True, "target_modules": ["q_proj", "down_proj"]}),
]


@torch.no_grad()
def products(model):
    """s B A [out, in] of some layers of the first block: unlike the factors, they have no sign to choose."""
    found = {}
    for name in adapted_modules(model):
        if name.endswith(("0.self_attn.q_proj", "0.mlp.down_proj", "0.attn.c_attn", "0.mlp.c_fc")):
            layer = model.get_submodule(f"base_model.model.{name}")
            factors = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
            found[name] = layer.scaling["default"] * factors
    return found


def check_residual(model, reference):
    """What is left of each weight is the weight without the product."""
    for name, product in products(model).items():
        layer = model.get_submodule(f"base_model.model.{name}")
        whole = reference.get_submodule(name).weight.detach()
        left = layer.get_base_layer().weight.detach()
        if layer.fan_in_fan_out:
            whole, left = whole.T, left.T
        assert (whole - product - left).abs().max() < 1e-6


def check_conversion(base, folder: Path, ids, logits):
    """The converted adapter, on the base as it was, does what the trained one does on the residual base."""
    converted = causal.logits_of(PeftModel.from_pretrained(base, folder).eval(), ids)
    assert (converted - logits).abs().max() < 1e-4 * logits.abs().max()


def pissa_golden(variant: Variant, models: Path, adapters: Path):
    spec = BY_NAME[variant.model]
    name = f"{spec.name}-{variant.name}"
    folder = models / spec.name
    options = {"target_modules": "all-linear", "fan_in_fan_out": spec.fan_in_fan_out, **variant.options}
    config = LoraConfig(task_type=TaskType.CAUSAL_LM, r=3, lora_alpha=6, **options)
    model = get_peft_model(load_base(spec, folder), config).eval()
    check_residual(model, load_base(spec, folder))
    start = snapshot(model)
    generator = torch.Generator().manual_seed(800 + variant.seed)
    ids = draw(spec, 9, generator)
    batch, *micros = training_rows(spec, "causal", generator)
    golden = {
        "name": name,
        "model": spec.name,
        "task": "causal",
        "what": variant.what,
        "method": "lora",
        "adapter": {**adapter_entry(model, start), "config": config_entry(model, variant)},
        "sequence": {"ids": ids, "logits": array(causal.logits_of(model, ids))},
        "batch": single_step(model, "causal", batch),
        "products": arrays(products(model)),
    }
    with tempfile.TemporaryDirectory() as initial:
        model.peft_config["default"].init_lora_weights = True
        model.save_pretrained(initial)
        model.peft_config["default"].init_lora_weights = "pissa"
        golden["trajectory"] = follow(model, spec, "causal", micros, 0.0, start, name, [])
        golden["after"] = {"ids": ids, "logits": array(causal.logits_of(model, ids))}
        write_adapter(model, adapters / name, spec.name, path_initial_model_for_weight_conversion=initial)
    check_conversion(load_base(spec, folder), adapters / name, ids, causal.logits_of(model, ids))
    golden["folder"] = name
    return golden
