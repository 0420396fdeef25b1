"""How much of the validation and test text stands in the training text too.

Passages: the usual figure (Brown et al. 2020, appendix C), the share of a split's word 13-grams that are
found in the training split; for scripts without spaces, of windows of 50 characters. Letters count without
case and in their usual form (NFKC); punctuation and blanks do not count.

Documents: those that stand in another split as a whole. Case and the number and kind of blanks do not count;
punctuation does, as without it `5-3` and `5*3` would be the same.

Grams and documents are known by 64-bit hashes (XXH3), so that two different ones pass for the same with a
chance of one in 2⁶⁴: comparing a million with a thousand million, once in 18,000 corpora. Of a large split,
grams are chosen by the hash itself, which leaves the share unbiased.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import regex
from xxhash import xxh3_64, xxh3_64_intdigest

from gptgrid.seeds import GOLDEN, mix64
from gptgrid.text.documents import (
    ANYWHERE,
    PART,
    WHITE,
    Document,
    batches,
    first_characters,
    parts,
    read_documents,
)
from gptgrid.text.writing_systems import count_spaceless

WORDS, CHARACTERS = 13, 50
COMPARED = 2**20
"""About so many grams of a split are looked for."""
PAIRS = (("test", "train"), ("valid", "train"), ("test", "valid"))
"""Splits of which the first should have no document of the second."""
ASCII_PUNCTUATION = bytes.maketrans(b"!\"#%&'()*,-./:;?@[\\]_{}", b" " * 23)
OTHER_PUNCTUATION = regex.compile(r"(?V1)[[\p{P}\s]--[\x00-\x7f]]+")
NO_CHARACTERS = regex.compile(r"[\p{P}\s]+")
END = "\n\0\n"
"""Between documents: a word of its own, which no gram may contain."""
WORD_END = np.uint64(xxh3_64_intdigest(b"\0"))


# ---------------------------------------------------------------------------------------- passages


def measure_passages(folder: Path, characters: dict[str, int]) -> dict[str, Any]:
    """Return which share of the test and validation text stands in the training split.

    Args:
        folder: of a corpus of texts.
        characters: how long each split is.

    Returns:
        `grams` (what was compared) and, for the test, `compared` (how many) and `share` (of them in train;
        None without any); the same for the validation as `valid_compared` and `valid_share`.
    """
    spaceless = is_spaceless(first_characters(read_documents(folder, "test"), PART))
    grams = Grams.of(spaceless, max(characters["valid"], characters["test"]))
    parts_of = {"": Seen(grams.all_of(folder, "test")), "valid_": Seen(grams.all_of(folder, "valid"))}
    for found in grams.batches(folder, "train"):
        for part in parts_of.values():
            part.mark(found)
    facts: dict[str, Any] = {
        "grams": f"windows of {CHARACTERS} characters" if spaceless else f"{WORDS}-grams of words"
    }
    for prefix, part in parts_of.items():
        facts |= {f"{prefix}compared": part.compared, f"{prefix}share": part.share}
    return facts


def is_spaceless(documents: Iterable[str]) -> bool:
    """Say whether most letters of a text are of scripts that put no spaces between words."""
    text = "".join(documents)
    return 2 * count_spaceless(text) > sum(map(str.isalpha, text))


class Seen:
    """The grams of a split, and which of them were found elsewhere."""

    def __init__(self, grams: np.ndarray) -> None:
        self.grams, self.counts = np.unique(grams, return_counts=True)
        self.seen = np.zeros(len(self.grams), dtype=bool)

    def mark(self, others: np.ndarray) -> None:
        """Note those that are among others."""
        if len(self.grams):
            places = np.searchsorted(self.grams, others)
            places[places == len(self.grams)] = 0
            self.seen[places[self.grams[places] == others]] = True

    @property
    def compared(self) -> int:
        """How many grams there are."""
        return int(self.counts.sum())

    @property
    def share(self) -> float | None:
        """The share of them that were found; None without any."""
        return int(self.counts[self.seen].sum()) / self.compared if self.compared else None


@dataclass(frozen=True)
class Grams:
    """How grams are made: of words or of characters. Those whose hashes are multiples of `thinning` count."""

    spaceless: bool
    thinning: int

    @classmethod
    def of(cls, spaceless: bool, characters: int) -> "Grams":
        """Return how the grams of a text are made; they are at most as many as its characters."""
        return cls(spaceless, 1 << max(0, (characters - 1).bit_length() - COMPARED.bit_length()))

    def all_of(self, folder: Path, split: str) -> np.ndarray:
        """Return the hashes of the grams of a split (grams,) uint64."""
        return np.concatenate([np.zeros(0, dtype=np.uint64), *self.batches(folder, split)])

    def batches(self, folder: Path, split: str) -> Iterator[np.ndarray]:
        """Yield the same, batch by batch."""
        length, units_of = (CHARACTERS, characters_of) if self.spaceless else (WORDS, words_of)
        border = ANYWHERE if self.spaceless else WHITE
        pieces = chain.from_iterable(
            chain(parts(text, border), (END,)) for text in read_documents(folder, split)
        )
        rest, rest_ends = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=bool)
        for batch in batches(pieces, PART):
            units, ends = units_of(batch)
            units, ends = np.concatenate([rest, units]), np.concatenate([rest_ends, ends])
            hashes = runs_of(units, length)[inside_documents(ends, length)]
            yield hashes[hashes & np.uint64(self.thinning - 1) == 0]
            rest, rest_ends = units[-(length - 1) :], ends[-(length - 1) :]


def words_of(pieces: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return a hash for each word (words,) uint64, and which of them are ends of documents (words,) bool."""
    text = "".join(
        piece if piece.isascii() else OTHER_PUNCTUATION.sub(" ", normalize("NFKC", piece)) for piece in pieces
    )
    words = text.casefold().encode().translate(ASCII_PUNCTUATION).split()
    units = np.fromiter(map(xxh3_64_intdigest, words), np.uint64, len(words))
    return units, units == WORD_END


def characters_of(pieces: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for each character that is no blank and no punctuation."""
    text = normalize("NFKC", "".join(pieces)).casefold()
    points = np.frombuffer(NO_CHARACTERS.sub("", text).encode("utf-32-le"), dtype=np.uint32)
    return mix64(points.astype(np.uint64) + np.uint64(GOLDEN)), points == 0


def inside_documents(ends: np.ndarray, length: int) -> np.ndarray:
    """Return for each run of `length` units (runs,) whether none of them is the end of a document."""
    before = np.concatenate([[0], np.cumsum(ends)])
    return before[length:] == before[:-length]


def runs_of(units: np.ndarray, length: int) -> np.ndarray:
    """Return a hash (runs,) uint64 of each run of `length` units: that of its two parts, in their order."""
    if length == 1:
        return units
    first = runs_of(units, length - 1 if length % 2 else length // 2)
    second = units[length - 1 :] if length % 2 else first[length // 2 :]
    return mix64(mix64(first[: len(second)]) + second)


# --------------------------------------------------------------------------------------- documents


def measure_documents(folder: Path) -> dict[str, dict[str, Any]]:
    """Return how many documents of a split stand in another as wholes.

    Returns:
        `test in train`, `valid in train`, `test in valid` → `documents` (how many), `share` (of the first
        split's documents) and `size_share` (of its bytes, or ids).
    """
    known = {split: document_keys(read_documents(folder, split)) for split in ("train", "valid", "test")}
    facts = {}
    for split, other in PAIRS:
        (keys, sizes), (others, _) = known[split], known[other]
        common = np.isin(keys, others)
        facts[f"{split} in {other}"] = {
            "documents": int(common.sum()),
            "share": int(common.sum()) / len(keys),
            "size_share": int(sizes[common].sum()) / max(1, int(sizes.sum())),
        }
    return facts


def document_keys(documents: Iterable[Document]) -> tuple[np.ndarray, np.ndarray]:
    """Return hash (documents,) uint64 and size (documents,) int64 of each document."""
    keys, sizes = array("Q"), array("q")
    for document in documents:
        keys.append(document_key(document))
        sizes.append(document_size(document))
    return np.array(keys, dtype=np.uint64), np.array(sizes, dtype=np.int64)


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
