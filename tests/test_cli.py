"""The command continues texts, streams, and tells mistakes without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from cells import tiny, uniform, write_cell
from typer.testing import CliRunner

from gptgrid.api import load
from gptgrid.cli import app

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


def test_a_mistake_is_one_line_and_exit_code_1(tmp_path):
    command = [sys.executable, "-c", "from gptgrid.cli import main; main()", "generate", "nowhere"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("gptgrid: no trained cell matches") and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_the_command_starts_without_torch():
    code = "import sys, gptgrid.cli; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
