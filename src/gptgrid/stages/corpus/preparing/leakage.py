"""How much of the validation and test text stands in the training text too.

Passages: the usual figure (Brown et al. 2020, appendix C), the share of a split's word 13-grams that are
found in the training split; where a script has no spaces, of windows of 50 characters. Of a large split, they
are chosen by their hash, which leaves the share unbiased.

Near copies: the documents of which half stands in one document of the training split, or nearly all in
several.

Documents: those that stand in another split as a whole, or earlier in their own. Case and the number and kind
of blanks do not count; punctuation does, as without it `5-3` and `5*3` would be the same.
"""

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from gptgrid.stages.corpus.preparing.grams import overlapping_units
from gptgrid.stages.corpus.preparing.near_copies import NearCopies
from gptgrid.text.documents import Document, parts, read_documents

WORDS, CHARACTERS = 13, 50
"""Units of a passage."""
COVERED, LEAST = 0.8, 16
"""Share of a document's passages, and how many at least, from which nearly all of it stands in training text.
Of 12,000 built-in tales, none has more than six tenths there."""
COMPARED = 2**20
"""About so many passages of a split are looked for."""
PAIRS = (("test", "train"), ("valid", "train"), ("test", "valid"))
"""Splits of which the first should have no document of the second."""


# ---------------------------------------------------------------------------------------- passages


def measure_texts(folder: Path, characters: dict[str, int]) -> dict[str, Any]:
    """Return which share of the test and validation text stands in the training split.

    Args:
        folder: of a corpus of texts.
        characters: how long each split is.

    Returns:
        `grams` (what was compared) and, for the test, `compared` (how many) and `share` (of them in train;
        None without any); the same for the validation as `valid_compared` and `valid_share`; and
        `near_copies`: `test in train`, `valid in train` → how many documents were compared, and which
        `share` of them, and `size_share` of their bytes, are nearly copies.
    """
    thinning = 1 << max(
        0, (max(characters["valid"], characters["test"]) - 1).bit_length() - COMPARED.bit_length()
    )
    passages = {split: Passages(folder, split, thinning) for split in ("test", "valid")}
    copies = {split: NearCopies(folder, split, document_sizes(folder, split)) for split in passages}
    for units in overlapping_units(folder, "train"):
        found = units.runs(WORDS, CHARACTERS).hashes
        for split in passages:
            passages[split].mark(found)
            copies[split].mark(units)
    facts: dict[str, Any] = {"grams": passages["test"].kinds}
    for prefix, split in (("", "test"), ("valid_", "valid")):
        facts |= {f"{prefix}compared": passages[split].compared, f"{prefix}share": passages[split].share}
    near_copies = {
        f"{split} in train": found.facts(passages[split].covered(len(found.sizes)))
        for split, found in copies.items()
    }
    return facts | {"near_copies": near_copies}


class Passages:
    """The passages of a split, and which of them were found elsewhere."""

    def __init__(self, folder: Path, split: str, thinning: int) -> None:
        """Keep those whose hashes are multiples of `thinning`, a power of two."""
        self.words = self.characters = False
        hashes, documents = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
        for units in overlapping_units(folder, split):
            runs = units.runs(WORDS, CHARACTERS)
            self.characters |= bool(runs.character.any())
            self.words |= not runs.character.all()
            runs = runs[runs.hashes & np.uint64(thinning - 1) == 0]
            hashes.append(runs.hashes)
            documents.append(runs.document)
        self.documents = np.concatenate(documents)
        self.passages, self.places = np.unique(np.concatenate(hashes), return_inverse=True)
        self.seen = np.zeros(len(self.passages), dtype=bool)

    def mark(self, others: np.ndarray) -> None:
        """Note those that are among others."""
        if len(self.passages):
            places = np.searchsorted(self.passages, others)
            places[places == len(self.passages)] = 0
            self.seen[places[self.passages[places] == others]] = True

    @property
    def kinds(self) -> str:
        """What a passage is, in words."""
        words, characters = f"{WORDS}-grams of words", f"windows of {CHARACTERS} characters"
        if self.characters:
            return f"{words} and {characters}" if self.words else characters
        return words

    @property
    def compared(self) -> int:
        """How many passages there are."""
        return len(self.places)

    @property
    def share(self) -> float | None:
        """The share of them that were found; None without any."""
        return int(self.seen[self.places].sum()) / self.compared if self.compared else None

    def covered(self, documents: int) -> np.ndarray:
        """Return which documents of the split have nearly all their passages elsewhere (documents,) bool."""
        number = np.bincount(self.documents, minlength=documents)
        found = np.bincount(self.documents[self.seen[self.places]], minlength=documents)
        return (number >= LEAST) & (found >= COVERED * number)


# --------------------------------------------------------------------------------------- documents


def measure_documents(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return how many documents of a split stand in another as wholes, or earlier in the same.

    Returns:
        `documents`: `test in train`, `valid in train`, `test in valid` → `documents` (how many), `share` (of
        the first split's documents) and `size_share` (of its bytes, or ids); and `repeats`: `valid`, `test` →
        the same for the documents that are copies of an earlier one in the split.
    """
    known = {split: document_keys(read_documents(folder, split)) for split in ("train", "valid", "test")}
    pairs = {}
    for split, other in PAIRS:
        keys, sizes = known[split]
        pairs[f"{split} in {other}"] = overlap(np.isin(keys, known[other][0]), sizes)
    return {"documents": pairs, "repeats": {split: repeated(*known[split]) for split in ("valid", "test")}}


def document_keys(documents: Iterable[Document]) -> tuple[np.ndarray, np.ndarray]:
    """Return hash (documents,) uint64 and size (documents,) int64 of each document."""
    keys, sizes = array("Q"), array("q")
    for document in documents:
        keys.append(document_key(document))
        sizes.append(document_size(document))
    return np.array(keys, dtype=np.uint64), np.array(sizes, dtype=np.int64)


def repeated(keys: np.ndarray, sizes: np.ndarray) -> dict[str, Any]:
    """Return how many documents of a split are copies of an earlier one in it."""
    copies = np.ones(len(keys), dtype=bool)
    copies[np.unique(keys, return_index=True)[1]] = False
    return overlap(copies, sizes)


def overlap(copies: np.ndarray, sizes: np.ndarray) -> dict[str, Any]:
    """Return how many documents are copies (documents,) bool, and which share of all and of their sizes."""
    return {
        "documents": int(copies.sum()),
        "share": int(copies.sum()) / len(copies),
        "size_share": int(sizes[copies].sum()) / max(1, int(sizes.sum())),
    }


def document_sizes(folder: Path, split: str) -> np.ndarray:
    """Return the size of each document of a split (documents,) int64."""
    return np.fromiter(map(document_size, read_documents(folder, split)), np.int64)


def document_key(document: Document) -> int:
    """Return the hash of a document, without case and the kinds of its blanks."""
    if not isinstance(document, str):
        return xxh3_64_intdigest(document.tobytes())
    total = xxh3_64()
    for part in parts(document):
        if words := part.casefold().split():
            total.update(" ".join(["", *words]).encode())
    return total.intdigest()


def document_size(document: Document) -> int:
    """Return the bytes of a text, or the number of its ids."""
    return len(document.encode()) if isinstance(document, str) and not document.isascii() else len(document)
