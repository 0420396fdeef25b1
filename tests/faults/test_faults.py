"""Whatever breaks, and whenever: the plain command brings back the bytes of an unbroken run, or says what to do.

Here one seed or two of each family; `make faults` tries many more.
"""

import base64
from pathlib import Path

import pytest

from faults.chain import Unbroken, shared_unbroken
from faults.families import FAMILIES, MOUNTING, ROUND, family_of, try_seed
from faults.interrupt import can_mount
from faults.judge import settle
from faults.runs import snakemake
from faults.tree import STORE, copy, differences, forget, state

TWICE = ("damaged_file", "damaged_machinery", "deleted", "signalled", "disk_full")
"""Families with most to draw from."""


def chosen() -> list[int]:
    """Return the first seeds of each family."""
    seeds = range(3 * len(ROUND))
    return [
        seed
        for family in FAMILIES
        for seed in [s for s in seeds if family_of(s) == family][: 2 if family in TWICE else 1]
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """Finished trees. Copy them before breaking anything."""
    return shared_unbroken(tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("seed", chosen(), ids=lambda seed: f"{family_of(seed)}-{seed}")
def test_a_broken_tree_comes_back(unbroken: Unbroken, tmp_path: Path, seed: int) -> None:
    if family_of(seed) in MOUNTING and not can_mount(tmp_path):
        pytest.skip("file systems cannot be mounted here")
    told = try_seed(seed, unbroken, tmp_path)
    print(f"{seed} {told.fault} | {told.moment} | {told.outcome}")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--workflow-profile", "none", "--rerun-triggers", "mtime", "--rerun-incomplete"),
        ("--rerun-triggers", "code", "input", "mtime", "params", "software-env"),
    ],
    ids=["plain", "marked", "changed"],
)
def test_a_job_that_runs_again_hides_no_other(
    unbroken: Unbroken, tmp_path: Path, options: tuple[str]
) -> None:
    """Of jobs behind one that Snakemake has a reason to run again it does not look at the receipts."""
    folder = copy(unbroken.folder, tmp_path / "chain")
    forget(folder, ("sample", "report"))
    for path in (folder / STORE / "keys/evaluate").iterdir():
        name = base64.b64encode(str(path.relative_to(folder)).encode()).decode()
        (folder / ".snakemake/incomplete" / name).touch()
    rule = folder / "workflow/rules/evaluate.smk"
    rule.write_text(rule.read_text().replace("2>&1 |", "2>&1  |"))
    code, said = snakemake(folder, *options).wait()
    assert code == 0, said
    assert not differences(state(folder), unbroken.state)


def test_files_that_are_missing_from_the_store_come_back(unbroken: Unbroken, tmp_path: Path) -> None:
    folder = copy(unbroken.folder, tmp_path / "chain")
    scored, sampled = (
        sorted((folder / STORE / stage).glob(f"*/{name}"))[0]
        for stage, name in (("evaluate", "evaluation.json"), ("sample", "manifest.json"))
    )
    scored.unlink()
    sampled.unlink()
    assert settle(folder, unbroken.state) == "right after run 1"
