"""How much text the training of a byte pair encoding can take in a given memory.

Memory goes with the different pieces of the text, not with its length: English repeats its words, so that a
gigabyte needs little; Chinese has no spaces, nearly every run between two punctuation marks is new, and a
text takes some fifty times its size. A sample tells how many pieces are new at its end: those that stand in
it once (Good 1953). New ones only become rarer, so to go on at this rate is the most that can come. Where it
is too much, documents drawn by their hash stand for the whole text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import pyarrow.parquet as pq
import regex

PER_BYTE = 60
"""Bytes of memory for each byte of a different piece; 57 were measured on Chinese novels, 25 on English."""
SPOTS, SHORTEST, LONGEST = 16, 2**17, 2**20
"""The sample: so many places spread over the text, and characters at each, more of a larger text."""


def affordable_share(corpus: Path, size: int, pattern: str, memory: int) -> float:
    """Return the share of the documents to train on.

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
    if affordable >= size:
        return 1.0
    print(
        f"trained on {affordable / size:.1%} of the text, as all of it would take more memory than "
        f"{memory / 1e6:,.0f} MB; raise `memory` for more",
        flush=True,
    )
    return affordable / size


def sample(paths: list[Path], length: int) -> list[str]:
    """Return pieces of the text of some files, of so many characters, evenly spread over their row groups."""
    groups = [(path, group) for path in paths for group in range(pq.ParquetFile(path).num_row_groups)]
    chosen = Counter(groups[spot * len(groups) // SPOTS] for spot in range(SPOTS))
    texts = []
    for (path, group), number in chosen.items():
        text = "\n".join(pq.ParquetFile(path).read_row_group(group).column(0).to_pylist())
        # Overlapping samples would count pieces twice.
        short = min(length, len(text) // number)
        texts += [text[place * len(text) // number :][:short] for place in range(number)]
    return texts


def bytes_of_pieces(texts: list[str], pattern: str) -> tuple[int, int]:
    """Return the bytes of the different pieces of some texts, and of those that stand there once."""
    cut = regex.compile(pattern, regex.VERSION1)
    counts = Counter(piece for text in texts for piece in cut.findall(text))
    different = sum(len(piece.encode()) for piece in counts)
    return different, sum(len(piece.encode()) for piece, number in counts.items() if number == 1)


def thinned(documents: Iterable[str], share: float) -> Iterator[str]:
    """Yield a share of some documents, drawn by their hash, so that their order does not matter."""
    if share == 1:
        yield from documents
        return
    border = int(share * 2**64).to_bytes(8, "big")
    for text in documents:
        if blake2b(text.encode(), digest_size=8, person=b"bpe").digest() < border:
            yield text
