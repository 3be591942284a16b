"""Small trained tokenizers with the stages, patterns and special tokens of the models they are named after."""

import json
import tempfile
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN2 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
LLAMA3 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


def byte_level(corpus, specials, size=900, normalizer=None, pre=None, post=None, prefix_space=False, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    if post:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


def around(before, after):
    """Template with special tokens before and after the text."""
    def make(tokenizer):
        tokens = [token for token in (before, after) if token]
        single = " ".join(filter(None, [before, "$A", after]))
        return processors.TemplateProcessing(single=single, pair=f"{single} $B:1", special_tokens=[(token, tokenizer.token_to_id(token)) for token in tokens])
    return make


def gpt2(corpus):
    return byte_level(corpus, ["<|endoftext|>"], post=lambda _: processors.ByteLevel(trim_offsets=False))


def smollm2(corpus):
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return byte_level(corpus, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], pre=pre)


def qwen2(corpus):
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_level(corpus, [], normalizer=normalizers.NFC(), pre=pre, post=lambda _: processors.ByteLevel(trim_offsets=False))
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    return tokenizer


def llama3(corpus):
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    post = lambda tokenizer: processors.Sequence([processors.ByteLevel(trim_offsets=True), around("<|begin_of_text|>", None)(tokenizer)])  # noqa: E731
    return byte_level(corpus, ["<|begin_of_text|>", "<|eot_id|>"], pre=pre, post=post, ignore_merges=True)


def roberta(corpus):
    post = lambda tokenizer: processors.RobertaProcessing(("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")), trim_offsets=True, add_prefix_space=False)  # noqa: E731
    return byte_level(corpus, ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)], post=post)


def roberta_prefix_space(corpus):
    return byte_level(corpus, ["<s>", "</s>", AddedToken("<mask>", lstrip=True, special=True)], prefix_space=True, post=around("<s>", "</s>"))


def wordpiece(corpus, lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    # Few letters, so that some words are unknown.
    tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=1400, special_tokens=specials, limit_alphabet=500, show_progress=False))
    tokenizer.post_processor = around("[CLS]", "[SEP]")(tokenizer)
    return tokenizer


def bytes_and_specials():
    return ["<unk>", "<s>", "</s>"], [f"<0x{byte:02X}>" for byte in range(256)]


def sentencepiece_bpe(corpus, normalizer, pre, decoder, specials, bos):
    """As converted SentencePiece models are: `<unk>`, `<s>`, `</s>`, then a token for every byte, then the pieces."""
    trained = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    trained.normalizer = normalizer
    trained.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous") if pre is None else pre
    named, fallback = bytes_and_specials()
    named = specials or named
    trained.train_from_iterator([text.replace(" ", " ▁") for text in corpus], trainers.BpeTrainer(vocab_size=1100, special_tokens=named + fallback, limit_alphabet=260, show_progress=False))
    state = json.loads(trained.to_str())["model"]
    tokenizer = Tokenizer(models.BPE(vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens(named)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    tokenizer.post_processor = around(bos, None)(tokenizer)
    return tokenizer


def llama(corpus):
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return sentencepiece_bpe(corpus, normalizer, None, decoder, None, "<s>")


def llama_metaspace(corpus):
    pre = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return sentencepiece_bpe(corpus, None, pre, decoder, None, "<s>")


def gemma(corpus):
    pre = pre_tokenizers.Split(" ", "merged_with_previous")
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = sentencepiece_bpe(corpus, normalizers.Replace(" ", "▁"), pre, decoder, ["<pad>", "<eos>", "<bos>", "<unk>"], "<bos>")
    tokenizer.add_special_tokens(["<start_of_turn>", "<end_of_turn>"])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in ["<mask>", "\n\n", "\n\n\n", "\n\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<table>", "<b>", "</b>"]])
    return tokenizer


def unigram(corpus, specials, normalizer, pre, decoder, post, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=1000, special_tokens=specials, unk_token="<unk>", show_progress=False))
    state = json.loads(tokenizer.to_str())
    if byte_fallback:
        state["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
        state["model"]["byte_fallback"] = True
    # Rare letters are left out, so that unknown ones exist; special tokens and bytes that stand in the texts are not learnt.
    kept, seen = [], set()
    for index, piece in enumerate(state["model"]["vocab"]):
        if piece[0] not in seen and (index < 400 or len(piece[0]) > 1 or index % 3):
            kept.append(piece)
            seen.add(piece[0])
    state["model"]["vocab"] = kept
    tokens = [piece[0] for piece in kept]
    for token in state["added_tokens"]:
        token["id"] = tokens.index(token["content"])
    state["model"]["unk_id"] = tokens.index("<unk>")
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.decoder = decoder
    tokenizer.post_processor = post(tokenizer)
    return tokenizer


def charsmap():
    """SentencePiece's own nmt_nfkc table, out of a model that it trains here."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        text.write_text("a b c d e f g\n" * 20)
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=f"{folder}/m", vocab_size=12, model_type="unigram", normalization_rule_name="nmt_nfkc", minloglevel=2)
        return field((Path(folder) / "m.model").read_bytes(), 3, 2)


def field(message, *path):
    """Bytes of a length-delimited field of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 2:
            length = varint()
            content = message[at : at + length]
            at += length
            if key >> 3 == path[0]:
                return field(content, *path[1:]) if path[1:] else content
        else:
            at += {1: 8, 5: 4}.get(key & 7) or (varint(), 0)[1]
    raise ValueError(f"no field {path}")


def precompiled():
    return normalizers.Precompiled(charsmap())


def xlm_roberta(corpus):
    specials = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)]
    metaspace = pre_tokenizers.Metaspace()
    pre = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    return unigram(corpus, specials, precompiled(), pre, decoders.Metaspace(), around("<s>", "</s>"))


def t5(corpus):
    normalizer = normalizers.Sequence([normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    specials = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"]
    return unigram(corpus, specials, normalizer, pre_tokenizers.Metaspace(), decoders.Metaspace(), around(None, "</s>"))


def unigram_bytes(corpus):
    normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return unigram(corpus, ["<unk>", "</s>"], normalizer, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), decoder, around(None, "</s>"), byte_fallback=True)


def odd_tokens(corpus):
    """Every flag of added tokens, and the other splitting behaviours."""
    normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\r\n]+"), "merged_with_previous"), pre_tokenizers.Split(Regex(r"\s"), "merged_with_next"), pre_tokenizers.Punctuation("contiguous"),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split("e", "removed", invert=False), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer = byte_level(corpus, ["<unk>"], size=700, normalizer=normalizer, pre=pre)
    tokenizer.add_tokens([
        AddedToken("<lstrip>", lstrip=True), AddedToken("<rstrip>", rstrip=True), AddedToken("<both>", lstrip=True, rstrip=True, normalized=False), AddedToken("<single>", single_word=True),
        AddedToken("word", single_word=True, normalized=False), AddedToken("NORM", normalized=True), AddedToken("RAW", normalized=False), AddedToken("Éclair", normalized=True),
        AddedToken("long"), AddedToken("longer"), AddedToken("longest", normalized=False), AddedToken("w line", normalized=False), AddedToken("\t", rstrip=True, normalized=False),
    ])
    return tokenizer


def words(corpus):
    """Whitespace and the word-level model."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(corpus, trainers.WordLevelTrainer(vocab_size=500, special_tokens=["<unk>"], show_progress=False))
    return tokenizer


KINDS = {
    "gpt2": gpt2,
    "smollm2": smollm2,
    "qwen2": qwen2,
    "llama3": llama3,
    "roberta": roberta,
    "roberta-prefix-space": roberta_prefix_space,
    "bert-uncased": lambda corpus: wordpiece(corpus, True),
    "bert-cased": lambda corpus: wordpiece(corpus, False),
    "llama": llama,
    "llama-metaspace": llama_metaspace,
    "gemma": gemma,
    "xlm-roberta": xlm_roberta,
    "t5": t5,
    "unigram-bytes": unigram_bytes,
    "odd-tokens": odd_tokens,
    "words": words,
}
