"""How much of the validation and test text stands in the training text too.

Passages: the usual figure (Brown et al. 2020, appendix C), the share of a split's word 13-grams that are
found in the training split; where a script has no spaces, of windows of 50 characters. Of a large split, they
are chosen by their hash, which leaves the share unbiased.

Near copies: the documents of which half stands in one document of the training split, or nearly all in
several.

Documents: those that stand in another split as a whole, or earlier in their own. Case, blanks and the marks
of sentences do not count (`units`).
"""

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64, xxh3_64_intdigest

from gptgrid.stages.corpus.preparing.grams import overlapping_units
from gptgrid.stages.corpus.preparing.near_copies import NearCopies
from gptgrid.stages.corpus.preparing.passages import CHARACTERS, WORDS, Passages
from gptgrid.stages.corpus.preparing.units import units
from gptgrid.stages.corpus.preparing.wholes import Wholes
from gptgrid.text.documents import Document, parts, stream_documents, utf8_size

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
        `share` of them are nearly copies, and which `size_share` that is of the bytes of all documents.
    """
    thinning = 1 << max(
        0, (max(characters["valid"], characters["test"]) - 1).bit_length() - COMPARED.bit_length()
    )
    kinds, passages = {}, {}
    for split in ("test", "valid"):
        kinds[split], passages[split] = thinned_passages(folder, split, thinning)
    copies = {split: NearCopies(folder, split, document_sizes(folder, split)) for split in passages}
    wholes = Wholes()
    for piece in overlapping_units(folder, "train"):
        wholes.add(piece)
        found = piece.runs(WORDS, CHARACTERS).hashes
        for split in passages:
            passages[split].mark(found)
            copies[split].mark(piece, found)
    facts: dict[str, Any] = {"grams": kinds["test"]}
    for prefix, split in (("", "test"), ("valid_", "valid")):
        found = passages[split].found
        facts[f"{prefix}compared"] = len(found)
        facts[f"{prefix}share"] = int(found.sum()) / len(found) if len(found) else None
    near_copies = {
        f"{split} in train": found.facts(wholes.covered(folder, split, found.drawn))
        for split, found in copies.items()
    }
    return facts | {"near_copies": near_copies}


def thinned_passages(folder: Path, split: str, thinning: int) -> tuple[str, Passages]:
    """Return what the passages of a split are, in words, and those whose hashes are multiples of `thinning`.

    Args:
        folder: of a corpus of texts.
        split: whose passages are meant.
        thinning: a power of two.
    """
    has_words = has_characters = False
    hashes = [np.zeros(0, dtype=np.uint64)]
    for piece in overlapping_units(folder, split):
        runs = piece.runs(WORDS, CHARACTERS)
        has_characters |= bool(runs.character.any())
        has_words |= not runs.character.all()
        hashes.append(runs.hashes[runs.hashes & np.uint64(thinning - 1) == 0])
    words, characters = f"{WORDS}-grams of words", f"windows of {CHARACTERS} characters"
    kinds = [characters] if has_characters else []
    if has_words or not kinds:
        kinds.insert(0, words)
    return " and ".join(kinds), Passages(np.concatenate(hashes))


# --------------------------------------------------------------------------------------- documents


def measure_documents(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return how many documents of a split stand in another as wholes, or earlier in the same.

    Returns:
        `documents`: `test in train`, `valid in train`, `test in valid` → `documents` (how many), `share` (of
        the first split's documents) and `size_share` (of its bytes, or ids); and `repeats`: `valid`, `test` →
        the same for the documents that are copies of an earlier one in the split.
    """
    known = {split: document_keys(stream_documents(folder, split)) for split in ("train", "valid", "test")}
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
    return np.fromiter(map(document_size, stream_documents(folder, split)), np.int64)


def document_key(document: Document) -> int:
    """Return the hash of a document, of texts of what counts when they are compared."""
    if isinstance(document, np.ndarray):
        return xxh3_64_intdigest(document.tobytes())
    total = xxh3_64()
    for part in parts(document):
        if words := units(part):
            total.update(" ".join(["", *words]).encode())
    return total.intdigest()


def document_size(document: Document) -> int:
    """Return the bytes of a text, or the number of its ids."""
    return len(document) if isinstance(document, np.ndarray) else utf8_size(document)
