"""Near-duplicates, by MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al. 2014, chapter 3).

datasketch does both. Two documents are as similar as the share of their shingles that both have (Jaccard);
a shingle is five words or signs in a row, and in scripts without spaces five characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import regex
import xxhash

from gptgrid.stages.corpus.preparing.units import units
from gptgrid.text.documents import parts
from gptgrid.text.long_text import Text
from gptgrid.text.writing_systems import SPACELESS

if TYPE_CHECKING:
    from datasketch import MinHash

SHINGLE = 5
PERMUTATIONS = 128
"""The similarity is estimated within about ±0.04 (one standard deviation at 0.8)."""
PIECE = regex.compile(rf"(?V1){SPACELESS.pattern}|[\w--{SPACELESS.pattern}]+|\S")
BATCH = 2**12
"""Shingles that are hashed at once: each takes a kilobyte while it is."""


class NearDuplicates:
    """Documents that were kept, and the question whether one more is nearly one of them.

    About 3 kB of memory a document.
    """

    def __init__(self, similarity: float) -> None:
        # Imported only where it is needed: it brings half of SciPy, which takes half a second.
        from datasketch import MinHash, MinHashLSH

        self.similarity = similarity
        # Of 32 bits, some hashes of a million short documents, which are one shingle each, would be equal.
        hashing = {"scheme": "affine64", "hashfunc": xxhash.xxh3_64_intdigest}
        self.sign = partial(MinHash, num_perm=PERMUTATIONS, seed=1, **hashing)
        # Better too many candidates, which are then compared, than one missed.
        self.index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
        self.kept: list[MinHash] = []

    def is_copy(self, text: Text) -> bool:
        """Return whether a document is at least as similar to one that was kept; if not, keep it."""
        signature = self.sign()
        found = shingles(text)
        while batch := list(islice(found, BATCH)):
            signature.update_batch(batch)
        if any(self.kept[i].jaccard(signature) >= self.similarity for i in self.index.query(signature)):
            return True
        self.index.insert(len(self.kept), signature)
        self.kept.append(signature)
        return False


def shingles(text: Text) -> Iterator[bytes]:
    """Yield the shingles of a text in order, some more than once; a short text is one."""
    run: list[str] = []
    short = True
    for part in parts(text):
        run += PIECE.findall(" ".join(units(part)))
        for place in range(len(run) - SHINGLE + 1):
            yield " ".join(run[place : place + SHINGLE]).encode()
        short = short and len(run) < SHINGLE
        run = run[1 - SHINGLE :]
    if short:
        yield " ".join(run).encode()
