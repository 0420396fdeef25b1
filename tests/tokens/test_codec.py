"""Every codec gives back every text, and its ids are those that others give."""

import itertools
import json
import os
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import regex
import tiktoken_ext.openai_public as openai_public
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gptgrid.artifact.errors import UserError
from gptgrid.stages.tokenizer.make import fetch_gpt2, learn_characters, learn_merges
from gptgrid.tokens.base import END_OF_TEXT, Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec, read_codec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.seams import AHEAD, cut, next_seam

DOCUMENTS = [
    "The cat sat on the mat. The dog sat on the log, and the cat's 12345 friends didn't.",
    "今天天气很好，我们去公园散步吧。今天的公园里有很多人。",
    "naïve café — “quotes” 😀👩‍👩‍👧 \t tabs\n\n\nlines   and    blanks   \r\n",
]
HARD = [
    *DOCUMENTS,
    "",
    " ",
    "   leading and trailing   ",
    f"a text that says {END_OF_TEXT} and goes on",
    "a\x00b\u2028c\u0085d",
    "ſ ſT'S 'S I'LL i'ſ ǅ",
    "x" * 300,
    "١٢٣ ４５６ ½ ⅷ",
    "é e\u0301 नमस्ते สวัสดี مرحبا",
]


SPECIAL = ("<|user|>", "<|assistant|>", "<|", "<|user|>>", "用户", "|>\n", "  ", "USER:", "x|>")
"""Some are the start, the end or the middle of others, and of the end of text."""


def codecs() -> dict[str, Codec]:
    merges = {
        f"bpe-{name}": BpeCodec("bpe", pattern, learn_merges(DOCUMENTS * 3, 399, pattern), SPECIAL)
        for name, pattern in PATTERNS.items()
    }
    return {"bytes": BytesCodec(SPECIAL), "char": CharCodec(learn_characters(DOCUMENTS), SPECIAL), **merges}


CODECS = codecs()
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@every_codec
@settings(max_examples=150, deadline=None)
@given(text=st.text() | st.text(alphabet="abc今天 \n'😀1é", max_size=60))
def test_lossless_on_every_string(codec: Codec, text: str) -> None:
    ids = codec.encode(text)
    assert codec.decode(ids) == text
    assert codec.decode_bytes(ids) == text.encode()
    assert all(0 <= index < codec.eot for index in ids)


@every_codec
@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_lossless_on_hard_cases(codec: Codec, text: str) -> None:
    assert codec.decode(codec.encode(text)) == text


@every_codec
def test_end_of_text_reads_as_nothing(codec: Codec) -> None:
    ids = codec.encode("one")
    assert codec.decode([codec.eot, *ids, codec.eot]) == "one"
    assert codec.vocab_size == codec.eot + len(codec.special_tokens)


@every_codec
def test_special_tokens_are_meant_only_where_one_says_so(codec: Codec) -> None:
    assert next(iter(codec.special_tokens)) == END_OF_TEXT
    for name, index in codec.special_tokens.items():
        text = f"one{name}two{name}"
        marked = [*codec.encode("one"), index, *codec.encode("two"), index]
        # The end of text begins documents, and stands nowhere in them.
        assert codec.encode_marked(text) == (codec.encode(text) if name == END_OF_TEXT else marked)
        assert codec.encode_stream([text, name], marks=True).tolist() == [
            *(codec.eot, *codec.encode_marked(text)),
            *(codec.eot, *codec.encode_marked(name)),
        ]
        assert index not in codec.encode(text) and codec.decode(codec.encode(text)) == text
        assert codec.token_bytes(index) == b"" and codec.decode([index]) == ""
        assert codec.decode([index], special=True) == name


NAMES = st.lists(
    st.sampled_from(
        [*SPECIAL, "user", "<|use", "r|>", " ", "\n", ">", "<", "endoftext", "户", "é", "今", "x"]
    ),
    max_size=25,
).map("".join)


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=150, deadline=None)
@given(text=NAMES)
def test_marks_are_those_of_the_exported_file(name: str, text: str) -> None:
    codec, exported = CODECS[name], exchanged(name)
    assume(END_OF_TEXT not in text)
    ids = codec.encode_marked(text)
    assert ids == exported.encode(text).ids
    for special in (False, True):
        assert codec.decode(ids, special=special) == exported.decode(ids, skip_special_tokens=not special)
    assert codec.decode(ids, special=True) == text
    assert codec.encode_stream([text], marks=True).tolist() == [codec.eot, *ids]


@pytest.mark.parametrize("name", CODECS)
def test_vocabulary_is_that_of_the_exported_file(name: str) -> None:
    codec, exported = CODECS[name], exchanged(name)
    assert codec.vocab_size == exported.get_vocab_size()
    assert {token: exported.token_to_id(token) for token in codec.special_tokens} == codec.special_tokens


@every_codec
def test_a_marked_text_without_text(codec: Codec) -> None:
    assert (
        codec.encode_marked("") == []
        and codec.encode_marked("<|user|><|user|>") == [codec.special_tokens["<|user|>"]] * 2
    )


WORDS = [
    "the cat",
    "don't",
    " ",
    "  ",
    "\n",
    "\r\n\t",
    "1234",
    "5",
    "今天",
    "〇",
    "々",
    "⺀",
    "，",
    "。\n",
    "!/",
    "'s",
    "'",
    "é",
    "e\u0301",
    "😀",
    "ſ",
    "-",
    "A",
    "\u0378",
]


@pytest.mark.parametrize("marks", [False, True])
@every_codec
@settings(max_examples=100, deadline=None)
@given(
    text=st.lists(st.sampled_from([*WORDS, *SPECIAL]), max_size=40).map("".join) | st.text(),
    length=st.integers(1, 30),
)
def test_parts_of_a_text_have_the_ids_of_the_whole(codec: Codec, marks: bool, text: str, length: int) -> None:
    parts = list(codec.parts([text], length, marks))
    assert codec.join(parts).tolist() == (codec.encode_marked(text) if marks else codec.encode(text))


@pytest.mark.parametrize("name", PATTERNS)
def test_seams_are_where_the_pattern_cuts_anyway(name: str) -> None:
    """On every text of four characters of every kind that a pattern tells from others."""
    cut = regex.compile(PATTERNS[name], regex.VERSION1)
    seams = 0
    for letters in itertools.product("aS今〇⺀1 \n\t'\u0301。ſ", repeat=4):
        text = "".join(letters)
        place = next_seam(text, 1)
        while place < len(text):
            assert cut.findall(text[:place]) + cut.findall(text[place:]) == cut.findall(text), (text, place)
            seams, place = seams + 1, next_seam(text, place + 1)
    assert seams > 10_000


def test_new_letters_are_no_seam_as_the_engines_do_not_know_them() -> None:
    letter = "\U000323b0"
    ranks = [bytes([value]) for value in range(256)]
    codec = BpeCodec("bpe", PATTERNS["gpt4"], [*ranks, letter.encode()[-1:] + b"."])
    text = f"a {letter}. {letter}. b"
    assert codec.join(codec.parts([text], 3)).tolist() == codec.encode(text)


def test_parts_are_the_text_and_end_at_seams() -> None:
    for text in ("", "a", "a b c", "a" * 30, "one two three, four. " * 9):
        assert "".join(cut([text], 7, next_seam)) == text
    assert list(cut(["a b c d"], 2, next_seam)) == ["a b", " c", " d"]


@pytest.mark.parametrize("marks", [False, True])
@every_codec
@pytest.mark.parametrize("size", [101, 999, 30_000])
def test_a_text_in_pieces_has_the_parts_of_the_whole(codec: Codec, marks: bool, size: int) -> None:
    """Also where a name, or a name in a name, stands across pieces, and where no place to cut is for long."""
    some = "".join(random.Random(size).choices([*WORDS, *SPECIAL, END_OF_TEXT], k=AHEAD))
    for text in (
        some,
        f"{'a' * 2 * AHEAD} {some[:99]}{' ' * 2 * AHEAD}{some[:99]}{SPECIAL[0]}",
        SPECIAL[0],
        "",
    ):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        for length in (1, 50, AHEAD):
            assert list(codec.parts(pieces, length, marks)) == list(codec.parts([text], length, marks))


@pytest.mark.parametrize("size", range(1, len(END_OF_TEXT) + 1))
def test_a_name_in_the_end_of_text_is_none_wherever_a_text_is_cut(size: int) -> None:
    codec, text = BytesCodec(["text|>"]), END_OF_TEXT * AHEAD
    pieces = (text[start : start + 500 * size] for start in range(0, len(text), 500 * size))
    assert codec.join(codec.parts(pieces, 1, marks=True)).tolist() == codec.encode(text)


def test_a_part_is_known_soon() -> None:
    """So that not more than a piece of a text, and what may decide, is in memory."""
    read = []
    pieces = ("one two, " * 100 for _ in iter(lambda: read.append(1), 1))
    parts = BytesCodec(SPECIAL).parts(pieces, 1000, marks=True)
    assert len(next(parts)) == 1000 and len(read) < 2 * AHEAD // 900 + 4


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    "text",
    [
        "the cat sat on 12 mats, " * 500,
        "今天天气很好，我们去公园。" * 800,
        "f9a0b" * 2000,
        "3.25;1e-7\n" * 1000,
    ],
    ids=["English", "Chinese", "hexadecimal", "numbers"],
)
def test_a_long_line_falls_apart(name: str, text: str) -> None:
    codec = CODECS[name]
    parts = list(codec.parts([text], 1000))
    assert max(map(len, parts)) < 1020
    assert codec.join(parts).tolist() == codec.encode(text)


@every_codec
def test_half_a_surrogate_pair_is_explained(codec: Codec) -> None:
    with pytest.raises(UserError, match="half a surrogate pair at character 2"):
        codec.encode("ab\ud800")


@every_codec
def test_stream_is_the_documents_each_behind_the_end_of_text(codec: Codec) -> None:
    slow = [index for text in HARD for index in (codec.eot, *codec.encode(text))]
    assert codec.encode_stream(HARD).tolist() == slow
    plain = [text for text in HARD if END_OF_TEXT not in text]
    slow = [index for text in plain for index in (codec.eot, *codec.encode(text))]
    assert codec.encode_stream(plain).tolist() == slow


@every_codec
def test_file_gives_the_codec_back(codec: Codec, tmp_path: Path) -> None:
    write_codec(codec, tmp_path / "codec.json")
    again = read_codec(tmp_path)
    for text in HARD:
        assert again.encode(text) == codec.encode(text)
    write_codec(again, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "codec.json").read_bytes()


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=150, deadline=None)
@given(text=st.text() | st.text(alphabet="aT'sSlL 今\n\r\t1２é", max_size=60))
def test_hugging_face_gives_the_same_ids(name: str, text: str) -> None:
    codec = CODECS[name]
    assert plain(name).encode(text).ids == list(codec.encode(text))


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_hugging_face_gives_the_same_ids_on_hard_cases(name: str, text: str) -> None:
    found = plain(name)
    assert found.encode(text).ids == CODECS[name].encode(text)
    assert found.decode(found.encode(text).ids) == text
    for special, index in CODECS[name].special_tokens.items():
        assert found.token_to_id(special) == index


@cache
def exchanged(name: str) -> Tokenizer:
    """Return the codec as the tokenizers library reads it: names of special tokens are these."""
    return Tokenizer.from_str(to_tokenizer_json(CODECS[name]))


@cache
def plain(name: str) -> Tokenizer:
    """Return the same, to which these names are text."""
    found = Tokenizer.from_str(to_tokenizer_json(CODECS[name]))
    found.encode_special_tokens = True
    return found


def test_ids_have_no_exchange_format() -> None:
    assert to_tokenizer_json(IdsCodec(5)) is None


def test_characters_outside_the_vocabulary_become_their_bytes() -> None:
    codec = CharCodec(learn_characters(["abc"]))
    assert codec.encode("aéb") == [256, *"é".encode(), 257]
    assert codec.vocab_size == 256 + 3 + 1


def test_merges_are_those_of_a_slow_byte_pair_encoding() -> None:
    """Against the textbook loop: count pairs, merge the most frequent, again."""
    codec = CODECS["bpe-gpt2"]
    pieces = [
        [bytes([b]) for b in piece.encode()]
        for text in DOCUMENTS * 3
        for piece in regex.findall(PATTERNS["gpt2"], text)
    ]
    for merged in codec.ranks[256:300]:
        counts: dict[bytes, int] = {}
        for piece in pieces:
            for a, b in itertools.pairwise(piece):
                counts[a + b] = counts.get(a + b, 0) + 1
        # Ties are free; the count is not.
        assert counts[merged] == max(counts.values())
        for piece in pieces:
            place = 0
            while place < len(piece) - 1:
                if piece[place] + piece[place + 1] == merged:
                    piece[place : place + 2] = [merged]
                place += 1


def test_ids_codec_reads_numbers() -> None:
    codec = IdsCodec(10)
    assert codec.encode("3 7 1") == [3, 7, 1]
    assert codec.eot is None
    with pytest.raises(UserError, match="outside 0 … 9"):
        codec.encode("3 10")
    with pytest.raises(UserError, match="is not token ids"):
        codec.encode("three")


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "odd"}', "[1"])
def test_damaged_file_is_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "codec.json").write_text(content)
    with pytest.raises(UserError, match="is not a codec"):
        read_codec(tmp_path)


needs_mirror = pytest.mark.skipif("GPTGRID_MIRROR" not in os.environ, reason="needs the published files")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> BpeCodec:
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("gpt2"))
    yield fetch_gpt2()
    os.chdir(before)


@needs_mirror
def test_gpt2_is_the_published_one(gpt2: BpeCodec) -> None:
    assert gpt2.encode("Hello world") == [15496, 995]
    assert gpt2.encode("hello world") == [31373, 995]
    assert (gpt2.eot, gpt2.vocab_size) == (50256, 50257)
    assert gpt2.to_json()["special_tokens"] == {END_OF_TEXT: 50256}


@needs_mirror
def test_gpt2_reads_the_verdict_as_published(gpt2: BpeCodec) -> None:
    mirror = Path(os.environ["GPTGRID_MIRROR"]) / "raw.githubusercontent.com/rasbt/LLMs-from-scratch/main"
    text = (mirror / "ch02/01_main-chapter-code/the-verdict.txt").read_text()
    assert len(gpt2.encode(text)) == 5145
    found = Tokenizer.from_str(to_tokenizer_json(gpt2))
    assert found.encode(text).ids == gpt2.encode(text)


@needs_mirror
def test_gpt2_ids_are_those_of_its_encoder_file(gpt2: BpeCodec) -> None:
    mirror = Path(os.environ["GPTGRID_MIRROR"]) / "openaipublic.blob.core.windows.net/gpt-2/encodings/main"
    published = json.loads((mirror / "encoder.json").read_text())
    from gptgrid.tokens.alphabet import byte_letters

    letters = byte_letters()
    for index in np.random.default_rng(0).integers(0, 50256, 500):
        spelled = "".join(letters[value] for value in gpt2.ranks[index])
        assert published[spelled] == index


@pytest.mark.parametrize(
    ("name", "theirs"), [("gpt2", "r50k_base"), ("gpt4", "cl100k_base"), ("o200k", "o200k_base")]
)
@settings(max_examples=300, deadline=None)
@given(text=st.text() | st.text(alphabet="aT'sSlL 今\n\r\t1２é,/.-", max_size=60))
@example(text="\n".join(HARD))
def test_patterns_cut_as_those_that_tiktoken_publishes(name: str, theirs: str, text: str) -> None:
    text += "x"
    assert regex.findall(PATTERNS[name], text) == regex.findall(published_pattern(theirs), text)


@cache
def published_pattern(name: str) -> str:
    """Return a pattern of tiktoken without the download of its ranks."""
    with pytest.MonkeyPatch.context() as patch:
        for loader in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
            patch.setattr(openai_public, loader, lambda *_, **__: {})
        return getattr(openai_public, name)()["pat_str"]


def test_chinese_characters_and_other_letters_are_apart() -> None:
    cut = regex.compile(PATTERNS["chinese"], regex.VERSION1)
    assert cut.findall("用Python写，很好！") == ["用", "Python", "写", "，很好", "！"]
    assert max(map(len, cut.findall("天地玄黄" * 100))) <= 9


LONG = {
    "one letter": "a" * 1_000_000,
    "blanks": " " * 1_000_000 + "x",
    "line feeds": "\n" * 1_000_000 + "x",
    "NUL": "\0" * 1_000_000,
    "Chinese without punctuation": "天地玄黄宇宙洪荒日月盈昃" * 30_000,
    "mixed": "abc 今天\r\n\t１２3 😀" * 60_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("name", ["bytes", "char", "bpe-gpt2", "bpe-gpt4", "bpe-o200k", "bpe-chinese"])
def test_endless_runs_are_lossless(name: str, text: str) -> None:
    codec = CODECS[name]
    ids = codec.encode_array(text)
    assert codec.decode_bytes(ids.tolist()) == text.encode()


@pytest.mark.parametrize("blanks", [998, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("name", PATTERNS)
def test_long_runs_have_the_same_ids_in_the_hugging_face_format(name: str, blanks: int) -> None:
    codec = CODECS[f"bpe-{name}"]
    text = "a" + " " * blanks + "b" + "\n" * blanks + "c"
    assert plain(f"bpe-{name}").encode(text).ids == codec.encode(text)
