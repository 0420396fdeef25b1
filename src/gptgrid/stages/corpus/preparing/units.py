"""What counts of a text when documents are compared: its words, numbers and signs.

Case, blanks, quotation marks and the marks of sentences do not count, as `Yes, sir.` and `yes sir!` are the
same text to learn. All other signs do, and these marks too where they end no word: `5-3` and `5*3`, `x = 1`
and `x != 1`, `***` and `---` are different.
"""

from unicodedata import normalize

import regex

OPENING, CLOSING = "\"'", ".,:;!?\"'"
"""ASCII marks that do not count at the start and at the end of a word."""
OTHER_MARKS = regex.compile(
    r"(?V1)[[\p{Terminal_Punctuation}\p{Quotation_Mark}\N{HORIZONTAL ELLIPSIS}]--[\x00-\x7f]]+"
)
"""Marks beyond ASCII, which are nothing else, wherever they stand."""
INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")


def units(text: str) -> list[str]:
    """Return what counts of a text, in order, cut at blanks; of a text without any of it, all but the blanks.

    Args:
        text: a text, or a part of one that ends at white space.
    """
    whole = text.casefold().split()
    if not text.isascii():
        text = shown(OTHER_MARKS.sub(" ", text))
    words = [word.lstrip(OPENING).rstrip(CLOSING) or word for word in text.casefold().split()]
    return words or whole


def shown(text: str) -> str:
    """Return a text without what cannot be seen (soft hyphens, joiners), its letters in their usual form."""
    return normalize("NFKC", INVISIBLE.sub("", text))
