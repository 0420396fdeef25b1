"""Near-duplicates, by MinHash and locality-sensitive hashing (Broder 1997; Leskovec et al. 2014, chapter 3).

datasketch does both. Two documents are as similar as the share of their shingles that both have (Jaccard);
a shingle is five words in a row, and in scripts without spaces five characters.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import regex
import xxhash

if TYPE_CHECKING:
    from datasketch import MinHash

SHINGLE = 5
PERMUTATIONS = 128
"""The similarity is estimated within about ±0.04 (one standard deviation at 0.8)."""
UNIT = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|\w+")


class NearDuplicates:
    """Documents that were kept, and the question whether one more is nearly one of them.

    About 3 kB of memory a document.
    """

    def __init__(self, similarity: float) -> None:
        # Imported only where it is needed: it brings half of SciPy, which takes half a second.
        from datasketch import MinHash, MinHashLSH

        self.similarity = similarity
        self.sign = partial(MinHash, num_perm=PERMUTATIONS, seed=1, hashfunc=xxhash.xxh32_intdigest)
        # Better too many candidates, which are then compared, than one missed.
        self.index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
        self.kept: list[MinHash] = []

    def is_copy(self, text: str) -> bool:
        """Return whether a document is at least as similar to one that was kept; if not, keep it."""
        signature = self.sign()
        signature.update_batch(shingles(text))
        if any(self.kept[i].jaccard(signature) >= self.similarity for i in self.index.query(signature)):
            return True
        self.index.insert(len(self.kept), signature)
        self.kept.append(signature)
        return False


def shingles(text: str) -> list[bytes]:
    """Return the different shingles of a text; a short text is one."""
    units = UNIT.findall(text.lower())
    places = range(max(1, len(units) - SHINGLE + 1))
    return sorted({" ".join(units[place : place + SHINGLE]).encode() for place in places})
