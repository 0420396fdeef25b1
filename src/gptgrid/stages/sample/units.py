"""What the figures on samples count: words as blanks separate them, and letters of scripts without blanks.

So a text of several scripts is counted in the units of each: an English word is one, and a Chinese letter.
Case and marks count; how words are set apart (a blank, several, a new line) does not. Where no blanks are, as
in sequences of proteins, each character is a unit; of bare ids each id. The training text of a corpus decides
for all its cells, so that their figures compare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import regex

from gptgrid.text.documents import ANYWHERE, SPACELESS_SHARE, why_no_words
from gptgrid.text.writing_systems import SPACELESS

Units = Sequence[str]
"""Words and letters, or the characters of a string."""
WIDE = SPACELESS.pattern.strip("[]") + r"\u3001-\u303f\uff01-\uffef"
ALONE = regex.compile(rf"[{WIDE}]")
"""A letter of a script without blanks, or a mark as wide as one."""
PARTS = regex.compile(rf"[{WIDE}]|[^\s\x1c-\x1f{WIDE}]+")
"""Such a letter or mark, or what stands between them and white space."""
BORDERS = regex.compile(rf"\s|(?={ALONE.pattern})|(?<={ALONE.pattern})")


@dataclass(frozen=True)
class Unit:
    """A kind of unit."""

    name: str
    """`words`, `words and letters`, `characters` or `ids`."""
    border: str
    """What stands between two of them where they are looked for; none between characters."""

    def split(self, text: str) -> Units:
        """Return the units of a text."""
        text = text.replace("\0", " ")
        if not self.border:
            return "".join(text.split())
        # Words alone are split much faster.
        return PARTS.findall(text) if has_alone(text) else text.split()

    def join(self, units: Units) -> str:
        """Return units as a text in which they are looked for."""
        return self.border.join(units)

    def show(self, units: Units) -> str:
        """Return units as a text to read: no blanks beside letters of scripts without them."""
        if not units or not self.border:
            return "".join(units)
        return units[0] + "".join(
            unit if ALONE.match(before) or ALONE.match(unit) else self.border + unit
            for before, unit in pairwise(units)
        )

    @property
    def borders(self) -> re.Pattern[str]:
        """Return where a text may be cut, so that no unit is."""
        return BORDERS if self.border else ANYWHERE

    def begins(self, text: str, place: int) -> bool:
        """Return whether a text may be cut before a place, so that no unit is."""
        if not self.border or place in (0, len(text)):
            return True
        return text[place].isspace() or bool(ALONE.search(text[place - 1 : place + 1]))

    def after(self, prompt: str, text: str) -> Units:
        """Return the units that begin behind a prompt: not the rest of a word that the prompt began."""
        units = self.split(text)
        begun = prompt and not prompt[-1].isspace() and text
        return units if not begun or self.begins(prompt[-1] + text[0], 1) else units[1:]


WORDS, MIXED = Unit("words", " "), Unit("words and letters", " ")
CHARACTERS, IDS = Unit("characters", ""), Unit("ids", " ")


def unit_of(counts: dict[str, Any]) -> Unit:
    """Return the unit of a corpus.

    Args:
        counts: of its training split: bytes, characters, words, spaceless; None for bare ids.
    """
    if counts["bytes"] is None:
        return IDS
    if counts["spaceless"] > SPACELESS_SHARE * counts["characters"]:
        return MIXED
    return CHARACTERS if why_no_words(counts) else WORDS


def has_alone(text: str) -> bool:
    """Return whether a text has letters or marks that are units of their own."""
    return not text.isascii() and ALONE.search(text) is not None


def spaced(text: str) -> str:
    """Return a text with blanks around letters of scripts without them: each is a word to sacrebleu."""
    return ALONE.sub(r" \g<0> ", text) if has_alone(text) else text


def runs(units: Units, length: int) -> list[tuple[str, ...]]:
    """Return all runs of so many consecutive units."""
    return [tuple(units[start : start + length]) for start in range(len(units) - length + 1)]
