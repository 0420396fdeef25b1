"""What docs/learn shows is what comes: programs, commands, exercises and links."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from checkout import Checkout
from pages import (
    LEARN,
    PAGES,
    ROOT,
    blocks,
    commands,
    needs_cell,
    python_examples,
    run_command,
    run_python,
    same,
)

from gptgrid.config.grid import cells_of
from gptgrid.config.read import Configuration

DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
TOKENIZERS = {**DEFAULT["tokenizers"], "bytes": {"kind": "bytes"}}
IDS = [f"{page.parent.name}/{page.stem}" for page in PAGES]


def pages_with(language: str) -> list:
    return [
        pytest.param(page, id=name)
        for page, name in zip(PAGES, IDS, strict=True)
        if any(block.language == language for block in blocks(page))
    ]


def test_every_page_is_there_in_both_languages() -> None:
    english, chinese = ([page.name for page in PAGES if page.parent.name == name] for name in ("en", "zh"))
    assert english == chinese
    assert len(english) == 11


@pytest.mark.parametrize("page", pages_with("python"))
def test_programs_print_what_stands_below_them(page: Path) -> None:
    examples = python_examples(page)
    printed = run_python([program for program, _ in examples])
    for output, (program, shown) in zip(printed, examples, strict=True):
        assert same(shown.text, output), f"{program}\n{output}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout with the cells that the commands of the pages name, tiny ones."""
    checkout = Checkout(tmp_path_factory.mktemp("learn") / "gptgrid")
    small = {
        **DEFAULT,
        "corpora": {"tales": {"source": "builtin", "documents": 60, "split": {"valid": 0.1, "test": 0.2}}},
        "tokenizers": {"bpe": {"kind": "bpe", "vocab_size": 400}},
        "models": {"llama": {"preset": "llama", "n_layer": 2, "n_head": 2, "d_model": 16, "context": 32}},
        "training": {"base": {"steps": 4, "batch_tokens": 64}},
        "grid": [{"corpus": "tales", "tokenizer": "bpe", "model": "llama", "training": "base"}],
    }
    del small["quick"]
    checkout.configure(small)
    checkout.snakemake()
    shutil.copytree(LEARN, checkout.folder / "docs" / "learn")
    return checkout.folder


@pytest.mark.parametrize("page", pages_with("console"))
def test_commands_run_and_print_what_stands_below_them(page: Path, folder: Path) -> None:
    for block in (block for block in blocks(page) if block.language == "console"):
        for command in commands(block):
            printed = run_command(command, folder)
            shown = block.text.partition(f"$ {command}\n")[2].partition("\n$ ")[0]
            assert shown.strip(), f"{page}: {command}: no output is shown"
            # Other cells, other figures; what needs no cell is the same everywhere.
            assert printed.strip() if needs_cell(command) else same(shown, printed), f"{command}\n{printed}"


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_exercises_are_lines_of_a_configuration(page: Path) -> None:
    for block in (block for block in blocks(page) if block.language == "yaml"):
        found = yaml.safe_load(block.text)
        config = {**DEFAULT, "tokenizers": TOKENIZERS}
        del config["quick"]
        for change in [{"grid": [line]} for line in found] if isinstance(found, list) else [found]:
            assert len(cells_of(Configuration(config | change, "config/mine.yaml"))) >= 1, change


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for name in re.findall(r"\]\(((?!http)[^)#]+)\)", page.read_text("utf-8")):
        assert (page.parent / name).exists(), name
