"""Goldens of the other kinds of adapters: DoRA, rsLoRA, LoRA+, patterns, chosen layers, trained biases, saved modules."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import TaskType
from peft.optimizers import create_loraplus_optimizer
from transformers.trainer_pt_utils import get_parameter_names

import causal
import classify
import trajectory
from adapter import attach, write_adapter
from arrays import array, peft_name, snapshot, trainable
from families import BY_NAME, Family
from family import adapter_entry, draw, load_base, rows, trained

LORA_PLUS_RATIO = 16


@dataclass(frozen=True)
class Variant:
    model: str
    name: str
    seed: int
    what: str
    options: dict = field(default_factory=dict)
    """Of LoraConfig, besides r 3 and alpha 6 on all linear layers."""
    task: str = "causal"
    ratio: float = 1.0
    folder: bool = True
    """Whether peft's own files of the starting adapter are kept."""


DORA = {"use_dora": True}
RSLORA = {"use_rslora": True, "r": 5, "lora_alpha": 4}
PATTERNS = {
    "rank_pattern": {"q_proj": 5, "layers.1.mlp.down_proj": 2, r"model\.layers\.0\.self_attn\.[kv]_proj": 1},
    "alpha_pattern": {"v_proj": 9, "layers.0.mlp.up_proj": 4},
}
VARIANTS = [
    Variant("tiny-qwen2", "dora", 1, "DoRA on layers with and without bias", DORA),
    Variant("tiny-gpt2", "dora", 2, "DoRA on Conv1D layers with bias", DORA),
    Variant("tiny-bert", "dora", 3, "DoRA under a classification head", DORA, "classify"),
    Variant("tiny-qwen2", "rslora", 4, "rsLoRA: scale alpha / sqrt(r)", RSLORA),
    Variant("tiny-gpt2", "rslora", 5, "rsLoRA on Conv1D layers", RSLORA),
    Variant("tiny-qwen2", "rsdora", 6, "DoRA and rsLoRA together", {**DORA, **RSLORA}),
    Variant("tiny-qwen2", "loraplus", 7, "LoRA+: B learns 16 times as fast", ratio=LORA_PLUS_RATIO, folder=False),
    Variant("tiny-bert", "loraplus", 8, "LoRA+ with a classifier's weight and bias", {}, "classify", LORA_PLUS_RATIO, False),
    Variant("tiny-qwen2", "patterns", 9, "ranks and alphas of single layers", PATTERNS),
    Variant("tiny-gpt2", "patterns", 10, "ranks of single layers", {"rank_pattern": {"c_fc": 4}, "alpha_pattern": {r"h\.0\.attn\.c_attn": 5}}),
    Variant("tiny-qwen2", "layers", 11, "some layers by number", {"target_modules": ["q_proj", "up_proj"], "layers_to_transform": [1]}),
    Variant("tiny-qwen2", "regex", 12, "targets by a regular expression", {"target_modules": r".*\.(0\.self_attn\.(k|o)|1\.mlp\.gate)_proj"}),
    Variant("tiny-gpt2", "bias-lora", 13, "biases of the adapted layers", {"bias": "lora_only", "target_modules": ["c_attn", "c_fc"]}),
    Variant("tiny-gpt2", "bias-all", 14, "every bias", {"bias": "all", "target_modules": ["attn.c_proj"]}),
    Variant("tiny-bert", "bias-all", 15, "every bias of a classifier", {"bias": "all", "target_modules": ["query", "value"]}, "classify"),
    Variant("tiny-qwen2", "head", 16, "the untied head trained whole", {"modules_to_save": ["lm_head"]}),
    Variant("tiny-qwen2", "embeddings", 17, "table and head trained whole", {"modules_to_save": ["embed_tokens", "lm_head"], "target_modules": ["v_proj"]}),
]
UNSEEN = re.compile(r"(\.key|\.k_lin|\.c_attn)(\.base_layer)?\.bias$")
"""Softmax does not see a key's bias: its gradient is rounding noise, which AdamW blows up to full steps."""

CONFIG_FIELDS = (
    "target_modules rank_pattern alpha_pattern layers_to_transform modules_to_save bias use_dora use_rslora "
    "init_lora_weights fan_in_fan_out"
).split()


def attach_variant(variant: Variant, spec: Family, folder: Path):
    task = TaskType.CAUSAL_LM if variant.task == "causal" else TaskType.SEQ_CLS
    base = load_base(spec, folder) if variant.task == "causal" else classify.load(folder, spec.pad)
    options = {"r": 3, "lora_alpha": 6, "fan_in_fan_out": spec.fan_in_fan_out, **variant.options}
    return attach(base, task, 700 + variant.seed, **options)


def no_decay_names(model):
    """What HF's Trainer does not decay: biases and norms, by its own rule."""
    patterns = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    decayed = {peft_name(name) for name in get_parameter_names(model, [torch.nn.LayerNorm], patterns)}
    return [name for name in trainable(model) if name not in decayed]


def loraplus(model, weight_decay, hyper):
    return create_loraplus_optimizer(
        model,
        torch.optim.AdamW,
        lr=hyper["learningRate"],
        loraplus_lr_ratio=LORA_PLUS_RATIO,
        loraplus_weight_decay=weight_decay,
        betas=(hyper["beta1"], hyper["beta2"]),
        eps=hyper["epsilon"],
    )


def rates_of(model, hyper):
    """Learning rate of every trained tensor relative to A's, as the optimizer that peft makes has it."""
    optimizer = loraplus(model, 0.0, hyper)
    of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: of[id(p)] / hyper["learningRate"] for name, p in trainable(model).items()}


def training_rows(spec: Family, task: str, generator):
    """One batch for a single step and three micro-batches for the trajectory."""
    if task == "causal":
        shapes = [[(8, 3), (10, 0)], [(9, 3), (6, 2)], [(5, 1), (11, 6)], [(12, 7), (7, 0)]]
        return [causal.micro_batch(spec, shape, generator) for shape in shapes]
    shapes = [((7, 10, 4), [2, 0, 1]), ((5, 8), [0, 2]), ((12, 3, 6), [2, 1, 0]), ((9, 4), [1, 1])]
    return [rows(spec, lengths, labels, generator) for lengths, labels in shapes]


def single_step(model, task: str, batch):
    """Loss and gradients of one batch, without those that are rounding noise."""
    found = (causal if task == "causal" else classify).one_batch(model, batch)
    found["gradients"] = {name: value for name, value in found["gradients"].items() if not is_noise(name)}
    return found


def is_noise(name):
    """Whether all of a gradient is noise; of gpt2's c_attn only the third of the keys is, so its gradient is kept."""
    return UNSEEN.search(name) is not None and "c_attn" not in name


def follow(model, spec: Family, task: str, micros, decay, start, name, no_decay, **options):
    order = [[k % len(micros)] for k in range(options.get("hyper", trajectory.HYPER)["steps"])]
    loss_sum = (causal if task == "causal" else classify).loss_sum
    kept = [key for key in start if not UNSEEN.search(key)]
    entry = trained(model, micros, order, decay, loss_sum, start, name, kept, **options)
    return {**entry, **({"noDecay": no_decay} if no_decay else {})}


def config_entry(model, variant: Variant):
    config = model.peft_config["default"].to_dict()
    config = {key: config[key] for key in CONFIG_FIELDS}
    config["target_modules"] = variant.options.get("target_modules", "all-linear")
    if config["modules_to_save"]:
        config["modules_to_save"] = sorted(config["modules_to_save"])
    return config


def variant_golden(variant: Variant, models: Path, adapters: Path):
    spec = BY_NAME[variant.model]
    name = f"{spec.name}-{variant.name}"
    model = attach_variant(variant, spec, models / spec.name)
    if variant.folder:
        write_adapter(model, adapters / name, spec.name)
    start = snapshot(model)
    generator = torch.Generator().manual_seed(800 + variant.seed)
    ids = draw(spec, 9, generator)
    batch, *micros = training_rows(spec, variant.task, generator)
    golden = {
        "name": name,
        "model": spec.name,
        "task": variant.task,
        "what": variant.what,
        "method": "lora",
        "adapter": {**adapter_entry(model, start), "config": config_entry(model, variant)},
        "folder": f"{name}" if variant.folder else None,
    }
    if variant.task == "causal":
        golden["sequence"] = {"ids": ids, "logits": array(causal.logits_of(model, ids))}
    golden["batch"] = single_step(model, variant.task, batch)
    if variant.ratio != 1:
        hyper = {**trajectory.HYPER, "learningRate": 5e-4}
        golden["loraPlusRatio"] = variant.ratio
        golden["rates"] = rates_of(model, hyper)
        options = {"hyper": hyper, "optimizer_of": loraplus}
    else:
        options = {"optimizer_of": plain(no_decay_names(model))}
    no_decay = [key for key in no_decay_names(model)]
    golden["trajectory"] = follow(model, spec, variant.task, micros, 0.01, start, name, no_decay, **options)
    return golden


def plain(no_decay):
    return lambda model, decay, hyper: trajectory.plain_adamw(model, decay, hyper, no_decay)
