"""Cut a text into documents as it streams by.

Documents are not changed here; what is dropped afterwards is decided in `clean`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, groupby
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.text.documents import gather, is_blank
from gptgrid.text.long_text import Text, pieces_of

KINDS = ("whole", "line", "blank-line", "record")
"""What a document may be but for what stands between delimiters."""
PARTED = re.compile("\u2029|\u2028(?:[ \t]*\u2028)+")
"""Ends a paragraph inside a line of a file: the character for it, or a blank line as Unicode writes lines."""
GAP = "\u2028", "\u2028 \t"
"""What begins with the first of these at the end of a text, and goes on with these, may go on as PARTED."""
Join = Callable[[Iterable[str]], Text]
"""Puts the parts of a text together."""
DELIMITERS = "delimiters"
"""Fact of a text: how many delimiters it had."""


def delimiter_of(document: str | None) -> str | None:
    """Return the delimiter that the key `document` gives, with LF line ends; None for the other kinds."""
    return None if document is None or document in KINDS else document.replace("\r\n", "\n")


def cut(blocks: Iterable[str], document: str, counts: Counter[str], scratch: Path) -> Iterator[Text]:
    """Yield the documents of a text.

    Args:
        blocks: the text with LF line ends, in pieces of any length.
        document: `whole`, `line` (without its line feed), `blank-line` (paragraphs, which one or more
            blank lines separate), or the delimiter that stands between documents.
        counts: gets how many DELIMITERS there were.
        scratch: folder for long documents while they are in use.
    """
    join = partial(gather, scratch=scratch)
    if document == "whole":
        yield join(blocks)
    elif document == "blank-line":
        yield from paragraphs(pieces(blocks, "\n", join), join)
    elif document == "line":
        yield from pieces(blocks, "\n", join)
    else:
        yield from between(blocks, delimiter_of(document), counts, join)


def between(blocks: Iterable[str], delimiter: str, counts: Counter[str], join: Join) -> Iterator[Text]:
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
    parts = split_up(chain([before], blocks), split, len(delimiter), counts)
    if behind:
        parts = without_last(parts, mark, counts)
    for number, piece in enumerate(put_together(parts, join)):
        piece = without(piece, behind if number else before)
        if piece:
            yield piece


def without_last(
    parts: Iterable[tuple[str, bool]], mark: str, counts: Counter[str]
) -> Iterator[tuple[str, bool]]:
    """Yield the parts of `split_up` without a mark at the end of the text, whatever line ends follow."""
    held = ""
    for part, ended in parts:
        text = held + part
        stop = len(text) if ended else max(0, len(text.rstrip("\n")) - len(mark))
        yield text[:stop], ended
        held = text[stop:]
    bare = held.rstrip("\n")
    if bare.endswith(mark):
        counts[DELIMITERS] += 1
        held = bare.removesuffix(mark)
    yield held, True


def without(text: Text, prefix: str) -> Text:
    """Return a text without what it begins with, if it does."""
    return text[len(prefix) :] if str(text[: len(prefix)]) == prefix else text


def pieces(blocks: Iterable[str], delimiter: str, join: Join = "".join) -> Iterator[Text]:
    """Yield what stands between delimiters; what follows a closing delimiter is not one more piece."""
    parts = split_up(blocks, lambda text: text.split(delimiter), len(delimiter), Counter())
    return put_together(parts, join)


def split_up(
    blocks: Iterable[str], split: Callable[[str], list[str]], length: int, counts: Counter[str]
) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a text that is split at delimiters, in parts, and whether a piece ends behind each.

    Args:
        blocks: the text, in pieces of any length.
        split: cuts a string at each delimiter.
        length: characters of a delimiter.
        counts: gets how many DELIMITERS there were.
    """
    tail = ""
    """Of the piece that has not ended, the last characters, which may begin a delimiter."""
    for block in blocks:
        *ended, rest = split(tail + block)
        counts[DELIMITERS] += len(ended)
        yield from ((piece, True) for piece in ended)
        sure = max(0, len(rest) - length + 1)
        if sure:
            yield rest[:sure], False
        tail = rest[sure:]
    if tail:
        yield tail, False


def put_together(parts: Iterator[tuple[str, bool]], join: Join) -> Iterator[Text]:
    """Yield the pieces that `split_up` yields in parts."""
    for part, ended in parts:
        yield part if ended else join(chain([part], until_end(parts)))


def until_end(parts: Iterator[tuple[str, bool]]) -> Iterator[str]:
    """Yield parts up to the end of their piece, or of the text."""
    for part, ended in parts:
        yield part
        if ended:
            return


def lines(blocks: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text, each with its line feed."""
    return (f"{line}\n" for line in pieces(blocks, "\n"))


def paragraphs(lines: Iterable[Text], join: Join) -> Iterator[Text]:
    """Yield runs of lines that are not blank; indentation stays."""
    for blank, run in groupby(lines, key=is_blank):
        if not blank:
            yield from (text for text in parted(join(with_line_feeds(run)), join) if not is_blank(text))


def with_line_feeds(lines: Iterable[Text]) -> Iterator[str]:
    """Yield lines with line feeds between them, as pieces of a text."""
    for number, line in enumerate(lines):
        if number:
            yield "\n"
        yield from pieces_of(line)


def parted(text: Text, join: Join) -> Iterable[Text]:
    """Return a text cut where characters in its lines end paragraphs."""
    if isinstance(text, str):
        return PARTED.split(text)
    return put_together(split_up(between_gaps(text), PARTED.split, 1, Counter()), join)


def between_gaps(pieces: Iterable[str]) -> Iterator[str]:
    """Yield a text in pieces of which none ends within what may be PARTED."""
    held = ""
    for piece in pieces:
        text = held + piece
        # An expression would look at the rest of a run again from each of its characters.
        gap = text.find(GAP[0], len(text.rstrip(GAP[1])))
        stop = len(text) if gap < 0 else gap
        yield text[:stop]
        held = text[stop:]
    yield held


def as_lines(records: Iterable[str]) -> Iterator[str]:
    """Yield records as blocks of one text in which each ends its line."""
    return chain.from_iterable((record,) if record.endswith("\n") else (record, "\n") for record in records)


def documents_of_records(
    records: Iterator[str], document: str | None, counts: Counter[str], scratch: Path
) -> Iterator[Text]:
    """Return records as they are (None or `record`), or the documents of the text that they make together."""
    return records if document in (None, "record") else cut(as_lines(records), document, counts, scratch)


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
