"""Where a text can be cut in two so that the tokens of the two are those of the whole.

No merge crosses the border between two pieces of a pattern. But a piece may depend on what follows it: blanks
are cut otherwise at the end of a text than before a word. Only borders that need no look at what follows are
seams: behind a run of letters, or of digits, that something else ends. Every pattern of
gptgrid.tokens.patterns cuts there: letters go on with marks (`e` and U+0301), with an apostrophe (`don't`)
and with what is Chinese (〇 is a digit), digits with what is Chinese, and nothing else does. No pattern looks
back, so that the second part is cut as it is in the whole.
"""

import unicodedata
from collections.abc import Iterator

import regex

# Characters that Unicode has not assigned yet may be letters to another library.
SEAM = regex.compile(r"\p{L}(?=[^\p{L}\p{M}\p{Han}\p{Cn}'])|\p{N}(?=[^\p{N}\p{Han}\p{Cn}])")


def next_seam(text: str, place: int) -> int:
    """Return the first seam at `place` or behind it; the length of the text if there is none."""
    for found in SEAM.finditer(text, max(0, place - 1)):
        # Letters of the newest Unicode are none to the engines that cut texts into pieces.
        if unicodedata.category(found[0]) != "Cn":
            return found.end()
    return len(text)


def spans(text: str, length: int) -> Iterator[str]:
    """Yield a text cut at the first seam after every `length` characters."""
    start = 0
    while len(text) - start > length:
        end = next_seam(text, start + length)
        yield text[start:end]
        start = end
    if start < len(text) or not text:
        yield text[start:]
