"""Cut a text into documents as it streams by.

Documents are not changed here; what is dropped afterwards is decided in `clean`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, groupby

from gptgrid.artifact.errors import UserError

KINDS = ("whole", "line", "blank-line", "record")
"""What a document may be but for what stands between delimiters."""
DELIMITERS = "delimiters"
"""Fact of a text: how many delimiters it had."""


def delimiter_of(document: str | None) -> str | None:
    """Return the delimiter that the key `document` gives, with LF line ends; None for the other kinds."""
    return None if document is None or document in KINDS else document.replace("\r\n", "\n")


def cut(blocks: Iterable[str], document: str, counts: Counter[str]) -> Iterator[str]:
    """Yield the documents of a text.

    Args:
        blocks: the text with LF line ends, in pieces of any length.
        document: `whole`, `line` (without its line feed), `blank-line` (paragraphs, which one or more
            blank lines separate), or the delimiter that stands between documents.
        counts: gets how many DELIMITERS there were.
    """
    if document == "whole":
        yield "".join(blocks)
    elif document == "blank-line":
        yield from paragraphs(pieces(blocks, "\n"))
    elif document == "line":
        yield from pieces(blocks, "\n")
    else:
        yield from pieces(blocks, delimiter_of(document), counts)


def pieces(blocks: Iterable[str], delimiter: str, counts: Counter[str] | None = None) -> Iterator[str]:
    """Yield what stands between delimiters; what follows a closing delimiter is not one more piece."""
    parts: list[str] = []
    """Of the piece that has not ended."""
    tail = ""
    """Its last characters, which may begin a delimiter."""
    for block in blocks:
        *ended, last = (tail + block).split(delimiter)
        if counts is not None:
            counts[DELIMITERS] += len(ended)
        for piece in ended:
            whole, parts = "".join([*parts, piece]), []  # a long one is not held twice while it is used
            yield whole
        sure = max(0, len(last) - len(delimiter) + 1)
        parts.append(last[:sure])
        tail = last[sure:]
    rest, parts = "".join([*parts, tail]), []
    if rest:
        yield rest


def lines(blocks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text, each with its line feed."""
    return (f"{line}\n" for line in pieces(blocks, "\n"))


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield runs of lines that are not blank; indentation stays."""
    for blank, run in groupby(lines, key=lambda line: not line or line.isspace()):
        if not blank:
            yield "\n".join(run)


def as_lines(records: Iterable[str]) -> Iterator[str]:
    """Yield records as blocks of one text in which each ends its line."""
    return chain.from_iterable((record,) if record.endswith("\n") else (record, "\n") for record in records)


def documents_of_records(records: Iterator[str], document: str | None, counts: Counter[str]) -> Iterator[str]:
    """Return records as they are (None or `record`), or the documents of the text that they make together."""
    return records if document in (None, "record") else cut(as_lines(records), document, counts)


def check_delimiter(document: str | None, found: int, part: str) -> None:
    """Check that a delimiter cut a text; a published validation or test text may be one document.

    Args:
        document: the key of the configuration.
        found: how many delimiters there were in all files of the part.
        part: `all`, `train`, `valid` or `test`.

    Raises:
        UserError: it stands nowhere in a text to train on.
    """
    delimiter = delimiter_of(document)
    if delimiter is None or found:
        return
    where = "the text" if part == "all" else f"the {part} files"
    quotes = '; in YAML, "\\n" in double quotes is a line end' if "\\" in delimiter else ""
    problem = f"the delimiter {delimiter!r} (`document`) stands nowhere in {where}"
    if part in ("all", "train"):
        raise UserError(f"{problem}; set `document` to one that does, or to whole, line, blank-line{quotes}")
    print(f"{problem}: each file is one document", flush=True)
