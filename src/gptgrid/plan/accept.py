"""Keeping results of an older source: what was made by it stands for what the present one would make.

A sample is made again by the present source and compared bit by bit first. Which results a person accepted
stands in the receipts, in the provenance of what is made from them, and in the report; it can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.garbage import Entry, entries
from gptgrid.artifact.identity import OVERVIEWS, canonical, digest
from gptgrid.artifact.roots import user_name
from gptgrid.plan.artifacts import Artifact, base_of
from gptgrid.plan.names import listed, match, refuse_step
from gptgrid.plan.plan import Plan
from gptgrid.plan.verify import Finished, finished, verify


def accept(plan: Plan, names: list[str], unverified: bool = False) -> None:
    """Let results of an older source stand for artifacts that the present one has not made.

    Args:
        plan: the experiment.
        names: parts of the names of cells (see `names.match`); none at all means all.
        unverified: do not make a sample of them again.

    Raises:
        UserError: there is nothing to accept, or the present source makes other bits.
    """
    found = dict(older(plan, chosen(plan, names)))
    if not found:
        raise UserError(
            f"{plan.configuration.origin}: nothing to accept: no result of an older source, with the same "
            "configuration and inputs, stands for anything that is missing"
        )
    sample = [] if unverified else sample_of(plan, found)
    if sample and not verify(sample, plan.store, plan.run):
        raise UserError(
            "the present source makes other bits, as said above, so nothing was accepted; run snakemake to "
            "make them anew, or give --unverified if the difference does not matter"
        )
    how = f"verified by {', '.join(item.name for item in sample)}" if sample else "unverified"
    for artifact, entry in found.items():
        text = (
            f"made by an older source ({about(entry)}); accepted by {user_name()} on "
            f"{datetime.now(UTC).date().isoformat()}, {how}"
        )
        receipt = replace(plan.receipts[artifact], accepted=text)
        with plan.store.writing():
            receipt.write(plan.store.receipt_path(artifact.stage, plan.keys[artifact]))
        print(f"accepted: {artifact.name}, {text}", flush=True)
    print("run snakemake: it makes what is missing, tables and report, which say so")


def about(entry: Entry) -> str:
    """Return when, and from which commit, an artifact was made."""
    commit = entry.provenance.get("commit")
    made = entry.provenance.get("time", "at an unknown time")
    return f"{made}, commit {commit[:12]}" if commit else made


def chosen(plan: Plan, names: list[str]) -> list[Artifact]:
    """Return the artifacts of cells, and what these are made from, inputs first.

    Raises:
        UserError: a name means no cell.
    """
    cells = [artifact for artifact in plan.artifacts.values() if "/cells/" in artifact.folder]
    if names:
        labels = {artifact: "/".join(artifact.folder.split("/")[:4]) for artifact in cells}
        picked: set[str] = set()
        for name in names:
            refuse_step(name, "accept takes none: it keeps whole trainings")
            matching = match(name, list(dict.fromkeys(labels.values())))
            if not matching:
                cell_names = dict.fromkeys(label.split("/")[3] for label in labels.values())
                raise UserError(f"no cell matches {name!r}; there are:\n{listed(list(cell_names))}")
            picked.update(matching)
        cells = [artifact for artifact in cells if labels[artifact] in picked]
    needed = {made for artifact in cells for made in (artifact, *artifact.ancestors())}
    return [artifact for artifact in plan.artifacts.values() if artifact in needed]


def older(plan: Plan, artifacts: list[Artifact]) -> Iterator[tuple[Artifact, Entry]]:
    """Yield what is missing with the newest result that differs from it in the source alone.

    The receipt of each is put into the plan, so that what is made from it can be found, too.
    """
    index: dict[str, Entry] = {}
    for entry in sorted(entries(plan.store), key=lambda entry: entry.provenance.get("time", "")):
        manifest = entry.manifest
        index[cause(entry.stage, manifest["config"], manifest["inputs"])] = entry
    for artifact in artifacts:
        if plan.there[artifact] or plan.receipts[artifact] or artifact.stage in OVERVIEWS:
            continue
        digests = plan.digests_of_inputs(artifact)
        plan.receipts[artifact] = plan.receipt_of_stored(artifact)
        if plan.receipts[artifact]:
            continue  # the present source made it, from what is accepted
        entry = None if digests is None else index.get(cause(artifact.stage, artifact.slice, digests))
        if entry is not None:
            plan.receipts[artifact] = plan.store.make_receipt(
                artifact.stage, plan.keys[artifact], entry.identity, digest(digests)
            )
            yield artifact, entry


def cause(stage: str, config: dict[str, Any], inputs: dict[str, str]) -> str:
    """Return the digest of all that decides an artifact but its source."""
    return digest({"stage": stage, "config": config, "inputs": inputs})


def sample_of(plan: Plan, found: dict[Artifact, Entry]) -> list[Finished]:
    """Return what to make again: of each stage and model one, of trainings the cheapest."""

    def cost(artifact: Artifact) -> float:
        return found[artifact].manifest["facts"].get("train_flops", 0)

    cheapest: dict[str, Artifact] = {}
    for artifact in sorted(found, key=cost):
        train = base_of(artifact.inputs.get("train", artifact))
        cheapest.setdefault(f"{artifact.stage} {canonical(train.slice.get('model'))}", artifact)
    return [finished(plan, artifact) for artifact in cheapest.values()]


def take_back(plan: Plan, names: list[str]) -> None:
    """No longer accept results of an older source, nor what was made from them.

    Raises:
        UserError: none was accepted.
    """
    taken = {
        artifact
        for artifact in chosen(plan, names)
        if (receipt := plan.receipts[artifact]) is not None and receipt.accepted
    }
    if not taken:
        raise UserError(f"{plan.configuration.origin}: nothing was accepted here")
    for artifact in plan.artifacts.values():
        if artifact in taken or taken.intersection(artifact.ancestors()):
            with plan.store.writing():
                plan.store.receipt_path(artifact.stage, plan.keys[artifact]).unlink(missing_ok=True)
    for artifact in plan.artifacts.values():
        if artifact in taken:
            print(f"taken back: {artifact.name}", flush=True)
