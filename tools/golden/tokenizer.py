"""Token ids and chat texts as transformers makes them, for tests/golden/tokenizer.json.

    python tools/golden/tokenizer.py            # writes it
    python tools/golden/tokenizer.py --check    # makes it again and compares

About 200 texts: plain English, and everything that tokenizers get wrong (white space, digits, contractions, combining
characters, emoji, other scripts, special tokens inside text, seeded noise).
"""

import json
import random
import sys
from pathlib import Path

from transformers import AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "tokenizer.json"
MODELS = {
    "graft-7m": "public/models/graft-7m",
    "tiny-llama": "tests/golden/tiny-llama",
    "tiny-llama-odd": "tests/golden/tiny-llama-odd",
}

PLAIN = """
I am still waiting on my card?
What can I do if my card still hasn't arrived after 2 weeks?
name[Blue Spice], eatType[coffee shop], area[city centre]
A coffee shop in the city centre area called Blue Spice.
It's what they'd said: we're late, I've lost, you'll see, he'd go, don't!
IT'S WHAT THEY'D SAID
The price is $1,234.56 (incl. 20% VAT) -- or 3e-4.
2024-01-31T23:59:59Z
foo(bar); // baz == 0x1F && !qux
<html><body class="a">&amp;</body></html>
https://example.org/a?b=c&d=%20#e
=cmd|' /C calc'!A0
\"quoted\" 'single' `tick`
naive cafe resume / naïve café résumé
Ünïcödé ß ẞ ﬁ Å
日本語のテキスト、漢字とかな。
Привет, мир! Как дела?
مرحبا بالعالم
שלום עולם
नमस्ते दुनिया
안녕하세요 세계
ไทยภาษา
""".strip().split("\n")

ODD = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " a", "a ", "  a  b   c    ", "\n a\n\n  b\n\n\n", "a\tb\t\tc",
    "\u00a0a\u00a0", "\u2003a\u2003b", "\u200b\u200d\ufeff", "e\u0301 \u00e9", "\u0000a", "a\u0007b", "\u007f",
    "👍", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "a👍b 👍 c", "\U0001d4d0\U0001d4d1", "\ud7ff\ue000\uffff\U0010ffff",
    "0", "00", "123", "1234567890", "1 2 3", "１２３", "½ ² ₃ Ⅷ ٣", "a1b2c3", "...", "?!?!", "--", "$$$", "_a_b_", "a_b", "@#%^&*",
    "'s", "'S", "'", "''", "don''t", "'ll've", " 's", "’s", "it’s",
    "<|endoftext|>", "a<|endoftext|>b", " <|im_start|> user\n", "<|im_start|>user\nHi<|im_end|>\n", "<|im_start", "<|pad|><|pad|>",
    "a" * 300, " " * 50, "ab" * 100, "\n" * 20, "word " * 40, "Ġ Ċ ġ", "▁a▁b", "<0x41>", "##ing",
]

CHATS = [
    [("user", "Hello")],
    [("user", "Hello"), ("assistant", "Hi, how can I help?")],
    [("system", "Be brief."), ("user", "What is 2 + 2?"), ("assistant", "4"), ("user", "And 3 + 3?"), ("assistant", " 6\n")],
    [("user", "  spaces kept  \n"), ("assistant", "<b>markup</b> 👍 <|im_end|>")],
    [("assistant", "I begin."), ("user", "")],
]


def noise(count):
    """Seeded texts over many alphabets."""
    rng = random.Random(7)
    ranges = [(32, 127), (32, 127), (160, 384), (880, 1024), (0x4E00, 0x4F00), (0x1F600, 0x1F640), (0x300, 0x340)]
    texts = []
    for _ in range(count):
        letters = []
        for _ in range(rng.randint(1, 40)):
            low, high = rng.choice(ranges)
            letters.append(rng.choice([" ", "\n", "the", "ing", "7", chr(rng.randrange(low, high)), chr(rng.randrange(low, high))]))
        texts.append("".join(letters))
    return texts


def golden():
    texts = PLAIN + ODD + noise(110)
    models = {}
    for name, folder in MODELS.items():
        tokenizer = AutoTokenizer.from_pretrained(ROOT / folder)
        rows = [tokenizer(text)["input_ids"] for text in texts]
        models[name] = {
            "ids": rows,
            "decoded": [tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) for ids in rows],
        }
        if tokenizer.chat_template:
            models[name]["chats"] = [
                [tokenizer.apply_chat_template([{"role": role, "content": content} for role, content in chat], tokenize=False, add_generation_prompt=prompt) for prompt in (False, True)]
                for chat in CHATS
            ]
    chats = [[{"role": role, "content": content} for role, content in chat] for chat in CHATS]
    return {"texts": texts, "chats": chats, "models": models}


def main():
    text = json.dumps(golden(), ensure_ascii=True, separators=(",", ":")) + "\n"
    if "--check" in sys.argv:
        same = OUT.read_text() == text
        print("identical" if same else "different")
        sys.exit(0 if same else 1)
    OUT.write_text(text)
    print(f"{OUT.relative_to(ROOT)}: {len(text)} bytes")


if __name__ == "__main__":
    main()
