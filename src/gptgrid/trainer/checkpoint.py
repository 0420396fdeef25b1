"""The state of a training on the disk: written whole or not at all, the same bytes for the same state.

One format serves a running training (scratch/state.pt) and a finished one (state.pt beside the weights,
from which a longer training continues). Nothing but tensors and plain values is stored; no pickle is run
when it is read.
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

import torch
from torch import Tensor

from gptgrid.artifact.errors import UserError

FORMAT = "gptgrid training state 4"


class DamagedStateError(UserError):
    """A state is not on the disk as it was written."""

    def __init__(self, path: Path, how: str) -> None:
        self.what = f"{path} is damaged ({how})"
        super().__init__(f"{self.what}; {advice(path)}")


class Best(TypedDict):
    """The validation that was lowest so far, and the weights that it measured."""

    step: int
    loss: float
    """Nats per token."""
    scored: str
    """Digest of the tokens that it was measured on; see gptgrid.trainer.validation."""
    weights: dict[str, Tensor]


class Effort(TypedDict):
    """What this training cost so far, over all its sessions. Volatile: no deliverable holds it."""

    seconds: float
    tokens: int


class Progress(TypedDict):
    """Where a training stands, but for what lives inside weights, optimizers and scaler."""

    step: int
    """Finished updates."""
    begin: int
    """The step at which this recipe began: 0, or where its parent ended."""
    diverged: str | None
    """How the training diverged, in a sentence; then it makes no further step."""
    tokens: int
    """Targets scored so far; padding does not count."""
    loss_sum: Tensor
    """Sum of the steps' mean losses since the last row of metrics; a scalar on the device."""
    grad_norm: Tensor
    """Norm of the last step's gradient before clipping; a scalar on the device."""
    best: Best | None
    metrics: list[dict[str, Any]]
    """Rows of metrics.csv."""
    samples: list[dict[str, Any]]
    """Rows of samples.jsonl."""


class State(Progress):
    """All that the next step depends on. Random streams derive from (seed, step) and are not stored."""

    format: str
    recipe: str
    """Canonical JSON of model, vocab_size, eot, training and seed."""
    model: dict[str, Tensor]
    """The fp32 weights."""
    average: dict[str, Tensor] | None
    """Their moving average, on the device, if the recipe has an `ema`."""
    optimizers: list[dict[int, dict[str, Tensor]]]
    scaler: dict[str, Any]


def write(path: Path, state: State, effort: Effort | None = None) -> None:
    """Write a state so that a kill at any point leaves the old file or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        store(plain({**state, "effort": effort} if effort else state), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def store(value: Any, file: BinaryIO) -> None:
    """Serialize to an open file; of a path, torch would put the stem into the archive."""
    try:
        torch.save(value, file)
    except RuntimeError as error:
        # A full disk, behind an error of torch's own about positions.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def read(path: Path) -> dict[str, Any]:
    """Return a written state, its tensors on the CPU.

    Raises:
        DamagedStateError: it is not as it was written.
        UserError: it is no state, or cannot be read.
    """
    try:
        damage = find_damage(path)
        state = None if damage else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each of them means the same here
        raise UserError(
            f"{path} cannot be read as a training state ({type(error).__name__}); {advice(path)}"
        ) from error
    if damage:
        raise DamagedStateError(path, damage)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is not a {FORMAT!r}; {advice(path)}")
    return state


def advice(path: Path) -> str:
    """Return what to do about a state that cannot be used."""
    return f"delete {path.parent} and run the same command again, which begins the training again"


def find_damage(path: Path) -> str | None:
    """Return how a file differs from what torch wrote, in a few words; None if it does not.

    torch stores a CRC-32 of each record, which torch.load does not compare.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
    except (OSError, MemoryError):  # of the machine, not of the file
        raise
    except Exception as error:  # a damaged header may raise anything
        return f"{type(error).__name__}: {error}"
    return f"the checksum of {record} differs" if record else None


def plain(value: Any) -> Any:
    """Return a copy in which equal content is also stored as equal bytes.

    Pickle writes a string that it has seen before as a reference, by identity: hence the interning. A
    tensor that is a view would bring its whole storage: hence the clone.
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return sys.intern(value) if type(value) is str else value
