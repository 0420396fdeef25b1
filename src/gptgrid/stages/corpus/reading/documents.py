"""Cut a text into documents as it streams by.

Documents are not changed here; what is dropped afterwards is decided in `clean`.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby


def cut(blocks: Iterable[str], document: str) -> Iterator[str]:
    """Yield the documents of a text.

    Args:
        blocks: the text with LF line ends, in pieces of any length.
        document: `whole`, `line` (without its line feed), `blank-line` (paragraphs, which one or more
            blank lines separate), or the delimiter that stands between documents.
    """
    if document == "whole":
        yield "".join(blocks)
    elif document == "blank-line":
        yield from paragraphs(pieces(blocks, "\n"))
    else:
        yield from pieces(blocks, "\n" if document == "line" else document)


def pieces(blocks: Iterable[str], delimiter: str) -> Iterator[str]:
    """Yield what stands between delimiters; what follows a closing delimiter is not one more piece."""
    parts: list[str] = []
    """Of the piece that has not ended."""
    tail = ""
    """Its last characters, which may begin a delimiter."""
    for block in blocks:
        *ended, last = (tail + block).split(delimiter)
        for piece in ended:
            yield "".join([*parts, piece])
            parts = []
        sure = max(0, len(last) - len(delimiter) + 1)
        parts.append(last[:sure])
        tail = last[sure:]
    if rest := "".join([*parts, tail]):
        yield rest


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield runs of lines that are not blank; indentation stays."""
    for blank, run in groupby(lines, key=lambda line: not line or line.isspace()):
        if not blank:
            yield "\n".join(run)


def as_lines(records: Iterable[str]) -> Iterator[str]:
    """Yield records as blocks of one text in which each ends its line."""
    return chain.from_iterable((record,) if record.endswith("\n") else (record, "\n") for record in records)


def documents_of_records(records: Iterator[str], document: str | None) -> Iterator[str]:
    """Return records as they are (None or `record`), or the documents of the text that they make together."""
    return records if document in (None, "record") else cut(as_lines(records), document)
