"""The plan and the store as tables for a person. Decides nothing."""

from __future__ import annotations

import shutil
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.manifest import MANIFEST, read_provenance
from gptgrid.artifact.store import Store
from gptgrid.model.cost import count_parameters, flops_per_token
from gptgrid.plan.plan import Artifact, Plan, manifest_or_none

# ------------------------------------------------------------------------------------------- plan


@dataclass(frozen=True)
class Cost:
    """What a training takes; None where it is not known before an earlier stage has run."""

    parameters: int | None
    tokens: int | None
    flops: float | None
    seconds: float | None


def show_plan(plan: Plan, console: Console, everything: bool = False) -> None:
    """Print what would run or be restored and why, with the cost of the trainings: a line a cell."""
    speed = measured_flops_per_second(plan.store)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("what", "run", "restore", "why"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "tokens", "FLOPs", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    total = 0.0
    for name, artifacts in by_name(plan).items():
        first = next((artifact for artifact in artifacts if artifact.action != "keep"), None)
        if first is None and not everything:
            continue
        costs = Cost(None, None, None, None)
        if artifacts[0].stage == "train":
            costs = cost_of(plan, artifacts[0], speed)
            total += (costs.seconds or 0) * (artifacts[0].action == "run")
        stages = [
            " ".join(artifact.stage for artifact in artifacts if artifact.action == action)
            for action in ("run", "restore")
        ]
        table.add_row(name, *stages, first.reason if first else "", *readable(costs))
    if table.row_count:
        console.print(table, soft_wrap=True)
    counts = Counter(artifact.action for artifact in plan.artifacts.values())
    console.print(
        f"{len(plan.cells)} cells, {len(plan.artifacts)} artifacts: {counts['keep']} are there, "
        f"{counts['restore']} would be restored from the store, {counts['run']} would run",
        soft_wrap=True,
    )
    if total:
        console.print(
            f"trainings: about {duration(total)} one after the other, by earlier runs in this store"
        )


def by_name(plan: Plan) -> dict[str, list[Artifact]]:
    """Return the artifacts under the names that a person knows them by: those of a cell together."""
    named: dict[str, list[Artifact]] = {}
    for folder, artifact in plan.artifacts.items():
        name = folder.removeprefix("data/").removeprefix(f"{plan.results}/")
        if name.startswith("cells/"):
            name = name.removeprefix("cells/").rsplit("/", 1)[0]
        named.setdefault(name, []).append(artifact)
    return named


def cost_of(plan: Plan, artifact: Artifact, flops_per_second: float | None) -> Cost:
    """Estimate a training from its configuration, and from its shards once they are there."""
    model, training = namespace(artifact.config["model"]), artifact.config["training"]
    shards = facts_of(plan, plan.artifacts[artifact.inputs["shards"]])
    vocab_size = shards["vocab_size"] if shards else None
    tokens = budget(training, shards["splits"]["train"]["tokens"] if shards else None, model.context)
    if vocab_size is None:
        return Cost(None, tokens, None, None)
    flops = tokens * flops_per_token(model, vocab_size) if tokens else None
    seconds = flops / flops_per_second if flops and flops_per_second else None
    return Cost(count_parameters(model, vocab_size), tokens, flops, seconds)


def budget(training: dict[str, Any], shard_tokens: int | None, context: int) -> int | None:
    """Return the training tokens; None if they depend on a text that is not encoded yet."""
    if training["steps"]:
        return training["steps"] * training["batch_tokens"]
    if training["tokens"]:
        return training["tokens"]
    return round(training["epochs"] * (shard_tokens // context * context)) if shard_tokens else None


def facts_of(plan: Plan, artifact: Artifact) -> dict[str, Any] | None:
    """Return the facts of an artifact that is there or in the store."""
    if artifact.action == "keep":
        found = manifest_or_none(Path(artifact.folder))
    elif artifact.action == "restore":
        found = manifest_or_none(plan.store.folder(artifact.stage, artifact.identity))
    else:
        found = None
    return found["facts"] if found else None


def measured_flops_per_second(store: Store) -> float | None:
    """Return the median speed of the trainings in the store, in FLOP/s."""
    speeds = []
    for entry in entries(store):
        if entry.stage == "train" and (seconds := entry.provenance.get("train_seconds")):
            speeds.append(entry.manifest["facts"]["train_flops"] / seconds)
    return statistics.median(speeds) if speeds else None


def readable(cost: Cost) -> tuple[str, str, str, str]:
    """Return a cost as four table cells."""
    return (
        f"{cost.parameters:,}" if cost.parameters else "",
        f"{cost.tokens:,}" if cost.tokens else "",
        f"{cost.flops:.2e}" if cost.flops else "",
        duration(cost.seconds) if cost.seconds else "",
    )


def duration(seconds: float) -> str:
    """Return seconds in the unit that a person would use."""
    for limit, scale, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"


# ------------------------------------------------------------------------------------------ store


@dataclass(frozen=True)
class Entry:
    """A finished artifact in the store."""

    folder: Path
    stage: str
    manifest: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def in_use(self) -> bool:
        """Say whether a folder of an experiment, or of data, still links to it."""
        return (self.folder / MANIFEST).stat().st_nlink > 1


def entries(store: Store) -> Iterator[Entry]:
    """Yield the finished artifacts of a store."""
    for path in sorted(store.root.glob(f"*/*/{MANIFEST}")):
        manifest = manifest_or_none(path.parent)
        if manifest and path.parent.name == manifest["identity"]:
            yield Entry(path.parent, manifest["stage"], manifest, read_provenance(path.parent))


def show_store(store: Store, console: Console) -> None:
    """Print what the store holds."""
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "identity", "made", "in use"):
        table.add_column(heading)
    table.add_column("MB", justify="right")
    total = 0
    for entry in entries(store):
        size = size_of(entry.folder)
        total += size
        made, use = entry.provenance.get("time", ""), "yes" if entry.in_use else "no"
        table.add_row(entry.stage, entry.folder.name[:12], made, use, f"{size / 1e6:.1f}")
    console.print(table)
    console.print(f"{store.root}: {table.row_count} artifacts, {total / 1e6:.1f} MB")


def collect_garbage(store: Store, console: Console, dry_run: bool = False, unfinished: bool = False) -> None:
    """Delete what no folder links to, and what was set aside as damaged.

    In a store that several machines share, links on another file system do not count: there, everything
    may look unused.

    Args:
        store: what to prune.
        console: where to say it.
        dry_run: only say it.
        unfinished: also delete the work of programs that were killed, from which they would continue.
    """
    folders = [entry.folder for entry in entries(store) if not entry.in_use]
    folders += store.root.glob("*/*.damaged-*")
    if unfinished:
        folders += [path for path in store.root.glob("*/*.partial") if not is_locked(path)]
    freed = 0
    for folder in folders:
        freed += size_of(folder)
        console.print(f"{'would delete' if dry_run else 'deleted'} {folder}")
        if not dry_run:
            shutil.rmtree(folder)
    console.print(f"{len(folders)} folders, {freed / 1e6:.1f} MB")


def is_locked(partial: Path) -> bool:
    """Say whether a program is at work in a partial folder."""
    try:
        with FileLock(partial.with_suffix(".lock"), timeout=0):
            return False
    except Timeout:
        return True


def size_of(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
