"""Where a text can be cut in two so that the tokens of the two are those of the whole.

No merge crosses the border between two pieces of a pattern. But a piece may depend on what follows it: blanks
are cut otherwise at the end of a text than before a word. Only borders that need no look at what follows are
seams: behind a run of letters, or of digits, that something else ends. Every pattern of
gptgrid.tokens.patterns cuts there: letters go on with marks (`e` and U+0301), with an apostrophe (`don't`)
and with what is Chinese (〇 is a digit), digits with what is Chinese, and nothing else does. No pattern looks
back, so that the second part is cut as it is in the whole.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import regex

# Characters that Unicode has not assigned yet may be letters to another library.
SEAM = regex.compile(r"\p{L}(?=[^\p{L}\p{M}\p{Han}\p{Cn}'])|\p{N}(?=[^\p{N}\p{Han}\p{Cn}])")

AHEAD = 2**12
"""Characters behind a place on which it depends at most whether a text can be cut there, or is the name of a
token from there on."""


def next_seam(text: str, place: int) -> int:
    """Return the first seam at `place` or behind it; the length of the text if there is none."""
    for found in SEAM.finditer(text, max(0, place - 1)):
        # Letters of the newest Unicode are none to the engines that cut texts into pieces.
        if unicodedata.category(found[0]) != "Cn":
            return found.end()
    return len(text)


def cut(pieces: Iterable[str], length: int, seam: Callable[[str, int], int]) -> Iterator[str]:
    """Yield a text in parts, each the shortest of at least `length` characters that ends at a seam.

    Args:
        pieces: of the text, cut anywhere. What is in memory is one of them, and a part.
        length: at least 1.
        seam: (text, place) → the first seam at the place or behind it; the end of the text, or more, if there
            is none.
    """
    held = ""
    searched = 0
    """Place in it before which there is no seam but at its start."""
    for piece in chain(pieces, [None]):
        held += piece or ""
        start, sure = 0, len(held) if piece is None else len(held) - AHEAD
        while start < sure and (end := seam(held, max(start + length, searched))) <= sure:
            yield held[start:end]
            start = end
        held, searched = held[start:], max(0, sure - start)
    if held:
        yield held
