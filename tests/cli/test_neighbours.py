"""The command shows the nearest tokens, or gives them as JSON."""

import json
from pathlib import Path

import pytest
import torch
from cells import tiny, write_cell
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell in which a is like b, a little like a blank, and unlike all else."""
    module = tiny(257, tie_embeddings=False)
    with torch.no_grad():
        module.embedding.tokens.weight.zero_()
        module.embedding.tokens.weight[:, 0] = -1
        module.embedding.tokens.weight[[97, 98], 0] = 1
        module.embedding.tokens.weight[32, :2] = 1
        module.embedding.tokens.weight[98, 1] = 0.1
    return write_cell(tmp_path_factory.mktemp("results") / "cell", module)


def invoke(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["neighbours", str(folder), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_nearest_are_listed_with_their_cosines(folder):
    assert invoke(folder, "a", "--count", "3") == (
        "a (97)\n 0.9950  98  b\n 0.7071  32  ␣\n-1.0000   0  \\x00\n"
    )


def test_a_word_of_several_tokens_has_their_mean_last(folder):
    titles = [block.splitlines()[0] for block in invoke(folder, "ab", "b").split("\n\n")]
    assert titles == ["a (97)", "b (98)", "mean of a (97) b (98)", "b (98)"]


def test_json_says_the_same(folder):
    ((word,),) = [json.loads(invoke(folder, "a", "--count", "2", "--json"))]
    assert word["word"] == "a" and [token["id"] for token in word["groups"][0]["of"]] == [97]
    first, second = word["groups"][0]["neighbours"]
    assert (first["text"], second["text"], second["bytes"]) == ("b", " ", "20")
    assert first["cosine"] == pytest.approx(1 / 1.01**0.5)


def test_the_output_matrix_has_neighbours_of_its_own(folder):
    assert invoke(folder, "a") != invoke(folder, "a", "--head")


@pytest.mark.parametrize(
    ("word", "said"), [("", "the word is empty"), ("\udcff", "the word is no text: character 0 is a byte")]
)
def test_what_is_no_word_is_told(folder, word, said):
    result = CliRunner().invoke(app, ["neighbours", str(folder), word])
    assert isinstance(result.exception, UserError) and said in str(result.exception)
    assert result.stdout == ""
