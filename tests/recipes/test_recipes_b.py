"""The recipes wikitext2, verdict, dummy, tokenizers and bilingual; their pages; and the words of other projects."""

import csv
import math
import re
import shutil
from pathlib import Path

import pytest
import yaml
from checkout import Checkout
from pages import ROOT, blocks

from gptgrid.config.grid import cells_of
from gptgrid.config.read import load
from gptgrid.config.suggest import NO_KEYS, SYNONYMS, places_of
from gptgrid.plan.plan import read_plan

RECIPES = ("wikitext2", "verdict", "dummy", "tokenizers", "bilingual")
LANGUAGES = ("en", "zh")
DOCS = ROOT / "docs" / "recipes"
PAGES = [DOCS / language / f"{name}.md" for name in RECIPES for language in LANGUAGES]
INDICES = [DOCS / language / f"{name}.md" for name in ("README", "coming-from") for language in LANGUAGES]
GUIDES = [path for path in INDICES if path.stem == "coming-from"]

QUICK = {
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
}
REFERENCE = {
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

CONVERTED = ("batch_tokens", "micro_batch")
"""Keys whose value is not the other project's."""


def recipe(name: str) -> Path:
    return ROOT / "config" / "recipes" / f"{name}.yaml"


def ids(paths: list[Path]) -> list[str]:
    return [f"{path.parent.name}/{path.stem}" for path in paths]


@pytest.mark.parametrize("name", RECIPES)
def test_the_quick_form_has_these_cells_and_plans_a_table_and_a_report(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {cell.name for cell in cells_of(load([recipe(name)], {"quick": True}))} == QUICK[name]
    monkeypatch.chdir(tmp_path)
    stages = [artifact.stage for artifact in read_plan([recipe(name)], {"quick": True}).artifacts.values()]
    assert stages.count("train") == len(QUICK[name])
    assert {"compare", "report"} <= set(stages)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_has_the_settings_of_the_original(name: str) -> None:
    cell, model, training = REFERENCE[name]
    [found] = [each for each in cells_of(load([recipe(name)], {})) if each.name == cell]
    assert model.items() <= found.model.value.complete().items()
    assert training.items() <= found.training.value.complete().items()


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_exercises_go_over_the_recipe(page: Path, tmp_path: Path) -> None:
    exercises = [block for block in blocks(page) if block.language == "yaml"]
    assert len(exercises) >= 4
    mine = tmp_path / "mine.yaml"
    for exercise in exercises:
        mine.write_text(exercise.text, "utf-8")
        assert cells_of(load([recipe(page.stem), mine], {})), exercise.text


@pytest.mark.parametrize("page", [*PAGES, *INDICES], ids=ids([*PAGES, *INDICES]))
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


@pytest.mark.parametrize("index", INDICES[:2], ids=ids(INDICES[:2]))
def test_the_index_names_every_recipe_and_every_page(index: Path) -> None:
    text = index.read_text("utf-8")
    linked = set(re.findall(r"\(([\w-]+)\.md\)", text))
    assert {path.stem for path in index.parent.glob("*.md")} - {"README"} <= linked
    unmentioned = {path.stem for path in recipe("dummy").parent.glob("*.yaml")} - linked
    assert not [name for name in unmentioned if f"`{name}`" not in text]


# ----------------------------------------------------------------------- the words of other projects


def options(guide: Path) -> list[tuple[str, str]]:
    """Return (word of another project, what stands beside it) of each table of keys."""
    rows = re.findall(r"^\| (`[^|]*`) \| (.*) \|$", guide.read_text("utf-8"), re.MULTILINE)
    return [(word, here) for there, here in rows for word in re.findall(r"`(?:--)?(\w+)`", there)]


@pytest.mark.parametrize("guide", GUIDES, ids=ids(GUIDES))
def test_each_word_of_another_project_is_known_and_leads_where_the_page_says(guide: Path) -> None:
    found = options(guide)
    assert len(found) >= 60
    for word, here in found:
        place = re.match(r"`((?:models|training|tokenizers|sampling|run)\.[\w.]+)`", here)
        if place:
            others = re.findall(r"`((?:training|models)\.[\w.]+)`", here)
            assert {place[1], *others} & set(places_of(word)), word
        else:
            assert word in NO_KEYS, word


@pytest.mark.parametrize("guide", GUIDES, ids=ids(GUIDES))
def test_a_command_line_and_the_configuration_behind_it_say_the_same(guide: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    sections = [part for part in guide.read_text("utf-8").split("\n## ") if "```yaml" in part]
    assert len(sections) == 5
    compared = 0
    for section in sections:
        written = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])
        whole = {
            "corpora": {"tales": {"source": "builtin"}},
            "tokenizers": {"char": {"kind": "char"}},
            **written,
            "grid": [{}],
        }
        mine.write_text(yaml.safe_dump(whole), "utf-8")
        [cell] = cells_of(load([mine], {}))
        values = {
            key: value
            for part in (cell.tokenizer, cell.model, cell.training)
            for key, value in part.value.complete().items()
        }
        line = re.search(r"^`(--[^`]+)`", section, re.MULTILINE)
        for word, value in re.findall(r"--(\w+)\s+([\d.e-]+)", line[1] if line else ""):
            key = SYNONYMS.get(word, word)
            if key not in CONVERTED:
                assert values[key] == float(value), word
                compared += 1
    assert compared >= 20


# --------------------------------------------------------------------------------------- one real run


def test_of_random_tokens_the_quick_form_learns_nothing(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    shutil.copytree(ROOT / "config" / "recipes", checkout.folder / "config" / "recipes")
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
