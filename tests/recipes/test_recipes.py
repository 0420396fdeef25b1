"""The recipes, and what their pages show."""

import csv
import hashlib
import math
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

DOCS, FILES = ROOT / "docs" / "recipes", ROOT / "config" / "recipes"
LANGUAGES = ("en", "zh")
MIRROR = os.environ.get("GPTGRID_MIRROR")
NOT_MIRRORED = "huggingface.co/datasets/roneneldan"
"""The whole of TinyStories: 2.2 GB."""
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
    "wikitext2": {
        "wiki.gpt2.small.reference.s1",
        "lines.gpt2.small.rows.s1",
        "wiki.bpe.modern.muon.s1",
    },
    "verdict": {
        "verdict.gpt2.learned.reference.s1",
        "verdict.gpt2.rope.reference.s1",
        "verdict.gpt2.alibi.reference.s1",
        "verdict.gpt2.learned.longer.s1",
        "verdict.gpt2.small.stopped.s1",
        "verdict.own.small.stopped.s1",
    },
    "dummy": {
        f"noise.ids.{model}.{training}.s1" for model in ("gpt2", "llama") for training in ("once", "often")
    },
    "tokenizers": {
        "shakespeare.bytes.letters.letters.s1",
        "shakespeare.bpe+vocab_size=512.pieces.pieces.s1",
        "shakespeare.bpe+vocab_size=2048.pieces.pieces.s1",
        "shakespeare.gpt2.pieces.pieces.s1",
    },
    "bilingual": {
        "english.own.modern.muon.s1",
        "english.shared.modern.muon.s1",
        "chinese.own.modern.muon.s1",
        "chinese.shared.modern.muon.s1",
        "both.shared.modern.muon.s1",
    },
    "scaling": {
        f"tales.bpe.llama+d_model={size}.{training}.s1"
        for size in (8, 12, 16, 24, 40)
        for training in ("short", "medium", "long")
    },
    "finetune": {
        "tales.bpe.small.base.s1",
        "library.bpe.small.base+epochs=0.2.s1",
    },
}
CONTINUED = {"scaling": 15}
"""Recipe → trainings that are no cells: others continue them."""
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
    "wikitext2": (
        "wiki.gpt2.small.reference.s1",
        {"n_layer": 2, "d_model": 256, "n_head": 4, "context": 128},
        {"epochs": 5, "batch_tokens": 4 * 128, "lr": 1e-4, "eval_every": "epoch", "grad_clip": 1.0},
    ),
    "verdict": (
        "verdict.gpt2.learned.longer.s1",
        {"position": "learned", "context": 64},
        {"steps": 4000, "continues": "reference", "schedule": "cosine", "warmup": 100},
    ),
}
"""Recipe → a cell with the original's settings, and what its model and its training must say."""

RECIPES = tuple(QUICK)
PAGES = [DOCS / language / f"{name}.md" for name in RECIPES for language in LANGUAGES]
GUIDES = [DOCS / language / f"{name}.md" for name in ("README", "coming-from") for language in LANGUAGES]


def recipe(name: str) -> Path:
    return FILES / f"{name}.yaml"


def ids(paths: list[Path]) -> list[str]:
    return [f"{path.parent.name}/{path.stem}" for path in paths]


@pytest.mark.parametrize("name", RECIPES)
def test_the_quick_form_has_these_cells_and_plans_a_table_and_a_report(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {cell.name for cell in cells_of(load([recipe(name)], {"quick": True}))} == QUICK[name]
    monkeypatch.chdir(tmp_path)
    stages = [artifact.stage for artifact in read_plan([recipe(name)], {"quick": True}).artifacts.values()]
    assert stages.count("train") == len(QUICK[name]) + CONTINUED.get(name, 0)
    assert {"compare", "report"} <= set(stages)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_has_the_settings_of_the_original(name: str) -> None:
    cell, model, training = REFERENCE[name]
    [found] = [each for each in cells_of(load([recipe(name)], {})) if each.name == cell]
    assert model.items() <= found.model.value.complete().items()
    assert training.items() <= found.training.value.complete().items()


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_fetched_is_what_is_pinned(name: str) -> None:
    configuration = load([recipe(name)], {})
    named = [("corpora", corpus) for corpus in configuration.experiment.corpora]
    named += [("dialogues", dialogues) for dialogues in configuration.experiment.dialogues]
    for section, entry_name in named:
        entry = configuration.entry(section, entry_name)
        for files in entry.files().values() if entry.source == "url" else ():
            for file in files:
                address = urlsplit(file.url)
                if NOT_MIRRORED not in file.url:
                    path = Path(MIRROR) / f"{address.netloc}{address.path}"
                    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_exercises_go_over_the_recipe(page: Path, tmp_path: Path) -> None:
    exercises = [block for block in blocks(page) if block.language == "yaml"]
    assert len(exercises) >= 4
    mine = tmp_path / "mine.yaml"
    for exercise in exercises:
        mine.write_text(exercise.text, "utf-8")
        assert cells_of(load([recipe(page.stem), mine], {})), exercise.text


@pytest.mark.parametrize("page", [*PAGES, *GUIDES], ids=ids([*PAGES, *GUIDES]))
def test_pages_name_files_that_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for name in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert (page.parent / name).exists(), name
    for name in re.findall(r"config/recipes/([\w-]+)\.yaml", text):
        assert recipe(name).is_file()


@pytest.mark.parametrize("name", [*RECIPES, "README", "coming-from"])
def test_both_languages_show_the_same(name: str) -> None:
    english, chinese = (blocks(DOCS / language / f"{name}.md") for language in LANGUAGES)
    assert [block.language for block in english] == [block.language for block in chinese]
    for one, other in zip(english, chinese, strict=True):
        if one.language == "yaml":
            assert yaml.safe_load(one.text) == yaml.safe_load(other.text)


@pytest.mark.parametrize("index", GUIDES[:2], ids=ids(GUIDES[:2]))
def test_the_index_names_every_recipe_and_every_page(index: Path) -> None:
    text = index.read_text("utf-8")
    linked = set(re.findall(r"\(([\w-]+)\.md\)", text))
    assert {path.stem for path in index.parent.glob("*.md")} - {"README"} <= linked
    unmentioned = {path.stem for path in recipe("dummy").parent.glob("*.yaml")} - linked
    assert not [name for name in unmentioned if f"`{name}`" not in text]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout in which the quick form of tiny-lm has run."""
    checkout = Checkout(tmp_path_factory.mktemp("recipes") / "gptgrid")
    shutil.copytree(FILES, checkout.folder / "config" / "recipes")
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
    page = DOCS / language / "tiny-lm.md"
    lines = [line for block in blocks(page) if block.language == "console" for line in commands(block)]
    assert len(lines) >= 3
    for line in lines:
        assert run_command(line, made.folder).strip(), line


def test_of_random_tokens_the_quick_form_learns_nothing(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    shutil.copytree(FILES, checkout.folder / "config" / "recipes")
    checkout.run("--configfile", "config/recipes/dummy.yaml", "--config", "quick=true")
    results = checkout.folder / "results" / "dummy-quick"
    assert (results / "report" / "report.html").is_file()
    with (results / "compare" / "summary.csv").open(encoding="utf-8") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    for cell in QUICK["dummy"]:
        assert rows[cell]["status"] == "finished"
        assert float(rows[cell]["test_loss"]) == pytest.approx(math.log(256), abs=0.03)
    with (results / "compare" / "comparison.csv").open(encoding="utf-8") as file:
        assert not [row for row in csv.DictReader(file) if row["verdict"] in ("best", "worse")]
