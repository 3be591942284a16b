"""Chat templates as transformers reads them, for tests/golden/chat.json.

    python tools/golden/chat.py            # trains its tokenizer and writes it
    python tools/golden/chat.py --check    # makes all but the tokenizer again and compares

For each template and conversation: the rendered text, the ids, and which of them are the assistant's. Where the template
marks the assistant's words with `{% generation %}`, the mask is that of
`apply_chat_template(return_assistant_tokens_mask=True)`; for templates without marks it is made from character offsets:
everything from the header of an answer through its terminator, as TRL's training templates mark it. Prompts with their
completions are tokenised as TRL's SFTTrainer does it (both together, the prompt's length masked).
"""

import json
import re
import sys
from pathlib import Path

from jinja2.exceptions import TemplateError
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "chat.json"

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# As SmolLM3 and TRL's training templates write it: block tags on lines of their own, white space trimmed.
MARKED = """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}
            {{- message.content + '<|im_end|>' }}
        {%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
# Marks without trimming: Jinja's trim_blocks and lstrip_blocks decide.
MARKED_LOOSE = """{% for message in messages %}
<|im_start|>{{ message.role }}
{% if message.role == 'assistant' %}
{% generation %}
{{ message.content }}<|im_end|>
{% endgeneration %}
{% else %}
{{ message.content }}<|im_end|>
{% endif %}
{% endfor %}
"""
# Qwen3's way: only the last answer keeps its thinking, and an answer without any gets an empty one.
THINKING = """{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.last %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought + '\\n</think>\\n\\n' + content + '<|im_end|>\\n' }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content + '<|im_end|>\\n' }}
        {%- endif %}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
# No special token anywhere: tokens reach over both ends of an answer.
BARE = (
    "{% for message in messages %}{% if message.role == 'assistant' %}Bot: {% generation %}{{ message.content }}"
    "{% endgeneration %}{% else %}{{ message.role }}: {{ message.content }}{% endif %}{{ '\\n' }}{% endfor %}"
)
# Llama 2's way: no token stands between question and answer, so tokens may reach over the seam.
BRACKETS = (
    "{% for message in messages %}{% if message.role == 'user' %}{{ bos_token + '[INST] ' + message.content + ' [/INST]' }}"
    "{% elif message.role == 'assistant' %}{{ ' ' }}{% generation %}{{ message.content + eos_token }}{% endgeneration %}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)

# Nothing at all between the turns.
GLUED = (
    "{% for message in messages %}{% if message.role == 'assistant' %}{% generation %}{{ message.content }}"
    "{% endgeneration %}{% else %}{{ message.content }}{% endif %}{% endfor %}"
)
SEAMS = {
    "space before": [("user", "yes"), ("assistant", " yes"), ("user", " yes"), ("assistant", " Hello")],
    "space after": [("user", "yes "), ("assistant", "yes "), ("user", "yes "), ("assistant", "Hello")],
    "inside words": [("user", "Hel"), ("assistant", "lo ye"), ("user", "s He"), ("assistant", "llo")],
}

CONVERSATIONS = {
    "one turn": [("user", "Greet me"), ("assistant", "Hello!")],
    "system": [("system", "Be brief."), ("user", "2 + 2?"), ("assistant", "4"), ("user", "And 3 + 3?"), ("assistant", "6")],
    "same words": [("user", "yes"), ("assistant", "yes"), ("user", "yes"), ("assistant", "yes"), ("user", "no?")],
    "line ends": [("user", "code\n\n"), ("assistant", "\n\ndef f(x):\n    return x\n\n"), ("user", " \n"), ("assistant", "  ok  ")],
    "scripts": [("user", "Grüße 你好 👩‍👩‍👧"), ("assistant", "👋🏽 Ça va? 漢字"), ("user", "مرحبا"), ("assistant", "e\u0301\u200b!")],
    "thinking": [
        ("user", "2 + 2?"),
        ("assistant", "<think>\nTwo and two.\n</think>\n\nFour"),
        ("user", "Sure?"),
        ("assistant", "<think>\nYes.\n</think>\n\nSure"),
    ],
    "thinking once": [("user", "Hi"), ("assistant", "Hello"), ("user", "2 + 2?"), ("assistant", "<think>\nTwo.\n</think>\n\n4")],
}
PAIRS = [
    ["The sky is", " blue today."],
    ["Translate to French:\nGood morning\n", "Bonjour"],
    ["name[Blue Spice], area[riverside]\n", "Blue Spice is by the river."],
    ["Q: who?\nA:", " 你好 👋"],
]


def spoken(text, messages):
    """[begin, end) of each answer in a ChatML text, by its header; one whose words the template changed is left out."""
    answers = [content for role, content in messages if role == "assistant"]
    found = list(re.finditer(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", text, re.S))
    assert len(found) == len(answers)
    return [match.span(1) for match, content in zip(found, answers) if content.strip() in match.group(1)]


def by_offsets(offsets, spans):
    return [int(any(begin < end_ and end > begin_ for begin_, end_ in spans)) for begin, end in offsets]


def whole_characters(mask, offsets):
    """transformers ends a stretch with the first token of its last character; the other tokens of it belong to it too."""
    mask = list(mask)
    for at in range(1, len(mask)):
        if mask[at - 1] and offsets[at] == offsets[at - 1]:
            mask[at] = 1
    return mask


def case(tokenizer, name, messages):
    chat = [{"role": role, "content": content} for role, content in messages]
    try:
        text = tokenizer.apply_chat_template(chat, tokenize=False)
    except TemplateError:
        return None
    if "generation %}" in tokenizer.chat_template:
        made = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
        offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        ids, mask = made["input_ids"], whole_characters(made["assistant_masks"], offsets)
    else:
        made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, mask = made["input_ids"], by_offsets(made["offset_mapping"], spoken(text, messages))
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    return {"name": name, "messages": chat, "text": text, "ids": ids, "mask": mask}


def pair(tokenizer, prompt, completion):
    """SFTTrainer's tokenisation of a plain prompt and completion, the end token added to the completion."""
    begin = tokenizer(prompt)["input_ids"]
    ids = tokenizer(prompt + completion + tokenizer.eos_token)["input_ids"]
    return {"prompt": prompt, "completion": completion, "ids": ids, "mask": [0] * len(begin) + [1] * (len(ids) - len(begin))}


def bytes_tokenizer():
    return PreTrainedTokenizerFast(
        tokenizer_file=str(ROOT / "public/models/graft-7m/tokenizer.json"), eos_token="<|endoftext|>", pad_token="<|pad|>"
    )


def train_pieces():
    """SentencePiece-like, as Llama 2 has it: a space before every text, line ends and rare characters as bytes."""
    inner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    texts = [f"{content} " for messages in CONVERSATIONS.values() for _, content in messages] * 3
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>", *bytes_],
        initial_alphabet=list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!+[]/▁"),
        limit_alphabet=90,
    )
    # Training needs words; the finished tokenizer has no pre-tokenizer, like Llama's.
    inner.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    inner.train_from_iterator(texts, trainer)
    inner.pre_tokenizer = None
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    file = json.loads(inner.to_str())
    # Bytes are pieces of the vocabulary, not tokens that stand in texts.
    file["added_tokens"] = [token for token in file["added_tokens"] if not token["content"].startswith("<0x")]
    file["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    return file


def pieces_tokenizer(file):
    inner = Tokenizer.from_str(json.dumps(file))
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def build(file):
    small = bytes_tokenizer()
    templates = {}
    for name, source in [("chatml", CHATML), ("marked", MARKED), ("loose", MARKED_LOOSE), ("thinking", THINKING), ("bare", BARE)]:
        small.chat_template = source
        cases = [case(small, title, messages) for title, messages in CONVERSATIONS.items()]
        templates[name] = {"template": source, "cases": [made for made in cases if made]}
    pieces = pieces_tokenizer(file)
    pieces.chat_template = BRACKETS
    cases = [case(pieces, title, messages) for title, messages in CONVERSATIONS.items()]
    pieces.chat_template = GLUED
    glued = {"template": GLUED, "cases": [case(pieces, title, messages) for title, messages in SEAMS.items()]}
    return {
        "templates": templates,
        "pairs": [pair(small, *texts) for texts in PAIRS],
        "pieces": {
            "tokenizer": file,
            "config": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "chat_template": BRACKETS},
            "cases": [made for made in cases if made],
            "glued": glued,
            "refused": [title for (title, _), made in zip(CONVERSATIONS.items(), cases) if made is None],
            "pairs": [pair(pieces, *texts) for texts in PAIRS],
        },
    }


def main():
    # Training is not the same twice: pieces of equal count come in the order of a hash table.
    check = "--check" in sys.argv
    file = json.loads(OUT.read_text())["pieces"]["tokenizer"] if check else train_pieces()
    text = json.dumps(build(file), ensure_ascii=True, separators=(",", ":")) + "\n"
    if check:
        print("identical" if OUT.read_text() == text else "different")
        sys.exit(0 if OUT.read_text() == text else 1)
    OUT.write_text(text)
    print(f"{OUT.relative_to(ROOT)}: {len(text)} bytes")


if __name__ == "__main__":
    main()
