"""Cut documents into train, valid and test, once and for all cells.

By document: a keyed hash of each document's text is a number in [0, 1), and the shares are intervals of
it. So copies never straddle splits, and a document stays where it is when others are added or removed.
Only where an interval would hold no document at all, as in tiny corpora, its border moves over as few
documents as fill it. (Exact shares by rank would fill every split too, but let each added document push
others over the borders.)

By position: train, then valid, then test, in the order of the text.

The decision needs a hash and a length of each document, never the texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from itertools import accumulate, pairwise
from math import floor
from typing import Protocol

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.seeds import derive
from gptgrid.text.documents import Document


@dataclass(frozen=True)
class Sizes:
    """What is known of documents when they are to be cut."""

    hashes: np.ndarray
    """(documents,) uint64: the keyed hash of each."""
    lengths: np.ndarray
    """(documents,) int64: characters, or ids."""


class Cut(Protocol):
    """A decision."""

    def pieces(self, index: int, document: Document) -> Iterator[tuple[int, Document]]:
        """Yield (number of the split, what of the document belongs to it)."""

    def first_length(self, sizes: Sizes) -> int:
        """Return the characters, or ids, of the first split."""


@dataclass(frozen=True)
class Whole:
    """Each document belongs to one split."""

    splits: np.ndarray
    """(documents,) the number of the split."""

    def pieces(self, index: int, document: Document) -> Iterator[tuple[int, Document]]:
        yield int(self.splits[index]), document

    def first_length(self, sizes: Sizes) -> int:
        return int(sizes.lengths[self.splits == 0].sum())


@dataclass(frozen=True)
class Inside:
    """Splits end at a character of all documents together."""

    edges: list[int]
    """Where each split begins, and where the last one ends."""
    offsets: np.ndarray
    """(documents,) where each document begins."""

    def pieces(self, index: int, document: Document) -> Iterator[tuple[int, Document]]:
        offset = int(self.offsets[index])
        for number, (low, high) in enumerate(pairwise(self.edges)):
            if piece := document[max(low - offset, 0) : max(high - offset, 0)]:
                yield number, piece

    def first_length(self, sizes: Sizes) -> int:
        return self.edges[1]


def hash_key(seed: int) -> bytes:
    """Return the key of the hash that draws the split."""
    return derive(seed, "split").to_bytes(8, "little")


def hash_document(document: Document, key: bytes) -> int:
    """Return a number in [0, 2⁶⁴) that the document and the key decide."""
    data = document.encode() if isinstance(document, str) else document.tobytes()
    return int.from_bytes(blake2b(data, digest_size=8, key=key).digest(), "little")


def decide(sizes: Sizes, shares: list[float], by: str, continuous: bool) -> Cut:
    """Return how documents are cut into a first split and one for each share.

    Args:
        sizes: of all documents.
        shares: of the splits behind the first.
        by: `document` or `position`.
        continuous: by position, cut at the exact character, also inside a document.

    Raises:
        UserError: a split would have no documents.
    """
    # The decimals that the user wrote, not their nearest binary fractions: 0.8 of 10 is 8.
    exact = [Fraction(str(share)) for share in shares]
    starts = list(accumulate(exact[:-1], initial=1 - sum(exact))) if exact else []
    if by == "document":
        return by_document(sizes.hashes, starts)
    return inside_documents(sizes.lengths, starts) if continuous else between_documents(sizes.lengths, starts)


def by_document(hashes: np.ndarray, starts: list[Fraction]) -> Whole:
    """Draw the split of each document by its keyed hash; `starts` are where the later splits begin."""
    ranked = np.unique(hashes)
    if len(ranked) <= len(starts):
        raise UserError(
            f"{count(len(ranked), 'different document')} cannot fill {len(starts) + 1} splits; cut the text "
            "finer (`document: line` or `blank-line`), or cut it in order: `split: {by: position}` "
            "(with `document: whole` also inside one document)"
        )
    # An end of 2⁶⁴ does not fit, but a share above 0 never begins there.
    thresholds = np.array([floor(start * 2**64) for start in starts], dtype=np.uint64)
    borders = separate(np.searchsorted(ranked, thresholds).tolist(), len(ranked))
    return Whole(np.searchsorted(ranked[borders], hashes, side="right").astype(np.uint8))


def between_documents(lengths: np.ndarray, starts: list[Fraction]) -> Whole:
    """Cut in order: a document belongs where its first character (or token) falls."""
    if len(lengths) <= len(starts):
        raise UserError(
            f"{count(len(lengths), 'document')} cannot fill {len(starts) + 1} splits; cut the text finer "
            "(`document: line`), or also inside a document: `document: whole`"
        )
    ends = np.cumsum(lengths)
    borders = [int(np.searchsorted(ends - lengths, float(start * int(ends[-1])))) for start in starts]
    borders = separate(borders, len(lengths))
    return Whole(np.searchsorted(borders, np.arange(len(lengths)), side="right").astype(np.uint8))


def inside_documents(lengths: np.ndarray, starts: list[Fraction]) -> Inside:
    """Cut in order, at the exact character of all documents together, rounded down as nanoGPT does."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    if total <= len(starts):
        raise UserError(
            f"{count(total, 'character')} cannot fill {len(starts) + 1} splits; give a longer text"
        )
    edges = [0, *separate([floor(start * total) for start in starts], total), total]
    return Inside(edges, ends - lengths)


def separate(borders: list[int], total: int) -> list[int]:
    """Move borders as little as leaves something of [0, total) before, between and behind them."""
    separated = [0]
    for place, border in enumerate(borders):
        separated.append(min(max(border, separated[-1] + 1), total - len(borders) + place))
    return separated[1:]


def count(number: int, noun: str) -> str:
    """Return `1 document`, `2 documents`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
