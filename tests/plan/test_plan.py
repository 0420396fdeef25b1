"""A plan refuses names and places that a file system, or Snakemake, cannot have."""

import copy
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from making import plan_of

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import STAGES
from gptgrid.artifact.receipt import Failure
from gptgrid.plan.accept import chosen
from gptgrid.plan.verify import choose

CONFIG = {
    "corpora": {"toy": {"source": "builtin"}},
    "tokenizers": {"bytes": {"kind": "bytes"}, "char": {"kind": "char"}},
    "models": {"small": {"n_layer": 1, "d_model": 8, "n_head": 1, "context": 16}},
    "training": {"base": {"steps": 1, "batch_tokens": 64}},
    "grid": [{"tokenizer": "bytes"}],
}


class SimpleArtifact(NamedTuple):
    """What is told of an artifact that could not be made."""

    stage: str
    name: str


def renamed(section: str, name: str, new: str, **changes: object) -> dict:
    """Return the configuration with an entry under another name."""
    config = copy.deepcopy({**CONFIG, **changes})
    config[section][new] = config[section].pop(name)
    return config


@pytest.mark.parametrize(
    ("config", "name"),
    [
        # toy.bytes.….base.s1 has 18 letters beside the model's name.
        (renamed("models", "small", "m" * 223), "toy.bytes.mmm"),
        (renamed("training", "base", "t" * 222), "toy.bytes.small.ttt"),
        (
            renamed("corpora", "toy", "c" * 241)
            | {"corpora": {"c" * 241: {"source": "builtin", "name": "toy"}}},
            "ccc",
        ),
        (renamed("tokenizers", "char", "k" * 237, grid=[{"tokenizer": "k" * 237}]), "kkk"),
        ({**CONFIG, "experiment": "e" * 241}, "eee"),
        ({**CONFIG, "grid": [{"tokenizer": "bytes", "seed": [10**218]}]}, "toy.bytes.small.base.s1000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_name_that_no_file_can_have_is_refused(config: dict, name: str) -> None:
    with pytest.raises(
        UserError, match=rf"my\.yaml: {name}.*: a name of 24\d letters, and file systems take 240"
    ):
        plan_of(config)


def test_the_longest_name_is_taken() -> None:
    (cell,) = plan_of(renamed("models", "small", "m" * 222)).cells
    assert len(cell.name) == 240


def test_files_of_results_can_be_named_and_folders_cannot() -> None:
    plan = plan_of(
        {
            **CONFIG,
            "dialogues": {"qa": {"source": "builtin", "name": "tales", "documents": 40}},
            "finetuning": {"chat": {"data": "qa", "new_tokens": "add", "steps": 1, "batch_tokens": 64}},
            "evaluation": {"answers": {"max_new_tokens": 4}},
            "grid": [{"tokenizer": "bytes", "finetuning": "chat"}],
        }
    )
    chat = "results/default/cells/toy.bytes.small.base.s1.chat"
    folders = {artifact.folder: artifact for artifact in plan.artifacts.values()}
    assert {artifact.stage for artifact in folders.values()} == {*STAGES}
    assert {f"{chat}/dialogues/qa", "data/dialogues/qa", "results/default/compare"} <= folders.keys()
    for folder, artifact in folders.items():
        for path in (folder, f"{folder}/"):
            with pytest.raises(
                UserError, match=rf"^{re.escape(folder)} is a folder.*{folder}/manifest\.json"
            ):
                plan.artifact_of_view(path)
        assert plan.artifact_of_view(f"{folder}/manifest.json") is artifact
    with pytest.raises(UserError, match=f"dialogues is no result of its own; name a file in one of {chat}"):
        plan.artifact_of_view(f"{chat}/dialogues")
    with pytest.raises(UserError, match="nothing in its grid makes data/corpora/none"):
        plan.artifact_of_view("data/corpora/none/manifest.json")


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("a file", "the store a file is no folder; set GPTGRID_STORE, or run.store in my.yaml, to a folder"),
        (".", "the store . is the folder in which Snakemake runs; set"),
        ("results/..", "the store results/.. is the folder in which Snakemake runs"),
        ("{x}", "the store '{x}' has a '{' in its name, which Snakemake cannot have"),
        ("a\0b", r"the store 'a\x00b' has a '\x00' in its name"),
    ],
)
@pytest.mark.parametrize("by", ["run.store", "GPTGRID_STORE"])
def test_a_place_that_can_be_no_store_is_refused(tmp_path: Path, monkeypatch, store, expected, by) -> None:
    (tmp_path / "a file").touch()
    if by == "run.store":
        config = {**CONFIG, "run": {"store": store}}
    else:
        # The environment itself takes no zero byte.
        monkeypatch.setattr("os.environ", {"GPTGRID_STORE": store})
        config = CONFIG
    with pytest.raises(UserError) as failure:
        plan_of(config)
    assert str(failure.value).startswith(expected)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert plan_of({**CONFIG, "run": {"store": "~/store"}}).store.root == tmp_path / "home" / "store"


@pytest.mark.parametrize("name", ["", " ", "nothing"])
def test_a_name_that_means_no_cell_chooses_none(name: str) -> None:
    with pytest.raises(
        UserError, match=f"no trained cell matches {name!r}; give its --configfile and --config"
    ):
        choose(plan_of(CONFIG), [name])


@pytest.mark.parametrize(
    ("take", "why"),
    [(choose, "verify takes none: it makes whole"), (chosen, "accept takes none: it keeps whole")],
)
def test_a_step_is_refused_where_whole_trainings_are_meant(take, why) -> None:
    plan = plan_of(CONFIG)
    for name in (f"{plan.cells[0].name}@20", f"results/e/cells/{plan.cells[0].name}@last"):
        with pytest.raises(
            UserError, match=f"^{re.escape(name)} means the weights of a step, but {why} train"
        ):
            take(plan, [name])


def test_what_failed_for_one_reason_is_told_once() -> None:
    """As all cells do on a device that is not there."""
    absent, short = "device is 'mps', but torch finds only cpu here", "the training split has 9 tokens"
    failures = {"b": Failure("b", absent), "c": Failure("c", short), "d": Failure("d", absent)}
    failures["b/sample"] = failures["b"]
    plan = plan_of(CONFIG)
    plan.there = {SimpleArtifact("train", name): name == "a" for name in ("a", *failures)}
    plan.keys = {artifact: artifact.name for artifact in plan.there}
    plan.store = SimpleNamespace(receipt=lambda stage, key: SimpleNamespace(failure=failures[key]))
    assert plan.failures() == {f"b and 1 more: {absent}": ["b", "b/sample", "d"], f"c: {short}": ["c"]}


def test_a_plan_waits_for_no_large_library() -> None:
    """Each dry run imports it, and 1,000 cells or one pay the same."""
    large = "torch pandas scipy pyarrow numpy"
    code = f"import sys, gptgrid.plan.plan; print(*(set({large.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
