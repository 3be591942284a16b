"""Texts that were read in the wrong encoding, and what ftfy makes of them: tests/golden/data/mojibake.json.

    python tools/golden/data/mojibake.py        (ftfy 6.3)

`meant` is the text before it was spoilt, `fixed` what ftfy.fix_encoding gives; they differ where ftfy is careful.
"""

import json
import random
from pathlib import Path

import ftfy

OUT = Path(__file__).resolve().parents[3] / "tests" / "golden" / "data" / "mojibake.json"
random.seed(7)

SENTENCES = """The café is open — don’t miss it…
“Quoted” text, ‘single’ too
Müller wohnt in der Straße über dem Kaffeehaus
L'élève a été à l'école où il a reçu un cœur
¿Dónde está el niño? ¡Aquí!
Não há solução: irmã, maçã, ações
Příliš žluťoučký kůň úpěl ďábelské ódy
Zażółć gęślą jaźń
Привет, как дела?
Καλημέρα κόσμε
שלום עולם
مرحبا بالعالم
こんにちは世界
안녕하세요
नमस्ते दुनिया
Price: £5, 10 €, 3 × 4 ½ cup, 20 °C
naïve façade — résumé™
Smörgåsbord på Åland, Ærø og Øre
I love it 😀 🎉 really
İstanbul'da yaşıyorum, çok güzel
ÀÉÎÕÜ ÇÑ
«Bonjour» dit-il
Vågå, Ålesund, Tromsø
em–dash and en—dash • bullet
Đặng Thị Hương ở Hà Nội""".splitlines()
CLEAN = [
    "“MAÇÃ”",
    "SÃO PAULO – IRMÃ…",
    "voilà\u00a0»",
    "Il est là… à “Paris”",
    "CAFÉ™",
    "ÅÄÖ – ÅÄÖ",
    "fiancé’s",
    "PARCE QUE SUR LEURS PLAQUES IL Y MARQUÉ…",
    "AHÅ™, the new sofa from IKEA",
    "RENÉ’s",
    "één",
    "plain ascii",
    "x ≤ y ≠ z",
]


def spoilt(text: str, times: int = 1) -> str:
    for _ in range(times):
        text = text.encode("utf-8").decode("sloppy-windows-1252")
    return text


cases = []


def add(text: str, meant: str) -> None:
    cases.append({"text": text, "meant": meant, "fixed": ftfy.fix_encoding(text)})


for sentence in SENTENCES + CLEAN:
    add(sentence, sentence)
for sentence in SENTENCES:
    add(spoilt(sentence), sentence)
    add(spoilt(sentence, 2), sentence)
    words = sentence.split(" ")
    at = random.randrange(len(words))
    words[at] = spoilt(words[at])
    add(" ".join(words), sentence)

OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
print(len(cases), "cases,", sum(case["fixed"] != case["meant"] for case in cases), "that ftfy leaves")
