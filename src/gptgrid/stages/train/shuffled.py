"""The documents of a split in a new order each epoch, run together as one text.

Holds where documents begin and the order of one epoch, never tokens.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gptgrid.tokens.shards import Shards
from gptgrid.trainer.permutation import order


class ShuffledText:
    """A text as long as the split in each epoch; a pure function of (key, epoch)."""

    def __init__(self, shards: Shards, eot: int | None, key: int) -> None:
        """Prepare to read; documents are looked for when the first window is.

        Args:
            shards: the split.
            eot: id of the end-of-text token, which begins every document; without one the split is one.
            key: 63-bit seed.
        """
        self.shards, self.eot, self.key = shards, eot, key
        self.laid_out = -1

    @cached_property
    def bounds(self) -> np.ndarray:
        """Where each document begins, and where the last one ends: (documents + 1,) int64."""
        starts = self.shards.document_starts(self.eot)
        return np.concatenate([[0], starts[starts > 0], [len(self.shards)]])

    def windows(self, starts: np.ndarray, length: int, epochs: np.ndarray) -> np.ndarray:
        """Return the ids (rows, length) int64 from each of `starts` (rows,) on, each in its epoch (rows,)."""
        places = starts[:, None] + np.arange(length)
        for epoch in np.unique(epochs):
            of_epoch = epochs == epoch
            places[of_epoch] = self.places(places[of_epoch], int(epoch))
        return self.shards.take(places)

    def places(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        """Return where in the split the tokens at some positions of an epoch's text stand."""
        if epoch != self.laid_out:
            documents = order(len(self.bounds) - 1, self.key, epoch)
            self.ends = np.cumsum(np.diff(self.bounds)[documents])
            self.moves = self.bounds[1:][documents] - self.ends
            self.laid_out = epoch
        return positions + self.moves[np.searchsorted(self.ends, positions, side="right")]
