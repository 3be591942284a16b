"""Makes sure that the tiny models are worth testing with: ignoring any field of a configuration moves the logits."""

from copy import deepcopy
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

from causal import logits_of
from families import Family
from family import draw, load_base

LEAST = 1e-3
"""Smallest relative change that counts; goldens are compared to 1e-4."""
LEAST_ACTIVATION = 9e-5
"""The two forms of GELU differ by 5e-4 at most, so that base logits must be compared to less than this."""

FULL = ["full_attention"] * 3
IGNORED = {
    "tiny-llama3": {
        "rope_scaling": {"rope_scaling": None, "rope_parameters": None},
        "rope_theta": {"rope_theta": 10000.0},
        "low_freq_factor": {"rope_scaling.low_freq_factor": 3.9},
        "original_max_position_embeddings": {"rope_scaling.original_max_position_embeddings": 64},
        "rms_norm_eps": {"rms_norm_eps": 1e-3},
    },
    "tiny-llama-linear": {"factor": {"rope_parameters.factor": 1.0}},
    "tiny-qwen2": {"rope_theta": {"rope_theta": 10000.0}},
    "tiny-qwen3": {"rope_theta": {"rope_theta": 10000.0}},
    "tiny-gemma3": {
        "layer_types": {"layer_types": FULL},
        "sliding_window": {"sliding_window": 5},
        "rope_local_base_freq": {"rope_local_base_freq": 10000.0},
        "rope_theta": {"rope_theta": 10000.0},
        "query_pre_attn_scalar": {"query_pre_attn_scalar": 10},
        "hidden_activation": {"hidden_activation": "gelu"},
    },
    "tiny-gpt2": {"activation_function": {"activation_function": "gelu"}},
    "tiny-bert": {"hidden_act": {"hidden_act": "gelu_new"}},
    "tiny-distilbert": {"activation": {"activation": "relu"}},
    "tiny-roberta": {"hidden_act": {"hidden_act": "gelu_new"}},
}


def changed(config: dict, changes: dict):
    config = deepcopy(config)  # transformers writes into nested dictionaries
    for path, value in changes.items():
        field, _, inner = path.partition(".")
        if inner:
            config[field] = {**config[field], inner: value}
        elif value is None:
            config.pop(field, None)
        else:
            config[field] = value
    return config


def check_fields(spec: Family, folder: Path):
    """Asserts that each change shows in the logits of a sequence."""
    generator = torch.Generator().manual_seed(900 + spec.seed)
    ids = draw(spec, 14, generator)
    model = load_base(spec, folder)
    exact = logits_of(model, ids)
    kind = AutoModelForMaskedLM if spec.encoder else AutoModelForCausalLM
    for field, changes in IGNORED[spec.name].items():
        config = AutoConfig.for_model(**changed(spec.config, changes))
        other = kind.from_config(config, attn_implementation="eager").eval()
        other.load_state_dict(model.state_dict())
        difference = (logits_of(other, ids) - exact).abs().max() / exact.abs().max()
        least = LEAST_ACTIVATION if "act" in field else LEAST
        assert difference > least, (spec.name, field, difference.item())
    # Every weight counts as well: without it the logits are others.
    for name, parameter in model.named_parameters():
        if name.endswith((".key.bias", ".k_lin.bias")):
            continue  # softmax does not see a key's bias
        value = parameter.detach().clone()
        parameter.data.zero_()
        difference = (logits_of(model, ids) - exact).abs().max() / exact.abs().max()
        assert difference > LEAST, (spec.name, name, difference.item())
        parameter.data.copy_(value)
