"""Golden references of the Llama family, by PyTorch, transformers and peft on the CPU in float32.

    python llama.py            writes tests/golden
    python llama.py --check    makes everything again in a temporary folder and compares it byte by byte
"""

import argparse
import filecmp
import sys
import tempfile
import warnings
from pathlib import Path

import peft
import tokenizers
import torch
import transformers

from arrays import write_json
from causal import base_goldens, causal_goldens
from classify import classify_goldens
from tiny import CHAT_TEMPLATE, MODELS, config_json, write_model
from vectors import vector_goldens

TARGET = Path(__file__).resolve().parents[2] / "tests" / "golden"
TEXTS = [
    "Where is my order?",
    "It cost 129 euros,\n\n  I'd like a refund.",
    "<|im_start|>user\nHow are you?<|im_end|>\n",
    "Zoë paid 5 € — 漢字 🙂",
    "",
]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is Paris?"}]


def tokenizer_goldens(folder: Path, tokenizer):
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    assert fast.chat_template == CHAT_TEMPLATE
    chat = fast.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    for text in TEXTS:
        assert fast(text)["input_ids"] == tokenizer.encode(text).ids, text
    return {
        "texts": [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS],
        "chat": {"messages": MESSAGES, "text": chat, "ids": tokenizer.encode(chat).ids},
    }


def generate(target: Path):
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, peft, tokenizers)}
    for spec in MODELS:
        folder = target / spec.name
        tokenizer = write_model(spec, folder)
        write_json(
            target / f"{spec.name}.json",
            {
                "name": spec.name,
                "versions": versions,
                "config": config_json(spec),
                "tokenizer": tokenizer_goldens(folder, tokenizer),
                "base": base_goldens(spec, folder),
                "causal": causal_goldens(spec, folder, target / f"{spec.name}-causal-adapter"),
                "classify": classify_goldens(spec, folder, target / f"{spec.name}-classify-adapter"),
            },
        )
    write_json(target / "vectors.json", vector_goldens())
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)


def differences(made: Path, kept: Path):
    names = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
    return [str(n) for n in names if not (kept / n).is_file() or not filecmp.cmp(made / n, kept / n, shallow=False)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there instead of writing")
    check = parser.parse_args().check

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    if not check:
        generate(TARGET)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        changed = differences(Path(folder), TARGET)
    print("\n".join(f"differs: {name}" for name in changed) or "identical")
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
