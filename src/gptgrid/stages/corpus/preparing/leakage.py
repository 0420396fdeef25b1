"""How much of the test text stands in the training text too.

The usual figure (Brown et al. 2020, appendix C): the share of the test's word 13-grams that are found in the
training split; for scripts without spaces, of windows of 50 characters. Case does not count.

Everything is counted by 64-bit hashes in numpy: sums of unit × constant^place modulo 2⁶⁴, so that the hash
of any span is a difference of two running sums (Karp and Rabin 1987). A large test is thinned by the hash
itself, which leaves the share unbiased.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import regex

from gptgrid.seeds import GOLDEN, mix64
from gptgrid.text.documents import batches, first_characters, read_documents

WORDS, CHARACTERS = 13, 50
COMPARED = 2**20
"""About so many grams of the test are looked for."""
BATCH = 2**18
SPACELESS = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
END = "\n\0\n"
"""Between documents: a word of its own, which no gram may contain."""
INVERSE = pow(GOLDEN, -1, 2**64)


def measure_leakage(folder: Path, test_characters: int) -> dict[str, Any]:
    """Return which share of the test stands in the training split.

    Args:
        folder: of a corpus of texts.
        test_characters: how long the test split is.

    Returns:
        `grams` (what was compared), `compared` (how many), `share` of them in train (None without any),
        and `documents`, the share of the test's documents that stand in train as a whole.
    """
    spaceless = is_spaceless(first_characters(read_documents(folder, "test"), BATCH))
    # The grams are at most as many as the characters.
    thinning = 1 << max(0, (test_characters - 1).bit_length() - COMPARED.bit_length())
    test = list(gram_batches(read_documents(folder, "test"), spaceless, thinning))
    grams, counts = np.unique(np.concatenate(test), return_counts=True)
    seen = np.zeros(len(grams), dtype=bool)
    for batch in gram_batches(read_documents(folder, "train"), spaceless, thinning) if len(grams) else ():
        mark(seen, grams, batch)
    compared = int(counts.sum())
    return {
        "grams": f"windows of {CHARACTERS} characters" if spaceless else f"{WORDS}-grams of words",
        "compared": compared,
        "share": int(counts[seen].sum()) / compared if compared else None,
        "documents": shared_documents(folder),
    }


def is_spaceless(documents: Iterable[str]) -> bool:
    """Say whether most letters of a text are of scripts that put no spaces between words."""
    text = "".join(documents)
    return 2 * len(SPACELESS.findall(text)) > sum(map(str.isalpha, text))


def shared_documents(folder: Path) -> float:
    """Return the share of test documents that are training documents too."""

    def digests(split: str) -> Iterator[bytes]:
        return (blake2b(text.encode(), digest_size=16).digest() for text in read_documents(folder, split))

    test = list(digests("test"))
    different = set(test)
    common = {key for key in digests("train") if key in different}
    return sum(key in common for key in test) / len(test)


def mark(seen: np.ndarray, grams: np.ndarray, others: np.ndarray) -> None:
    """Set `seen` where a gram is among others; `grams` are sorted hashes."""
    places = np.searchsorted(grams, others)
    places[places == len(grams)] = 0
    seen[places[grams[places] == others]] = True


def gram_batches(documents: Iterable[str], spaceless: bool, thinning: int) -> Iterator[np.ndarray]:
    """Yield the hashes of the grams of documents; of them, those that are multiples of `thinning`."""
    for batch in batches(documents, BATCH):
        text = END.join(batch).lower()
        units, ends = character_units(text) if spaceless else word_units(text)
        grams = scramble(grams_of(units, ends, CHARACTERS if spaceless else WORDS))
        yield grams[grams & np.uint64(thinning - 1) == 0]


def word_units(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a hash for each word (words,) uint64, and which of them are ends of documents (words,) bool."""
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    inside = np.concatenate([[False], ~np.isin(data, np.frombuffer(b" \t\n\r\f\v", np.uint8)), [False]])
    borders = np.flatnonzero(inside[1:] != inside[:-1])
    starts, stops = borders[::2], borders[1::2]
    ends = (data[starts] == 0) & (stops - starts == 1)
    return span_hashes(scramble(data.astype(np.uint64)), starts, stops), ends


def character_units(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for each character that is no white space."""
    points = np.frombuffer("".join(text.split()).encode("utf-32-le"), dtype=np.uint32)
    return scramble(points.astype(np.uint64)), points == 0


def grams_of(units: np.ndarray, ends: np.ndarray, length: int) -> np.ndarray:
    """Return the hash of each run of `length` units inside one document."""
    starts = np.arange(max(0, len(units) - length + 1))
    crossed = np.concatenate([[0], np.cumsum(ends)])
    starts = starts[crossed[starts + length] == crossed[starts]]
    return span_hashes(units, starts, starts + length)


def span_hashes(units: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return the hash (spans,) of each span of units, whatever its place."""
    powers = powers_of(GOLDEN, len(units) + 1)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(units * powers[:-1], dtype=np.uint64)])
    return (sums[stops] - sums[starts]) * powers_of(INVERSE, len(units) + 1)[starts]


def powers_of(base: int, number: int) -> np.ndarray:
    """Return base⁰, base¹, … modulo 2⁶⁴."""
    return longer_powers(base, 1 << number.bit_length())[:number]


@cache
def longer_powers(base: int, number: int) -> np.ndarray:
    powers = np.full(number, base, dtype=np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def scramble(values: np.ndarray) -> np.ndarray:
    """Return a well-mixed hash of each number (uint64); mix64 alone would leave 0 in place."""
    return mix64(values + np.uint64(GOLDEN))
