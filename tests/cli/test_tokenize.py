"""The command shows tokens in aligned columns, or as JSON."""

import gzip
import json
import subprocess
import sys

import pytest
from cells import tiny, write_cell
from rich.cells import cell_len
from small_codecs import CODECS
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.console import aligned
from gptgrid.cli.main import app
from gptgrid.tokens.codec import BpeCodec, IdsCodec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.patterns import GPT4


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> str:
    """Return a codec.json of a byte pair encoding that knows three merges and a mark."""
    file = tmp_path_factory.mktemp("codec") / "codec.json"
    ranks = [*(bytes([value]) for value in range(256)), b"fo", b"fox", "天".encode()[:2]]
    write_codec(BpeCodec("bpe", GPT4, ranks, ["<|user|>"]), file)
    return str(file)


def invoke(*arguments: str, **options) -> str:
    result = CliRunner().invoke(app, ["tokenize", *arguments], catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_text_is_shown_token_by_token(codec):
    assert invoke(codec, "fox 天<|user|>", "--marks") == (
        " id  bytes  text      merges (rank: left right)\n"
        "257      3  fox       256: f o  257: fo x\n"
        " 32      1  ␣\n"
        "258      2  \\xe5\\xa4  258: \\xe5 \\xa4\n"
        "169      1  \\xa9\n"
        "260      0  <|user|>  special token\n"
        "\n"
        "5 tokens, 15 bytes, 13 characters: 3.00 bytes and 2.60 characters a token\n"
    )


def test_json_says_the_same(codec):
    found = json.loads(invoke(codec, "fox\n天", "--json"))
    fox, line, half, rest = found["tokens"]
    assert fox["merges"] == [
        {"rank": 256, "left": "66", "right": "6f"},
        {"rank": 257, "left": "666f", "right": "78"},
    ]
    assert (line["id"], line["text"], line["bytes"], line["special"]) == (10, "\n", "0a", False)
    assert (half["text"], half["bytes"], rest["text"], rest["bytes"]) == (None, "e5a4", None, "a9")
    assert (found["count"], found["bytes_per_token"], found["characters_per_token"]) == (4, 7 / 4, 5 / 4)


def test_a_file_and_stdin_are_read_to_the_last_byte(codec, tmp_path):
    file = tmp_path / "text"
    file.write_bytes("天\r\n".encode())
    shown = invoke(codec, "--file", str(file))
    assert shown.count("\\r") == shown.count("\\n") == 1
    assert invoke(codec, "-", input="天\r\n".encode()) == shown


def test_the_vocabulary_has_a_line_for_each_token(codec):
    lines = invoke(codec, "--table").splitlines()
    assert len(lines) == 1 + 261 and lines[1 + ord("a")].split() == ["97", "1", "a"]
    assert lines[1 + 257].split() == ["257", "3", "fox", "257:", "fo", "x"]
    data = json.loads(invoke(codec, "--table", "--json"))
    assert [token["id"] for token in data] == list(range(261)) and data[259]["text"] == "<|endoftext|>"


def test_wide_characters_are_aligned():
    rows = [("1", "天地玄黄", "x"), ("10", "🦊", "y"), ("100", "abcde", "z")]
    lines = aligned(rows, numbers=1)
    places = [cell_len(line[: line.index(letter)]) for line, letter in zip(lines, "xyz", strict=True)]
    assert places == [3 + 2 + 8 + 2] * 3


def test_an_overlong_text_moves_its_own_line_alone():
    short, long = aligned([("abc", "x"), ("w" * 50, "y")], numbers=0)
    assert (short, long) == ("abc" + " " * 31 + "x", "w" * 50 + "  y")


def test_ids_have_no_bytes(tmp_path):
    write_codec(IdsCodec(10), tmp_path / "codec.json")
    assert invoke(str(tmp_path), "1 2").endswith("\n\n2 tokens\n")
    assert json.loads(invoke(str(tmp_path), "1 2", "--json"))["bytes_per_token"] is None


def test_what_is_said_of_a_tokenizer_is_no_part_of_the_output(tmp_path):
    data = json.loads(to_tokenizer_json(CODECS["bpe"]))
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps({**data, "normalizer": {"type": "NFC"}}))
    result = CliRunner().invoke(app, ["tokenize", str(file), "fox", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["count"] == 1 and "NFC normalization is left out" in result.stderr


def test_the_seeds_of_a_cell_are_one_tokenizer(tmp_path, monkeypatch):
    for seed in (1, 2):
        write_cell(
            tmp_path / f"results/one/cells/toy.char.gpt2.base.s{seed}/train", tiny(282), CODECS["char"]
        )
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["tokenize", "toy gpt2", "狐"], catch_exceptions=False)
    assert "1 token, 3 bytes, 1 character: " in said.stdout
    assert said.stderr == "gptgrid: results/one/cells/toy.char.gpt2.base.s1\n"


def test_the_tokenizer_that_parts_of_a_name_mean_is_said(tmp_path, monkeypatch):
    (folder := tmp_path / "data" / "tokenizers" / "bpe@tales").mkdir(parents=True)
    write_codec(CODECS["bpe"], folder / "codec.json")
    monkeypatch.chdir(tmp_path)
    for name in ("bpe", "bpe@tales"):
        said = CliRunner().invoke(app, ["tokenize", name, "fox"], catch_exceptions=False)
        assert said.stderr == "gptgrid: data/tokenizers/bpe@tales\n"
    assert CliRunner().invoke(app, ["tokenize", "data/tokenizers/bpe@tales", "fox"]).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "the text is empty"),
        (["a\udcff"], "the text is no text: character 1 is a byte"),
        ([], "give one of a text, --file and --table"),
        (["a", "--table"], "give one of a text, --file and --table"),
        (["--file", "missing"], "missing cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_text_is_told(codec, arguments, said):
    result = CliRunner().invoke(app, ["tokenize", codec, *arguments])
    assert isinstance(result.exception, UserError) and said in str(result.exception)
    assert result.stdout == ""


def test_bytes_that_are_no_text_are_told_with_their_place(codec, tmp_path):
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    result = CliRunner().invoke(app, ["tokenize", codec, "--file", str(tmp_path / "latin")])
    assert "latin: no UTF-8: byte 3 does not fit; convert it first" in str(result.exception)
    result = CliRunner().invoke(app, ["tokenize", codec, "-"], input=b"\xff")
    assert str(result.exception).startswith("stdin: no UTF-8: byte 0 does not fit")
    result = CliRunner().invoke(app, ["tokenize", codec, "-"], input=gzip.compress(b"fox"))
    assert str(result.exception) == "stdin: the file is compressed; decompress it first"


def test_a_file_may_be_stdin_and_is_called_so(codec):
    expected = CliRunner().invoke(app, ["tokenize", codec, "fox"]).stdout
    assert CliRunner().invoke(app, ["tokenize", codec, "--file", "-"], input="fox").stdout == expected
    result = CliRunner().invoke(app, ["tokenize", codec, "--file", "-"], input=b"\xff")
    assert str(result.exception).startswith("stdin: no UTF-8: byte 0 does not fit")


def test_a_byte_order_mark_is_no_part_of_a_text(codec):
    expected = CliRunner().invoke(app, ["tokenize", codec, "-", "--json"], input=b"fox").stdout
    read = CliRunner().invoke(app, ["tokenize", codec, "-", "--json"], input=b"\xef\xbb\xbffox").stdout
    assert read == expected and json.loads(read)["count"]


def test_tokenizing_does_not_wait_for_torch(codec):
    code = f"import sys\nfrom gptgrid.cli.main import app\ntry: app(['tokenize', {codec!r}, 'a'])\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("\nFalse\n"), done.stderr


def test_the_name_of_the_end_of_text_stays_text_and_help_says_so(codec):
    assert "special" not in invoke(codec, "<|endoftext|>", "--marks").splitlines()[1]
    said = CliRunner().invoke(app, ["tokenize", "--help"], env={"COLUMNS": "300", "TERM": "dumb"}).stdout
    [line] = [line for line in said.splitlines() if "--marks" in line]
    assert "that of the end of text stays text" in line
