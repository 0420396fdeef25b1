"""The recipes tiny-lm, own-bpe and tinystories, and what their pages show."""

import csv
import hashlib
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from checkout import Checkout
from pages import ROOT, blocks, commands, run_command

from gptgrid.config.grid import cells_of
from gptgrid.config.read import load
from gptgrid.plan.plan import read_plan

RECIPES = ("tiny-lm", "own-bpe", "tinystories")
PAGES = [ROOT / "docs" / "recipes" / language / f"{name}.md" for name in RECIPES for language in ("en", "zh")]
IDS = [f"{page.parent.name}/{page.stem}" for page in PAGES]
MIRROR = os.environ.get("GPTGRID_MIRROR")
NOT_MIRRORED = "huggingface.co/datasets/roneneldan"
"""The whole of TinyStories: 2.2 GB."""


def recipe(name: str) -> Path:
    return ROOT / "config" / "recipes" / f"{name}.yaml"


def names(path: Path, **settings: bool) -> set[str]:
    return {cell.name for cell in cells_of(load([path], settings))}


QUICK = {
    "tiny-lm": {
        "toy.char.encoder.original.s1",
        "toy.char.encoder.better.s1",
        "toy.char.llama+d_model=32.better.s1",
        "toy.char.llama+d_model=64.better.s1",
        "stories.char.llama+context=16.stories.s1",
        "stories.char.llama+context=64.stories.s1",
    },
    "own-bpe": {
        "answers.bpe.gpt2.original.s1",
        "answers.bpe-of-text.gpt2.original.s1",
        "answers.bpe-of-text.modern.muon.s1",
    },
    "tinystories": {
        "excerpt.bpe-1k.plain.original.s1",
        "excerpt.bpe-1k.swiglu-fair.original.s1",
        "excerpt.bpe-1k.modern.muon.s1",
        "excerpt.bpe-10k.modern.muon.s1",
    },
}
REFERENCE = {
    "tiny-lm": (
        "toy.char.encoder.original.s1",
        {"preset": "encoder", "context": 64},
        {
            "windows": "sliding",
            "stride": 1,
            "eval_every": 50,
            "sample_every": 50,
            "sample_prompt": "今天天气",
        },
    ),
    "own-bpe": (
        "answers.bpe.gpt2.original.s1",
        {"n_layer": 6, "n_head": 8, "d_model": 256, "context": 256, "dropout": 0.1},
        {"batch_tokens": 32 * 256, "lr": 1e-3, "epochs": 100},
    ),
    "tinystories": (
        "excerpt.bpe-1k.plain.original.s1",
        {
            "norm": "rmsnorm",
            "position": "rope",
            "activation": "gelu",
            "n_layer": 6,
            "n_head": 8,
            "d_model": 256,
            "d_ff": 1024,
            "context": 512,
        },
        {"batch_tokens": 8 * 512, "lr": 1e-4, "weight_decay": 0.01, "grad_clip": 1.0, "eval_every": 1000},
    ),
}
"""Recipe → its reference cell, and what its model and its training must say."""


@pytest.mark.parametrize("name", RECIPES)
def test_the_quick_form_has_these_cells_and_plans_a_table_and_a_report(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(recipe(name), quick=True) == QUICK[name]
    monkeypatch.chdir(tmp_path)
    plan = read_plan([recipe(name)], {"quick": True})
    stages = [artifact.stage for artifact in plan.artifacts.values()]
    assert stages.count("train") == len(QUICK[name])
    assert {"compare", "report"} <= set(stages)


@pytest.mark.parametrize("name", RECIPES)
def test_the_reference_has_the_settings_of_the_original(name: str) -> None:
    cell, model, training = REFERENCE[name]
    (found,) = [each for each in cells_of(load([recipe(name)], {})) if each.name == cell]
    assert model.items() <= found.model.value.complete().items()
    assert training.items() <= found.training.value.complete().items()


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_fetched_is_what_is_pinned(name: str) -> None:
    configuration = load([recipe(name)], {})
    for corpus in configuration.experiment.corpora:
        entry = configuration.entry("corpora", corpus)
        for files in entry.files().values() if entry.source == "url" else ():
            for file in files:
                address = urlsplit(file.url)
                if NOT_MIRRORED not in file.url:
                    path = Path(MIRROR) / f"{address.netloc}{address.path}"
                    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_exercises_go_over_the_recipe(page: Path, tmp_path: Path) -> None:
    exercises = [block for block in blocks(page) if block.language == "yaml"]
    assert len(exercises) >= 4
    mine = tmp_path / "mine.yaml"
    for exercise in exercises:
        mine.write_text(exercise.text, "utf-8")
        assert cells_of(load([recipe(page.stem), mine], {})), exercise.text


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_pages_name_settings_and_files_that_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert (page.parent / name).exists(), name
    for name in re.findall(r"config/recipes/([\w-]+)\.yaml", text):
        assert recipe(name).is_file()


@pytest.mark.parametrize("name", RECIPES)
def test_both_languages_show_the_same(name: str) -> None:
    english, chinese = (
        list(blocks(ROOT / "docs" / "recipes" / language / f"{name}.md")) for language in ("en", "zh")
    )
    assert [block.language for block in english] == [block.language for block in chinese]
    for one, other in zip(english, chinese, strict=True):
        if one.language == "yaml":
            assert yaml.safe_load(one.text) == yaml.safe_load(other.text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout in which the quick form of tiny-lm has run."""
    checkout = Checkout(tmp_path_factory.mktemp("recipes") / "gptgrid")
    shutil.copytree(ROOT / "config" / "recipes", checkout.folder / "config" / "recipes")
    checkout.run("--configfile", "config/recipes/tiny-lm.yaml", "--config", "quick=true")
    return checkout


def test_the_quick_form_of_tiny_lm_runs(made: Checkout) -> None:
    results = made.folder / "results" / "tiny-lm-quick"
    with (results / "compare" / "summary.csv").open(encoding="utf-8") as file:
        status = {row["cell"]: row["status"] for row in csv.DictReader(file)}
    assert {cell: status[cell] for cell in QUICK["tiny-lm"]} == dict.fromkeys(QUICK["tiny-lm"], "finished")
    assert (results / "report" / "report.html").is_file()
    # A validation and a short sample, as they come.
    assert re.search(r'step 20/40 \| train [\d.]+ \| val [\d.]+ \| "今天天气', made.said)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commands_of_tiny_lm_work(made: Checkout, language: str) -> None:
    page = ROOT / "docs" / "recipes" / language / "tiny-lm.md"
    lines = [line for block in blocks(page) if block.language == "console" for line in commands(block)]
    assert len(lines) >= 3
    for line in lines:
        assert run_command(line, made.folder).strip(), line
