"""Normalize documents and drop those that are not wanted, counting each drop by its reason."""

import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from types import SimpleNamespace

REASONS = ("empty", "min_chars", "duplicate")


def clean(documents: Iterable[str], settings: SimpleNamespace, dropped: dict[str, int]) -> Iterator[str]:
    """Yield the documents to keep.

    Args:
        documents: in order.
        settings: the `clean` section: normalize, dedupe, min_chars.
        dropped: reason → count; added to.
    """
    seen = set()
    for text in documents:
        if settings.normalize != "none":
            text = unicodedata.normalize(settings.normalize, text)
        if not text.strip():
            dropped["empty"] += 1
        elif len(text) < settings.min_chars:
            dropped["min_chars"] += 1
        elif settings.dedupe == "exact" and (key := digest(text)) in seen:
            dropped["duplicate"] += 1
        else:
            if settings.dedupe == "exact":
                seen.add(key)
            yield text


def digest(text: str) -> bytes:
    """Return 16 bytes that stand for a document, so that what was seen takes little memory."""
    return blake2b(text.encode(), digest_size=16).digest()
