"""The command `walk`: names, text, JSON, page, and mistakes in one line."""

import json
import re
from pathlib import Path

import pytest
from cells import tiny, write_cell
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.inference.cell import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell with random weights."""
    return write_cell(tmp_path_factory.mktemp("results") / "cell", tiny(257, context=16))


def invoke(*arguments: str):
    result = CliRunner().invoke(app, ["walk", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_it_tells_all_steps(folder):
    steps = re.findall(r"^\d+\. .*", invoke(str(folder), "--text", "ab 狐").stdout, re.MULTILINE)
    assert steps[0] == "1. Text"
    assert steps[-1].endswith(". Loss")
    more = invoke(str(folder), "--text", "ab 狐", "--blocks", "all", "--backward").stdout
    assert "Block 1" in more
    assert "One step of SGD" in more


def test_its_json_has_the_loss_of_the_model(folder):
    told = json.loads(invoke(str(folder), "--text", "ab", "--json").stdout)
    score = load(folder, "cpu").score("ab", stride=16)
    assert told["loss"] == pytest.approx(score.nats / score.tokens, rel=1e-5)
    assert told["ids"] == [256, 97, 98]
    assert [step["key"] for step in told["steps"]][-1] == "loss"


def test_a_long_text_is_cropped_and_that_is_said_beside_the_output(folder):
    result = invoke(str(folder), "--text", "a" * 40, "--json")
    assert len(json.loads(result.stdout)["ids"]) == 16
    assert "41 tokens, more than the context of 16" in result.stderr


def test_it_writes_a_page(folder, tmp_path):
    path = tmp_path / "walk.html"
    result = invoke(str(folder), "--text", "ab", "--html", str(path), "--language", "zh")
    assert not result.stdout
    assert str(path) in result.stderr
    assert '<html lang="zh-CN">' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", ""], "the text is empty"),
        (["--text", "a\udcff"], "no text"),
        (["--blocks", "7"], "blocks 0 to 1"),
        (["--language", "fr"], "no language"),
        (["--html", "/nowhere/walk.html"], "cannot be written"),
    ],
)
def test_mistakes_are_told(folder, options, message):
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(app, ["walk", str(folder), *options], catch_exceptions=False)
