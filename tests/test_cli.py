"""Commands hand on what they are asked, and start without what they do not need."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.cli.plans import read_settings


def invoke(*arguments: str, **options: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def grid(tmp_path, monkeypatch) -> list[str]:
    """Return the options of a command for a small experiment, in a folder of its own."""
    config = {
        "corpora": {"toy": {"source": "builtin"}},
        "tokenizers": {"bytes": {"kind": "bytes"}},
        "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
        "training": {"base": {"steps": 1, "batch_tokens": 64}},
        "grid": [{"seed": [1, 2]}],
        "quick": {"grid": [{"seed": [7]}]},
    }
    (tmp_path / "my.yaml").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPTGRID_STORE", raising=False)
    return ["--configfile", "my.yaml"]


def test_plan_says_what_would_run(grid):
    assert "toy.bytes.small.base.s2" in invoke("plan", *grid)
    assert "toy.bytes.small.base.s7" in invoke("plan", *grid, "--config", "quick=true")


def test_settings_are_read_as_in_a_file(grid):
    settings = [
        "training.base.lr=1e-2",
        "grid=[{seed: [4], training.warmup: [1e-1]}]",
        "models.small.bias=false",
    ]
    said = invoke("plan", *grid, *(word for setting in settings for word in ("--config", setting)))
    assert "toy.bytes.small.base+warmup=0.1.s4" in said
    assert read_settings(settings) == {
        "training.base.lr": 0.01,
        "grid": [{"seed": [4], "training.warmup": [0.1]}],
        "models.small.bias": False,
    }


def test_several_files_and_settings_stand_behind_one_option_as_for_snakemake(grid, tmp_path):
    (tmp_path / "line.yaml").write_text("grid: [{seed: [5]}]")
    said = invoke("plan", *grid, "line.yaml", "--config", "experiment=mine", "training.base.lr=1e-2")
    assert "toy.bytes.small.base.s5" in said
    assert "toy.bytes.small.base.s1" not in said
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        invoke("plan", *grid, "nowhere.yaml")


@pytest.mark.parametrize("command", ["plan", "verify", "accept"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("quick", "--config: found 'quick', expected KEY=VALUE, such as quick=true"),
        ("=3", "--config: found '=3', expected KEY=VALUE, such as quick=true"),
        ("grid=[1", "--config: grid: not readable as YAML: line 1"),
    ],
)
def test_a_setting_that_is_none_is_refused(grid, command, setting, message):
    result = CliRunner().invoke(app, [command, *grid, "--config", setting])
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(message)


def test_verify_ends_with_an_error_if_the_bits_differ(grid, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "gptgrid.plan.verify.verify_plan", lambda plan, names: asked.append(names) or len(names) < 2
    )
    for names, code in ((["a"], 0), ([], 0), (["a", "b c"], 1)):
        assert CliRunner().invoke(app, ["verify", *names, *grid]).exit_code == code
    assert asked == [["a"], [], ["a", "b c"]]


def test_accept_and_taking_back(grid, monkeypatch):
    asked = []
    monkeypatch.setattr("gptgrid.plan.accept.accept", lambda plan, *rest: asked.append(("accept", *rest)))
    monkeypatch.setattr("gptgrid.plan.accept.take_back", lambda plan, *rest: asked.append(("undo", *rest)))
    for options in (["a"], ["--unverified"], ["a", "--undo"]):
        invoke("accept", *options, *grid)
    assert asked == [("accept", ["a"], False), ("accept", [], True), ("undo", ["a"])]


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of each command as it is typed, and the command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


@pytest.mark.parametrize(("name", "command"), [*commands(get_command(app))])
def test_the_help_has_examples_that_the_command_takes_and_fits_80_columns(name, command):
    text, _, examples = getdoc(command.callback).partition("\nExamples:\n\n")
    assert max(map(len, f"{text}\n{examples}".splitlines())) <= 76
    calls = re.findall(rf"gptgrid {name}\b([^|>\n]*)", examples)
    assert calls
    for arguments in calls:
        command.make_context(name, shlex.split(arguments))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full here")
def test_an_output_that_a_full_disk_does_not_take_is_one_line():
    code = "from gptgrid.cli.main import main; main()"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", code, "store", "list", "--help"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 1
    assert found.stderr == "gptgrid: the output cannot be written: No space left on device\n"


def test_the_version_is_that_of_the_package():
    found = CliRunner().invoke(app, ["--version"])
    assert (found.exit_code, found.output) == (0, f"gptgrid {version('gptgrid')}\n")


def test_the_command_starts_without_torch():
    code = "import sys, gptgrid.cli.main; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
