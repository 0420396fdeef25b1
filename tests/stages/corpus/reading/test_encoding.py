"""Bytes become the right text, or an error that says where they do not."""

import codecs
import io

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.builtin.toy import PAIRS
from gptgrid.stages.corpus.reading import encoding as module


def decode(data, encoding="auto", name="f", errors="strict"):
    """Return text and facts, as the stage finds them."""
    if encoding == "auto":
        facts = module.detect(io.BytesIO(data), name)
    else:
        facts = {"encoding": encoding, "guessed": False}
    text = "".join(module.decode(io.BytesIO(data), name, facts["encoding"], errors, facts))
    return text, facts


@pytest.fixture(params=[1, 3, 2**20], autouse=True)
def block(request, monkeypatch):
    """Where a file is cut into blocks never matters."""
    monkeypatch.setattr(module, "BLOCK", request.param)


TEXT = "红楼梦 naïve 🙂\nzweite Zeile"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "utf-32"),
    ],
)
def test_auto_reads_marks_and_utf8(data, encoding):
    facts = {"encoding": encoding, "guessed": False, "line_ends": ["LF"], "replaced": 0}
    assert decode(data) == (TEXT, facts)


def test_line_ends_become_line_feeds_and_a_mark_is_no_text():
    text, facts = decode(codecs.BOM_UTF8 + b"a\r\nb\x00\rc\n", "utf-8")
    assert text == "a\nb\x00\nc\n" and facts["line_ends"] == ["CR", "CRLF", "LF"]


CHINESE = "".join(chinese for chinese, _ in PAIRS)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        (CHINESE, "big5"),
        ("朝起きると、雨が降っていた。傘を持って駅まで歩いた。\n" * 4, "shift_jis"),
        ("La forêt était déjà très sombre quand la fille rentra à la maison.\n" * 4, "latin-1"),
        ("“Größe”, Straße und Übermut – alles zugleich.\n" * 4, "cp1252"),
        ("Příliš žluťoučký kůň. Dům stál na kopci u lesa.\n" * 4, "cp1250"),
        ("Жила-была маленькая лягушка в красивом саду у реки.\n" * 4, "koi8_r"),
    ],
)
def test_auto_guesses_and_says_so(text, encoding, capsys):
    data = text.encode(encoding, "ignore")
    found, facts = decode(data, "auto", "novel.txt")
    assert found == data.decode(encoding) and facts["guessed"]
    assert "novel.txt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        (b"abc\xff", "utf-8", ["offset 3", "0xff", "encoding"]),
        (b"abc\xe4", "ascii", ["offset 3", "auto"]),
        (b"abc", "utf-9", ["'utf-9' is unknown"]),
        (b"abc", "rot13", ["'rot13' is unknown"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8, "auto", ["not text", "offset 0"]),
    ],
)
def test_what_does_not_fit_is_an_error_with_file_and_offset(data, encoding, said):
    with pytest.raises(UserError) as error:
        decode(data, encoding, "texts/f.txt")
    assert all(part in str(error.value) for part in ["texts/f.txt", *said])
