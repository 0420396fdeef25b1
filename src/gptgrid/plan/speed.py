"""How long a computation takes, by the trainings and samples that a store has."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import MANIFEST, read_provenance, sound_manifest
from gptgrid.artifact.store import Store
from gptgrid.model.device import describe_device, find_device

FORWARD = 1 / 3
"""Share of the forward pass in the operations of a training token; the backward pass takes twice as many."""
NEAREST = 5
"""How many earlier trainings say how fast a new one will be."""


@dataclass(frozen=True)
class Speed:
    """How fast a training was."""

    flops: float
    """Of one token."""
    threads: int
    device: str
    flops_per_second: float


class Speeds:
    """How fast the trainings and samples in a store were."""

    def __init__(self, store: Store, device: str) -> None:
        """Prepare to look; nothing is read before it is needed.

        Args:
            store: what is there.
            device: `run.device`.
        """
        self.store, self.device = store, device

    def seconds(self, flops_per_token: float, threads: int, flops: float, sampled: int) -> float | None:
        """Return the seconds of a computation; None where the store has no training.

        Args:
            flops_per_token: of the training of its model.
            threads: that compute.
            flops: of training and scoring.
            sampled: tokens of samples, which come one at a time and take longer than their operations do.
        """
        nearest = self.nearest(flops_per_token, threads)
        if not nearest:
            return None
        flops_per_second = median(speed.flops_per_second for speed in nearest)
        per_sample = self.seconds_per_sample or FORWARD * flops_per_token / flops_per_second
        return flops / flops_per_second + sampled * per_sample

    def nearest(self, flops_per_token: float, threads: int) -> list[Speed]:
        """Return the speeds of the most similar trainings."""

        def distance(speed: Speed) -> float:
            return abs(log(speed.flops / flops_per_token)) + abs(log(speed.threads / threads))

        return sorted(self.trainings, key=distance)[:NEAREST]

    @cached_property
    def devices(self) -> list[str]:
        """The devices that the trainings ran on."""
        return sorted({speed.device for speed in self.trainings})

    @cached_property
    def trainings(self) -> list[Speed]:
        """The speeds of the trainings in the store: of those on this device, or else of all."""
        found = [speed_of(*training) for training in finished(self.store, "train")]
        known = [speed for speed in found if speed is not None]
        try:
            here = describe_device(find_device(self.device))
        except UserError:  # the machine that plans need not be the one that computes
            return known
        return [speed for speed in known if speed.device == here] or known

    @cached_property
    def seconds_per_sample(self) -> float | None:
        """Seconds for one token of a sample, by those in the store; None without one."""
        found = [
            seconds / tokens
            for folder, manifest in finished(self.store, "sample")
            # What judges the samples of others has no tokens of its own.
            if (tokens := manifest["facts"].get("tokens")) and (seconds := total_seconds(folder))
        ]
        return median(found) if found else None


def finished(store: Store, stage: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the artifacts of a stage in a store with their manifests."""
    for path in sorted(store.root.glob(f"{stage}/*/{MANIFEST}")):
        manifest = sound_manifest(path.parent)
        if manifest is not None:
            yield path.parent, manifest


def speed_of(folder: Path, manifest: dict[str, Any]) -> Speed | None:
    """Return how fast a training was; None if that was not kept."""
    facts, provenance = manifest["facts"], read_provenance(folder)
    if not (facts["train_tokens"] and provenance.get("tokens_per_second")):
        return None
    flops = facts["train_flops"] / facts["train_tokens"]
    # Padding is no token, but takes its time.
    positions_per_token = facts["steps"] * facts["batch_tokens"] / facts["train_tokens"]
    flops_per_second = provenance["tokens_per_second"] * positions_per_token * flops
    threads = provenance["threads"] * provenance["processes"]
    return Speed(flops, threads, provenance["device"], flops_per_second)


def total_seconds(folder: Path) -> float | None:
    """Return how long it took to make an artifact; None if that was not kept."""
    try:
        with (folder / "timing.csv").open(newline="", encoding="utf-8") as file:
            return next(float(row["seconds"]) for row in csv.DictReader(file) if row["step"] == "total")
    except (OSError, StopIteration):
        return None
