"""Data order: which rows make batch t, a pure function of (seed, t): any step is reached at once.

Holds no position and no random state: workers, ranks and resumed runs ask for the step that they need. What
stands in a row is the stages' business, feeding a device the trainer's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property
from math import ceil

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.trainer.permutation import order, permute

UNSCORED = -1
"""Target of a position that no loss counts (padding)."""


class Batches(ABC):
    """The batches of a training, by step: each epoch has the same rows in a new order."""

    context: int
    """Tokens in a row, padding among them."""
    rows: int
    """Of a batch."""
    per_epoch: int
    """Rows of an epoch."""
    key: int
    """63-bit seed of their order."""
    row_scored: np.ndarray | None = None
    """Targets of each row that are scored: (per_epoch,) int64; None: all of them."""
    unit: str = "windows"
    """What a row is called."""
    separate: bool = False
    """Batches have the numbers of documents beside inputs and targets: no token sees another document."""

    @abstractmethod
    def __getitem__(self, step: int) -> tuple[np.ndarray, ...]:
        """Return inputs, targets and, if `separate`, documents of a step: each (rows, context) int64.

        UNSCORED targets are padding.
        """

    def rows_of(self, step: int) -> np.ndarray:
        """Return the rows of a step, counted from the training's first one: (rows,) uint64."""
        return np.arange(self.rows, dtype=np.uint64) + np.uint64(step * self.rows)

    def numbers(self, row: np.ndarray) -> np.ndarray:
        """Return which one of its epoch each row is: (rows,) int64.

        Args:
            row: (rows,) uint64, counted from the training's first one.
        """
        size = np.uint64(self.per_epoch)
        return permute(row % size, self.per_epoch, self.key, row // size).astype(np.int64)

    @property
    def steps_per_epoch(self) -> Fraction:
        """Return how many batches make a pass over the rows; a pass may end inside of one."""
        return Fraction(self.per_epoch, self.rows)

    @cached_property
    def targets_per_epoch(self) -> int:
        """The targets that an epoch scores."""
        return self.per_epoch * self.context if self.row_scored is None else int(self.row_scored.sum())

    def epoch(self, step: int) -> float:
        """Return how many passes over the rows `step` batches make."""
        return step * self.rows / self.per_epoch

    def targets(self, steps: int) -> int:
        """Return how many targets the first steps score: padding is none."""
        if self.row_scored is None:
            return steps * self.rows * self.context
        epochs, rest = divmod(steps * self.rows, self.per_epoch)
        return epochs * self.targets_per_epoch + int(self.scored(epochs)[:rest].sum())

    def steps_to_score(self, targets: int) -> int:
        """Return the fewest steps that score so many targets, or more."""
        if self.row_scored is None:
            return ceil(targets / (self.rows * self.context))
        epochs, rest = divmod(targets, self.targets_per_epoch)
        rows = epochs * self.per_epoch
        if rest:
            rows += int(np.searchsorted(np.cumsum(self.scored(epochs)), rest)) + 1
        return ceil(rows / self.rows)

    def scored(self, epoch: int) -> np.ndarray:
        """Return the scored targets of each row in the order of an epoch: (per_epoch,) int64."""
        return self.row_scored[order(self.per_epoch, self.key, epoch)]

    def remarks(self) -> list[str]:
        """Return what a person should know about the rows: usually nothing."""
        return []


def rows_of_batch(batch_tokens: int, context: int) -> int:
    """Return the rows in a batch.

    Raises:
        UserError: not a whole number.
    """
    if batch_tokens % context:
        below = batch_tokens // context * context
        nearest = f"{below} or {below + context}" if below else f"{context}"
        raise UserError(
            f"batch_tokens {batch_tokens} is not a multiple of the model's context {context}; take {nearest}"
        )
    return batch_tokens // context
