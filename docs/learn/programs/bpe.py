"""Byte pair encoding on one screen (Sennrich et al. 2016): learn merges from a text, then encode and decode.

It is slow and short; the tokenizer of the pipeline is fast and learns the same merges.
"""

from collections import Counter
from itertools import pairwise

import regex

PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How GPT-2 cuts a text into pieces first: words with the blank before them, numbers, signs."""

Merges = dict[tuple[int, int], int]
"""Two neighbouring ids → the new id that stands for both, in the order in which they were learned."""


def train(text: str, vocab_size: int) -> Merges:
    """Learn merges until there are `vocab_size` ids, the first 256 of which are the bytes."""
    pieces = Counter(regex.findall(PATTERN, text))
    ids = {piece: list(piece.encode()) for piece in pieces}
    merges: Merges = {}
    for new in range(256, vocab_size):
        pairs: Counter[tuple[int, int]] = Counter()
        for piece, count in pieces.items():
            for pair in pairwise(ids[piece]):
                pairs[pair] += count
        if not pairs:
            break  # every piece is one id
        most = min(pairs, key=lambda pair: (-pairs[pair], pair))  # of equally frequent ones the smallest
        merges[most] = new
        ids = {piece: merge(old, most, new) for piece, old in ids.items()}
    return merges


def merge(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Put `new` in place of each `pair`, from left to right."""
    merged: list[int] = []
    place = 0
    while place < len(ids):
        if tuple(ids[place : place + 2]) == pair:
            merged.append(new)
            place += 2
        else:
            merged.append(ids[place])
            place += 1
    return merged


def encode(text: str, merges: Merges) -> list[int]:
    """Return the ids of a text: in each piece the merge that was learned first goes first."""
    encoded: list[int] = []
    for piece in regex.findall(PATTERN, text):
        ids = list(piece.encode())
        while known := [pair for pair in pairwise(ids) if pair in merges]:
            first = min(known, key=merges.__getitem__)
            ids = merge(ids, first, merges[first])
        encoded += ids
    return encoded


def decode(ids: list[int], merges: Merges) -> str:
    """Return the text of ids; bytes that are no whole character become U+FFFD."""
    content = {number: bytes([number]) for number in range(256)}
    for (left, right), new in merges.items():
        content[new] = content[left] + content[right]
    return b"".join(content[number] for number in ids).decode(errors="replace")


if __name__ == "__main__":
    learned = train("the cat sat on the mat, the cat sat on the hat", 256 + 8)
    for (left, right), new in learned.items():
        print(
            f"{decode([left], learned)!r} + {decode([right], learned)!r} → {decode([new], learned)!r} ({new})"
        )
    print(encode("the hat", learned))
