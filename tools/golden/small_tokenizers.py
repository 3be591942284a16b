"""Tokenizers for the tiny models, of the kind that their families have, over the characters of a few sentences only."""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from families import Family
from tiny import CHAT_TEMPLATE, SENTENCES, SPECIALS, SPLIT

BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GEMMA_SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]

GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else"
    " message['role']) + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def byte_level(vocab, specials, extra=()):
    """Byte-level BPE; bytes that the sentences lack have no id and vanish."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab - len(extra), special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if extra:
        tokenizer.add_special_tokens(list(extra))
    return tokenizer


def chat(vocab):
    return byte_level(vocab, SPECIALS), {
        "eos_token": SPECIALS[0],
        "pad_token": SPECIALS[3],
        "additional_special_tokens": SPECIALS[1:3],
        "chat_template": CHAT_TEMPLATE,
    }


def gpt2(vocab):
    end = SPECIALS[0]
    return byte_level(vocab, [end]), {"bos_token": end, "eos_token": end, "unk_token": end}


def roberta(vocab):
    tokenizer = byte_level(vocab, ROBERTA_SPECIALS, ["<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = {"bos_token": 0, "cls_token": 0, "pad_token": 1, "eos_token": 2, "sep_token": 2, "unk_token": 3}
    return tokenizer, {**{name: ROBERTA_SPECIALS[i] for name, i in names.items()}, "mask_token": "<mask>"}


def word_pieces(vocab):
    """The letters of the sentences, the same inside of words, and some longer pieces. Written out rather than trained,
    because the trainer's order changes from run to run."""
    letters = sorted({letter for text in SENTENCES for letter in text.lower() if not letter.isspace()})
    inner = [f"##{letter}" for letter in letters if letter.isalpha()]
    longer = ["the", "is", "my", "order", "##er", "##ing", "##re", "##en", "where", "##ay", "and", "please", "##ed", "you", "##ly", "##at"]
    pieces = [*BERT_SPECIALS, *letters, *inner, *longer][:vocab]
    return {piece: index for index, piece in enumerate(pieces)}


def bert(vocab):
    tokenizer = Tokenizer(models.WordPiece(word_pieces(vocab), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    # The trainer marks them so; a vocabulary that is given does not.
    tokenizer.add_special_tokens(BERT_SPECIALS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
    return tokenizer, {**dict(zip(names, BERT_SPECIALS)), "do_lower_case": True}


def gemma(vocab):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=GEMMA_SPECIALS, show_progress=False, max_token_length=8
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)]
    )
    names = ["pad_token", "eos_token", "bos_token", "unk_token"]
    return tokenizer, {
        **dict(zip(names, GEMMA_SPECIALS)),
        "additional_special_tokens": GEMMA_SPECIALS[4:],
        "add_bos_token": True,
        "chat_template": GEMMA_TEMPLATE,
    }


KINDS = {"chat": chat, "gpt2": gpt2, "roberta": roberta, "bert": bert, "gemma": gemma}


def write_tokenizer(spec: Family, folder: Path):
    """Writes tokenizer.json and tokenizer_config.json; returns the tokenizer."""
    tokenizer, settings = KINDS[spec.tokenizer](spec.vocab)
    assert tokenizer.get_vocab_size() == spec.vocab, (spec.name, tokenizer.get_vocab_size())
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": spec.context,
        **settings,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n")
    return tokenizer


def tokenizer_goldens(tokenizer, texts):
    """`ids` of the text alone, `special` with the tokens that the post-processor adds."""
    return {
        "texts": [
            {
                "text": text,
                "ids": tokenizer.encode(text, add_special_tokens=False).ids,
                "special": tokenizer.encode(text).ids,
            }
            for text in texts
        ]
    }
