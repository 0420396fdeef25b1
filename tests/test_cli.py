"""The command continues texts, streams, and tells mistakes without a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cells import tiny, uniform, write_cell
from typer.testing import CliRunner

from gptgrid.api import load
from gptgrid.artifact.errors import UserError
from gptgrid.cli.main import app
from gptgrid.cli.plans import read_settings
from gptgrid.tokens.codec import IdsCodec

OPTIONS = ["--max-new-tokens", "20", "--seed", "3", "--device", "cpu", "--ignore-eos"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return the folder of a cell with random weights."""
    return write_cell(tmp_path_factory.mktemp("results") / "cell", tiny(257))


def invoke(*arguments: str, **options: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_generate_continues_the_prompt(folder):
    expected = load(folder, "cpu").generate("天", max_new_tokens=20, seed=3, ignore_eos=True)
    assert invoke("generate", str(folder), "--prompt", "天", *OPTIONS) == f"天{expected}\n"


def test_every_setting_reaches_the_model(folder):
    settings = {"temperature": 1.5, "top_k": 40, "top_p": 0.8, "repetition_penalty": 1.3}
    cell = load(folder, "cpu")
    expected = cell.generate("a", max_new_tokens=20, seed=3, ignore_eos=True, **settings)
    for left_out in settings:
        fewer = {key: value for key, value in settings.items() if key != left_out}
        assert cell.generate("a", max_new_tokens=20, seed=3, ignore_eos=True, **fewer) != expected
    flags = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    assert invoke("generate", str(folder), "--prompt", "a", *flags, *OPTIONS) == f"a{expected}\n"


def test_the_end_of_text_ends_unless_ignored(folder):
    cell, limit = load(folder, "cpu"), ["--max-new-tokens", "20", "--device", "cpu"]
    short, long = ({"max_new_tokens": 20, "ignore_eos": ignore} for ignore in (False, True))
    seed = next(s for s in range(1000) if cell.generate(seed=s, **short) != cell.generate(seed=s, **long))
    assert (
        invoke("generate", str(folder), "--seed", str(seed), *limit)
        == cell.generate(seed=seed, **short) + "\n"
    )
    ignored = invoke("generate", str(folder), "--seed", str(seed), *limit, "--ignore-eos")
    assert ignored == cell.generate(seed=seed, **long) + "\n"


def test_interactive_reads_prompts_until_the_end(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=65))
    said = invoke("generate", str(cell), "--interactive", "--max-new-tokens", "3", input="one\ntwo\n")
    assert said == "AAA\nAAA\n"


def test_interactive_goes_on_after_a_line_that_is_no_text(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(257, likely=65))
    options = ["generate", str(cell), "--interactive", "--max-new-tokens", "3"]
    result = CliRunner().invoke(app, options, input=b"one\n\xff\xfe\ntwo\n")
    assert result.exit_code == 0 and result.stdout == "AAA\nAAA\n"
    assert result.stderr.startswith(
        "gptgrid: the prompt is no text: character 0 is a byte that is not utf-8; "
    )
    assert result.stderr.count("\n") == 1


def test_interactive_goes_on_after_a_prompt_that_a_cell_cannot_read(tmp_path):
    cell = write_cell(tmp_path / "cell", uniform(10, likely=7), IdsCodec(10))
    options = ["generate", str(cell), "--interactive", "--max-new-tokens", "2"]
    result = CliRunner().invoke(app, options, input="a text\n1 2\n")
    assert result.exit_code == 0 and result.stdout == "7 7 \n"
    assert result.stderr == "gptgrid: 'a text' is not token ids; this corpus has no text\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--prompt", "a\udcff"], "the prompt is no text: character 1 is a byte"),
        (["--seed", "99999999999999999999"], "seed is 99999999999999999999; it must lie between"),
        (["--repetition-penalty", "nan"], "repetition_penalty is nan"),
        (["--temperature", "inf"], "temperature is inf"),
        (["--top-p", "0"], "top_p is 0.0"),
        (["--repetition-penalty", "-1"], "repetition_penalty is -1.0"),
        (["--device", "gpu"], "device is 'gpu'"),
    ],
)
def test_what_cannot_be_generated_is_said_before_anything_is_printed(folder, options, said):
    result = CliRunner().invoke(app, ["generate", str(folder), *options])
    assert isinstance(result.exception, UserError) and said in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        ["--temperature", "1e-39"],
        ["--temperature", "1e39"],
        ["--top-p", "1e-39"],
        ["--repetition-penalty", "1e-39"],
        ["--top-k", "99999999999999999999"],
        ["--seed", "-1"],
        ["--prompt", ""],
        ["--prompt", "\0\n\ufffe天🪲" * 100],
    ],
)
def test_settings_at_their_edges_give_text(folder, options):
    said = invoke("generate", str(folder), "--max-new-tokens", "5", "--ignore-eos", *options)
    assert said.endswith("\n")


def test_the_cell_that_parts_of_a_name_mean_is_said(tmp_path, monkeypatch):
    write_cell(tmp_path / "results/my/cells/toy.bytes.gpt2.base.s1/train", tiny(257))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["generate", "toy", "--max-new-tokens", "1"])
    assert result.stderr == "gptgrid: results/my/cells/toy.bytes.gpt2.base.s1\n"


def test_that_a_training_diverged_is_said(tmp_path):
    folder = write_cell(tmp_path / "cell", tiny(257), status="diverged")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["facts"]["ended"] = "the loss was nan; lower training.lr"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = CliRunner().invoke(app, ["generate", str(folder), "--max-new-tokens", "1"])
    assert result.exit_code == 0
    assert result.stderr == (
        "gptgrid: the training of this cell diverged, and its weights are those of before: the loss was nan; "
        "lower training.lr\n"
    )


def test_a_terminal_without_a_character_gets_another(tmp_path):
    write_cell(tmp_path / "cell", tiny(257))
    command = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "generate", "cell"]
    result = subprocess.run(
        [*command, "--prompt", "天", "--max-new-tokens", "1"],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert result.returncode == 0 and result.stdout.startswith(b"?"), result.stderr


def test_a_mistake_is_one_line_and_exit_code_1(tmp_path):
    command = [sys.executable, "-c", "from gptgrid.cli.main import main; main()", "generate", "nowhere"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("gptgrid: no trained cell matches") and result.stderr.count("\n") == 1
    assert result.stdout == ""


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


def test_the_command_starts_without_torch():
    code = "import sys, gptgrid.cli.main; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
