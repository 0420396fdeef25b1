"""Runs beside each other in one checkout: each ends well, with the figures that it has alone."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.chain import QUICK, Unbroken, shared_unbroken, use_first, use_other
from faults.runs import Run, kill, kill_all, snakemake, wait_until
from faults.tree import STORE, WHOLE, artifacts, copy, differences, figures, forget

FROM_TRAIN = ("train", "evaluate", "sample", "compare", "report")
EVERYTHING = ("corpus", "tokenizer", "encode", *FROM_TRAIN)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """What each configuration gives in a checkout of its own."""
    return shared_unbroken(tmp_path_factory.getbasetemp())


@pytest.fixture
def begin(unbroken: Unbroken, tmp_path: Path):
    """Return a function that makes a checkout in which some stages have not run yet."""
    folder = tmp_path / "chain"

    def begin(stages: tuple[str, ...]) -> Path:
        copy(unbroken.folder, folder)
        forget(folder, stages)
        return folder

    yield begin
    kill_all(folder)


def ends_well(run: Run) -> None:
    """Wait for the end of a run."""
    code, said = run.wait()
    assert code == 0, said


def has_read(run: Run) -> None:
    """Wait until a run has read its configuration; how long that takes depends on what else the machine does."""
    assert wait_until(lambda: "Building DAG" in run.said(), run), run.said()


def of_store(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state that has keys: artifacts with all their files, tables among them."""
    return {name: value for name, value in state.items() if WHOLE.fullmatch(name)}


def of_views(state: dict[str, Any], *folders: str) -> dict[str, Any]:
    """Return the part of a state that people see in some folders."""
    return {name: value for name, value in state.items() if name.startswith(folders)}


@pytest.mark.parametrize(("stages", "seconds"), [(FROM_TRAIN, 0), (EVERYTHING, 4)])
def test_the_same_run_twice(unbroken: Unbroken, begin: Callable, stages: tuple[str], seconds: float) -> None:
    folder = begin(stages)
    first = snakemake(folder)
    time.sleep(seconds)
    second = snakemake(folder)
    ends_well(first)
    ends_well(second)
    assert not differences({**figures(folder), **artifacts(folder)}, unbroken.state)


def test_one_name_in_two_configurations(unbroken: Unbroken, begin: Callable) -> None:
    """A text and a model have the same names in both; the files of both are right, and the tables."""
    folder = begin(EVERYTHING)
    first = snakemake(folder)
    has_read(first)
    use_other(folder)
    second = snakemake(folder)
    ends_well(first)
    ends_well(second)
    stored = artifacts(folder)
    assert not differences(stored, of_store(unbroken.state))
    assert not differences(stored, of_store(unbroken.other))
    ends_well(snakemake(folder))
    assert not differences(figures(folder), of_views(unbroken.other, "data/", "results/"))


def test_three_runs(unbroken: Unbroken, begin: Callable) -> None:
    """A quick one, one of the whole experiment, and one of another configuration."""
    folder = begin(EVERYTHING)
    runs = [snakemake(folder, *QUICK)]
    time.sleep(1)
    runs.append(snakemake(folder))
    has_read(runs[1])
    use_other(folder)
    runs.append(snakemake(folder))
    for run in runs:
        ends_well(run)
    stored = artifacts(folder)
    for state in (unbroken.quick, unbroken.state, unbroken.other):
        assert not differences(stored, of_store(state))
    assert not differences(figures(folder), of_views(unbroken.quick, "results/"))


def test_a_killed_run_another_one_and_the_first_again(unbroken: Unbroken, begin: Callable) -> None:
    """What the killed Snakemake has started works on beside the next runs."""
    folder = begin(FROM_TRAIN)
    first = snakemake(folder)
    time.sleep(4)
    kill(first.process.pid)
    first.process.wait()
    use_other(folder)
    ends_well(snakemake(folder))
    assert not differences({**figures(folder), **artifacts(folder)}, unbroken.other)
    use_first(folder)
    ends_well(snakemake(folder))
    assert not differences({**figures(folder), **artifacts(folder)}, unbroken.state)


def test_an_edit_and_a_dry_run_change_nothing_for_a_run(unbroken: Unbroken, begin: Callable) -> None:
    folder = begin(FROM_TRAIN)
    run = snakemake(folder)
    has_read(run)
    use_other(folder)
    ends_well(snakemake(folder, "--dry-run"))
    ends_well(run)
    assert not differences({**figures(folder), **artifacts(folder)}, unbroken.state)


def test_what_snakemake_notes_about_a_job_is_of_its_run_alone(begin: Callable) -> None:
    """Marks of jobs that run, and copies of their receipts: runs of the same job would delete each other's."""
    folder = begin(("report",))
    run = snakemake(folder, "--forcerun", "evaluate")
    assert wait_until(lambda: "Finished jobid" in run.said(), run)
    kill_all(folder)
    assert not [*folder.glob(".snakemake/incomplete/*"), *folder.glob(".snakemake/backups/*")]


def test_a_job_that_fails_leaves_the_receipt_that_another_run_has_written(begin: Callable) -> None:
    folder = begin(("report",))
    receipts = folder / STORE / "keys/evaluate"
    before = set(receipts.iterdir())
    (folder / "workflow/scripts/evaluate.py").write_text(
        "import pathlib, sys\n"
        "receipt = next(word for word in sys.argv if word.startswith('--receipt='))\n"
        "pathlib.Path(receipt.removeprefix('--receipt=')).write_text('of another run')\n"
        "raise SystemExit(1)\n"
    )
    code, said = snakemake(folder).wait()
    assert code == 1, said
    assert [path.read_text() for path in set(receipts.iterdir()) - before] == ["of another run"] * len(
        before
    ), said
