"""Documents that are put together of whole documents of another split, such as paragraphs of its lines.

Passages do not tell: a line has few, if any, and those from one line to the next are new.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from gptgrid.stages.corpus.preparing.grams import LONGEST, Units, overlapping_units, runs_of

LEAST = 4
"""Units of the shortest document that is looked for: shorter ones come back by chance."""
COVERED = 0.8
"""Share of a document's units in whole documents from which nearly all of it is put together of them."""


class Wholes:
    """The documents of a split that have from LEAST to LONGEST - 1 units, by their hashes."""

    def __init__(self) -> None:
        self.found: dict[int, list[np.ndarray]] = defaultdict(list)
        self.before = -1
        """Document of the unit in front of the next piece."""

    def add(self, units: Units) -> None:
        """Take in the documents that start in the next piece of the split."""
        number = max(0, len(units.hashes) - LONGEST + 1)
        if not number:
            return
        starts = np.flatnonzero(np.diff(units.document[:number], prepend=self.before))
        self.before = units.document[number - 1]
        ends = np.append(np.flatnonzero(np.diff(units.document)) + 1, len(units.document))
        lengths = ends[np.searchsorted(ends, starts, side="right")] - starts
        for length in np.unique(lengths):
            if LEAST <= length < LONGEST:
                places = starts[lengths == length, None] + np.arange(length)
                self.found[int(length)].append(runs_of(units.hashes[places], int(length))[:, 0])

    def covered(self, folder: Path, split: str, drawn: np.ndarray) -> np.ndarray:
        """Return which documents of another split are put together of these (documents,) bool.

        Args:
            folder: of a corpus of texts.
            split: the other.
            drawn: which of its documents are looked at (documents,) bool.
        """
        known = {length: np.unique(np.concatenate(hashes)) for length, hashes in self.found.items()}
        total, inside = np.zeros((2, len(drawn)), dtype=np.int64)
        before = np.zeros(0, dtype=bool)
        for units in overlapping_units(folder, split) if known else ():
            number = max(0, len(units.hashes) - LONGEST + 1)
            wanted = drawn[units.document] & (units.document >= 0)
            number, units = int(wanted[:number].sum()), units[wanted]
            marks = marked(units, number, known)
            marks[: len(before)] |= before
            before = marks[number:]
            total += np.bincount(units.document[:number], minlength=len(drawn))
            inside += np.bincount(units.document[:number][marks[:number]], minlength=len(drawn))
        return (total > 0) & (inside >= COVERED * total)


def marked(units: Units, number: int, known: dict[int, np.ndarray]) -> np.ndarray:
    """Return which units are in a run that is known (units,) bool.

    Args:
        units: whole documents, but for the first and the last one.
        number: of the units that a run may start with.
        known: length → hashes of the runs, sorted.
    """
    borders = np.zeros(len(units.hashes) + 1, dtype=np.int64)
    for length, hashes in known.items():
        runs = runs_of(units.hashes, length)[:number]
        places = np.minimum(np.searchsorted(hashes, runs), len(hashes) - 1)
        starts = np.flatnonzero(hashes[places] == runs)
        starts = starts[units.document[starts] == units.document[starts + length - 1]]
        borders[starts] += 1
        borders[starts + length] -= 1
    return np.cumsum(borders[:-1]) > 0
