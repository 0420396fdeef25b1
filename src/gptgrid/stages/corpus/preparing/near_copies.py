"""Documents of a split of which half stands in one document of another split, or nearly all in several.

Passages of the split as a whole cannot tell: where one word in twelve was changed, no run of thirteen is
left, while texts of one kind, such as the built-in tales, have many passages in common, each with a different
text. So documents are compared one by one, by short runs (shingles), and by passages with all others. Of a
document, the SKETCH shingles with the lowest hashes stand for all (bottom-k sketch, Broder 1997), likewise
PASSAGES passages, and of a large split about DOCUMENTS drawn documents for all.
"""

from pathlib import Path
from typing import Any

import numpy as np

from gptgrid.seeds import GOLDEN, mix64
from gptgrid.stages.corpus.preparing.grams import Units, overlapping_units
from gptgrid.stages.corpus.preparing.passages import CHARACTERS, WORDS, Passages

USUAL, SHORT = (5, 6), (3, 3)
"""Words, or characters, of a shingle, and of one in short documents."""
SHORT_DOCUMENT = 16
"""Units below which a document is short: one changed word could take half of its usual shingles."""
SKETCH = 32
"""The share of a document's shingles is estimated within 0.09 (one standard deviation at a half)."""
LEAST = 4
"""Documents with fewer shingles are compared as wholes alone: short phrases come back by chance."""
COPIED = 0.5
"""Share of a document's shingles in one other document from which it is nearly a copy."""
PASSAGES = 2**8
"""The share of a document's passages is estimated within 0.025."""
COVERED, LEAST_PASSAGES = 0.8, 16
"""Share of a document's passages, and how many at least, from which nearly all of it stands elsewhere. Of
12,000 built-in tales, none has more than six tenths in others."""
DOCUMENTS = 2**12
"""About so many documents of a split are compared."""
AT_ONCE = 2**21
"""Matches that are counted at once."""


class NearCopies:
    """Documents of a split, and how much of each was found in one other document, and in all."""

    def __init__(self, folder: Path, split: str, sizes: np.ndarray) -> None:
        """Draw documents and keep their sketches.

        Args:
            folder: of a corpus of texts.
            split: whose documents are compared.
            sizes: bytes of each (documents,).
        """
        thinning = 1 << max(0, (len(sizes) - 1).bit_length() - DOCUMENTS.bit_length())
        drawn = mix64(np.arange(len(sizes), dtype=np.uint64) + np.uint64(GOLDEN))
        drawn = drawn & np.uint64(thinning - 1) == 0
        drawn[0] |= not drawn.any()
        short = unit_counts(folder, split, len(sizes)) < SHORT_DOCUMENT
        self.kinds = [(SHORT, drawn & short), (USUAL, drawn & ~short)]
        self.kinds = [(lengths, documents) for lengths, documents in self.kinds if documents.any()]
        parts = [sketches(folder, split, *kind, SKETCH) for kind in self.kinds]
        kept, hashes = (np.concatenate(column) for column in zip(*parts, strict=True))
        self.lengths = np.bincount(kept, minlength=len(sizes))
        self.drawn, self.sizes = drawn, sizes
        self.best = np.zeros(len(sizes), dtype=np.int64)
        order = np.lexsort((kept, hashes))
        self.owners = kept[order]
        self.shingles, self.first, self.count = np.unique(
            hashes[order], return_index=True, return_counts=True
        )
        self.open = np.zeros(0, dtype=np.int64)
        self.passage_owners, passages = sketches(folder, split, (WORDS, CHARACTERS), drawn, PASSAGES)
        self.passages = Passages(passages)

    def mark(self, units: Units, passages: np.ndarray) -> None:
        """Count what the next piece of the other split has in common with each document.

        Args:
            units: the piece.
            passages: the hashes of its passages.
        """
        self.passages.mark(passages)
        if not len(self.shingles):
            return
        matches = [self.open, *(self.matches(units.runs(*lengths)) for lengths, _ in self.kinds)]
        matches = np.unique(np.concatenate(matches))
        # The last document may go on in the next piece.
        others = matches // len(self.shingles)
        last = others == others[-1:]
        self.open = matches[last]
        self.count_shared(matches[~last])

    def matches(self, runs: Units) -> np.ndarray:
        """Return which shingles stand in which other documents, as `count_shared` takes them."""
        places = np.searchsorted(self.shingles, runs.hashes)
        places[places == len(self.shingles)] = 0
        found = self.shingles[places] == runs.hashes
        return runs.document[found] * len(self.shingles) + places[found]

    def count_shared(self, matches: np.ndarray) -> None:
        """Count the shingles that documents share.

        Args:
            matches: other document × number of shingles + place of the shingle (matches,), sorted.
        """
        if not len(matches):
            return
        others, places = np.divmod(matches, len(self.shingles))
        times = self.count[places]
        starts = np.flatnonzero(np.diff(others, prepend=-1))
        group = np.cumsum(times)[starts] // AT_ONCE
        for chunk in np.split(np.arange(len(matches)), starts[1:][np.diff(group) > 0]):
            some = times[chunk]
            within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
            owners = self.owners[np.repeat(self.first[places[chunk]], some) + within]
            keys = np.repeat(others[chunk], some) * len(self.best) + owners
            keys, shared = np.unique(keys, return_counts=True)
            np.maximum.at(self.best, keys % len(self.best), shared)

    def facts(self, put_together: np.ndarray) -> dict[str, Any]:
        """Return how many `documents` were compared, and which `share` of them are nearly copies.

        `size_share` is that of their bytes in all documents, also those that are too short to be compared.

        Args:
            put_together: documents that are known to be nearly in several others (documents,) bool.
        """
        self.count_shared(self.open)
        compared = self.drawn & (self.lengths >= LEAST)
        copied = compared & ((self.best >= COPIED * self.lengths) | self.covered() | put_together)
        return {
            "documents": int(compared.sum()),
            "share": int(copied.sum()) / max(1, int(compared.sum())),
            "size_share": int(self.sizes[copied].sum()) / max(1, int(self.sizes[self.drawn].sum())),
        }

    def covered(self) -> np.ndarray:
        """Return which documents have nearly all their passages in others (documents,) bool."""
        owners, documents = self.passage_owners, len(self.sizes)
        number = np.bincount(owners, minlength=documents)
        found = np.bincount(owners[self.passages.found], minlength=documents)
        return (number >= LEAST_PASSAGES) & (found >= COVERED * number)


def unit_counts(folder: Path, split: str, documents: int) -> np.ndarray:
    """Return how many units each document of a split has (documents,)."""
    counts = np.zeros(documents, dtype=np.int64)
    for units in overlapping_units(folder, split):
        found, number = np.unique(units.runs(1, 1).document, return_counts=True)
        counts[found] += number
    return counts


def sketches(
    folder: Path, split: str, lengths: tuple[int, int], drawn: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the runs that stand for the drawn documents: document (kept,) and hash (kept,) uint64.

    Args:
        folder: of a corpus of texts.
        split: whose documents are meant.
        lengths: units of a run that starts with a word, and with a character.
        drawn: which documents are wanted (documents,) bool.
        number: how many different runs, at most, stand for a document.
    """
    documents, hashes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64)
    kept = [(documents, hashes)]
    for units in overlapping_units(folder, split):
        runs = units.runs(*lengths)
        runs = runs[drawn[runs.document]]
        documents, hashes = lowest(
            np.concatenate([documents, runs.document]), np.concatenate([hashes, runs.hashes]), number
        )
        last = documents == (documents[-1] if documents.size else 0)
        kept.append((documents[~last], hashes[~last]))
        documents, hashes = documents[last], hashes[last]
    kept.append((documents, hashes))
    return tuple(np.concatenate(column) for column in zip(*kept, strict=True))


def lowest(documents: np.ndarray, hashes: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `number` lowest different hashes of each document."""
    order = np.lexsort((hashes, documents))
    documents, hashes = documents[order], hashes[order]
    new = (np.diff(documents, prepend=-1) != 0) | (np.diff(hashes, prepend=np.uint64(0)) != 0)
    documents, hashes = documents[new], hashes[new]
    rank = np.arange(len(documents)) - np.searchsorted(documents, documents)
    return documents[rank < number], hashes[rank < number]
