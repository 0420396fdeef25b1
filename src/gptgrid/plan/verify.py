"""Whether artifacts can be made again to the bit; if not, where the bits part and what differs here.

First every file is held against the digests that were taken when it was made. Then each artifact is made
again in a scratch store: nothing of the experiment is touched. What differs is said; which difference is the
cause is left to a person.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.fingerprint import ROOT, fingerprint
from gptgrid.artifact.manifest import read_manifest, read_provenance
from gptgrid.artifact.receipt import Receipt
from gptgrid.artifact.request import Request
from gptgrid.artifact.store import Store
from gptgrid.artifact.view import shows
from gptgrid.plan.artifacts import TRAININGS, Artifact, home_of
from gptgrid.plan.names import listed, match, refuse_step
from gptgrid.plan.plan import SCRIPTS, Plan
from gptgrid.words import counted

NOT_ENVIRONMENT = ("time", "tokens_per_second", "train_seconds", "peak_memory_mb", "commit", "dirty")
"""What provenance.json says of the run, and of a source whose fingerprint says better whether it matters."""


@dataclass(frozen=True)
class Finished:
    """A finished artifact."""

    name: str
    """What messages call it."""
    request: Request
    receipt: Receipt
    inputs: dict[str, Receipt]


def verify_plan(plan: Plan, names: list[str]) -> bool:
    """Make artifacts of an experiment again and print for each whether the bits are the same.

    Args:
        plan: the experiment.
        names: each a folder, or parts of the name of cells (see `names.match`); none at all means everything.

    Returns:
        Whether they are for all, and whether what people see is what the store has.

    Raises:
        UserError: a name means nothing that is finished, or something could not be made again.
    """
    named = choose(plan, names)
    refuse_damage(plan, named)
    chosen, agreed = [artifact for artifact in named if plan.there[artifact]], True
    if not chosen:
        raise UserError(
            f"{plan.configuration.origin}: none of its cells is trained by the present source and "
            f"configuration (looked in {plan.results}); run snakemake"
        )
    for artifact in named:
        if not plan.there[artifact]:
            agreed = False
            print(
                f"{artifact.name}: not made by the present source and configuration; run snakemake",
                flush=True,
            )
    for artifact in chosen:
        if artifact.shown and not shows(
            plan.store, plan.receipts[artifact], Path(artifact.folder), plan.digests
        ):
            agreed = False
            print(f"{artifact.folder} does not show what was made; snakemake links it again", flush=True)
    items = [finished(plan, artifact) for artifact in chosen]
    return verify(items, plan.store, plan.run) and agreed


def finished(plan: Plan, artifact: Artifact) -> Finished:
    """Return what is known of a finished artifact of a plan."""
    inputs = {name: plan.receipts[made] for name, made in artifact.inputs.items()}
    return Finished(artifact.name, plan.requests[artifact], plan.receipts[artifact], inputs)


def refuse_damage(plan: Plan, artifacts: list[Artifact]) -> None:
    """Hold artifacts that are not whole any more, and what they were made from, against their digests.

    Raises:
        UserError: one is damaged; it was set aside.
    """
    needed = {made for artifact in artifacts for made in (artifact, *artifact.ancestors())}
    for artifact in plan.artifacts.values():
        receipt = plan.store.receipt(artifact.stage, plan.keys[artifact])
        if artifact in needed and not plan.there[artifact] and receipt and receipt.identity:
            plan.store.refuse_damage(receipt, "run snakemake")


def choose(plan: Plan, names: list[str]) -> list[Artifact]:
    """Return the artifacts that are meant; of a cell all of them.

    Raises:
        UserError: a name means nothing in the experiment.
    """
    folders = list(plan.artifacts)
    cells = [home_of(made) for made in plan.artifacts.values() if made.stage in TRAININGS]
    chosen: dict[str, Artifact] = {} if names else plan.artifacts
    for name in names:
        refuse_step(name, "verify takes none: it makes whole trainings again")
        path = os.path.relpath(name) if name and Path(name).is_dir() else name
        matching = [f for f in folders if f"{f}/".startswith(f"{path}/")] or [
            folder for cell in match(path, cells) for folder in folders if folder.startswith(f"{cell}/")
        ]
        if not matching:
            there = listed([Path(cell).name for cell in cells])
            raise UserError(
                f"{plan.configuration.origin}: no trained cell matches {name!r}; give its --configfile and "
                f"--config (such as quick=true), or one of:\n{there}"
            )
        chosen |= {folder: plan.artifacts[folder] for folder in matching}
    return list(chosen.values())


def verify(items: list[Finished], store: Store, run: dict[str, Any]) -> bool:
    """Make finished artifacts again and print for each whether the bits are the same; return whether all are.

    Args:
        items: what to verify.
        store: where they lie.
        run: the section `run` of the configuration.

    Raises:
        UserError: an artifact, or what it was made from, is damaged, or could not be made again.
    """
    # All are looked at first: what cannot be verified is said before hours of training, not after.
    check(items, store)
    agreed = True
    for item in items:
        with TemporaryDirectory(prefix="gptgrid-verify-") as scratch:
            again = make_again(item, store, Path(scratch), run)
            same, lines = compare(item, store.folder(item.request.stage, item.receipt.identity), again)
        agreed &= same
        print("\n  ".join(lines), flush=True)
    return agreed


def check(items: list[Finished], store: Store) -> None:
    """Hold every file of artifacts, and of what they were made from, against its digest.

    Raises:
        UserError: one is damaged; it was set aside.
    """
    receipts = [receipt for item in items for receipt in (item.receipt, *item.inputs.values())]
    for receipt in {made.identity: made for made in receipts if made.identity}.values():
        store.refuse_damage(receipt, "run snakemake")


def make_again(item: Finished, store: Store, scratch: Path, run: dict[str, Any]) -> Path:
    """Run the program of a stage with a scratch store that has the inputs and nothing else.

    Returns:
        The folder that it made.

    Raises:
        UserError: the program failed; it has said why.
    """
    stage, own = item.request.stage, Store(scratch / "store")
    source = fingerprint(SCRIPTS / f"{stage}.py", item.request.variants)
    request = Request(**{**vars(item.request), "source": source})
    for name, receipt in item.inputs.items():
        receipt.write(own.receipt_path(*request.inputs[name]))
        if receipt.identity:
            place = own.folder(receipt.stage, receipt.identity)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.symlink_to(store.folder(receipt.stage, receipt.identity).resolve())
    own.write_request(request)
    # Progress is no verdict.
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPTS / f"{stage}.py"), str(own.request_path(stage, request.key))),
            *("--name", item.name, "--run", json.dumps(run)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=sys.stderr,
    )
    made = own.receipt(stage, request.key)
    if done.returncode or made is None:
        raise UserError(
            f"{item.name}: making it again failed with exit code {done.returncode}; the reason stands above"
        )
    return own.folder(stage, made.identity)


def compare(item: Finished, old: Path, new: Path) -> tuple[bool, list[str]]:
    """Compare an artifact with one that was made again; return whether the bits are the same, and why."""
    before, after = read_manifest(old), read_manifest(new)
    was, now = read_provenance(old), read_provenance(new)
    names = sorted(before["outputs"].keys() | after["outputs"].keys())
    differing = [name for name in names if before["outputs"].get(name) != after["outputs"].get(name)]
    source = []
    if before["source"] != after["source"]:
        commit = f"; then it was of commit {was['commit'][:12]}" if was.get("commit") else ""
        source = [f"the source of {item.request.stage} changed{commit}"]
    if not differing:
        return True, [f"{item.name}: the same bits ({counted(len(names), 'file')})", *source]
    here = [f"environment: {line}" for line in differences(environment(was), environment(now))]
    return False, [
        f"{item.name}: other bits in {len(differing)} of {counted(len(names), 'file')}: "
        f"{', '.join(differing)}",
        *source,
        *(
            f"{name}: {line}"
            for name, explain in EXPLAINED.items()
            if name in differing and (old / name).is_file() and (new / name).is_file()
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
    import torch
    from safetensors.torch import load_file

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


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield `key: old → new` for every value that differs between two nested mappings."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        if isinstance(old, list) and isinstance(new, list):
            yield f"{path} changed"
        else:
            yield f"{path}: {old} → {new}"
