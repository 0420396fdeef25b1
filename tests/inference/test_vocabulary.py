"""Tokens with the merges that make them, and the nearest by their embeddings."""

import json
import os
from pathlib import Path

import pytest
import regex
import torch
from cells import tiny, write_cell
from small_codecs import CODECS, llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from gptgrid.artifact.errors import UserError
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.vocabulary import Vocabulary, find_codec, merge_steps, nearest, neighbours, visible
from gptgrid.stages.tokenizer.make import learn_merges
from gptgrid.tokens.codec import BpeCodec, BytesCodec, IdsCodec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import GPT4

TEXTS = (
    "The quick brown fox jumps over the lazy dog, and the other foxes jump after it. ",
    "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。天地之间，日月之下。🦊🦊 naïve café\n\n\tdef f(x):  return x",
)


@pytest.fixture(scope="module")
def learned() -> BpeCodec:
    """Return a byte pair encoding of a few sentences in two languages."""
    return BpeCodec("bpe", GPT4, learn_merges(TEXTS * 3, 400, GPT4), ["<|im_start|>"])


def ids_by_merges(vocabulary: Vocabulary, text: str, pattern: str) -> list[int]:
    """Return the ids that nothing but the merges of the tokens of a text make of it, by plain byte pair encoding."""
    tokens = vocabulary.tokens(text)
    ranks = {(m.left, m.right): m.rank for token in tokens for m in token.merges}
    ids = {token.bytes: token.id for token in tokens}
    found = []
    for piece in regex.findall(pattern, text, flags=regex.VERSION1):
        parts = [bytes([value]) for value in piece.encode()]
        steps = list(merge_steps(parts, lambda left, right: ranks.get((left, right))))
        parts = steps[-1][-1] if steps else parts
        found += [ids[part] for part in parts]
    return found


def test_the_merges_of_a_text_make_its_ids(learned):
    for text in TEXTS:
        assert ids_by_merges(Vocabulary(learned), text, GPT4) == learned.encode(text)


def mirrored() -> list[Path]:
    """Return texts of the mirror, if there is one."""
    root = os.environ.get("GPTGRID_MIRROR")
    return sorted(Path(root).rglob("*.txt")) if root else []


@pytest.mark.parametrize("file", mirrored(), ids=lambda path: path.name)
def test_the_merges_of_published_texts_make_their_ids(file):
    text = file.read_text(encoding="utf-8", errors="replace")[:20000]
    codec = BpeCodec("bpe", GPT4, learn_merges([text], 2000, GPT4))
    assert ids_by_merges(Vocabulary(codec), text, GPT4) == codec.encode(text)


def test_merges_are_told_one_by_one_in_their_order():
    (token,) = Vocabulary(CODECS["bpe"]).tokens("fox")
    assert [(m.rank, m.left, m.right, m.parts) for m in token.merges] == [
        (256, b"f", b"o", (b"fo", b"x")),
        (257, b"fo", b"x", (b"fox",)),
    ]


def test_a_tokenizer_json_tells_the_same_merges(learned):
    data = json.loads(to_tokenizer_json(learned))
    other = Vocabulary(HuggingFaceCodec(data))
    for own, there in zip(Vocabulary(learned).all(), other.all(), strict=True):
        assert [(m.left, m.right, m.parts) for m in own.merges] == [
            (m.left, m.right, m.parts) for m in there.merges
        ]
        assert (own.id, own.bytes, own.special) == (there.id, there.bytes, there.special)
    ranks = [token.merges[-1].rank for token in other.all() if token.merges]
    assert sorted(ranks) == list(range(len(data["model"]["merges"])))


def test_merges_of_letters_are_told_as_bytes():
    tokens = Vocabulary(llama()).tokens("fox天")
    told = [(token.text, [(m.rank, m.left, m.right) for m in token.merges]) for token in tokens]
    assert told == [
        ("␣f", [(0, b" ", b"f")]),
        ("ox", [(1, b"o", b"x")]),
        *((f"\\x{byte:02x}", []) for byte in "天".encode()),
    ]


def test_a_token_that_no_merges_make_has_none():
    codec = BpeCodec("bpe", GPT4, [*(bytes([value]) for value in range(256)), b"abc"])
    assert [(token.text, token.merges) for token in Vocabulary(codec).tokens("abc")] == [("abc", ())]


def test_an_added_token_of_text_is_made_by_no_merges():
    tokenizer = Tokenizer(
        models.BPE(
            {letter: n for n, letter in enumerate([*pre_tokenizers.ByteLevel.alphabet(), "ab"])}, [("a", "b")]
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens(["ab"])
    assert [
        token.merges for token in Vocabulary(HuggingFaceCodec(json.loads(tokenizer.to_str()))).tokens("ab")
    ] == [()]


def test_the_names_of_special_tokens_are_text_unless_marks_are_asked_for(learned):
    vocabulary, name = Vocabulary(learned), "<|im_start|>"
    (token,) = vocabulary.tokens(name, marks=True)
    assert (token.text, token.special, token.bytes, token.merges) == (name, name, b"", ())
    assert b"".join(token.bytes for token in vocabulary.tokens(name)) == name.encode()


@pytest.mark.parametrize(
    "codec", [*CODECS.values(), IdsCodec(5), IdsCodec(5, 4)], ids=lambda codec: codec.kind
)
def test_every_kind_lists_its_vocabulary(codec):
    tokens = list(Vocabulary(codec).all())
    assert [token.id for token in tokens] == list(range(codec.vocab_size))
    assert all(token.text for token in tokens)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("天 a".encode(), "天␣a"),
        ("天".encode()[:2], "\\xe5\\xa4"),
        (b"\n\t\\x", "\\n\\t\\\\x"),
        ("\x85\xa0\u200d".encode(), "\\u0085\\u00a0\\u200d"),
        (b"", ""),
    ],
)
def test_what_cannot_be_seen_is_spelled(data, shown):
    assert visible(data) == shown


def cell_of(module, codec=None) -> TrainedCell:
    return TrainedCell(
        module, codec or BytesCodec(), {"model": {"context": 8}, "vocab_size": module.vocab_size}
    )


@pytest.mark.parametrize("switches", [{}, {"preset": "encoder"}, {"tie_embeddings": False}], ids=str)
@pytest.mark.parametrize("head", [False, True])
def test_neighbours_are_the_largest_cosines(switches, head):
    cell = cell_of(tiny(257, **switches))
    if head and cell.module.head.weight is cell.module.embedding.tokens.weight:
        with pytest.raises(UserError, match="leave out --head"):
            neighbours(cell, "a", head=head)
        return
    vectors = (cell.module.head if head else cell.module.embedding.tokens).weight.detach()
    cosines = torch.cosine_similarity(vectors, vectors[97][None], dim=-1)
    cosines[97] = -2
    values, ids = cosines.topk(5)
    (found,) = neighbours(cell, "a", 5, head)
    assert [token.id for token, _ in found.nearest] == ids.tolist()
    torch.testing.assert_close(torch.tensor([cosine for _, cosine in found.nearest]), values)


def test_a_word_of_several_tokens_has_the_mean_beside_each():
    cell = cell_of(tiny(257))
    first, second, both = neighbours(cell, "aba", 3)
    assert [found.of[0].text for found in (first, second)] == ["a", "b"]
    assert [token.text for token in both.of] == ["a", "b", "a"]
    vectors = cell.module.embedding.tokens.weight.detach()
    mean = vectors[list(b"aba")].mean(dim=0, keepdim=True)
    cosines = torch.cosine_similarity(vectors, mean, dim=-1)
    cosines[list(b"ab")] = -2
    assert [token.id for token, _ in both.nearest] == cosines.topk(3).indices.tolist()


def test_rows_of_zeros_and_equal_rows_have_an_order():
    vectors = torch.tensor([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert nearest(vectors, [0], 9) == [(2, 1.0), (3, 1.0), (1, 0.0), (4, 0.0), (5, -1.0)]


def test_rows_that_are_no_tokens_are_no_neighbours():
    (found,) = neighbours(cell_of(tiny(300)), "a", 1000)  # the tokenizer has 257
    assert {token.id for token, _ in found.nearest} == {*range(257)} - {97}


def test_an_empty_word_and_one_that_cannot_be_read_are_refused():
    with pytest.raises(UserError, match="the word is empty"):
        neighbours(cell_of(tiny(257)), "")
    with pytest.raises(UserError, match="is not token ids"):
        neighbours(cell_of(tiny(10), IdsCodec(10)), "fox")


@pytest.fixture
def made(tmp_path, monkeypatch, learned) -> Path:
    """Go to a folder with two tokenizers and a cell."""
    for name, codec in {"bpe@toy": learned, "bytes": BytesCodec()}.items():
        folder = tmp_path / "data" / "tokenizers" / name
        folder.mkdir(parents=True)
        write_codec(codec, folder / "codec.json")
    (tmp_path / "data/tokenizers/bpe@toy/tokenizer.json").write_text(to_tokenizer_json(learned))
    write_cell(tmp_path / "results/one/cells/toy.char.gpt2.base.s1/train", tiny(282), CODECS["char"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bpe@toy", "bpe"),
        ("toy", "bpe"),
        ("bytes", "bytes"),
        ("data/tokenizers/bpe@toy", "bpe"),
        ("data/tokenizers/bpe@toy/codec.json", "bpe"),
        ("data/tokenizers/bpe@toy/tokenizer.json", "huggingface"),
        ("toy char", "char"),
        ("results/one/cells/toy.char.gpt2.base.s1", "char"),
    ],
)
def test_a_tokenizer_is_found(made, name, kind):
    assert find_codec(name).kind == kind


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "nothing",
            r"no trained cell matches 'nothing'(.|\n)*data/tokenizers has bpe@toy, bytes; published ones are gpt2",
        ),
        ("b", "'b' matches 2 tokenizers"),
        ("half.json", r"half.json is neither a codec.json nor a tokenizer.json"),
        ("list.json", "list.json: it holds a list"),
        ("empty.json", r"empty.json"),
        (
            "toy char s1@20",
            "^toy char s1@20 means the weights of a step, but all weights of a cell have the same tokenizer; "
            "leave out @20$",
        ),
        ("x" * 5000, "no trained cell matches"),
        ("x" * 5000 + "@20", "means the weights of a step"),
        ("a\0b", "no trained cell matches"),
    ],
)
def test_what_is_no_tokenizer_is_told(made, name, said):
    for file, text in {"half.json": '{"kind": "bpe"}', "list.json": "[1]", "empty.json": "{}"}.items():
        (made / file).write_text(text)
    with pytest.raises(UserError, match=said):
        find_codec(name)


def test_a_published_vocabulary_is_downloaded_as_the_pipeline_does(made, monkeypatch):
    monkeypatch.setattr("gptgrid.inference.vocabulary.PUBLISHED", {"gpt2": lambda: CODECS["bpe"]})
    assert find_codec("gpt2") is CODECS["bpe"]
