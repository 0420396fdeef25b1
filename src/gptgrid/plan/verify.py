"""Whether a trained cell can be made again to the bit; if not, where the bits part and what differs here.

The training runs in a scratch folder with an empty store: nothing of the experiment is touched, and nothing
is linked. What differs is said; which difference is the cause is left to a person.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import write_text
from gptgrid.artifact.fingerprint import ROOT
from gptgrid.artifact.identity import canonical, input_digest
from gptgrid.artifact.manifest import first_damage, read_manifest, read_provenance
from gptgrid.plan.names import listed, match
from gptgrid.plan.plan import SCRIPTS, Plan, differences, manifest_or_none, stage_source

NOT_ENVIRONMENT = ("time", "tokens_per_second", "train_seconds", "peak_memory_mb", "commit", "dirty")
"""What provenance.json says of the run, and of a source whose fingerprint says better whether it matters."""


def choose(plan: Plan, names: list[str]) -> list[dict[str, Any]]:
    """Return the requests of finished cells.

    Args:
        plan: the experiment.
        names: each a folder, or parts of a name (see `names.match`) that stand for all cells which have
            them; none at all means every finished cell.

    Raises:
        UserError: a name means no finished cell.
    """
    finished = {
        artifact.folder: artifact
        for artifact in plan.of_stage("train")
        if manifest_or_none(Path(artifact.folder))
    }
    origin = plan.configuration.origin
    if not finished:
        raise UserError(f"{origin}: none of its cells is trained (looked in {plan.results}); run snakemake")
    chosen: set[str] = set()
    for name in names:
        found = match(os.path.relpath(name) if Path(name).is_dir() else name, list(finished))
        if not found:
            raise UserError(
                f"{origin}: no trained cell matches {name!r}; give its --configfile, or one of:"
                f"\n{listed([cell_of(folder) for folder in finished])}"
            )
        chosen.update(found)
    return [
        plan.request_of(artifact) for folder, artifact in finished.items() if folder in chosen or not names
    ]


def cell_of(folder: str) -> str:
    """Return the name of the cell whose training lies in a folder."""
    return Path(folder).parent.name


def verify(requests: list[dict[str, Any]]) -> bool:
    """Train finished cells again and print for each whether the bits are the same.

    Args:
        requests: what `train.py` is handed for each.

    Returns:
        Whether they are for all.

    Raises:
        UserError: a cell, or what it was made from, is not as it was; a training failed.
    """
    # All are looked at first: what cannot be verified is said before hours of training, not after.
    manifests = [check(asked) for asked in requests]
    for place in dict.fromkeys(folder for asked in requests for folder in read_by(asked)):
        if damage := first_damage(Path(place), read_manifest(Path(place))):
            raise UserError(f"{damage}; delete that file and run snakemake")
    agreed = True
    for asked, manifest in zip(requests, manifests, strict=True):
        with TemporaryDirectory(prefix="gptgrid-verify-") as scratch:
            again = train_again(asked, manifest, Path(scratch))
            same, lines = verdict(Path(asked["artifact"]), again)
        agreed &= same
        print("\n  ".join(lines), flush=True)
    return agreed


def read_by(asked: dict[str, Any]) -> list[str]:
    """Return the folders that a verification reads: the cell's and those that it was made from."""
    return [asked["artifact"], *asked["inputs"].values()]


def check(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a trained cell whose inputs have the content that it was made from.

    Raises:
        UserError: an input is missing, or has another content.
    """
    folder, inputs = asked["artifact"], asked["inputs"]
    manifest = read_manifest(Path(folder))
    if set(manifest["inputs"]) != set(inputs):
        raise UserError(
            f"{folder} was made from {', '.join(manifest['inputs'])}, but its experiment now makes it from "
            f"{', '.join(sorted(inputs))}; run snakemake first"
        )
    for name, origin in inputs.items():
        found = input_digest("train", read_manifest(Path(origin)))
        if found != (expected := manifest["inputs"][name]):
            raise UserError(
                f"{origin} changed: {cell_of(folder)} was trained on {name} with content {expected[:12]}, "
                f"found {found[:12]}; take the change back, or run snakemake to train it on what is there now"
            )
    return manifest


def train_again(asked: dict[str, Any], manifest: dict[str, Any], scratch: Path) -> Path:
    """Run the training program in a scratch folder, as its rule does; return the folder that it made.

    Raises:
        UserError: the program failed; it has said why.
    """
    request = {
        **asked,
        "config": manifest["config"],
        "source": stage_source("train"),
        "inputs": {name: str(Path(folder).resolve()) for name, folder in asked["inputs"].items()},
        "store": "store",
    }
    write_text(scratch / "request.json", canonical(request))
    # The artifact's path is relative, so the same one lies in the scratch folder. Progress is no verdict.
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "train.py"), "request.json"],
        cwd=scratch,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=sys.stderr,
    )
    if done.returncode:
        raise UserError(
            f"{cell_of(asked['artifact'])}: training it again failed with exit code {done.returncode}; "
            "the reason stands above"
        )
    return scratch / asked["artifact"]


def verdict(old: Path, new: Path) -> tuple[bool, list[str]]:
    """Compare two trainings of a cell; return whether the bits are the same, and lines that say so."""
    before, after = read_manifest(old), read_manifest(new)
    was, now = read_provenance(old), read_provenance(new)
    names = sorted(before["outputs"].keys() | after["outputs"].keys())
    differing = [name for name in names if before["outputs"].get(name) != after["outputs"].get(name)]
    source = []
    if before["source"] != after["source"]:
        commit = f"; then it was of commit {was['commit'][:12]}" if was.get("commit") else ""
        source = [f"the source of train changed{commit}"]
    cell = cell_of(str(old))
    if not differing:
        return True, [f"{cell}: the same bits ({len(names)} files)", *source]
    here = [f"environment: {line}" for line in differences(environment(was), environment(now))]
    return False, [
        f"{cell}: other bits in {len(differing)} of {len(names)} files: {', '.join(differing)}",
        *source,
        *(
            f"{name}: {line}"
            for name, explain in EXPLAINED.items()
            if name in differing
            for line in explain(old / name, new / name)
        ),
        *(here or ["environment: provenance.json tells of no difference"]),
    ]


def first_step(old: Path, new: Path) -> Iterator[str]:
    """Yield the first step at which two learning curves differ, with the values of both."""
    with old.open(newline="") as before, new.open(newline="") as after:
        for was, now in zip_longest(csv.DictReader(before), csv.DictReader(after), fillvalue={}):
            if was != now:
                yield f"from step {(was or now)['step']} on, {', '.join(differences(was, now))}"
                return


def largest_difference(old: Path, new: Path) -> Iterator[str]:
    """Yield the largest absolute difference between the weights of two trainings, and where it is."""
    was, now = load_file(old), load_file(new)
    shapes = [{name: list(tensor.shape) for name, tensor in weights.items()} for weights in (was, now)]
    if shapes[0] != shapes[1]:
        yield f"other tensors: {', '.join(differences(*shapes))}"
        return
    # What is not a number in one of them is as far away as can be.
    gaps = {name: torch.nan_to_num(was[name] - now[name], nan=torch.inf).abs().max().item() for name in was}
    name = max(gaps, key=gaps.__getitem__)
    yield f"at most {gaps[name]:.3g} apart, in {name}"


EXPLAINED = {"metrics.csv": first_step, "model.safetensors": largest_difference}
"""Output of a training → what yields how two of it differ."""


def environment(facts: dict[str, Any]) -> dict[str, Any]:
    """Return those of the volatile facts that say where something was made."""
    return {key: value for key, value in facts.items() if key not in NOT_ENVIRONMENT}
