"""The shell completes names, at once and without the libraries that compute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gptgrid.cli.completion import cell_names, codec_names, compared_names, experiment_names, tokenizer_names
from gptgrid.inference.find import FILES, SUMMARY

PROGRAM = Path(sys.executable).parent / "gptgrid"


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """Make folders of two experiments with a cell in common, and of tokenizers, and go there."""
    files = [
        *(
            f"results/one/cells/{cell}/train/{file}"
            for cell in ("toy.bpe.s1", "toy.bpe.s2")
            for file in FILES
        ),
        *(f"results/two/cells/toy.bpe.s1/train/{file}" for file in FILES),
        "results/two/cells/toy.half.s1/train/codec.json",
        f"results/one/{SUMMARY}",
        *("data/tokenizers/bpe@toy/codec.json", "data/tokenizers/bytes/codec.json"),
    ]
    for file in map(tmp_path.joinpath, files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cells_complete_by_name_and_with_the_experiment_where_names_repeat(results):
    assert cell_names("") == ["one/toy.bpe.s1", "toy.bpe.s2", "two/toy.bpe.s1"]
    assert cell_names("toy") == ["toy.bpe.s2"]


def test_cells_complete_in_the_way_that_one_begins_to_write(results):
    assert cell_names("one/") == ["one/toy.bpe.s1", "one/toy.bpe.s2"]
    assert cell_names("results/o") == ["results/one/cells/toy.bpe.s1", "results/one/cells/toy.bpe.s2"]
    assert cell_names("three") == []


def test_experiments_and_tokenizers_complete(results):
    assert experiment_names("") == ["one"]
    assert tokenizer_names("b") == ["bpe@toy", "bytes"] and tokenizer_names("[") == []
    assert compared_names("t") == ["toy.bpe.s2", "two/toy.bpe.s1"]
    assert codec_names("by") == ["bytes"]


def test_a_folder_without_results_completes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (cell_names(""), experiment_names(""), tokenizer_names("")) == ([], [], [])


def test_bash_completes_a_cell(results):
    script = (
        f"source <({PROGRAM} --show-completion bash)\nCOMP_WORDS=(gptgrid compare toy)\nCOMP_CWORD=2\n"
        f'_gptgrid_completion {PROGRAM}\necho "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("toy.bpe.s2\n", "")


def test_completing_imports_nothing_that_computes(results):
    code = (
        "import sys\nfrom gptgrid.cli.main import app\n"
        "try: app(prog_name='gptgrid')\n"
        "finally: print({'torch', 'numpy', 'pandas', 'pyarrow', 'prompt_toolkit'} & {*sys.modules})"
    )
    asked = {"_GPTGRID_COMPLETE": "complete_bash", "COMP_WORDS": "gptgrid compare one/", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked}
    )
    assert done.stdout == "one/toy.bpe.s1\none/toy.bpe.s2\nset()\n", done.stderr
