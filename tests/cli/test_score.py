"""`score` says how well a cell predicts files, and where worst."""

import gzip
import json
from pathlib import Path

import pytest
from cells import tiny, write_cell
from typer.testing import CliRunner

from gptgrid.api import load
from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.tokens.codec import IdsCodec


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell with random weights."""
    return write_cell(tmp_path_factory.mktemp("results") / "cell", tiny(257))


@pytest.fixture
def texts(tmp_path) -> list[str]:
    """Return two files."""
    (tmp_path / "one.txt").write_bytes(("The cat 天地. " * 30).encode())
    (tmp_path / "[b]two.txt").write_bytes(b"\xef\xbb\xbfNo,\r\n no.")
    return [str(tmp_path / name) for name in ("one.txt", "[b]two.txt")]


def score(*arguments: str, **options) -> str:
    result = CliRunner().invoke(app, ["score", *arguments], catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_has_each_file_and_all_together(folder, texts):
    found = json.loads(score(str(folder), *texts, "--json", "--worst", "2"))
    cell = load(folder, "cpu")
    expected = [cell.score("The cat 天地. " * 30), cell.score("No,\r\n no.")]
    assert found["cell"] == str(folder)
    for name, row, figures in zip(texts, found["files"], expected, strict=True):
        worst = row.pop("worst")
        assert row == {"file": name, **vars(figures)}
        assert 1 <= len(worst) <= 2 and worst[0].keys() == {"offset", "bytes", "nats", "text", "bpb"}
    assert found["together"]["bytes"] == sum(figures.bytes for figures in expected)
    assert found["together"]["nats"] == sum(figures.nats for figures in expected)


def test_a_table_and_the_worst_places(folder, texts):
    figures = load(folder, "cpu").score("The cat 天地. " * 30)
    said = score(str(folder), *texts).splitlines()
    [line] = [line for line in said if line.strip().startswith(texts[0])]
    assert line.split()[1:] == ["480", "480", f"{figures.bpb:.4f}", f"{figures.perplexity:,.2f}"]
    assert any(line.strip().startswith(texts[1]) for line in said)
    assert any(line.strip().startswith("together") for line in said)
    assert f"where {texts[0]} is predicted worst:" in said
    assert sum("bits per byte: " in line for line in said) == 4
    assert "together" not in score(str(folder), texts[0], "--worst", "0")


def test_the_standard_input_is_a_text(folder):
    found = json.loads(score(str(folder), "-", "--json", input="天地"))
    assert found["files"][0]["file"] == "-" and found["together"]["bytes"] == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file "),
        (b"", "text.txt: the text has no token to score"),
        (b"ab\xffcd", "text.txt: no UTF-8: byte 2 does not fit; convert it first"),
        (gzip.compress(b"abcd", mtime=0), "text.txt: the file is compressed; decompress it first"),
    ],
)
def test_what_cannot_be_scored_is_said(folder, tmp_path, content, said):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    result = CliRunner().invoke(app, ["score", str(folder), str(path)])
    assert isinstance(result.exception, UserError) and said in str(result.exception)
    assert result.stdout == ""


def test_the_other_texts_are_scored_where_one_cannot_be(folder, texts, tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    bad = [str(tmp_path / name) for name in ("empty.txt", "latin.txt")]
    result = CliRunner().invoke(app, ["score", str(folder), texts[0], *bad, texts[1], "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert [row["file"] for row in found["files"]] == texts
    assert found["together"]["bytes"] == sum(row["bytes"] for row in found["files"])
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == bad and "it is empty" in lines[0]


def test_what_is_no_file_or_given_twice_is_said(folder, texts, tmp_path):
    for files, said in (
        ([str(tmp_path)], f"{tmp_path} is a folder; give the files in it"),
        ([texts[0], texts[1], texts[0]], f"{texts[0]} is given twice"),
    ):
        result = CliRunner().invoke(app, ["score", str(folder), *files])
        assert isinstance(result.exception, UserError) and said in str(result.exception)


def test_too_few_bare_ids_are_said(tmp_path):
    cell = write_cell(tmp_path / "cell", tiny(10), IdsCodec(10))
    (tmp_path / "ids.txt").write_text("1")
    result = CliRunner().invoke(app, ["score", str(cell), str(tmp_path / "ids.txt")])
    assert str(result.exception).endswith(
        "no token to score: of ids, the first one is not predicted; give two"
    )


def test_bare_ids_have_no_bytes(tmp_path):
    cell = write_cell(tmp_path / "cell", tiny(10), IdsCodec(10))
    (tmp_path / "ids.txt").write_text("1 2 3\n4")
    found = json.loads(score(str(cell), str(tmp_path / "ids.txt"), "--json"))
    assert found["together"]["tokens"] == 3 and found["together"]["bytes"] is None
    assert "3" in score(str(cell), str(tmp_path / "ids.txt"))
