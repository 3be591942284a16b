"""Every golden reference of the models: the one command. By PyTorch, transformers, peft and bitsandbytes on the CPU.

    python tools/golden/make.py            writes tests/golden
    python tools/golden/make.py --check    makes everything again in a temporary folder and compares it byte by byte
    python tools/golden/make.py --all      those of quantisers, tokenizers and chats as well, which have commands of their own

(bitsandbytes says that it found no fast kernel for the CPU; the plain one is right.)
"""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

# One thread everywhere: threads sum in another order.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import bitsandbytes
import peft
import tokenizers
import torch
import transformers

import llama
from arrays import write_compact
from checkpoint import write_checkpoint
from families import FAMILIES
from family import family_golden
from fields import check_fields
from fulltune import TUNINGS, tuning_golden
from llama import TARGET, differences
from long import long_golden
from pissa import PISSA, pissa_golden
from precision import ROUNDED, rounded_golden
from small_tokenizers import write_tokenizer
from variants import VARIANTS, variant_golden
from weighted import WEIGHTED, balanced_golden, weighted_golden

OTHERS = ["quantise.py", "tokenizer.py", "tokenizer_files.py", "chat.py", "sampling.py"]


def versions():
    return {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, peft, tokenizers, bitsandbytes)}


def generate(target: Path):
    llama.generate(target)
    models, adapters = target / "models", target / "adapters"
    for spec in FAMILIES:
        folder = models / spec.name
        write_checkpoint(spec, folder)
        tokenizer = write_tokenizer(spec, folder)
        check_fields(spec, folder)
        golden = family_golden(spec, folder, adapters, tokenizer, versions())
        write_compact(target / "families" / f"{spec.name}.json", golden)
    variants = [
        *(variant_golden(each, models, adapters) for each in VARIANTS),
        *(pissa_golden(each, models, adapters) for each in PISSA),
        *(tuning_golden(each, models) for each in TUNINGS),
        *(rounded_golden(each, models) for each in ROUNDED),
        *(weighted_golden(each, models) for each in WEIGHTED),
    ]
    for golden in variants:
        write_compact(target / "variants" / f"{golden['name']}.json", golden)
    write_compact(target / "long.json", long_golden(models))
    write_compact(target / "data" / "weights.json", balanced_golden())
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)


def prepare():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is there instead of writing")
    parser.add_argument("--all", action="store_true", help="run the commands for quantisers, tokenizers and chats too")
    arguments = parser.parse_args()
    prepare()
    changed = []
    if arguments.check:
        with tempfile.TemporaryDirectory() as folder:
            generate(Path(folder))
            changed = differences(Path(folder), TARGET)
        print("\n".join(f"differs: {name}" for name in changed) or "identical")
    else:
        generate(TARGET)
    for name in OTHERS if arguments.all else []:
        command = [sys.executable, str(Path(__file__).parent / name), *(["--check"] if arguments.check else [])]
        changed += [name] if subprocess.run(command).returncode else []
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
