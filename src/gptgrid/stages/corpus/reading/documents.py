"""Cut a text into documents as it streams by.

Documents are not changed here; what is dropped afterwards is decided in `clean`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby

from gptgrid.artifact.errors import UserError
from gptgrid.text.documents import is_blank

KINDS = ("whole", "line", "blank-line", "record")
"""What a document may be but for what stands between delimiters."""
PARTED = re.compile("\u2029|\u2028(?:[ \t]*\u2028)+")
"""Ends a paragraph inside a line of a file: the character for it, or a blank line as Unicode writes lines."""
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
        yield from between(blocks, delimiter_of(document), counts)


def between(blocks: Iterable[str], delimiter: str, counts: Counter[str]) -> Iterator[str]:
    """Yield what stands between the delimiters that a person chose, but for nothing, and count these.

    The start and the end of the text do for the line ends at which a delimiter begins and ends, and two in a
    row share theirs.
    """
    mark = delimiter.rstrip("\n") or delimiter
    before, behind = mark[: len(mark) - len(mark.lstrip("\n"))], delimiter[len(mark) :]
    if mark == before:  # it is nothing but line ends
        before = ""
    # What ends a delimiter is left before the next piece, where it may begin the next delimiter.
    split = re.compile(f"{re.escape(mark)}(?={behind})").split
    last = mark if behind else None
    for number, piece in enumerate(split_up(chain([before], blocks), split, len(delimiter), counts, last)):
        piece = piece.removeprefix(behind if number else before)
        if piece:
            yield piece


def pieces(blocks: Iterable[str], delimiter: str) -> Iterator[str]:
    """Yield what stands between delimiters; what follows a closing delimiter is not one more piece."""
    return split_up(blocks, lambda text: text.split(delimiter), len(delimiter), Counter())


def split_up(
    blocks: Iterable[str],
    split: Callable[[str], list[str]],
    length: int,
    counts: Counter[str],
    last: str | None = None,
) -> Iterator[str]:
    """Yield the pieces of a text that is split at delimiters.

    Args:
        blocks: the text, in pieces of any length.
        split: cuts a string at each delimiter.
        length: characters of a delimiter.
        counts: gets how many DELIMITERS there were.
        last: what is a delimiter at the end of the text, too, whatever line ends follow.
    """
    parts: list[str] = []
    """Of the piece that has not ended."""
    tail = ""
    """Its last characters, which may begin a delimiter."""
    for block in blocks:
        *ended, rest = split(tail + block)
        counts[DELIMITERS] += len(ended)
        for piece in ended:
            whole, parts = "".join([*parts, piece]), []  # a long one is not held twice while it is used
            yield whole
        sure = max(0, len(rest) - length + 1)
        parts.append(rest[:sure])
        tail = rest[sure:]
    rest, parts = "".join([*parts, tail]), []
    if last and rest.rstrip("\n").endswith(last):
        counts[DELIMITERS] += 1
        rest = rest.rstrip("\n").removesuffix(last)
    if rest:
        yield rest


def lines(blocks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text, each with its line feed."""
    return (f"{line}\n" for line in pieces(blocks, "\n"))


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Yield runs of lines that are not blank; indentation stays."""
    for blank, run in groupby(lines, key=is_blank):
        if not blank:
            yield from (text for text in PARTED.split("\n".join(run)) if not is_blank(text))


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
