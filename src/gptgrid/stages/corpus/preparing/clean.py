"""Normalize documents and drop those that the configuration excludes, counting each drop by its reason."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

import regex

from gptgrid.stages.corpus.preparing.near import NearDuplicates
from gptgrid.text.documents import gather, is_blank, utf8_parts
from gptgrid.text.long_text import Text, count

LOST = "\ufffd"
"""What stands for a character that could not be read."""
EXCERPT = 80
"""Characters shown of a document that was dropped."""
BEGINNING = regex.compile(r"(?rV1)[\p{NFKC_QC=Yes}--\p{M}]")
"""Finds, from the end of a text on, a character that normalization joins with nothing before it."""


@dataclass
class Dropped:
    """How many documents were dropped, and the first of each kind."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, text: Text) -> None:
        """Count a drop."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.examples.setdefault(reason, str(text[:EXCERPT]))

    def __str__(self) -> str:
        return ", ".join(f"{number:,} {reason}" for reason, number in sorted(self.counts.items()))


class Cleaner:
    """The `clean` section at work. It remembers what it has seen: give it what must keep its copies first."""

    def __init__(self, settings: SimpleNamespace, scratch: Path) -> None:
        """Prepare for documents.

        Args:
            settings: normalize, dedupe, similarity, min_chars, max_chars.
            scratch: folder for long documents while they are in use.
        """
        self.settings, self.scratch = settings, scratch
        self.dropped = Dropped()
        self.characters = 0
        """Of all documents that are kept."""
        self.lost = 0
        """How many of them are U+FFFD, in the place of what could not be read, here or earlier."""
        self.seen: set[bytes] = set()
        self.near = None
        if settings.dedupe == "near":
            self.near = NearDuplicates(settings.similarity)

    def clean(self, documents: Iterable[Text]) -> Iterator[Text]:
        """Yield the documents to keep, normalized."""
        form = self.settings.normalize
        for document in documents:
            text = document if form == "none" else normalized(document, form, self.scratch)
            reason = self.reason_to_drop(text)
            if reason:
                self.dropped.add(reason, text)
            else:
                self.characters += len(text)
                self.lost += count(text, LOST)
                yield text

    def reason_to_drop(self, text: Text) -> str | None:
        """Return why a document is dropped; None if it is not."""
        settings = self.settings
        if is_blank(text):
            return "empty"
        if len(text) < settings.min_chars:
            return "min_chars"
        if settings.max_chars is not None and len(text) > settings.max_chars:
            return "max_chars"
        if settings.dedupe == "none":
            return None
        # 16 bytes stand for a document, so that what was seen takes little memory.
        digest = blake2b(digest_size=16)
        for part in utf8_parts(text):
            digest.update(part)
        if digest.digest() in self.seen:
            return "duplicate"
        self.seen.add(digest.digest())
        return "near-duplicate" if self.near and self.near.is_copy(text) else None

    def facts(self, private: bool) -> dict[str, Any]:
        """Return what was dropped and lost; the documents of a private corpus are not shown."""
        return {
            "dropped": dict(sorted(self.dropped.counts.items())),
            "dropped_examples": {} if private else dict(sorted(self.dropped.examples.items())),
            **({"lost": {"characters": self.lost, "share": self.lost_share}} if self.lost else {}),
        }

    @property
    def lost_share(self) -> float:
        """The share of the characters that could not be read."""
        return self.lost / max(1, self.characters)


def normalized(text: Text, form: str, scratch: Path) -> Text:
    """Return a text in a form of Unicode."""
    return normalize(form, text) if isinstance(text, str) else gather(normal_pieces(text, form), scratch)


def normal_pieces(pieces: Iterable[str], form: str) -> Iterator[str]:
    """Yield what a text that comes in pieces is in a form of Unicode, in pieces."""
    held = ""
    for piece in pieces:
        held += piece
        found = BEGINNING.search(held)
        stop = found.start() if found else 0
        yield normalize(form, held[:stop])
        held = held[stop:]
    yield normalize(form, held)
