"""Cut documents into train, valid and test, once and for all cells.

By document: a keyed hash of each document's text is a number in [0, 1), and the shares are intervals of
it. So copies never straddle splits, and a document stays where it is when others are added or removed. Of few
documents, or of documents of very unlike length, a draw may miss the shares; then the splits are filled with
the documents in the order of their hashes, as far as they fit.

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
from gptgrid.text.documents import Document, utf8_parts
from gptgrid.words import counted


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
    digest = blake2b(digest_size=8, key=key)
    for part in (document.tobytes(),) if isinstance(document, np.ndarray) else utf8_parts(document):
        digest.update(part)
    return int.from_bytes(digest.digest(), "little")


def decide(sizes: Sizes, shares: list[float], by: str, continuous: bool, remedy: str) -> Cut:
    """Return how documents are cut into a first split and one for each share.

    Args:
        sizes: of all documents.
        shares: of the splits behind the first.
        by: `document` or `position`.
        continuous: by position, cut at the exact character, also inside a document.
        remedy: for errors: what to do where there are too few documents.

    Raises:
        UserError: a split would have no documents.
    """
    # The decimals that the user wrote, not their nearest binary fractions: 0.8 of 10 is 8.
    exact = [Fraction(str(share)) for share in shares]
    if by == "document":
        return by_document(sizes, exact, remedy)
    if continuous:
        return inside_documents(sizes.lengths, starts_of(exact))
    return between_documents(sizes.lengths, starts_of(exact), remedy)


def starts_of(shares: list[Fraction]) -> list[Fraction]:
    """Return where in [0, 1) the splits behind the first begin."""
    return list(accumulate(shares[:-1], initial=1 - sum(shares))) if shares else []


def misses(share: float, asked: float) -> bool:
    """Say whether a split came out far from what was asked for: by half of it, or a twentieth of the text."""
    return abs(share - asked) > min(asked / 2, 0.05)


def by_document(sizes: Sizes, shares: list[Fraction], remedy: str) -> Whole:
    """Draw the split of each document by its keyed hash, or fill the splits where the draw misses the shares.

    Equal documents are one.
    """
    ranked, copies = np.unique(sizes.hashes, return_inverse=True)
    check_number(len(ranked), len(shares) + 1, "different document", remedy)
    # An end of 2⁶⁴ does not fit, but a share above 0 never begins there.
    thresholds = np.array([floor(start * 2**64) for start in starts_of(shares)], dtype=np.uint64)
    splits = np.searchsorted(thresholds, ranked, side="right")
    lengths = np.bincount(copies, weights=sizes.lengths)
    sums = np.bincount(splits, weights=lengths, minlength=len(shares) + 1)
    total = max(1, int(lengths.sum()))
    if any(misses(found / total, float(asked)) for found, asked in zip(sums[1:], shares, strict=True)):
        splits = fill(lengths, [float(share * total) for share in shares])
    return Whole(splits[copies].astype(np.uint8))


def fill(lengths: np.ndarray, targets: list[float]) -> np.ndarray:
    """Return the split of each document (documents,), none of which is empty.

    In their order, documents go where most room is left, if they fit, and else into the first split. What
    room is left in the end gets the one document that comes nearest to it, where that is better than none.

    Args:
        lengths: (documents,); at least as many as splits.
        targets: the lengths of the splits behind the first.
    """
    splits, room = np.zeros(len(lengths), dtype=np.int64), np.array([0.0, *targets])
    for index, length in enumerate(lengths.tolist()):
        widest = int(np.argmax(room))
        if length <= room[widest]:
            splits[index] = widest
            room[widest] -= length
    for split in range(1, len(room)):
        numbers = np.bincount(splits, minlength=len(room))
        # An empty split may take from any that has two.
        free = numbers[splits] > 1 if not numbers[split] else (splits == 0) & (numbers[0] > 1)
        candidates = np.flatnonzero(free & (splits != split))
        if len(candidates):
            nearest = candidates[np.argmin(np.abs(lengths[candidates] - room[split]))]
            if not numbers[split] or abs(lengths[nearest] - room[split]) < room[split]:
                splits[nearest] = split
    return splits


def between_documents(lengths: np.ndarray, starts: list[Fraction], remedy: str) -> Whole:
    """Cut in order, at the ends of documents that are nearest to the shares."""
    check_number(len(lengths), len(starts) + 1, "document", remedy)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    borders = [int(np.argmin(np.abs(ends - float(start * int(ends[-1]))))) for start in starts]
    borders = separate(borders, len(lengths))
    return Whole(np.searchsorted(borders, np.arange(len(lengths)), side="right").astype(np.uint8))


def inside_documents(lengths: np.ndarray, starts: list[Fraction]) -> Inside:
    """Cut in order, at the exact character of all documents together, rounded down as nanoGPT does."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    if total <= len(starts):
        raise UserError(
            f"{counted(total, 'character')} cannot fill {len(starts) + 1} splits; give a longer text"
        )
    edges = [0, *separate([floor(start * total) for start in starts], total), total]
    return Inside(edges, ends - lengths)


def separate(borders: list[int], total: int) -> list[int]:
    """Move borders as little as leaves something of [0, total) before, between and behind them."""
    separated = [0]
    for place, border in enumerate(borders):
        separated.append(min(max(border, separated[-1] + 1), total - len(borders) + place))
    return separated[1:]


def check_number(number: int, splits: int, noun: str, remedy: str) -> None:
    """Raise a UserError if there are fewer documents than splits."""
    if number < splits:
        raise UserError(f"{counted(number, noun)} cannot fill {splits} splits; {remedy}")
