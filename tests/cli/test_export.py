"""`export` writes a cell for others, and says what it wrote."""

import json
import shutil
from typing import get_args, get_type_hints

import pytest
from exporting import exported_cell
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.export import export as command
from gptgrid.cli.main import app
from gptgrid.inference.export.export import DTYPES, TARGETS
from gptgrid.tokens.codec import BytesCodec


@pytest.fixture
def cell(tmp_path, monkeypatch) -> str:
    """Write a cell, and go there; return the parts of its name."""
    exported_cell(tmp_path / "results" / "mine" / "cells" / "toy.bytes.gpt2.base.s1" / "train", BytesCodec())
    monkeypatch.chdir(tmp_path)
    return "toy gpt2"


def export(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["export", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_cell_by_parts_of_its_name_goes_into_a_folder_of_its_name(cell, tmp_path):
    out = export(cell, "--to", "hf")
    assert "exports/toy.bytes.gpt2.base.s1/hf/model.safetensors" in out
    assert (tmp_path / "exports/toy.bytes.gpt2.base.s1/hf/tokenizer.json").is_file()


def test_the_folder_of_other_weights_names_them(cell, tmp_path):
    train = tmp_path / "results/mine/cells/toy.bytes.gpt2.base.s1/train"
    shutil.copy(train / "last.safetensors", train / "step-00000020.safetensors")
    for name, options, folder in (
        ("", [], ""),
        ("@20", [], "@20"),
        ("", ["--weights", "last"], "@last"),
    ):
        out = export(cell + name, "--to", "safetensors", *options)
        assert f"exports/toy.bytes.gpt2.base.s1{folder}/safetensors/config.json" in out
    # These are the weights that the cell is judged by, however they are asked for.
    with pytest.raises(UserError, match=r"exports/toy\.bytes\.gpt2\.base\.s1/safetensors is not empty"):
        export(f"{cell}@best", "--to", "safetensors")


def test_json_names_the_folder_and_the_sizes_of_its_files(cell, tmp_path):
    found = json.loads(export(cell, "--to", "safetensors", "--out", "one", "--dtype", "float16", "--json"))
    assert found["folder"] == "one"
    assert found["files"] == {path.name: path.stat().st_size for path in (tmp_path / "one").iterdir()}


def test_the_tokens_of_a_fine_tuned_cell_are_said_to_be_those_of_its_base(tmp_path, monkeypatch):
    folder = tmp_path / "toy.chat" / "finetune"
    exported_cell(folder, BytesCodec(), {"finetuning": {}})
    monkeypatch.setitem(TARGETS, "bin", lambda loaded, out, dtype: (out / "train-00000.bin").touch())
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", str(folder), "--to", "bin"])
    assert "tokens that its base was trained on, not the dialogues" in result.stderr
    assert "dialogues" not in result.stdout and "train-00000.bin" in result.stdout
    assert "dialogues" not in CliRunner().invoke(app, ["export", str(folder), "--to", "safetensors"]).stderr


def test_an_error_is_one_line(cell):
    export(cell, "--to", "hf")
    with pytest.raises(UserError, match="is not empty"):
        export(cell, "--to", "hf")


def test_the_choices_are_those_that_there_are():
    hints = get_type_hints(command)
    assert {*get_args(hints["to"])} == {*TARGETS}
    assert {*get_args(hints["dtype"])} == {*DTYPES}
    assert export("x", "--to", "onnx", code=2) == ""
