"""Passages of texts, and which of them are found elsewhere."""

import numpy as np

WORDS, CHARACTERS = 13, 50
"""Units of a passage that starts with a word (Brown et al. 2020, appendix C), and with a character."""


class Passages:
    """Passages that are looked for among others."""

    def __init__(self, hashes: np.ndarray) -> None:
        """Take the hash of each (passages,) uint64."""
        self.hashes, self.places = np.unique(hashes, return_inverse=True)
        self.seen = np.zeros(len(self.hashes), dtype=bool)

    def mark(self, others: np.ndarray) -> None:
        """Note those that are among others (others,) uint64."""
        if len(self.hashes):
            places = np.searchsorted(self.hashes, others)
            places[places == len(self.hashes)] = 0
            self.seen[places[self.hashes[places] == others]] = True

    @property
    def found(self) -> np.ndarray:
        """Whether each was among others (passages,) bool."""
        return self.seen[self.places]
