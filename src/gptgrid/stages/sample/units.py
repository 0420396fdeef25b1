"""What the figures on samples count: words as blanks separate them, or characters where no blanks do.

Case and marks count; how words are set apart (a blank, several, a new line) does not. Of bare ids each is a
unit. The training text of a corpus decides for all its cells, so that their figures compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gptgrid.text.documents import why_no_words

Units = Sequence[str]
"""Words, or the characters of a string."""


@dataclass(frozen=True)
class Unit:
    """A kind of unit."""

    name: str
    """`words`, `characters` or `ids`."""
    border: str
    """What stands between two of them."""

    def split(self, text: str) -> Units:
        """Return the units of a text."""
        words = text.replace("\0", " ").split()
        return words if self.border else "".join(words)

    def join(self, units: Units) -> str:
        """Return a text of units."""
        return self.border.join(units)

    def after(self, prompt: str, text: str) -> Units:
        """Return the units that begin behind a prompt: not the rest of a word that the prompt began."""
        begun = self.border and prompt and not prompt[-1].isspace() and text and not text[0].isspace()
        units = self.split(text)
        return units[1:] if begun else units


WORDS, CHARACTERS, IDS = Unit("words", " "), Unit("characters", ""), Unit("ids", " ")


def unit_of(counts: dict[str, Any]) -> Unit:
    """Return the unit of a corpus.

    Args:
        counts: of its training split: bytes, characters, words, spaceless; None for bare ids.
    """
    if counts["bytes"] is None:
        return IDS
    return CHARACTERS if why_no_words(counts) else WORDS


def runs(units: Units, length: int) -> list[tuple[str, ...]]:
    """Return all runs of so many consecutive units."""
    return [tuple(units[start : start + length]) for start in range(len(units) - length + 1)]
