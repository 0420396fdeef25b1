"""Tokenizers of the Hugging Face format keep their ids, on the fast way and on the slow one."""

import json
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.bytelevel import ByteLevelCodec
from gptgrid.tokens.codec import read_codec, write_codec
from gptgrid.tokens.patterns import PATTERNS

TEXTS = [
    "The cat sat on the mat, and the cat's 12345 friends didn't.",
    "今天天气很好。 naïve café 😀 \n\n",
] * 3
SPLIT = pre_tokenizers.Split(Regex(PATTERNS["gpt4"]), "isolated")
BYTEWISE = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
CUTS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "split": pre_tokenizers.Sequence([SPLIT, BYTEWISE]),
    "digits": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTEWISE]),
}


def trained(cut: str, first: bool = False, normalizer: normalizers.Normalizer | None = None) -> Tokenizer:
    """Return a small tokenizer, its special tokens before or behind the others."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = CUTS[cut], decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    special = ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special if first else [],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


TOKENIZERS = {
    f"{cut}-{'first' if first else 'last'}": trained(cut, first) for cut in CUTS for first in (False, True)
}
CODECS = {name: ByteLevelCodec(json.loads(found.to_str())) for name, found in TOKENIZERS.items()}


def test_tiktoken_is_used_where_it_can_be():
    assert {name for name, codec in CODECS.items() if codec.encoding} == {
        *("gpt2-last", "gpt2-first", "split-last", "split-first")
    }


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=150, deadline=None)
@given(text=st.text() | st.text(alphabet="aT'sSlL 今天\n\r\t1２é", max_size=60))
def test_ids_are_those_of_the_library_and_lossless(name, text):
    codec = CODECS[name]
    ids = codec.encode(text)
    assert ids == TOKENIZERS[name].encode(text).ids or "<" in text
    assert codec.decode(ids) == text


@pytest.mark.parametrize("name", CODECS)
def test_special_tokens_and_file(name, tmp_path):
    codec, theirs = CODECS[name], TOKENIZERS[name]
    assert codec.eot == theirs.token_to_id("</s>") and codec.special_tokens["<s>"] == theirs.token_to_id(
        "<s>"
    )
    assert codec.vocab_size == theirs.get_vocab_size()
    assert (
        codec.eot not in codec.encode("one</s>two")
        and codec.decode(codec.encode("one</s>two")) == "one</s>two"
    )
    stream = codec.encode_stream(["one", "two</s>", "<|endoftext|>", ""]).tolist()
    one_by_one = [[codec.eot, *codec.encode(text)] for text in ("one", "two</s>", "<|endoftext|>", "")]
    assert stream == list(chain(*one_by_one))
    write_codec(codec, tmp_path / "codec.json")
    again = read_codec(tmp_path)
    assert again.encode(TEXTS[1]) == codec.encode(TEXTS[1]) and again.special_tokens == codec.special_tokens


def test_unicode_normalization_is_left_out_and_said(capsys):
    codec = ByteLevelCodec(json.loads(trained("split", normalizer=normalizers.NFC()).to_str()))
    assert codec.decode(codec.encode("e\u0301")) == "e\u0301"
    assert "normalize" in capsys.readouterr().out


def wordpiece():
    return Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))


def metaspace():
    return Tokenizer(models.BPE({"▁": 0, "a": 1}, []))


@pytest.mark.parametrize(
    ("tokenizer", "eot", "said"),
    [
        (wordpiece(), None, "WordPiece"),
        (metaspace(), None, "no token for 255 of the 256 bytes"),
        (trained("split", normalizer=normalizers.Lowercase()), None, "changes texts .Lowercase."),
        (trained("split"), "<eos>", "no <eos>; set `eot`"),
    ],
)
def test_what_is_not_lossless_is_refused(tokenizer, eot, said):
    with pytest.raises(UserError, match=said):
        ByteLevelCodec(json.loads(tokenizer.to_str()), eot)
