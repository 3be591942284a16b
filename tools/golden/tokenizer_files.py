"""Tokenizer files of every kind that the supported models use, and what `tokenizers` makes of 2,000 strings.

    python tools/golden/tokenizer_files.py            # trains them and writes tests/golden/tokenizers
    python tools/golden/tokenizer_files.py --check    # reads the committed tokenizers and compares strings and goldens byte by byte
    python tools/golden/tokenizer_files.py --show bert-uncased 17    # one string, with all that is known of it

`<name>.json` is a tokenizer.json as the Hub has them; `strings.json` is shared; `golden.json` has for each tokenizer the
ids (with the special tokens around each text: LEB128 varints, a count first, base64), and CRC-32s of the decoded texts
without and with special tokens (uint32, base64).

Training is not the same twice: letters of equal count come in the order of a hash table. `--check` therefore keeps the
tokenizer files.
"""

import base64
import json
import struct
import sys
import zlib
from pathlib import Path

from tokenizers import Tokenizer

from tokenizer_kinds import KINDS
from tokenizer_strings import corpus, strings

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "tokenizers"


def varints(rows):
    """Rows of numbers, each after its length, as LEB128."""
    out = bytearray()
    for row in rows:
        for number in [len(row), *row]:
            while number >= 0x80:
                out.append(number & 0x7F | 0x80)
                number >>= 7
            out.append(number)
    return base64.b64encode(bytes(out)).decode()


def checksums(texts):
    return base64.b64encode(struct.pack(f"<{len(texts)}I", *(zlib.crc32(text.encode()) for text in texts))).decode()


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def golden(tokenizer, texts):
    ids = [tokenizer.encode(text).ids for text in texts]
    return {
        "size": tokenizer.get_vocab_size(),
        "ids": varints(ids),
        "plain": checksums([tokenizer.decode(row) for row in ids]),
        "whole": checksums([tokenizer.decode(row, skip_special_tokens=False) for row in ids]),
    }


def train():
    return {f"{name}.json": dump(json.loads(kind(corpus()).to_str())) for name, kind in KINDS.items()}


def make(trained):
    texts = strings()
    # From the files: training leaves things behind that a file does not have.
    goldens = {name: golden(Tokenizer.from_str(trained[f"{name}.json"]), texts) for name in KINDS}
    return {**trained, "strings.json": dump(texts), "golden.json": dump(goldens)}


def show(name, index):
    text = strings()[index]
    tokenizer = Tokenizer.from_file(str(OUT / f"{name}.json"))
    encoding = tokenizer.encode(text)
    print(ascii(text), encoding.ids, encoding.tokens, ascii(tokenizer.decode(encoding.ids)), ascii(tokenizer.decode(encoding.ids, skip_special_tokens=False)), sep="\n")


def main():
    if "--show" in sys.argv:
        show(sys.argv[2], int(sys.argv[3]))
        return
    if "--check" in sys.argv:
        files = make({f"{name}.json": (OUT / f"{name}.json").read_text(encoding="utf-8") for name in KINDS})
        different = [name for name, text in files.items() if (OUT / name).read_bytes() != text.encode()]
        print("different: " + ", ".join(different) if different else "identical")
        sys.exit(1 if different else 0)
    files = make(train())
    OUT.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (OUT / name).write_text(text, encoding="utf-8", newline="")
        print(f"{name}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
