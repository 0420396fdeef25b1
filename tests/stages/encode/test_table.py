"""The figures of a tokenizer on a corpus are those of counting by hand."""

import numpy as np
import pytest

from gptgrid.stages.encode.table import by_script, describe_tokenizer
from gptgrid.stages.tokenizer.make import learn_characters, learn_merges
from gptgrid.text.documents import SPLITS, write_documents
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.shards import write_shard

TEXTS = ["aab 今天 12", "the the the 今 é!"]


def encoded(folder, codec):
    for split in SPLITS:
        write_documents(folder / f"{split}-00000.parquet", TEXTS)
        write_shard(folder / f"{split}-00000.bin", [codec.encode_stream(TEXTS)], codec.vocab_size)
    return folder


def test_characters(tmp_path):
    codec = CharCodec(learn_characters([*TEXTS, "z"]))
    facts = describe_tokenizer(codec, *[encoded(tmp_path, codec)] * 2, private=False)
    letters = set("".join(TEXTS))
    assert facts["used"] == len(letters) / (256 + len(letters) + 1)
    assert facts["single_bytes"] == 1 - 4 / len("".join(TEXTS))  # 今天今é
    assert facts["by_script"]["train"] == pytest.approx({"marks": 1, "Latin": 14 / 13, "Han": 3, "digits": 1})
    assert facts["longest"][:3] == [["今", 3], ["天", 3], ["é", 2]]
    assert facts["most_frequent"][0] == [" ", "".join(TEXTS).count(" ")]


def test_tokens_of_several_kinds_are_shared_out(tmp_path):
    codec = BpeCodec("bpe", PATTERNS["gpt2"], [bytes([value]) for value in range(256)] + [b" the", b" th"])
    encoded(tmp_path, codec)
    write_documents(tmp_path / "train-00000.parquet", ["x the the"])
    # x, and twice 3/4 of a token.
    assert by_script(codec, tmp_path, "train") == pytest.approx({"Latin": 7 / 2.5, "marks": 2 / 0.5})


@pytest.mark.parametrize("make", [BytesCodec, lambda: CharCodec("ab")])
def test_bytes_per_token_by_script_add_up(tmp_path, make):
    codec = make()
    encoded(tmp_path, codec)
    found = by_script(codec, tmp_path, "test")
    sizes = {"marks": 8, "Latin": 13, "Han": 9, "digits": 2}
    tokens = sum(len(codec.encode(text)) for text in TEXTS)
    assert sum(sizes[kind] / found[kind] for kind in found) == pytest.approx(tokens)


def test_private_tokens_are_not_shown(tmp_path):
    codec = BytesCodec()
    facts = describe_tokenizer(codec, *[encoded(tmp_path, codec)] * 2, private=True)
    assert set(facts) == {"used", "single_bytes", "by_script"} and facts["single_bytes"] == 1


def test_merges_make_the_vocabulary_used(tmp_path):
    codec = BpeCodec("bpe", PATTERNS["gpt4"], learn_merges(TEXTS * 50, 262, PATTERNS["gpt4"]))
    facts = describe_tokenizer(codec, *[encoded(tmp_path, codec)] * 2, private=False)
    ids = np.concatenate([codec.encode_array(text) for text in TEXTS])
    assert facts["used"] == len(set(ids.tolist())) / 262


def test_marks_are_counted_and_no_text(tmp_path):
    codec, texts = BytesCodec(["<|user|>", "<|end|>"]), ["<|user|>aab<|endoftext|>", "", "<|user|><|user|>"]
    for split in SPLITS:
        write_documents(tmp_path / f"{split}-00000.parquet", texts)
        write_shard(
            tmp_path / f"{split}-00000.bin", [codec.encode_stream(texts, marks=True)], codec.vocab_size
        )
    facts = describe_tokenizer(codec, tmp_path, tmp_path, private=False, marks=True)
    assert facts["marks"] == {"<|user|>": 3, "<|end|>": 0}
    assert facts["by_script"]["train"] == {"Latin": 1, "marks": 1}
    assert facts["used"] == len(set("aab<|endoftext|>")) / 256 and facts["single_bytes"] == 1
    assert "marks" not in describe_tokenizer(codec, tmp_path, tmp_path, private=False)


def test_a_blank_before_each_text_counts_for_no_script(tmp_path):
    codec = BytesCodec()
    write_documents(tmp_path / "train-00000.parquet", ["ab", ""])
    codec.prefix = b" "
    codec.encode = lambda text: list(f" {text}".encode()) if text else []
    assert by_script(codec, tmp_path, "train") == {"Latin": 1}
