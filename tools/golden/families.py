"""One tiny model a family: its configuration as the Hub writes it, and how its checkpoint and tokenizer are laid out.

Sizes are as small as they can be while every shape still differs from every other: a software GPU runs these models.
Each field that changes the maths has a value that shows when it is ignored.
"""

from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Family:
    name: str
    seed: int
    config: dict
    """config.json, word for word."""
    tokenizer: str
    """Which of small_tokenizers.py."""
    pad: int
    end: int
    specials: int
    """Ids below it are special tokens; random sequences have none."""
    encoder: bool = False
    dtype: torch.dtype = torch.float32
    """Of the checkpoint; goldens are computed from the rounded weights in float32."""
    shards: int = 1
    prefix: str | None = None
    """Start of the tensor names in the checkpoint that transformers' own class adds and this file leaves out."""
    renamed: dict = field(default_factory=dict)
    """Parts of tensor names that old checkpoints write otherwise."""
    masked: bool = False
    """The last id of the vocabulary is the mask token."""
    fan_in_fan_out: bool = False
    saved_modules: tuple[str, ...] = ()
    """Freshly initialised layers of the classification model, besides those that peft saves by itself."""

    @property
    def vocab(self):
        return self.config["vocab_size"]

    @property
    def first(self):
        return self.specials

    @property
    def last(self):
        return self.vocab - 1 if self.masked else self.vocab

    @property
    def start(self):
        """The token before every text that an encoder reads."""
        return {"bert": 2, "roberta": 0}[self.tokenizer]

    @property
    def mask(self):
        return {"bert": 4, "roberta": self.vocab - 1}[self.tokenizer]

    @property
    def context(self):
        return self.config.get("max_position_embeddings") or self.config["n_positions"]


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "rms_norm_eps": 1e-05,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 3,
}

FAMILIES = [
    Family(
        name="tiny-llama3",
        seed=11,
        tokenizer="chat",
        pad=3,
        end=0,
        specials=4,
        config={
            **LLAMA,
            "hidden_size": 24,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "vocab_size": 72,
            "max_position_embeddings": 64,
            # Wavelengths 6.3, 19.9, 62.8, 199: kept, blended, divided, divided.
            "rope_theta": 100.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
            "tie_word_embeddings": True,
            "torch_dtype": "float32",
        },
    ),
    Family(
        name="tiny-llama-linear",
        seed=12,
        tokenizer="chat",
        pad=3,
        end=0,
        specials=4,
        dtype=torch.float16,
        config={
            **LLAMA,
            "hidden_size": 28,
            "intermediate_size": 42,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 14,
            "vocab_size": 75,
            "max_position_embeddings": 48,
            # As transformers 5 writes it.
            "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5},
            "tie_word_embeddings": False,
            "dtype": "float16",
        },
    ),
    Family(
        name="tiny-qwen2",
        seed=13,
        tokenizer="chat",
        pad=3,
        end=0,
        specials=4,
        shards=3,
        config={
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "hidden_size": 24,
            "intermediate_size": 44,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "hidden_act": "silu",
            "max_position_embeddings": 64,
            "max_window_layers": 2,
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "sliding_window": 32,
            "use_sliding_window": False,
            "tie_word_embeddings": False,
            "vocab_size": 70,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": 3,
            "torch_dtype": "float32",
            "use_cache": True,
        },
    ),
    Family(
        name="tiny-qwen3",
        seed=14,
        tokenizer="chat",
        pad=3,
        end=0,
        specials=4,
        dtype=torch.bfloat16,
        config={
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": False,
            "head_dim": 10,
            "hidden_size": 24,
            "intermediate_size": 40,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "hidden_act": "silu",
            "max_position_embeddings": 64,
            "max_window_layers": 2,
            "rms_norm_eps": 1e-06,
            "rope_scaling": None,
            "rope_theta": 1000000.0,
            "sliding_window": None,
            "use_sliding_window": False,
            "tie_word_embeddings": True,
            "vocab_size": 77,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pad_token_id": 3,
            "torch_dtype": "bfloat16",
        },
    ),
    Family(
        name="tiny-gemma3",
        seed=15,
        tokenizer="gemma",
        pad=0,
        end=1,
        specials=6,
        config={
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            "attention_bias": False,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "head_dim": 10,
            "hidden_activation": "gelu_pytorch_tanh",
            "hidden_size": 24,
            "intermediate_size": 44,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "max_position_embeddings": 64,
            "query_pre_attn_scalar": 17,
            "rms_norm_eps": 1e-06,
            "rope_local_base_freq": 100.0,
            "rope_scaling": None,
            "rope_theta": 1000000.0,
            "sliding_window": 4,
            "use_bidirectional_attention": False,
            "vocab_size": 80,
            "bos_token_id": 2,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "torch_dtype": "float32",
        },
    ),
    Family(
        name="tiny-gpt2",
        seed=16,
        tokenizer="gpt2",
        pad=0,
        end=0,
        specials=1,
        prefix="transformer.",
        fan_in_fan_out=True,
        config={
            "activation_function": "gelu_new",
            "architectures": ["GPT2LMHeadModel"],
            "attn_pdrop": 0.1,
            "bos_token_id": 0,
            "embd_pdrop": 0.1,
            "eos_token_id": 0,
            "initializer_range": 0.02,
            "layer_norm_epsilon": 1e-05,
            "model_type": "gpt2",
            "n_ctx": 32,
            "n_embd": 24,
            "n_head": 3,
            "n_inner": 52,
            "n_layer": 2,
            "n_positions": 32,
            "resid_pdrop": 0.1,
            "vocab_size": 68,
        },
    ),
    Family(
        name="tiny-bert",
        seed=17,
        tokenizer="bert",
        pad=0,
        end=3,
        specials=5,
        encoder=True,
        renamed={"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"},
        config={
            "architectures": ["BertForMaskedLM"],
            "attention_probs_dropout_prob": 0.1,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "hidden_size": 24,
            "initializer_range": 0.02,
            "intermediate_size": 42,
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": 32,
            "model_type": "bert",
            "num_attention_heads": 3,
            "num_hidden_layers": 2,
            "pad_token_id": 0,
            "type_vocab_size": 2,
            "vocab_size": 66,
        },
    ),
    Family(
        name="tiny-distilbert",
        seed=28,
        tokenizer="bert",
        pad=0,
        end=3,
        specials=5,
        encoder=True,
        saved_modules=("pre_classifier",),
        config={
            "activation": "gelu",
            "architectures": ["DistilBertForMaskedLM"],
            "attention_dropout": 0.1,
            "dim": 28,
            "dropout": 0.1,
            "hidden_dim": 44,
            "initializer_range": 0.02,
            "max_position_embeddings": 32,
            "model_type": "distilbert",
            "n_heads": 2,
            "n_layers": 2,
            "pad_token_id": 0,
            "qa_dropout": 0.1,
            "seq_classif_dropout": 0.2,
            "sinusoidal_pos_embds": False,
            "tie_weights_": True,
            "vocab_size": 69,
        },
    ),
    Family(
        name="tiny-roberta",
        seed=29,
        tokenizer="roberta",
        pad=1,
        end=2,
        specials=4,
        encoder=True,
        masked=True,
        config={
            "architectures": ["RobertaForMaskedLM"],
            "attention_probs_dropout_prob": 0.1,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "hidden_size": 24,
            "initializer_range": 0.02,
            "intermediate_size": 46,
            "layer_norm_eps": 1e-05,
            "max_position_embeddings": 34,
            "model_type": "roberta",
            "num_attention_heads": 3,
            "num_hidden_layers": 2,
            "pad_token_id": 1,
            "type_vocab_size": 1,
            "vocab_size": 73,
        },
    ),
]
BY_NAME = {spec.name: spec for spec in FAMILIES}
