"""The plan and the store in words: what would run, what it costs, what may be deleted."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from gptgrid.artifact.fingerprint import fingerprint
from gptgrid.artifact.job import Job
from gptgrid.artifact.program import fulfil
from gptgrid.artifact.store import Store
from gptgrid.config.read import Configuration
from gptgrid.plan.plan import Plan
from gptgrid.plan.show import collect_garbage, duration, show_plan, show_store

CONFIG = {
    "corpora": {"tales": {"source": "builtin"}},
    "tokenizers": {"char": {"kind": "char"}},
    "models": {"small": {"n_layer": 1, "d_model": 16, "context": 64}},
    "training": {"base": {"steps": 10, "batch_tokens": 128}},
    "grid": [{"seed": [1, 2]}],
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPTGRID_STORE", raising=False)


def test_a_training_asks_for_the_cores_of_all_its_processes() -> None:
    training = {"base": {**CONFIG["training"]["base"], "threads": 3}}
    plan = Plan(Configuration({**CONFIG, "training": training, "run": {"processes": 2}}, "my.yaml"))
    assert {artifact.stage: artifact.threads for artifact in plan.artifacts.values()}["train"] == 6


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    return console.file.getvalue()


def make(stage: str, artifact: str, config: dict, facts: dict) -> None:
    """Finish an artifact with given facts, as its program would."""

    def build(job: Job) -> dict:
        (job.folder / "file").write_text("content")
        job.provenance["train_seconds"] = 2.0
        return facts

    script = Path(__file__)
    request = {"stage": stage, "artifact": artifact, "config": config, "source": fingerprint(script)}
    fulfil({**request, "inputs": {}, "raw": {}, "run": {}, "store": "results/.store"}, build, script)


def test_plan_has_a_line_a_cell_with_reason_and_tokens() -> None:
    out = console()
    show_plan(Plan(Configuration(CONFIG, "my.yaml")), out)
    line = next(line for line in said(out).splitlines() if line.startswith("tales.char.small.base.s2"))
    assert "train evaluate sample" in line
    assert "not there" in line
    assert "1,280" in line
    assert "2 cells, 11 artifacts: 0 are there, 0 would be restored from the store, 11 would run" in said(out)


def test_store_lists_what_it_has_and_whether_it_is_used() -> None:
    make("corpus", "data/corpora/a", {"a": 1}, {})
    make("corpus", "data/corpora/b", {"b": 1}, {})
    shutil.rmtree("data/corpora/b")
    out = console()
    show_store(Store(Path("results/.store")), out)
    uses = [line.split()[3] for line in said(out).splitlines() if line.startswith("corpus")]
    assert sorted(uses) == ["no", "yes"]


def test_garbage_is_what_no_folder_links_to() -> None:
    make("corpus", "data/corpora/a", {"a": 1}, {})
    make("corpus", "data/corpora/b", {"b": 1}, {})
    shutil.rmtree("data/corpora/b")
    store = Store(Path("results/.store"))
    for dry_run, left in ((True, 2), (False, 1)):
        out = console()
        collect_garbage(store, out, dry_run)
        assert "1 folders" in said(out)
        assert len(list(store.root.glob("*/*/manifest.json"))) == left
    assert Path("data/corpora/a/file").read_text() == "content"


def test_unfinished_work_is_garbage_only_on_request_and_never_while_it_is_locked() -> None:
    store = Store(Path("results/.store"))
    for name in ("running", "killed"):
        (store.root / "train" / f"{name}.partial").mkdir(parents=True)
    with store.lock("train", "running"):
        collect_garbage(store, console())
        assert len(list(store.root.glob("*/*.partial"))) == 2
        collect_garbage(store, console(), unfinished=True)
        assert [path.name for path in store.root.glob("*/*.partial")] == ["running.partial"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5, "5 s"), (300, "5 min"), (7200, "2 h"), (1_000_000, "11.6 d")]
)
def test_duration_is_in_the_unit_that_a_person_would_use(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
