"""The plan in words: what would run, why, what it costs, and how a longer training would go on."""

import copy
import io
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from making import make, plan_of
from rich.console import Console

from gptgrid.config.read import Configuration
from gptgrid.plan.plan import Plan
from gptgrid.plan.show import hints, read_how, show_plan

CONFIG = {
    "experiment": "small",
    "corpora": {"mine": {"source": "files", "paths": ["texts/*.txt"], "document": "line"}},
    "tokenizers": {"bytes": {"kind": "bytes"}},
    "models": {"small": {"n_layer": 1, "n_head": 1, "d_model": 8, "context": 16}},
    "training": {"base": {"steps": 4, "batch_tokens": 64}},
    "sampling": {"prompts": ["the"], "max_new_tokens": 4, "decodings": {"greedy": {"temperature": 0}}},
    "grid": [{"seed": [1, 2]}],
    "run": {"device": "cpu"},
}
CELL = "mine.bytes.small.base.s1"
ABSENT = "cuda" if torch.backends.mps.is_available() else "mps"
"""A device that the machine does not have: none has both."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything but the report was made."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "texts").mkdir()
    lines = (f"the cat number {n} likes {n * 7 % 10} cakes" for n in range(60))
    (folder / "texts" / "mine.txt").write_text("\n".join(lines) + "\n")
    before = Path.cwd()
    os.chdir(folder)
    make(CONFIG, *WITHOUT_REPORT)
    os.chdir(before)
    return folder


WITHOUT_REPORT = ("corpus", "tokenizer", "encode", "train", "evaluate", "sample", "compare")


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with the names of its files in the store and their dates."""
    shutil.copytree(finished, tmp_path / "own", copy_function=os.link)
    own = tmp_path / "own"
    for name in ("texts", "results/.store/roots", "results/.store/keys"):  # what tests change
        shutil.rmtree(own / name)
        shutil.copytree(finished / name, own / name)
    for root in (own / "results/.store/roots").glob("*"):
        root.unlink()
    monkeypatch.chdir(own)
    plan_of(CONFIG).register()
    return own


def changed(**sections: dict) -> dict:
    """Return the configuration with some values changed: `training={"base": {"steps": 8}}`."""
    config = copy.deepcopy(CONFIG)
    for section, entries in sections.items():
        if isinstance(entries, dict):
            for name, values in entries.items():
                config.setdefault(section, {})
                if isinstance(values, dict):
                    config[section].setdefault(name, {}).update(values)
                else:
                    config[section][name] = values
        else:
            config[section] = entries
    return config


def said(config: dict, everything: bool = False) -> str:
    """Return what the plan of a configuration says."""
    console = Console(file=io.StringIO(), width=250)
    show_plan(plan_of(config), console, everything)
    return console.file.getvalue()


def line(config: dict, name: str = CELL) -> str:
    """Return the line of a cell, or of another artifact."""
    return next(line for line in said(config).splitlines() if line.startswith(f"{name} "))


# ------------------------------------------------------------------------------------------ table


def test_a_line_a_cell_and_one_for_each_corpus_tokenizer_and_shards(folder: Path) -> None:
    shutil.rmtree("results")
    shutil.rmtree("data")
    lines = said(CONFIG).splitlines()
    assert [line.split()[:2] for line in lines[:10]] == [
        ["what", "run"],
        ["corpora/mine", "corpus"],
        ["tokenizers/bytes", "tokenizer"],
        ["shards/bytes@mine", "encode"],
        [CELL, "train"],
        ["references/bytes@mine", "evaluate"],
        ["references/mine", "evaluate"],
        [CELL.replace("s1", "s2"), "train"],
        ["compare", "compare"],
        ["report", "report"],
    ]
    *stages, not_, there, parameters, tokens, _, flops, seconds = lines[4].split()[1:]
    assert (stages, not_, there) == (["train", "evaluate", "sample"], "not", "there")
    # 257 + 16 embeddings of width 8, a block, a norm; four steps of 64 tokens; no earlier training.
    assert (parameters, tokens, seconds) == ("3,072", "256", "?")
    assert float(flops) >= 256 * 6 * 3000
    assert lines[10:] == [
        f"{CELL} and 1 more: the training makes 4 steps: hardly any; a larger budget, or a smaller "
        "batch_tokens, makes more",
        "2 cells, 13 artifacts: 0 are there, 0 would be restored from the store, 13 would run",
    ]


def test_time_stands_where_there_were_trainings_and_a_question_mark_where_not(folder: Path) -> None:
    config = changed(models={"small": {"n_layer": 2}})
    assert line(config).rstrip().endswith(" s")
    assert "for the cells, one after the other; known from earlier trainings in the store (cpu)" in said(
        config
    )
    assert "a guess" not in said(config)
    assert "but those are 118 times smaller or larger: a guess" in said(
        changed(models={"small": {"d_model": 128, "d_ff": 1024}})
    )
    for training in Path("results/.store/train").glob("[0-9a-f]*"):
        shutil.rmtree(training) if training.is_dir() else None
    assert line(config).rstrip().endswith("?")


def test_a_budget_that_whole_batches_exceed_is_said_once_for_all_cells(folder: Path) -> None:
    config = changed(training={"base": {"tokens": 64, "batch_tokens": 6400}})
    del config["training"]["base"]["steps"]
    longer, repeats, few = (line for line in said(config).splitlines() if f"{CELL} and 1 more: " in line)
    assert "`tokens: 64` becomes 6400 in 1 whole step" in longer
    assert "a batch has 400 windows, but the training split only " in repeats
    assert "the training makes 1 step: hardly any" in few


def test_a_device_that_this_machine_lacks_is_said_if_something_would_compute(folder: Path) -> None:
    absent = changed(run={"device": ABSENT})
    assert "run.device" not in said(absent)
    shutil.rmtree("results/.store")
    expected = (
        rf"my\.yaml: run\.device: device is '{ABSENT}', but torch finds only .*; the jobs of a cluster look"
    )
    assert re.search(expected, said(absent))
    assert "run.device" not in said(CONFIG)


def test_references_compute_without_a_device(folder: Path) -> None:
    absent = changed(run={"device": ABSENT})
    for path in sorted(Path("results/.store/evaluate").glob("*/manifest.json")):
        if json.loads(path.read_text())["config"]["kind"] == "xz":
            shutil.rmtree(path.parent)
    told = said(absent)
    assert "references/mine" in told
    assert "run.device" not in told


def test_what_is_there_is_shown_on_request_and_costs_nothing(folder: Path) -> None:
    assert CELL not in said(CONFIG)
    shown = next(line for line in said(CONFIG, everything=True).splitlines() if line.startswith(CELL))
    assert shown.split() == [CELL, shown.split()[1], "256"]


def test_a_store_that_cannot_be_written_and_none_at_all_do(folder: Path) -> None:
    before = snapshot(folder)
    for path in sorted(Path("results").rglob("*"), reverse=True):
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
    said(changed(training={"base": {"steps": 8}}))
    assert snapshot(folder) == before
    for path in [Path("results"), *Path("results").rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    shutil.rmtree("results")
    shutil.rmtree("data")
    assert "not there" in line(CONFIG)
    assert not Path("results").exists()


def snapshot(folder: Path) -> dict[str, int]:
    """Return file → date of everything that a run reads."""
    return {
        str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if ".snakemake" not in path.parts
    }


# ----------------------------------------------------------------------------------------- causes


@pytest.mark.parametrize(
    ("change", "name", "cause"),
    [
        ({"models": {"small": {"n_layer": 2}}}, CELL, "model.n_layer: 1 → 2"),
        ({"training": {"base": {"lr": 0.01, "min_lr": 0.0001}}}, CELL, "training.lr: 0.001 → 0.01"),
        ({"training": {"base": {"use": "last"}}}, CELL, "training.use: best → last"),
        ({"evaluation": {"stride": 4}}, CELL, "evaluation.stride: None → 4"),
        ({"sampling": {"max_new_tokens": 5}}, CELL, "sampling.max_new_tokens: 4 → 5"),
        ({"corpora": {"mine": {"document": "whole"}}}, "corpora/mine", "document: line → whole"),
        ({"corpora": {"mine": {"document": "whole"}}}, "shards/bytes@mine", "its corpus changed"),
        ({"corpora": {"mine": {"document": "whole"}}}, CELL, "its shards changed"),
        ({"training": {"base": {"steps": 3}}}, "compare", "6 of its 11 inputs changed"),
        ({"grid": [{"seed": [1, 2, 5]}]}, "compare", "cells changed"),
        ({"grid": [{"seed": [1, 2, 5]}]}, CELL.replace("s1", "s5"), "not there"),
    ],
)
@pytest.mark.parametrize("known_by", ["requests", "view"])
def test_the_nearest_cause_of_a_change(folder: Path, change, name, cause, known_by) -> None:
    if known_by == "view":
        # As with another store, which has never heard of this checkout.
        shutil.rmtree("results/.store/roots")
    assert cause in line(changed(**change), name)


def test_a_cause_is_known_after_the_run_that_it_started_was_killed(folder: Path) -> None:
    config = changed(models={"small": {"n_layer": 2}})
    plan = plan_of(config)
    plan.register()
    plan.show()
    assert not Path(f"results/small/cells/{CELL}/train").exists()
    assert "model.n_layer: 1 → 2" in line(config)


def test_a_file_that_changed_is_named(folder: Path) -> None:
    with Path("texts/mine.txt").open("a") as file:
        file.write("one more\n")
    Path("texts/more.txt").write_text("another\n")
    assert "files.all changed, texts/mine.txt changed, texts/more.txt changed" in line(CONFIG, "corpora/mine")


def test_a_changed_source_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Plan.source
    monkeypatch.setattr(
        Plan, "source", lambda self, stage, names: real(self, stage, names) if stage != "train" else "0" * 64
    )
    assert "the source of train changed" in line(CONFIG)


def test_what_failed_was_damaged_or_is_gone_says_so(folder: Path) -> None:
    plan = plan_of(CONFIG)
    (one, two) = plan.of_stage("train")
    weights = plan.store.folder("train", plan.receipts[one].identity) / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[::-1])
    shutil.rmtree(plan.store.folder("train", plan.receipts[two].identity))
    assert "damaged: model.safetensors does not have the sha256 of its manifest" in line(CONFIG)
    assert "gone from the store" in line(CONFIG, CELL.replace("s1", "s2"))
    failing = changed(models={"small": {"context": 8192}}, training={"base": {"batch_tokens": 8192}})
    make(failing, "train")
    assert "failed last time: the training split has" in line(failing)
    assert f"{CELL} would fail: the training split has" in said(failing)


def test_an_interrupted_training_goes_on(folder: Path) -> None:
    config = changed(training={"base": {"steps": 8}})
    plan = make(config, "train")
    for train in plan.of_stage("train"):
        made = plan.store.folder("train", plan.receipts[train].identity)
        (made.with_name(f"{made.name}.partial") / "scratch").mkdir(parents=True)
        shutil.copy(made / "state.pt", made.with_name(f"{made.name}.partial") / "scratch" / "state.pt")
        shutil.rmtree(made)
        plan.store.receipt_path("train", plan.keys[train]).unlink()
    assert "training.steps: 4 → 8 (goes on from its checkpoint)" in line(config)
    assert "starts anew" not in said(config)


# ------------------------------------------------------------------------------------------ hints


def entry_in(hint: str) -> dict:
    """Return the YAML that a hint proposes."""
    return yaml.safe_load(next(part for part in hint.split("`") if "continues" in part))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"steps": 4}, {"steps": 6}, {"base-6": {"base": "base", "steps": 6, "continues": "base"}}),
        (
            {"steps": None, "epochs": 1.5, "batch_tokens": "auto"},
            {"epochs": 2.5},
            {"base-2_5": {"base": "base", "epochs": 2.5, "batch_tokens": 48, "continues": "base"}},
        ),
    ],
)
def test_a_raised_budget_could_go_on_and_the_proposed_recipe_does(folder, before, now, expected) -> None:
    old = changed(training={"base": before})
    old["training"]["base"] = {k: v for k, v in old["training"]["base"].items() if v is not None}
    make(old, "train")
    raised = {**old, "training": {"base": {**old["training"]["base"], **now}}}
    (hint,) = hints(plan_of(raised))
    assert hint.startswith("2 cells are trained to")
    assert entry_in(hint) == expected
    assert hint in said(raised)
    proposed = {**old, "training": {**old["training"], **entry_in(hint)}}
    proposed["grid"] = [{"training": list(entry_in(hint)), "seed": [1, 2]}]
    plan = plan_of(proposed)
    assert [plan.action(train) for train in plan.of_stage("train")] == ["keep", "run", "keep", "run"]
    plan = make(proposed, "train")
    assert all(map(plan.there.get, plan.of_stage("train")))


def test_one_cell_is_no_plural(folder: Path) -> None:
    one = changed(grid=[{"training": "base", "seed": 1}])
    assert "1 cell, 10 artifacts: " in said(one)


def test_a_hint_gives_both_costs(folder: Path) -> None:
    (hint,) = hints(plan_of(changed(training={"base": {"steps": 6}})))
    assert "starts anew (768 tokens, " in hint
    assert "To go on from there (256 tokens, " in hint


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"base": {"steps": 3}}},
        {"training": {"base": {"steps": 6, "lr": 0.01}}},
        {"training": {"base": {"steps": 6}}, "models": {"small": {"n_layer": 2}}},
        {"training": {"base": {"steps": 6}}, "corpora": {"mine": {"document": "whole"}}},
        {},
    ],
)
def test_no_hint_where_nothing_can_be_continued(folder: Path, change) -> None:
    assert hints(plan_of(changed(**change))) == []


def test_what_is_said_of_the_configuration_is_shown_with_the_plan(folder: Path) -> None:
    plan = Plan(Configuration(changed(), "my.yaml", cautions=["Take care"]))
    plan.look()
    assert hints(plan) == ["Take care"]


@pytest.fixture
def thousand_cells() -> Iterator[Plan]:
    plan = Plan(Configuration(changed(grid=[{"seed": list(range(1000))}]), "my.yaml"))
    plan.there = dict.fromkeys(plan.artifacts.values(), True)
    yield plan


def test_hints_take_no_time_where_nothing_runs(folder: Path, thousand_cells: Plan) -> None:
    start = time.perf_counter()
    assert hints(thousand_cells) == []
    assert time.perf_counter() - start < 0.1


# ---------------------------------------------------------------------------------------- threads


def test_a_training_asks_for_the_cores_of_all_its_processes(folder: Path) -> None:
    config = changed(training={"base": {"threads": 3}}, run={"processes": 2})
    assert {train.threads for train in plan_of(config).of_stage("train")} == {6}


def test_the_plan_says_how_texts_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("texts/a.txt", "texts/a.txt~", "texts/.DS_Store"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    mine = {"source": "files", "paths": ["texts"], "document": "\nlines\n"}
    corpus = plan_of({**CONFIG, "corpora": {"mine": mine}}).artifacts["data/corpora/mine"]
    assert read_how("mine", corpus) == [
        "mine: documents are what stands between '\\nlines\\n'",
        "mine: left out of folders and patterns: 2 hidden files or copies by editors",
    ]
    assert (
        corpus.config["left_out"] == {"hidden files or copies by editors": 2}
        and "left_out" not in corpus.slice
    )
    Path("texts/.DS_Store").unlink()
    again = plan_of({**CONFIG, "corpora": {"mine": mine}}).artifacts["data/corpora/mine"]
    assert again.slice == corpus.slice
