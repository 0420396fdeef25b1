"""Which writing systems a text is in."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import numpy as np
import regex

NAMES = (
    *("Latin", "Han", "Hiragana", "Katakana", "Hangul", "Cyrillic", "Greek", "Arabic", "Hebrew"),
    *("Devanagari", "Bengali", "Tamil", "Thai"),
)
RUNS = regex.compile(
    "|".join(rf"(?P<{name}>\p{{Script={name}}}+)" for name in NAMES)
    + r"|(?P<other>\p{L}+)|(?P<digits>\p{N}+)|(?P<marks>[^\p{L}\p{N}]+)"
)
"""Letters by their script, digits, and marks: everything else, white space too."""

SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Javanese}\p{Balinese}]"
)
"""A character of a script that puts no blanks between words."""
PLANES = 0x40000
"""Code points that have such characters are below."""


def count_spaceless(text: str) -> int:
    """Return how many characters of a text are of scripts that put no blanks between words."""
    if text.isascii():
        return 0
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    return int(np.count_nonzero(spaceless_points()[np.minimum(points, PLANES)]))


@cache
def spaceless_points() -> np.ndarray:
    """Return for each code point up to PLANES (PLANES + 1,) whether it is such a character."""
    # The table is 15 times as fast as the expression: corpora have many characters.
    return np.array([SPACELESS.match(chr(point)) is not None for point in range(PLANES + 1)])


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the runs of a text, each of one kind: (kind, run)."""
    return ((match.lastgroup, match[0]) for match in RUNS.finditer(text))


def count_scripts(text: str) -> dict[str, float]:
    """Return script → share of a text's letters, the largest first."""
    letters: Counter[str] = Counter()
    for kind, run in runs(text):
        if kind not in ("digits", "marks"):
            letters[kind] += len(run)
    return {name: number / letters.total() for name, number in letters.most_common()}
