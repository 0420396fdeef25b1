"""Texts that are too long for the memory: they stay on the disk, and are read in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow.parquet as pq

from gptgrid.text import rows
from gptgrid.text.rows import read_texts


@dataclass(frozen=True, eq=False)
class LongText:
    """A text of more than rows.LENGTH characters in a file of texts.

    Like a string it has a length and slices; what iterates over it gets its parts, as often as it likes.
    """

    file: pq.ParquetFile
    group: int
    """The row group that the first row is; each row is one."""
    lengths: list[int]
    """Characters of each row."""
    start: int
    stop: int
    """Where in these rows the text begins and ends."""

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[str]:
        begin = 0
        for group, length in enumerate(self.lengths, self.group):
            low, high = max(self.start - begin, 0), min(self.stop - begin, length)
            if low < high:
                yield read_texts(self.file, group)[0][low:high]
            begin += length

    def __getitem__(self, part: slice) -> Text:
        """Return a part of the text, which is a string unless it is long itself."""
        start, stop, _ = part.indices(len(self))
        view = replace(self, start=self.start + start, stop=self.start + max(start, stop))
        return view if len(view) > rows.LENGTH else str(view)

    def __str__(self) -> str:
        """Return the whole text as a string."""
        return "".join(self)


Text = str | LongText


def pieces_of(text: Text) -> Iterable[str]:
    """Return what a text consists of: strings, one after the other."""
    return (text,) if isinstance(text, str) else text


def recut(pieces: Iterable[str], length: int) -> Iterator[str]:
    """Yield a text in strings of exactly so many characters, the last of which may be shorter."""
    some, size = [], 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= length:
            text, size = "".join(some), size % length
            stop = len(text) - size
            some = [text[stop:]] if size else []
            yield from (text[start : start + length] for start in range(0, stop, length))
            del text
    if size:
        yield "".join(some)


def count(text: Text, word: str) -> int:
    """Return how often a word stands in a text, also across the borders of its parts.

    Args:
        text: the text.
        word: one of which no end is its beginning.
    """
    if isinstance(text, str):
        return text.count(word)
    found, before = 0, ""
    for piece in text:
        searched = before + piece
        found += searched.count(word)
        before = searched[max(0, len(searched) - len(word) + 1) :]
    return found
