"""Pieces and merges that the walk shows are those that make the ids."""

import os
from pathlib import Path

import pytest
from small_codecs import CODECS

from gptgrid.inference.parts import load_tokenizer, train_tokenizer
from gptgrid.inference.vocabulary import Vocabulary
from gptgrid.inference.walk.tokens import merged_tokens, pieces_of, readable, stages

TEXTS = ["abab abab abab, the fox and the hen", "小鸟在树上唱歌。小鸟飞到树上。", "用Python写 3 次"]


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", "o200k", "chinese"])
def test_pieces_are_encoded_apart(pattern):
    codec = train_tokenizer(TEXTS, vocab_size=300, pattern=pattern).codec
    for text in TEXTS:
        pieces = pieces_of(codec, text)
        assert "".join(pieces) == text
        assert len(pieces) > 1
        assert [index for piece in pieces for index in codec.encode(piece)] == codec.encode(text)


@pytest.mark.parametrize("file", ["20B_tokenizer.json", "model/tokenizer.json"])
def test_pieces_of_published_tokenizers_are_encoded_apart(file):
    found = sorted(Path(os.environ.get("GPTGRID_MIRROR", "")).glob(f"raw.githubusercontent.com/*/*/*/{file}"))
    if not found:
        pytest.skip("needs GPTGRID_MIRROR")
    codec = load_tokenizer(found[0]).codec
    for text in (*TEXTS, "two  blanks\n\n    and four"):
        pieces = pieces_of(codec, text)
        assert "".join(pieces) == text
        assert [index for piece in pieces for index in codec.encode(piece)] == codec.encode(text)


def test_only_one_known_expression_has_pieces():
    assert [bool(pieces_of(codec, "The fox")) for codec in CODECS.values()] == [False, False, True, False]


def test_merges_lead_from_bytes_to_the_token():
    vocabulary = Vocabulary(train_tokenizer(TEXTS, vocab_size=300).codec)
    [token] = [token for token in merged_tokens(vocabulary, "abab") if token.text == "abab"]
    assert stages(token) == ["a | b | a | b", "ab | a | b", "ab | ab", "abab"]


def test_each_token_is_shown_once():
    vocabulary = Vocabulary(CODECS["bpe"])
    assert [token.text for token in merged_tokens(vocabulary, "foxfoxfo")] == ["fox", "fo"]


def test_nothing_acts_on_the_terminal():
    assert readable("a b\x1b[31m\n狐") == "a b\\x1b[31m\\n狐"
