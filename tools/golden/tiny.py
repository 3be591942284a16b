"""The tiny random models: made once from a seed, written in the Hub's file layout."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
END, IM_START, IM_END, PAD = range(4)

SENTENCES = [
    "Where is my order? It should have arrived on Monday.",
    "I was charged twice for the same order, please refund one payment.",
    "How do I change the password of my account?",
    "The parcel arrived broken and I want to send it back.",
    "Please cancel my subscription before the next payment.",
    "The app crashes when I open the settings page.",
    "Write a short sentence about the weather in spring.",
    "What is the capital of France? The capital of France is Paris.",
    "A light bottle of steel that keeps tea warm for twelve hours.",
    "This small lamp has a warm light and a battery for ten hours.",
    "user\nHow are you today?\nassistant\nI am well, thank you for asking.\nsystem\nYou answer in one sentence.",
]

SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The pre-tokenisation of Graft-7M, so that the tiny models exercise the same path."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True)
class TinyModel:
    name: str
    seed: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    positions: int
    tied: bool
    end: int = END

    @property
    def first(self):
        """Random ids are from `first` to below `last`: none is special."""
        return len(SPECIALS)

    @property
    def last(self):
        return self.vocab


MODELS = [
    TinyModel("tiny-llama", 1, 32, 56, 2, 4, 2, 8, 320, 256, True),
    # No size here is a multiple of four, and heads x head_dim differs from hidden: for kernels that assume too much.
    TinyModel("tiny-llama-odd", 2, 27, 45, 3, 3, 1, 10, 277, 64, False),
]


def config_json(spec: TinyModel):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": spec.hidden,
        "intermediate_size": spec.intermediate,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.positions,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": spec.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": END,
        "eos_token_id": END,
        "pad_token_id": PAD,
        "torch_dtype": "float32",
    }


def train_tokenizer(spec: TinyModel):
    """Byte-level BPE over all 256 bytes, so that any text has ids; merges fill it up to the model's vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=spec.vocab,
        special_tokens=SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    assert tokenizer.get_vocab_size() == spec.vocab, tokenizer.get_vocab_size()
    return tokenizer


def write_model(spec: TinyModel, folder: Path):
    """Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json; returns the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(spec), indent=1) + "\n")

    model = LlamaForCausalLM(LlamaConfig.from_pretrained(folder))
    generator = torch.Generator().manual_seed(spec.seed)
    tensors = {}
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            tensors[name] = 1 + 0.3 * noise
        elif "embed_tokens" in name or "lm_head" in name:
            tensors[name] = 0.3 * noise
        else:  # [out, in]: large enough that attention is far from uniform
            tensors[name] = 1.5 / parameter.shape[1] ** 0.5 * noise
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    tokenizer = train_tokenizer(spec)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": SPECIALS[END],
        "pad_token": SPECIALS[PAD],
        "unk_token": None,
        "additional_special_tokens": [SPECIALS[IM_START], SPECIALS[IM_END]],
        "clean_up_tokenization_spaces": False,
        "model_max_length": spec.positions,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    return tokenizer


def random_ids(spec, length: int, generator: torch.Generator):
    """Ids without the special tokens, for any description of a model with `first` and `last`."""
    return torch.randint(spec.first, spec.last, (length,), generator=generator).tolist()
