"""Goldens of the quantisers: what bitsandbytes (its CPU backend) and numpy make of small arrays of weights.

NF4 with double quantisation is `quantize_4bit(..., compress_statistics=True)` in blocks of 64; int8 is
`int8_vectorwise_quant`, one scale a row; halves are numpy's rounding. Run: python quantise.py [--check]
"""

import argparse
import base64
import csv
import json
import sys
from pathlib import Path

import bitsandbytes
import numpy as np
import torch
import transformers
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from bitsandbytes.functional import create_dynamic_map, dequantize_blockwise, int8_vectorwise_quant, quantize_4bit

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests" / "golden" / "quantise.json"

LINES = 12
"""Rows of the support sample that perplexities are over."""

TAIL = 1000
"""How many of the weights that come back are kept, from the end."""



def packed(array):
    """Base64 of the little-endian bytes; the reader knows the type."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def cases():
    generator = torch.Generator().manual_seed(11)

    def normal(*shape, scale=0.05):
        return scale * torch.randn(shape, generator=generator)

    zeros = normal(6, 96)
    zeros.view(-1)[64:192] = 0  # two whole blocks
    zeros[5] = 0  # a whole row, the end of the matrix among it
    huge = normal(5, 70)
    huge[2, 3] = 1e4
    huge[4, 69] = -3e4
    # More than 256 blocks: a second group of absmax, shorter than the first.
    long = normal(129, 131) * torch.exp(normal(129, 1, scale=1.0))
    ties = torch.tensor([[-1.0, 0.5, 0.25, 0.125, -0.5, 0.0, 127 / 254, 1.0, -3 / 254, 5 / 254]])
    # Weights of a real model are halves, whose multiples are often near a tie.
    halves = normal(24, 256).half().float()
    return {
        "one row": normal(1, 7),
        "halves": halves,
        "odd sizes": normal(13, 37),
        "zeros": zeros,
        "nothing but zeros": torch.zeros(3, 50),
        "huge values": huge,
        "tiny values": normal(3, 100, scale=1e-20),
        "ties": ties,
        "many blocks": long,
    }


def nf4(w):
    """Codes one by one in the order of the row-major weights, the state of the absmax, and the weights that come back."""
    bytes_, state = quantize_4bit(w, blocksize=64, compress_statistics=True, quant_type="nf4")
    bytes_ = bytes_.flatten().numpy()
    codes = np.stack([bytes_ >> 4, bytes_ & 15], 1).reshape(-1)[: w.numel()].astype(np.uint8)
    return {
        "codes": packed(codes),
        "absmaxCodes": packed(state.absmax.numpy()),
        "absmaxScales": packed(state.state2.absmax.numpy()),
        "offset": float(state.offset),
        "tail": packed(nf4_back(w).numpy().reshape(-1)[-TAIL:]),
    }


def int8(w):
    codes, absmax, _ = int8_vectorwise_quant(w.clone())
    return {"codes": packed(codes.numpy()), "absmax": packed(absmax.numpy())}


def half_case():
    """Halfway cases, subnormals, the largest half and what is just below the first number that overflows."""
    numbers = [0.0, -0.0, 1.0, 65504.0, 65519.99, 2.0**-14, 2.0**-24, 2.0**-25, 2.0**-25 * 1.0001, 2.0**-26, 6.0e-8]
    numbers += [1 + 2.0**-11, 1 + 3 * 2.0**-11, 1 + 2.0**-11 + 2.0**-23, 2047.5, 2048.5, 2049.0, -0.1, 1 / 3, -1e-5]
    values = np.array(numbers, np.float32)
    return {"values": packed(values), "bits": packed(values.astype(np.float16).view(np.uint16))}


def nf4_back(w):
    bytes_, state = quantize_4bit(w, blocksize=64, compress_statistics=True, quant_type="nf4")
    absmax = dequantize_blockwise(state.absmax, state.state2) + state.offset
    # Not dequantize_4bit: its CPU kernel is wrong where blocks run over the ends of rows (bitsandbytes 0.50.2).
    return _dequantize_4bit_compute(bytes_.reshape(-1), absmax, state.code, 64, w.shape, torch.float32)


def int8_back(w):
    codes, absmax, _ = int8_vectorwise_quant(w.clone())
    return codes * (absmax / 127)[:, None]


@torch.no_grad()
def perplexities():
    """Of Graft-7M on lines of the support sample; int8 for the table too, NF4 for the linear layers alone."""
    folder = ROOT / "public" / "models" / "graft-7m"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with open(ROOT / "public" / "samples" / "support.csv", newline="") as file:
        texts = [row["text"] for row, _ in zip(csv.DictReader(file), range(LINES))]
    made = {}
    for precision, back in [("f32", None), ("int8", int8_back), ("nf4", nf4_back)]:
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and back and (precision == "int8" or "proj" in name):
                parameter.copy_(back(parameter))
        loss = count = 0
        for text in texts:
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            loss += model(ids, labels=ids).loss.double().item() * (ids.shape[1] - 1)
            count += ids.shape[1] - 1
        made[precision] = float(f"{np.exp(loss / count):.7g}")
    return {"lines": LINES, "tokens": count, **made}


def golden():
    made = {
        "versions": {"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__.split("+")[0]},
        "half": half_case(),
        "perplexity": perplexities(),
        "cases": {},
    }
    for name, w in cases().items():
        made["cases"][name] = {"shape": list(w.shape), "values": packed(w.numpy()), "nf4": nf4(w), "int8": int8(w)}
    made["dynamicMap"] = packed(create_dynamic_map().numpy())
    return json.dumps(made, indent=1) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there instead of writing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    text = golden()
    if not check:
        TARGET.write_text(text)
        return
    same = TARGET.is_file() and TARGET.read_text() == text
    print("identical" if same else f"differs: {TARGET.name}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
