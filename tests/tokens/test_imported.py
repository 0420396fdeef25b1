"""Tokenizers of the Hugging Face format keep their ids, on the fast way and on the slow one, or are refused."""

import json
import os
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.alphabet import byte_letters
from gptgrid.tokens.codec import CharCodec, read_codec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.probes import PROBES

TEXTS = [
    "The cat sat on the mat, and the cat's 12345 friends didn't.",
    "今天天气很好。 naïve café 😀 \n\n",
    "def f(x):\n    if x:\n        return f(x - 1)\n",
] * 3
SPLIT = pre_tokenizers.Split(Regex(PATTERNS["gpt4"]), "isolated")
BYTEWISE = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
CUTS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "split": pre_tokenizers.Sequence([SPLIT, BYTEWISE]),
    "graphemes": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\X"), "isolated"), BYTEWISE]),
    "digits": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTEWISE]),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
}
NEVER_IN_UTF8 = [0xC0, 0xC1, *range(0xF5, 0x100)]


def trained(
    cut: str, first: bool = False, normalizer: normalizers.Normalizer | None = None, alphabet: object = None
) -> Tokenizer:
    """Return a small tokenizer, its special tokens before or behind the others."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = CUTS[cut], decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        initial_alphabet=alphabet or pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special if first else [],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def like_phi() -> Tokenizer:
    """Return a tokenizer whose special tokens take the blanks behind them, and stand between words."""
    tokenizer = trained("split")
    tokenizer.add_special_tokens(
        [AddedToken("<s>", special=True, rstrip=True, lstrip=True, single_word=True)]
    )
    return tokenizer


def like_neox(cut: str = "gpt2") -> Tokenizer:
    """Return a tokenizer with tokens for runs of blanks, and without the bytes that UTF-8 never has."""
    alphabet = [letter for value, letter in byte_letters().items() if value not in NEVER_IN_UTF8]
    tokenizer = trained(cut, first=True, alphabet=alphabet)
    tokenizer.add_tokens([AddedToken(" " * n, special=False, normalized=True) for n in range(24, 1, -1)])
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    return tokenizer


MERGES = (("▁", "t"), ("h", "e"), ("▁t", "he"), ("▁", "▁"), ("▁▁", "▁▁"))


def like_llama(merges: Sequence[tuple[str, str]] = MERGES, prepends: bool = True) -> Tokenizer:
    """Return a tokenizer that writes ▁ for a blank, begins texts with one, and falls back to bytes."""
    special = ["<unk>", "<s>", "</s>"]
    pieces = [*special, *(f"<0x{value:02X}>" for value in range(256)), *"▁abcdehst", *map("".join, merges)]
    model = models.BPE(
        vocab={piece: index for index, piece in enumerate(pieces)},
        merges=list(merges),
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    blank = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blank]) if prepends else blank
    strip = [decoders.Strip(" ", 1, 0)] if prepends else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    tokenizer.add_special_tokens(special)
    return tokenizer


def like_sentencepiece() -> Tokenizer:
    """Return a unigram tokenizer that falls back to bytes."""
    pieces = ["<unk>", "</s>", *(f"<0x{value:02X}>" for value in range(256)), *"▁abcdehst", "▁the", "the"]
    model = models.Unigram(
        [(piece, -float(index)) for index, piece in enumerate(pieces)], 0, byte_fallback=True
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    return tokenizer


def own_char() -> Tokenizer:
    """Return the exported file of characters."""
    return Tokenizer.from_str(to_tokenizer_json(CharCodec("\n abcdehist今", ["<|user|>"])))


TOKENIZERS = {
    **{
        f"{cut}-{'first' if first else 'last'}": trained(cut, first)
        for cut in ("gpt2", "split", "digits")
        for first in (False, True)
    },
    "phi": like_phi(),
    "neox": like_neox(),
    "neox-digits": like_neox("digits"),
    "smollm": like_neox("smollm"),
    "llama": like_llama(),
    "gemma": like_llama(prepends=False),
    "sentencepiece": like_sentencepiece(),
    "char": own_char(),
    "graphemes": trained("graphemes"),
}
for _tokenizer in TOKENIZERS.values():
    _tokenizer.encode_special_tokens = True
CODECS = {name: HuggingFaceCodec(json.loads(found.to_str())) for name, found in TOKENIZERS.items()}
LIBRARY = {
    "graphemes",
    "digits-last",
    "digits-first",
    "neox-digits",
    "smollm",
    "llama",
    "gemma",
    "sentencepiece",
    "char",
}
WHOLE = {"digits-last", "digits-first", "neox-digits", "graphemes", "llama", "gemma", "sentencepiece", "char"}
TEXT = st.text() | st.text(alphabet="aT'sSlL 今天\n\r\t1２é", max_size=60)
PARTS = st.lists(
    st.sampled_from(
        ["the", " ", "  ", "\t", "\n", "    ", "<think>", "</s>", "<s>", "today", "12", "今天", "é"]
    ),
    max_size=30,
).map("".join)
UNSAID = {"llama": re.compile("▁"), "gemma": re.compile("▁"), "sentencepiece": re.compile("▁|<unk>|</s>")}
"""What the model itself takes for something else."""
NEVER = re.compile("(?!)")
every_codec = pytest.mark.parametrize("name", CODECS)


def test_tiktoken_is_used_where_it_can_be():
    assert {name for name, codec in CODECS.items() if codec.encoding is None} == LIBRARY


@every_codec
@settings(max_examples=60, deadline=None)
@given(text=TEXT | PARTS)
def test_ids_are_those_of_the_library_and_lossless(name, text):
    codec = CODECS[name]
    assume(not UNSAID.get(name, NEVER).search(text))
    ids = codec.encode(text)
    assert ids == TOKENIZERS[name].encode(text, add_special_tokens=False).ids
    assert codec.decode(ids) == text
    assert codec.eot not in ids


@every_codec
@pytest.mark.parametrize("blanks", [1, 2, 23, 24, 25, 60, 999, 1000, 1001, 2500])
def test_runs_of_blanks_have_the_ids_of_the_library(name, blanks):
    for text in ("a" + " " * blanks + "b", "\n" * blanks + "x", "\t" * blanks + " " * blanks):
        ids = CODECS[name].encode(text)
        assert ids == TOKENIZERS[name].encode(text, add_special_tokens=False).ids
        assert CODECS[name].decode(ids) == text


@every_codec
def test_special_tokens_and_file(name, tmp_path):
    codec, theirs = CODECS[name], TOKENIZERS[name]
    assert codec.eot == theirs.token_to_id(codec.eot_name)
    assert all(theirs.token_to_id(token) == index for token, index in codec.special_tokens.items())
    assert codec.vocab_size == theirs.get_vocab_size()
    end = codec.eot_name if name != "sentencepiece" else ""
    assert codec.decode(codec.encode(f"one{end}two")) == f"one{end}two"
    texts = ["one", f"two{end}", "<|endoftext|>", "", "x    y", "z" + " " * 1200 + "."]
    one_by_one = [[codec.eot, *codec.encode(text)] for text in texts]
    assert codec.encode_stream(texts).tolist() == list(chain(*one_by_one))
    write_codec(codec, tmp_path / "codec.json")
    again = read_codec(tmp_path)
    assert again.encode(TEXTS[1]) == codec.encode(TEXTS[1]) and again.special_tokens == codec.special_tokens
    write_codec(again, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "codec.json").read_bytes()


@every_codec
@settings(max_examples=50, deadline=None)
@given(text=PARTS)
def test_marks_and_decoding_are_those_of_the_exported_file(name, text):
    codec = CODECS[name]
    exported = Tokenizer.from_str(to_tokenizer_json(codec))
    text = text.replace(codec.eot_name, "")
    ids = codec.encode_marked(text)
    assert ids == exported.encode(text, add_special_tokens=False).ids
    for special in (False, True):
        assert codec.decode(ids, special=special) == exported.decode(ids, skip_special_tokens=not special)


@every_codec
@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["the", "today,", "12", "  ", "\n\n", " ", "今天。", "<think>", "é"]), min_size=20
    )
)
def test_parts_of_a_text_have_the_ids_of_the_whole(name, words):
    text, codec = "".join(words) * 3, CODECS[name]
    parts = list(codec.parts([text], 10))
    assert codec.join(parts).tolist() == codec.encode(text)


@every_codec
@pytest.mark.parametrize("size", [100, 999])
def test_a_text_in_pieces_has_the_ids_of_the_whole(name, size):
    text = "the cat, <think>and 12 the hats.\n  今天é 天。" * 300
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    parts = list(CODECS[name].parts(pieces, 500))
    assert len(parts) > 5 or name in WHOLE
    assert CODECS[name].join(parts).tolist() == CODECS[name].encode(text)


@every_codec
def test_a_long_text_falls_apart_where_that_is_certain(name):
    text = "the cat, and 12 the hats.\n" * 400
    parts = list(CODECS[name].parts([text], 500))
    assert max(map(len, parts)) < 600 or (name in WHOLE and parts == [text])
    assert CODECS[name].join(parts).tolist() == CODECS[name].encode(text)


def test_merges_that_go_on_over_words_are_not_cut():
    """How the blanks and words of a run pair up depends on where it begins, far to the left."""
    codec = HuggingFaceCodec(json.loads(like_llama(merges=[("▁", "a"), ("▁a", "▁a")]).to_str()))
    text = " ".join(["e", *["a"] * 901, "e", *["a"] * 2001])
    for length in (997, 998, 999, 1000, 1001):
        assert codec.join(codec.parts([text], length)).tolist() == codec.encode(text)


def test_added_tokens_in_a_row_are_not_cut():
    """Which of them are found depends on where the row begins."""
    tokenizer = trained("gpt2")
    tokenizer.add_tokens([AddedToken(",a,a", special=False, normalized=False)])
    codec, text = HuggingFaceCodec(json.loads(tokenizer.to_str())), "x" + ",a" * 501 + " b c"
    for length in (400, 401, 402, 403):
        assert codec.join(codec.parts([text], length)).tolist() == codec.encode(text)


def test_a_regular_expression_of_another_kind_leaves_texts_whole():
    """Its pieces may have been counted from the start of the text."""
    tokenizer = trained("gpt2")
    threes = pre_tokenizers.Split(Regex(r"[\s\S]{1,3}"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([threes, BYTEWISE])
    codec, text = HuggingFaceCodec(json.loads(tokenizer.to_str())), "the cat sat on the mat, the " * 100
    for length in (400, 401, 402):
        assert codec.join(codec.parts([text], length)).tolist() == codec.encode(text)
    assert codec.encoding is None


def test_a_blank_at_the_start_is_shown_where_a_text_goes_on():
    codec = CODECS["llama"]
    assert codec.decode(codec.encode("the")) == "the"
    assert codec.decode(codec.encode("the"), continues=True) == " the"
    assert codec.encode(" the") != codec.encode("the")


def changed(tokenizer: Tokenizer, **changes: object) -> dict:
    return {**json.loads(tokenizer.to_str()), **changes}


def test_a_tokenizer_that_cuts_off_and_fills_up_encodes_whole_texts():
    tokenizer = trained("gpt2")
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=8)
    codec = HuggingFaceCodec(json.loads(tokenizer.to_str()))
    assert codec.decode(codec.encode(TEXTS[0])) == TEXTS[0]
    assert json.loads(to_tokenizer_json(codec))["truncation"] is None


def test_dropout_is_left_out(capsys):
    data = json.loads(trained("digits").to_str())
    data["model"]["dropout"] = 0.5
    codec = HuggingFaceCodec(data)
    assert len({tuple(codec.encode(TEXTS[0])) for _ in range(20)}) == 1
    assert "dropout of 0.5 is left out" in capsys.readouterr().out


def test_end_of_text_is_never_text():
    tokenizer = trained("gpt2")
    tokenizer.add_tokens([AddedToken("<eos>", special=False)])
    codec = HuggingFaceCodec(json.loads(tokenizer.to_str()), "<eos>")
    assert codec.eot not in codec.encode("one<eos>two")
    assert codec.decode(codec.encode("one<eos>two")) == "one<eos>two"
    assert codec.token_bytes(codec.eot) == b""
    exported = Tokenizer.from_str(to_tokenizer_json(codec))
    assert exported.decode([codec.eot, *codec.encode("one")]) == "one"


@pytest.mark.parametrize("form", [normalizers.NFC(), normalizers.Sequence([normalizers.NFKC()])])
def test_unicode_normalization_is_left_out_and_said(form, capsys):
    codec = HuggingFaceCodec(json.loads(trained("split", normalizer=form).to_str()))
    assert codec.decode(codec.encode("e\u0301１")) == "e\u0301１"
    assert "normalize" in capsys.readouterr().out
    assert codec.encoding is not None


def test_an_empty_sequence_changes_nothing():
    codec = HuggingFaceCodec(json.loads(trained("split", normalizer=normalizers.Sequence([])).to_str()))
    assert codec.encoding is not None


def wordpiece():
    return Tokenizer(models.WordPiece({"[UNK]": 0, "</s>": 1}, unk_token="[UNK]"))


def metaspace():
    tokenizer = like_llama()
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")]
    )
    return tokenizer


def strips():
    tokenizer = trained("gpt2")
    tokenizer.add_tokens([AddedToken("<mask>", special=False, lstrip=True)])
    return tokenizer


def few_letters():
    letters = [letter for value, letter in byte_letters().items() if value < 0x80]
    return trained("gpt2", alphabet=letters)


def with_prefix():
    tokenizer = trained("gpt2")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "eot", "said"),
    [
        (wordpiece(), None, r"\(WordPiece\) does not give every text back: it turns 'a' into '.UNK.'"),
        (metaspace(), None, r"\(BPE, Metaspace\) does not give every text back: it turns ' a' into 'a'"),
        (
            trained("split", normalizer=normalizers.Lowercase()),
            None,
            r"\(BPE, Lowercase, Split.* into .the cat",
        ),
        (trained("split", normalizer=normalizers.Strip()), None, "Strip"),
        (strips(), None, "it turns 'a  <mask>"),
        (few_letters(), None, "does not give every text back"),
        (with_prefix(), None, "does not give every text back"),
        (trained("split"), "<eos>", "no <eos>; set `eot`"),
    ],
)
def test_what_is_not_lossless_is_refused(tokenizer, eot, said):
    with pytest.raises(UserError, match=said):
        HuggingFaceCodec(json.loads(tokenizer.to_str()), eot)


def test_a_text_with_the_sign_for_a_blank_is_refused_and_not_shown():
    """Such a tokenizer gives back every text but this, which may be private."""
    with pytest.raises(
        UserError, match=r"back from character 7 on \(U\+2581 LOWER ONE EIGHTH BLOCK\)"
    ) as error:
        CODECS["llama"].encode("bars ▂▁▂")
    assert not any(said in str(error.value) for said in ("bars", "▂", "▁"))


def changed_model(tokenizer: Tokenizer, **changes: object) -> dict:
    """Return a tokenizer.json with another model."""
    data = json.loads(tokenizer.to_str())
    return {**data, "model": {**data["model"], **changes}}


def with_words(*words: str, **changes: object) -> dict:
    """Return a tokenizer.json whose vocabulary has words that no merge makes."""
    tokenizer = trained("split", first=True)
    vocabulary = tokenizer.get_vocab()
    vocabulary |= {word: len(vocabulary) + place for place, word in enumerate(words)}
    return changed_model(tokenizer, vocab=vocabulary, **changes)


def without_merges(number: int, **changes: object) -> dict:
    """Return a tokenizer.json that lacks its last merges."""
    tokenizer = trained("split", first=True)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return changed_model(tokenizer, merges=merges[:-number], **changes)


@pytest.mark.parametrize(
    "data",
    [
        with_words("Ġzyx", "zyxw"),
        with_words("人工智能"),
        with_words("Ġzyx", "zyxw", ignore_merges=True),
        without_merges(20),
        without_merges(20, ignore_merges=True),
    ],
    ids=["words", "raw words", "whole words", "last merges", "last merges of whole words"],
)
def test_tokens_that_no_merge_makes_keep_the_ids(data):
    theirs, codec = Tokenizer.from_str(json.dumps(data)), HuggingFaceCodec(data)
    theirs.encode_special_tokens = True
    tokens = " ".join(codec.decode([index]) for index in range(codec.vocab_size))
    for text in ("a zyx zyxw azyxw", "人工智能 人工智能。", tokens, tokens.replace(" ", ""), *TEXTS):
        assert codec.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_words_that_are_whole_tokens_are_fast():
    assert HuggingFaceCodec(with_words("Ġzyx", "zyxw", ignore_merges=True)).encoding is not None


@pytest.mark.parametrize(
    "tokens",
    [
        [("|>x", False, True), ("<|im|>", True, False)],
        [("ab", False, True), ("bc", False, False)],
    ],
)
@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet="<|im>xabc ", max_size=40))
def test_added_tokens_that_overlap_keep_the_ids(tokens, text):
    theirs = trained("gpt2")
    for name, special, normalized in tokens:
        theirs.add_tokens([AddedToken(name, special=special, normalized=normalized)])
    theirs.encode_special_tokens = True
    codec = HuggingFaceCodec(json.loads(theirs.to_str()))
    for each in (text, "<|im|>x abc"):
        assert codec.encode(each) == theirs.encode(each, add_special_tokens=False).ids


def added(*tokens: tuple[int, str]) -> dict:
    """Return a tokenizer.json with so many ids before its added tokens, whose ids go on by these."""
    data = json.loads(trained("gpt2").to_str())
    size = len(data["model"]["vocab"])
    first = data["added_tokens"][0]
    return {
        **data,
        "added_tokens": [{**first, "id": size + place, "content": name} for place, name in tokens],
    }


def moved(index: int, to: int) -> dict[str, int]:
    """Return a vocabulary with one other id."""
    vocabulary = json.loads(trained("gpt2").to_str())["model"]["vocab"]
    return {token: to if found == index else found for token, found in vocabulary.items()}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (added((40, "<a>"), (41, "</s>")), "added token '<a>' has the id 3"),
        (added((40, "</s>"), (41, "<a>")), "added token '</s>' has the id 3"),
        (added((2, "<a>"), (1, "<b>"), (0, "</s>")), "added token '<a>' has the id 3"),
        (added((0, "<a>"), (0, "</s>")), "added token '</s>' has the id 3"),
        (added((-5, "<a>"), (0, "</s>")), "added token '<a>' has the id 3"),
        (added((0, "the"), (1, "</s>")), "added token 'the' has the id 3"),
        (changed_model(trained("gpt2"), vocab=moved(5, 6)), "share the id 6"),
        (changed_model(trained("gpt2"), vocab=moved(340, 341)), "share the id 341"),
    ],
    ids=["gap", "gap, eot", "order", "one id", "of the vocabulary", "other id", "two tokens", "added too"],
)
def test_ids_that_the_library_would_change_are_refused(data, said):
    with pytest.raises(UserError, match=said):
        HuggingFaceCodec(data)


@pytest.mark.parametrize(
    "data",
    [
        *([], {}, 3, {"model": {"type": "Odd"}}),
        changed(trained("gpt2"), pre_tokenizer={"type": "Odd"}),
        changed(trained("gpt2"), added_tokens=[{"id": 0}]),
        changed(trained("gpt2"), model={"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}),
    ],
    ids=range(7),
)
def test_what_the_library_cannot_read_is_explained(data):
    with pytest.raises(UserError, match=r"cannot read it|not a tokenizer"):
        HuggingFaceCodec(data)


MIRROR = Path(os.environ.get("GPTGRID_MIRROR", "")) / "raw.githubusercontent.com"
PUBLISHED = {
    "neox": "BlinkDL/ChatRWKV/965e40b85288a91c94c02bfa56adc3ce0fa20a82/20B_tokenizer.json",
    "minimind": "jingyaogong/minimind/d65ef2c00ebc6082f9df11541e1b191655eddb00/model/tokenizer.json",
}
REAL = {
    "english": "karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "chinese": "tennessine/corpus/c5ce96aca36c6a3cb4da5f0ff7d2d5fa30c32aea/红楼梦.txt",
    "json": "jingyaogong/minimind/d65ef2c00ebc6082f9df11541e1b191655eddb00/model/tokenizer.json",
}


@pytest.mark.skipif("GPTGRID_MIRROR" not in os.environ, reason="needs the published files")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tokenizers_keep_their_ids_on_real_texts(name):
    theirs = Tokenizer.from_file(str(MIRROR / PUBLISHED[name]))
    theirs.normalizer, theirs.encode_special_tokens = normalizers.Sequence([]), True
    codec = HuggingFaceCodec(json.loads((MIRROR / PUBLISHED[name]).read_text(encoding="utf-8")))
    assert codec.encoding is not None and codec.vocab_size == theirs.get_vocab_size()
    texts = [(MIRROR / path).read_bytes()[:100_000].decode(errors="ignore") for path in REAL.values()]
    for text in (*texts, *PROBES, "if x:\n        return  [1,   2]\n" * 20 + "<think>"):
        ids = codec.encode(text)
        assert ids == theirs.encode(text, add_special_tokens=False).ids
        assert codec.decode(ids) == text
        assert codec.join(codec.parts([text], 5000)).tolist() == ids
