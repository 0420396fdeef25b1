"""Which writing systems a text is in."""

from collections import Counter
from collections.abc import Iterator

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
