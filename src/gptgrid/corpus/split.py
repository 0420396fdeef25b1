"""Cut documents into train, valid and test, once and for all cells.

By document: a keyed hash of each document's text is a number in [0, 1), and the shares are intervals of
it. So copies never straddle splits, and a document stays where it is when others are added or removed.
Only where an interval would hold no document at all, as in tiny corpora, its border moves over as few
documents as fill it. (Exact shares by rank would fill every split too, but let each added document push
others over the borders.)

By position: train, then valid, then test, in the order of the text.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import accumulate, pairwise
from math import floor
from types import SimpleNamespace

import numpy as np

from gptgrid.seeds import derive
from gptgrid.stage import UserError

Document = str | np.ndarray
"""A text, or its token ids."""

SPLITS = ("train", "valid", "test")


def split(
    parts: dict[str, list[Document]], settings: SimpleNamespace, inside: bool
) -> dict[str, list[Document]]:
    """Return split → documents.

    Args:
        parts: `all` to be cut, or `train` with published `valid` and `test`, which are used as they are;
            one that is missing is cut from `train`.
        settings: the `split` section: valid, test (shares), by, seed.
        inside: by position, cut at the exact character, also inside a document.

    Raises:
        UserError: a split would have no documents.
    """
    missing = [name for name in ("valid", "test") if name not in parts]
    if not missing:
        return {name: parts[name] for name in SPLITS}
    documents = parts.get("all", parts.get("train"))
    # The decimals that the user wrote, not their nearest binary fractions: 0.8 of 10 is 8.
    shares = [Fraction(str(getattr(settings, name))) for name in missing]
    starts = list(accumulate(shares[:-1], initial=1 - sum(shares)))
    if settings.by == "document":
        pieces = by_document(documents, starts, settings.seed)
    else:
        pieces = inside_documents(documents, starts) if inside else between_documents(documents, starts)
    found = {**parts, **dict(zip(["train", *missing], pieces, strict=True))}
    return {name: found[name] for name in SPLITS}


def by_document(documents: Sequence[Document], starts: list[Fraction], seed: int) -> list[list[Document]]:
    """Draw the split of each document by its keyed hash; `starts` are where the later splits begin."""
    secret = derive(seed, "split").to_bytes(8, "little")
    keys = [key_of(document, secret) for document in documents]
    ranked = sorted(set(keys))
    if len(ranked) <= len(starts):
        raise UserError(
            f"{count(len(ranked), 'different document')} cannot fill {len(starts) + 1} splits; cut the text "
            "finer (`document: line` or `blank-line`), or cut it in order: `split: {by: position}` "
            "(with `document: whole` also inside one document)"
        )
    borders = keep_apart([bisect_left(ranked, floor(start * 2**64)) for start in starts], len(ranked))
    firsts = [ranked[border] for border in borders]
    pieces = [[] for _ in range(len(starts) + 1)]
    for document, key in zip(documents, keys, strict=True):
        pieces[bisect_right(firsts, key)].append(document)
    return pieces


def key_of(document: Document, secret: bytes) -> int:
    """Return a number in [0, 2⁶⁴) that the document and the secret decide."""
    data = document.encode() if isinstance(document, str) else document.tobytes()
    return int.from_bytes(blake2b(data, digest_size=8, key=secret).digest(), "little")


def between_documents(documents: Sequence[Document], starts: list[Fraction]) -> list[list[Document]]:
    """Cut in order: a document belongs where its first character (or token) falls."""
    if len(documents) <= len(starts):
        raise UserError(
            f"{count(len(documents), 'document')} cannot fill {len(starts) + 1} splits; cut the text finer "
            "(`document: line`), or also inside a document: `document: whole`"
        )
    *offsets, total = accumulate(map(len, documents), initial=0)
    borders = keep_apart([bisect_left(offsets, start * total) for start in starts], len(documents))
    edges = [0, *borders, len(documents)]
    return [list(documents[low:high]) for low, high in pairwise(edges)]


def inside_documents(documents: Sequence[str], starts: list[Fraction]) -> list[list[str]]:
    """Cut in order, at the exact character of all documents together, rounded down as nanoGPT does."""
    *offsets, total = accumulate(map(len, documents), initial=0)
    if total <= len(starts):
        raise UserError(
            f"{count(total, 'character')} cannot fill {len(starts) + 1} splits; give a longer text"
        )
    edges = [0, *keep_apart([floor(start * total) for start in starts], total), total]
    return [
        [
            piece
            for offset, text in zip(offsets, documents, strict=True)
            if (piece := text[max(low - offset, 0) : max(high - offset, 0)])
        ]
        for low, high in pairwise(edges)
    ]


def keep_apart(borders: list[int], total: int) -> list[int]:
    """Move borders as little as leaves something of [0, total) before, between and behind them."""
    kept = [0]
    for place, border in enumerate(borders):
        kept.append(min(max(border, kept[-1] + 1), total - len(borders) + place))
    return kept[1:]


def count(number: int, noun: str) -> str:
    """Return `1 document`, `2 documents`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
