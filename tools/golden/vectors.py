"""Small standalone vectors in float64: norms, activations, RoPE, gated units, cross-entropy, AdamW and DoRA on a handful
of numbers."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import rotate_half

from arrays import IGNORED, scalars

DIGITS = 12


def numbers(tensor):
    """Nested lists of numbers."""
    if tensor.dim() > 1:
        return [numbers(row) for row in tensor]
    return scalars(tensor.detach().tolist(), DIGITS)


def normal(generator, *shape):
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def rms_norm(generator):
    x, w, dy = normal(generator, 3, 5).requires_grad_(), normal(generator, 5), normal(generator, 3, 5)
    y = w * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)
    (dx,) = torch.autograd.grad(y, x, dy)
    return {"eps": 1e-5, "x": numbers(x), "w": numbers(w), "y": numbers(y), "dy": numbers(dy), "dx": numbers(dx)}


def rope(generator, size, theta):
    positions = [0, 1, 5, 63]
    inverse = 1 / theta ** (torch.arange(0, size, 2, dtype=torch.float64) / size)  # [size / 2]
    angles = torch.tensor(positions, dtype=torch.float64)[:, None] * inverse
    cos, sin = angles.cos().repeat(1, 2)[:, None], angles.sin().repeat(1, 2)[:, None]  # [N, 1, size]
    x = normal(generator, len(positions), 2, size)
    return {"theta": theta, "positions": positions, "x": numbers(x), "y": numbers(x * cos + rotate_half(x) * sin)}


def llama3_frequencies():
    """Inverse frequencies of Llama 3.2's scaled RoPE, as transformers computes them (in float32)."""
    scaling = {
        "rope_type": "llama3",
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = LlamaConfig(
        hidden_size=64,
        num_attention_heads=1,
        head_dim=64,
        max_position_embeddings=131072,
        rope_parameters={"rope_theta": 500000.0, **scaling},
    )
    inverse, factor = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    assert factor == 1.0
    return {"theta": 500000.0, "headSize": 64, "scaling": scaling, "inverse": scalars(inverse.tolist(), 9)}


def swiglu(generator):
    gate, up, dh = normal(generator, 2, 4).requires_grad_(), normal(generator, 2, 4).requires_grad_(), normal(generator, 2, 4)
    h = torch.nn.functional.silu(gate) * up
    d_gate, d_up = torch.autograd.grad(h, (gate, up), dh)
    return {
        "gate": numbers(gate),
        "up": numbers(up),
        "h": numbers(h),
        "dh": numbers(dh),
        "dGate": numbers(d_gate),
        "dUp": numbers(d_up),
    }


def cross_entropy(generator):
    logits = (3 * normal(generator, 4, 6)).requires_grad_()
    labels = [2, IGNORED, 5, 0]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels), ignore_index=IGNORED)
    (gradient,) = torch.autograd.grad(loss, logits)
    smoothed = torch.nn.functional.cross_entropy(
        logits, torch.tensor(labels), ignore_index=IGNORED, label_smoothing=0.1
    )
    (of_smoothed,) = torch.autograd.grad(smoothed, logits)
    return {
        "logits": numbers(logits),
        "labels": labels,
        "loss": numbers(loss[None])[0],
        "dLogits": numbers(gradient),
        "smoothed": {"smoothing": 0.1, "loss": numbers(smoothed[None])[0], "dLogits": numbers(of_smoothed)},
    }


def adamw(generator):
    """Four steps with clipping, a changing rate, and one element whose gradient stays 0."""
    parameter = normal(generator, 5).requires_grad_()
    start = parameter.detach().clone()
    optimizer = torch.optim.AdamW([parameter], lr=1.0, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    steps = []
    for rate, size in [(0.0, 1.0), (2e-3, 0.1), (5e-3, 10.0), (1e-3, 1e-6)]:
        gradient = size * normal(generator, 5)
        gradient[3] = 0
        parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        state = optimizer.state[parameter]
        steps.append(
            {
                "learningRate": rate,
                "gradient": numbers(gradient),
                "norm": numbers(norm[None])[0],
                "value": numbers(parameter),
                "first": numbers(state["exp_avg"]),
                "second": numbers(state["exp_avg_sq"]),
            }
        )
    hyper = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01, "clip": 1.0}
    return {"hyper": hyper, "start": numbers(start), "steps": steps}


def layer_norm(generator):
    x = (2 + normal(generator, 3, 5)).requires_grad_()
    w, b = normal(generator, 5).requires_grad_(), normal(generator, 5).requires_grad_()
    dy = normal(generator, 3, 5)
    y = torch.nn.functional.layer_norm(x, (5,), w, b, 1e-5)
    dx, dw, db = torch.autograd.grad(y, (x, w, b), dy)
    named = {"x": x, "w": w, "b": b, "y": y, "dy": dy, "dx": dx, "dw": dw, "db": db}
    return {"eps": 1e-5, **{name: numbers(value) for name, value in named.items()}}


def rms_norm_weight(generator):
    """The gradient of a trained weight; where the norm stores w - 1, it is the same."""
    x, w, dy = normal(generator, 3, 5), normal(generator, 5).requires_grad_(), normal(generator, 3, 5)
    y = w * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)
    (dw,) = torch.autograd.grad(y, w, dy)
    return {"eps": 1e-5, "x": numbers(x), "dy": numbers(dy), "dw": numbers(dw)}


def activation(generator, function):
    """From where the function is flat on the left to where it is straight on the right."""
    x = torch.tensor([-60.0, -9.0, -3.0, -0.75, 0.0, 0.5, 2.0, 5.5, 60.0], dtype=torch.float64).requires_grad_()
    dy = normal(generator, 9)
    y = function(x)
    (dx,) = torch.autograd.grad(y, x, dy)
    return {"x": numbers(x), "y": numbers(y), "dy": numbers(dy), "dx": numbers(dx)}


def gelu_tanh(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def geglu(generator):
    gate, up, dh = (3 * normal(generator, 2, 4)).requires_grad_(), normal(generator, 2, 4).requires_grad_(), normal(generator, 2, 4)
    h = gelu_tanh(gate) * up
    d_gate, d_up = torch.autograd.grad(h, (gate, up), dh)
    named = {"gate": gate, "up": up, "h": h, "dh": dh, "dGate": d_gate, "dUp": d_up}
    return {name: numbers(value) for name, value in named.items()}


def scaled_frequencies(theta, size, scaling):
    """Inverse frequencies of a scaled RoPE, as transformers computes them (in float32)."""
    config = LlamaConfig(
        hidden_size=size,
        num_attention_heads=1,
        head_dim=size,
        max_position_embeddings=64,
        rope_parameters={"rope_theta": theta, **scaling},
    )
    inverse, factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config, "cpu")
    assert factor == 1.0
    return {"theta": theta, "headSize": size, "scaling": scaling, "inverse": scalars(inverse.tolist(), 9)}


def dora(generator, bias):
    """One layer by the paper's formula, with the norm held constant in the backward pass; checked against peft's layer."""
    scale = 1.5
    x, weight = normal(generator, 4, 5).requires_grad_(), normal(generator, 3, 5)
    a, b = normal(generator, 2, 5).requires_grad_(), normal(generator, 3, 2).requires_grad_()
    m = (1 + normal(generator, 3).abs()).requires_grad_()
    offset, dy = normal(generator, 3), normal(generator, 4, 3)
    norm = (weight + scale * b @ a).norm(dim=1).detach()  # [out]
    y = (x @ weight.T + scale * (x @ a.T) @ b.T) * (m / norm) + (offset if bias else 0)
    dx, da, db, dm = torch.autograd.grad(y, (x, a, b, m), dy)

    layer = torch.nn.Sequential(torch.nn.Linear(5, 3, bias=bias).double())
    layer[0].weight.data = weight.clone()
    if bias:
        layer[0].bias.data = offset.clone()
    config = LoraConfig(r=2, lora_alpha=3, target_modules=["0"], use_dora=True)
    peft = get_peft_model(layer, config, autocast_adapter_dtype=False).double()
    of = {key: next(p for name, p in peft.named_parameters() if key in name) for key in ("lora_A", "lora_B", "magnitude")}
    with torch.no_grad():
        for key, value in zip(of, (a, b, m)):
            of[key].copy_(value)
    theirs = peft(x)
    for ours, other in zip((y, dx, da, db, dm), (theirs, *torch.autograd.grad(theirs, (x, *of.values()), dy))):
        assert (ours - other).abs().max() < 1e-12

    named = {"x": x, "w": weight, "a": a, "b": b, "m": m, "norm": norm, "y": y, "dy": dy}
    named |= {"dx": dx, "dA": da, "dB": db, "dM": dm, **({"bias": offset} if bias else {})}
    return {"scale": scale, **{name: numbers(value) for name, value in named.items()}}


def more_vectors():
    """With a generator of their own, so that the first ones stay as they are."""
    generator = torch.Generator().manual_seed(8)
    functions = {
        "silu": torch.nn.functional.silu,
        "gelu": torch.nn.functional.gelu,
        "geluTanh": gelu_tanh,
        "relu": torch.relu,
        "tanh": torch.tanh,
    }
    llama3 = {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    return {
        "layerNorm": layer_norm(generator),
        "rmsNormWeight": rms_norm_weight(generator),
        "activations": {name: activation(generator, function) for name, function in functions.items()},
        "geglu": geglu(generator),
        "ropeScaled": [
            scaled_frequencies(100.0, 8, llama3),
            scaled_frequencies(10000.0, 14, {"rope_type": "linear", "factor": 2.5}),
        ],
        "dora": [dora(generator, bias) for bias in (False, True)],
    }


def vector_goldens():
    generator = torch.Generator().manual_seed(7)
    return {
        "rmsNorm": rms_norm(generator),
        "rope": [rope(generator, 8, 10000.0), rope(generator, 10, 500000.0)],
        "llama3": llama3_frequencies(),
        "swiglu": swiglu(generator),
        "crossEntropy": cross_entropy(generator),
        "adamw": adamw(generator),
        **more_vectors(),
    }
