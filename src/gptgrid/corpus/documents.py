"""Cut a text into documents.

Pieces come as they stand in the text; what is dropped afterwards is the business of `clean`.
"""

from collections.abc import Iterator
from itertools import groupby


def cut(text: str, document: str) -> Iterator[str]:
    """Yield the documents of a text.

    Args:
        text: with LF line ends.
        document: `whole`, `line` (without its line feed), `blank-line` (paragraphs, which one or more
            blank lines separate), or the delimiter that stands between documents.
    """
    if document == "whole":
        yield text
    elif document == "blank-line":
        yield from paragraphs(text)
    else:
        delimiter = "\n" if document == "line" else document
        # What follows a closing delimiter is not one more document.
        yield from text.removesuffix(delimiter).split(delimiter)


def paragraphs(text: str) -> Iterator[str]:
    """Yield runs of lines that are not blank; indentation stays."""
    for blank, lines in groupby(text.split("\n"), key=lambda line: not line.strip()):
        if not blank:
            yield "\n".join(lines)
