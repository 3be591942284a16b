"""The 2,000 strings on which tokenizers are compared: written cases of everything that goes wrong, then seeded mixtures."""

import random

COUNT = 2000

PLAIN = """
I am still waiting on my card?
What can I do if my card still hasn't arrived after 2 weeks?
name[Blue Spice], eatType[coffee shop], area[city centre]
It's what they'd said: we're late, I've lost, you'll see, he'd go, don't do not!
IT'S WHAT THEY'D SAID, I'M SURE
The price is $1,234.56 (incl. 20% VAT) -- or 3e-4, 1.000,50 €, ¥1200, £5.
2024-01-31T23:59:59.999Z +01:00
https://example.org/a/b?c=d&e=%20#f (see http://localhost:8080/~user/)
mail: someone.else+tag@sub.example.co.uk
=cmd|' /C calc'!A0
"quoted" 'single' `tick` “curly” ‘curly’ «guillemets» „low“
naive cafe resume / naïve café résumé / nai\u0308ve cafe\u0301 re\u0301sume\u0301
Ünïcödé ß ẞ ﬁ ﬂ Å Å K Ω İstanbul ıx ΟΔΥΣΣΕΥΣ ΣΑΣ Ǆ ǅ ǆ ŉ ΐ
日本語のテキスト、漢字とかな。カタカナ ｶﾀｶﾅ がギ が
中文分词测试：我爱北京天安门。繁體中文也一樣！
𠀀𠀁𪚥𫝀 丽 㐀 豈 々〆〇 〱
Привет, мир! Как дела? Ёлка ё й Й
مرحبا بالعالم، كيف الحال؟ السَّلامُ عَلَيْكُم
שלום עולם! שָׁלוֹם עֲלֵיכֶם
\u202bעברית 123 abc\u202c \u200fright\u200e left
नमस्ते दुनिया क्षत्रिय हिन्दी
안녕하세요 세계 한글 ᄒ\u1161ᆫ
ไทยภาษา สวัสดี ກ ພາສາລາວ
தமிழ் বাংলা ગુજરાતી ಕನ್ನಡ
ქართული ᲥᲐᲠᲗᲣᲚᲘ Հայերեն አማርኛ ᏣᎳᎩ ᓀᐦᐃᔭᐍᐏᐣ
Tiếng Việt có dấu; Čeština; Łódź; Ørsted; İ i̇
𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝓉𝑒𝓍𝓉 ⓉⒺⓍⓉ ｆｕｌｌ ｗｉｄｔｈ ½ ² ₃ Ⅷ ٣ ፩ 〇 ㊀ ㍿ №
""".strip().split("\n")

CODE = r"""
foo(bar); // baz == 0x1F && !qux
def f(x: int) -> str:\n    return f"{x!r:>10}"  # ok\n\n\nclass A(B):\n\tpass\n
for (let i = 0; i < n; ++i) {\n  a[i] += b[i] ** 2;\n}\r\n
SELECT * FROM "t" WHERE a <> 'b''c' AND d IS NOT NULL;
<html><body class="a">&amp;&nbsp;&#x27;</body></html>
{"a": [1, 2.5, null, true], "b": {"c": "\\u00e9\\n"}}
#include <stdio.h>\nint main(void) { printf("%d\\n", 42); return 0; }
| a | b |\n|---|:-:|\n| 1 | `2` |\n\n- [x] done\n* * *\n```js\nlet a\n```
x = y if z else {**w, 'k': lambda *a: a[::-1]}
git commit -m "it's" && rm -rf ./node_modules/* 2>/dev/null | tee -a log
E = mc^2; \\alpha_{i,j} \\le \\sum_{k=0}^{n} x_k
--flag=value -v --no-color $HOME/${VAR:-default} `date +%s`
std::vector<std::pair<int,float>> v{{1, 2.f}};
%PDF-1.4 @media(min-width:10em){a:hover{color:#fff!important}}
""".strip().split("\n")

ODD = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n\n", "\t", "\t\t\t", "\r", "\r\n", "\r\n\r\n", " \n", "\n ", " \n \n ", " a", "a ", "  a", "a  ",
    "  a  b   c    ", "\n a\n\n  b\n\n\n", "a\tb\t\tc", "a\n\n\nb", "a \n b", "a  \n\n  b", "    indented", "\t\tindented", "a\x0bb\x0cc",
    "\u00a0a\u00a0", "\u2003a\u2003b", "\u3000a\u3000", "a\u2028b\u2029c", "a\u0085b", "a\u200bb\u200cc\u200dd\u2060e", "\ufeffbom", "a\ufeff", "\u00ad soft\u00adhyphen",
    "\u0000", "\u0000a", "a\u0000b\u0000\u0000c", "a\u0001\u0002\u0007\u0008b", "\u001b[31mred\u001b[0m", "\u007f\u0080\u009f", "\x1c\x1d\x1e\x1f", "\x0e a \x0f",
    "\ufffd", "a\ufffdb", "\ufffd\ufffd", "\ufffe\uffff", "\ud7ff\ue000\uf8ff\U0010ffff", "\U000e0001\U000e0020", "\u034f\u115f\u3164\uffa0",
    "e\u0301 \u00e9", "\u0301", "\u0301a", "a\u0301\u0302\u0303\u0304\u0305", "Z" + "\u0300" * 30, "q\u0323\u0307 q\u0307\u0323", "\u1e9b\u0323", "\u0344 \u0958 \u2126 \u212a",
    "\u0f71\u0f72", "ё ё", "\u1100\u1161\u11a8", "각", "\u0627\u0654", "\u05e9\u05c1", "\u0e33 \u0eb3", "ﷺ ﷽ ﻼ", "ﾊﾟ", "㋿ ㏿",
    "👍", "👍🏽", "👍🏿👍🏻", "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "🏴‍☠️", "🇩🇪🇫🇷", "🇩", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "1️⃣#️⃣*️⃣",
    "a👍b 👍 c", "❤️ ❤ ☺︎ ☺️", "🫠🫡🫶🏾", "\U0001d4d0\U0001d4d1", "🀄🃏♠♣♥♦", "👩‍❤️‍💋‍👨👭", "🙂" * 20, "😀😃😄😁😆😅🤣😂", "⌚⏰☎️✈️", "🤷🏼‍♀️ idk",
    "0", "00", "123", "1234", "1234567890", "1 2 3", "12 345 6789", "１２３", "½ ² ₃ Ⅷ ٣", "a1b2c3", "3.14159", "-0.5e+10", "1,000,000", "0xDEADBEEF", "٠١٢٣٤", "०१२", "1st 2nd 3rd", "v1.2.3-rc.4",
    ".", "...", "…", "?!?!", "--", "—–‐‑", "$$$", "_a_b_", "a_b", "__init__", "@#%^&*", "~", "¡¿", "。、！？", "·•‣", "‹›", "+=<>|", "©®™", "←↑→↓", "∑∏√∞≠≤", "€£¥₹₿",
    "'s", "'S", "'", "''", "don''t", "'ll've", " 's", "’s", "it’s", "I'M", "you'RE", "it'ſ 'ſ 'ſa", "\u212a'\u212a", "'t't", "a'b'c", "o'clock's",
    "a" * 99, "a" * 100, "a" * 101, "a" * 300, " " * 50, " " * 257, "ab" * 100, "\n" * 40, "word " * 40, "x" * 1000, "\t" * 33, "é" * 120, "漢" * 150, "!" * 130, "supercalifragilisticexpialidocious" * 5,
    "Ġ Ċ ġ", "▁a▁b", "▁", "▁▁▁", " ▁ ", "a▁ b", "<0x41>", "<0x00><0xFF>", "##ing", "a ##b", "</w>", "@@", "Ã© â€™",
    "\ufffda", "\ufffd\ufffdb", "x\ufffd y",
]

# Every tokenizer meets every other's special tokens too.
SPECIALS = [
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|im_start|>user\nHi<|im_end|>\n", " <|im_start|> user\n", "<|im_start", "im_end|>", "<|endoftext|><|endoftext|>",
    "<s>", "</s>", "<s> a </s>", "a<s>b", "  <s>  a", "<s></s>", "<unk>", "a <unk> b", "<pad>", "<mask>", "a <mask> b", "a  <mask>  b", "a<mask>b", "<mask><mask>", " <mask>.", "\n<mask>\n",
    "[CLS]", "[SEP]", "[MASK]", "a [MASK] b", "a[MASK]b", "[mask]", "[UNK]", "[PAD] x", "[ MASK ]", "x [MASK]\t y",
    "<bos>", "<eos>", "<start_of_turn>user\nHi<end_of_turn>\n", "<table>", "<b>bold</b>", "\n\n\n\n<table>\n", "a▁▁▁b",
    "<|begin_of_text|>", "<|eot_id|>x", "<extra_id_0> a <extra_id_1>", "the <extra_id_0>.", "<|LSTRIP|>", "x  <lstrip>  y", "x  <rstrip>  y", "x  <both>  y", "<both> <both>", " <lstrip> <rstrip> ",
    "x word y", "xword", "wordx", "word", "word-word", "sword word, words", "Word WORD", "NORM norm Norm", "anormb", "RAW raw Raw", "ÉCLAIR éclair e\u0301clair", "a <single> b<single> <single>c", "x<single>y",
    "long longer longest", "longlonger", "new\nline", "tab\ttoken", "word\u0301", "word_x", "1word", "wörd word", "日word本",
]

PIECES = {
    "latin": [c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    "words": "the of and to in a is that it for was on with as at by he I his they you not are this have from or had but what some we can out other were all there when up use your how said an each she which do their time if will way about many then them would like so these her long make thing see him two has look more day could go come did my sound no most who over know water than call first people may down side been now find".split(),
    "accents": list("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿāăąćčďđēėęěğģīįıķłńňőœřśşšţťūůűųźżž"),
    "greek": list("αβγδεζηθικλμνξοπρσςτυφχψωΑΒΓΔΕΣΩάέήίόύώ"),
    "cyrillic": list("абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЁё"),
    "arabic": list("ابتثجحخدذرزسشصضطظعغفقكلمنهوي،؟َُِّْ"),
    "hebrew": list("אבגדהוזחטיכלמנסעפצקרשתְִֵָֹּ"),
    "indic": list("अआइईउकखगघचजटडतदनपबमयरलवशसह्ािीुेों"),
    "kana": list("あいうえおかきくけこさしすせそアイウエオカキクケコー゛゜っッ"),
    "han": list("的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生日本語漢字"),
    "hangul": list("가나다라마바사아자차카타파하한국어말은는이가를"),
    "astral": [chr(c) for c in (0x1F600, 0x1F923, 0x1F44D, 0x1F3FD, 0x200D, 0xFE0F, 0x1F468, 0x1F469, 0x1F680, 0x1F1E9, 0x1F1EA, 0x20000, 0x2A6D6, 0x1D400, 0x10400, 0x1F9D1)],
    "marks": [chr(c) for c in (0x300, 0x301, 0x302, 0x303, 0x308, 0x30A, 0x323, 0x327, 0x328, 0x345, 0x20E3, 0x1AB0, 0x3099)],
    "spaces": [" ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2009", "\u3000", "\u200b", "\u2028", "\u0085", "\x0b"],
    "digits": list("0123456789") + ["10", "2024", "007", "٣", "½", "Ⅷ", "१"],
    "signs": list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["'s", "'re", "...", "->", "==", "//", "—", "“", "”", "…", "€", "°", "§"],
    "controls": [chr(c) for c in (0, 1, 7, 8, 0x1B, 0x1F, 0x7F, 0x80, 0x9F, 0xAD, 0x200B, 0x200C, 0x200E, 0x202E, 0x2066, 0xFEFF, 0xFFFD, 0xE000, 0xFFFF)],
    "specials": ["<|endoftext|>", "<|im_end|>", "<s>", "</s>", "<mask>", "[MASK]", "[SEP]", "<unk>", "<pad>", "<bos>", "<table>", "word", "<lstrip>", "<rstrip>", "<both>", "NORM", "<0x0A>", "▁", "Ġ"],
}

MIXTURES = [
    (["words"], " ", 12), (["words", "signs"], " ", 12), (["words", "digits", "signs"], "", 12), (["words", "spaces"], "", 14), (["signs", "digits", "latin"], "", 30), (["latin"], "", 30),
    (["accents", "latin", "marks"], "", 25), (["greek", "cyrillic", "spaces"], "", 20), (["arabic", "hebrew", "spaces"], "", 20), (["indic", "spaces"], "", 16), (["kana", "han", "signs"], "", 16),
    (["han", "words"], "", 12), (["hangul", "spaces", "digits"], "", 14), (["astral", "words", "spaces"], "", 10), (["astral"], "", 10), (["controls", "words"], "", 12), (["specials", "words", "spaces"], "", 10),
    (["specials"], "", 5), (["marks", "words", "han"], "", 12), (["spaces"], "", 12), (list(PIECES), "", 12), (list(PIECES), " ", 8), (list(PIECES), "", 20),
]


def strings():
    cases = [*PLAIN, *(line.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r") for line in CODE), *ODD, *SPECIALS]
    cases = [clean(text) for text in cases]
    seen = set()
    cases = [text for text in cases if not (text in seen or seen.add(text))]
    rng = random.Random(20)
    while len(cases) < COUNT:
        kinds, joiner, most = MIXTURES[len(cases) % len(MIXTURES)]
        text = clean(joiner.join(rng.choice(PIECES[rng.choice(kinds)]) for _ in range(rng.randint(1, most))))
        if text not in seen:
            seen.add(text)
            cases.append(text)
    return cases


def clean(text):
    """Half surrogates cannot be encoded: a page replaces them before a tokenizer sees the text."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def corpus():
    """What the tokenizers are trained on: the strings themselves without the longest, twice the sentences."""
    return [text for text in strings() if len(text) < 200] + (PLAIN + CODE) * 3 + [" ".join(PIECES["words"])] * 5
