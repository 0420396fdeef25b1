"""How much text the training of a byte pair encoding can take in a given memory.

Memory goes with the different pieces of the text, not with its length: English repeats its words, so that a
gigabyte needs little; Chinese has no spaces, nearly every run between two punctuation marks is new, and a
text takes some fifty times its size. A sample tells how many pieces are new at its end: those that stand in
it once (Good 1953). New ones only become rarer, so to go on at this rate is the most that can come. Where it
is too much, spans of the text that are drawn by their hash stand for the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import pyarrow.parquet as pq
import regex

from gptgrid.text import rows
from gptgrid.text.long_text import LongText
from gptgrid.text.rows import open_file, read_texts, row_groups
from gptgrid.tokens.seams import cut, next_seam

PER_BYTE = 60
"""Bytes of memory for each byte of a different piece; 57 were measured on Chinese novels, 25 on English."""
SPOTS, SHORTEST, LONGEST = 16, 2**17, 2**20
"""The sample: so many places spread over the text, and characters at each, more of a larger text."""

SPAN, SPANS = 2**12, 200
"""Characters of a span that is drawn or not, and how many spans at least are to make up what is drawn."""


def affordable_share(corpus: Path, size: int, pattern: str, memory: int) -> float:
    """Return the share of the text to train on.

    Args:
        corpus: its folder.
        size: bytes of its training split.
        pattern: how text is cut into pieces.
        memory: bytes that counting may take.
    """
    if size * PER_BYTE <= memory:
        return 1.0
    length = min(LONGEST, max(SHORTEST, size // 16 // SPOTS))
    texts = sample(sorted(corpus.glob("train-*.parquet")), length)
    different, once = bytes_of_pieces(texts, pattern)
    sampled = sum(len(text.encode()) for text in texts)
    room = memory / PER_BYTE
    if different >= room:
        affordable = sampled * room / different
    else:
        affordable = sampled + (room - different) * sampled / max(1, once)
    return min(1.0, affordable / size)


def sample(paths: list[Path], length: int) -> list[str]:
    """Return pieces of the text of some files, of so many characters, evenly spread over their row groups.

    A long document is sampled as the one text that it is, and stands for as many row groups as its length is.
    """
    groups = [(path, group) for path in paths for group in weighted_groups(path)]
    chosen = Counter(groups[spot * len(groups) // SPOTS] for spot in range(SPOTS))
    texts = []
    for (path, wanted), number in chosen.items():
        with open_file(path) as file:
            lengths = dict(row_groups(file))[wanted]
            text = LongText(file, wanted, lengths, 0, sum(lengths)) if lengths else joined(file, wanted)
            # Overlapping samples would count pieces twice.
            short = min(length, len(text) // number)
            starts = [place * len(text) // number for place in range(number)]
            texts += [str(text[start : start + short]) for start in starts]
    return texts


def weighted_groups(path: Path) -> Iterator[int]:
    """Yield the row groups of a file; of a long document the first, as often as its text would fill one."""
    with open_file(path) as file:
        for group, lengths in row_groups(file):
            yield from [group] * max(1, sum(lengths) // rows.LENGTH)


def joined(file: pq.ParquetFile, group: int) -> str:
    """Return the texts of a row group as one."""
    return "\n".join(read_texts(file, group))


def bytes_of_pieces(texts: list[str], pattern: str) -> tuple[int, int]:
    """Return the bytes of the different pieces of some texts, and of those that stand there once."""
    cut = regex.compile(pattern, regex.VERSION1)
    counts = Counter(piece for text in texts for piece in cut.findall(text))
    different = sum(len(piece.encode()) for piece in counts)
    return different, sum(len(piece.encode()) for piece, number in counts.items() if number == 1)


def training_spans(texts: Iterable[Iterable[str]], size: int, share: float) -> Iterator[str]:
    """Yield texts in spans, cut where the pattern cuts anyway.

    Where a share of them is to be drawn, spans are so short that some hundred of them come to it; they are
    then cut elsewhere, too, where the pattern does not cut for a long while.

    Args:
        texts: each in pieces, cut anywhere.
        size: bytes of all of them.
        share: what is to be drawn, in (0, 1].
    """
    if share == 1:
        for pieces in texts:
            yield from cut(pieces, SPAN, next_seam)
        return
    length = max(1, min(SPAN, int(share * size / SPANS)))
    for pieces in texts:
        for span in cut(pieces, length, next_seam):
            yield from (span[start : start + 4 * length] for start in range(0, len(span), 4 * length))


class Draw:
    """A share of some texts, drawn by their hash, so that their order does not matter; `bytes` counts it."""

    def __init__(self, texts: Iterable[str], share: float) -> None:
        """Draw a share in (0, 1]."""
        self.texts, self.share, self.bytes = texts, share, 0

    def __iter__(self) -> Iterator[str]:
        border = int(self.share * 2**64)
        for text in self.texts:
            encoded = text.encode()
            drawn = blake2b(encoded, digest_size=8, person=b"bpe").digest()
            if int.from_bytes(drawn, "big") < border:
                self.bytes += len(encoded)
                yield text
