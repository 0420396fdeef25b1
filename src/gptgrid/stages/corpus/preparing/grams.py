"""Runs of words or characters, by which passages of one text are found in another.

A unit is a word, or one character of a script that puts no spaces between words. A run that starts with such
a character has more units than one that starts with a word, so a text in several scripts is measured in each
of them. Letters count without case and in their usual form (NFKC); punctuation and blanks do not count.

Runs are known by 64-bit hashes (XXH3), so that two different ones pass for the same with a chance of one in
2⁶⁴: comparing a million with a thousand million, once in 18,000 corpora.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import regex
from xxhash import xxh3_64_intdigest

from gptgrid.seeds import mix64
from gptgrid.stages.corpus.preparing.units import shown
from gptgrid.text.documents import PART, batches, parts, stream_documents
from gptgrid.text.long_text import Text
from gptgrid.text.writing_systems import PLANES, SPACELESS, spaceless_points

LONGEST = 50
"""Units of the longest run."""
ASCII_PUNCTUATION = bytes.maketrans(b"!\"#%&'()*,-./:;?@[\\]_{}", b" " * 23)
OTHER_PUNCTUATION = regex.compile(r"(?V1)[[\p{P}\s]--[\x00-\x7f]]+")
BORDER = regex.compile(rf"\s|{SPACELESS.pattern}")
END = "\n\0\n"
"""Between documents: a word that none of them has."""
WORD_END = np.uint64(xxh3_64_intdigest(b"\0"))


@dataclass(frozen=True)
class Units:
    """Consecutive units of a split: the hash of each (units,) uint64, whether it is a `character` (units,)
    bool, and of which `document` (units,) int64, counted from 0."""

    hashes: np.ndarray
    character: np.ndarray
    document: np.ndarray

    def __add__(self, other: "Units") -> "Units":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Units(*(np.concatenate(pair) for pair in pairs))

    def __getitem__(self, place: slice | np.ndarray) -> "Units":
        return Units(self.hashes[place], self.character[place], self.document[place])

    def runs(self, words: int, characters: int) -> "Units":
        """Return the runs that lie in one document, by their first unit; none starts in the last LONGEST - 1.

        Args:
            words: units of a run that starts with a word.
            characters: of one that starts with a character.
        """
        starts = self[: max(0, len(self.hashes) - LONGEST + 1)]
        number = len(starts.hashes)
        hashes = runs_of(self.hashes, words)[:number]
        last = np.arange(number) + words - 1
        if starts.character.any():
            hashes = np.where(starts.character, runs_of(self.hashes, characters)[:number], hashes)
            last += (characters - words) * starts.character
        return Units(hashes, starts.character, starts.document)[self.document[last] == starts.document]


def overlapping_units(folder: Path, split: str) -> Iterator[Units]:
    """Yield the units of a split in pieces, each of which repeats the last LONGEST - 1 of the one before."""
    rest, documents = filler(0), 0
    texts = stream_documents(folder, split)
    pieces = chain.from_iterable(chain(words_only(text), (END,)) for text in texts)
    for batch in batches(pieces, PART):
        hashes, character = units_of(batch)
        ends = hashes == WORD_END
        units = Units(hashes, character, documents + np.cumsum(ends))[~ends]
        documents += int(ends.sum())
        rest += units
        yield rest
        rest = rest[max(0, len(rest.hashes) - LONGEST + 1) :]
    yield rest + filler(LONGEST - 1)


def words_only(text: Text) -> Iterator[str]:
    """Yield a text in parts, without what could be taken for the END of it."""
    return (part.replace("\0", " ") for part in parts(text, BORDER))


def filler(length: int) -> Units:
    """Return units of no document."""
    return Units(np.zeros(length, np.uint64), np.zeros(length, bool), np.full(length, -1))


def units_of(pieces: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return a hash for each unit (units,) uint64, and which of them are characters (units,) bool."""
    characters: set[str] = set()
    text = "".join(piece if piece.isascii() else spaced(piece, characters) for piece in pieces)
    words = text.casefold().encode().translate(ASCII_PUNCTUATION).split()
    units = np.fromiter(map(xxh3_64_intdigest, words), np.uint64, len(words))
    if not characters:
        return units, np.zeros(len(units), dtype=bool)
    hashes = [xxh3_64_intdigest(character.casefold().encode()) for character in characters]
    return units, np.isin(units, np.array(hashes, dtype=np.uint64))


def spaced(text: str, characters: set[str]) -> str:
    """Return a text with blanks for punctuation and around characters that are units; note these."""
    text = OTHER_PUNCTUATION.sub(" ", shown(text))
    # Arrays are several times as fast as the expression: corpora have many characters.
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    alone = spaceless_points()[np.minimum(points, PLANES)]
    if not alone.any():
        return text
    characters.update(map(chr, np.unique(points[alone]).tolist()))
    width = np.where(alone, 3, 1)
    places = (np.cumsum(width) - width)[alone]
    wider = np.repeat(points, width)
    wider[places] = wider[places + 2] = ord(" ")
    return wider.tobytes().decode("utf-32-le")


def runs_of(units: np.ndarray, length: int) -> np.ndarray:
    """Return a hash of each run of `length` units: that of its two parts, in their order.

    Args:
        units: (…, units) uint64.
        length: at most as many.

    Returns:
        (…, units - length + 1) uint64.
    """
    if length == 1:
        return units
    first = runs_of(units, length - 1 if length % 2 else length // 2)
    second = units[..., length - 1 :] if length % 2 else first[..., length // 2 :]
    return mix64(mix64(first[..., : second.shape[-1]]) + second)
