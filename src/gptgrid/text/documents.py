"""Documents on the disk: parquet files with one column, `text` or `ids`, and one row a document.

A text of more than rows.LENGTH characters takes several rows; which ones stands in the metadata of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import regex

from gptgrid.artifact.errors import UserError
from gptgrid.text import rows
from gptgrid.text.long_text import LongText, Text, count, pieces_of, recut
from gptgrid.text.rows import LONG, LONGEST, RowWriter, open_file, read_texts, row_groups, text_column
from gptgrid.text.writing_systems import count_spaceless

Document = Text | np.ndarray
"""A text, or its token ids (uint32)."""

SPLITS = ("train", "valid", "test")
PART = 2**18
"""Characters of a long text that are looked at in one go."""
BLANK = regex.compile(r"[\s\x1a\p{Default_Ignorable_Code_Point}]*+")
"""White space, the mark at which files of DOS end, and characters of no width."""
Border = re.Pattern[str] | regex.Pattern[str]
WHITE, ANYWHERE = re.compile(r"\s"), re.compile("")
TEXT = pa.schema([("text", pa.string())])
IDS = pa.schema([("ids", pa.list_(pa.uint32()))])
SPACELESS_SHARE = 0.01
"""With a larger share of characters of scripts without blanks, no figure is given per word. At one in a
hundred, an English text with some Chinese has some 3 % more words than blanks show, which already raises its
word perplexity by about 15 %. A share of characters, not of letters: numbers and codes between blanks are
words, too, and all letters of a table may be Chinese while blanks separate its words."""
LONG_WORD = 20
"""Characters between blanks beyond which those are no words, as in sequences of proteins: English has 6,
Finnish 9, source code about 10."""


class DocumentWriter(RowWriter):
    """A parquet file of documents."""

    def __init__(self, file: Path | BinaryIO, ids: bool = False) -> None:
        """Open a file for texts, or for arrays of token ids."""
        super().__init__(file, IDS if ids else TEXT)
        self.long: dict[int, list[int]] = {}
        """First row of each long text → characters of its rows."""

    def add(self, document: Document) -> None:
        """Add a document behind the others.

        Raises:
            UserError: ids are more than a row can have.
        """
        if isinstance(document, np.ndarray):
            if len(document) > LONGEST:
                raise UserError(f"one document has {len(document):,} ids, more than {LONGEST:,}; cut it")
            self.add_row(document, len(document))
        elif len(document) <= rows.LENGTH:
            self.add_row(str(document).encode(), len(document))
        else:
            self.add_long(pieces_of(document))

    def add_long(self, pieces: Iterable[str]) -> None:
        """Add a long text in rows of rows.ROW_LENGTH characters, each a row group of its own."""
        self.flush()
        lengths = self.long[self.written] = []
        for row in recut(pieces, rows.ROW_LENGTH):
            self.add_row(row.encode(), len(row))
            lengths.append(len(row))
            self.flush()

    def column(self) -> pa.Array:
        return super().column() if self.schema is IDS else text_column(self.rows)

    def __exit__(self, *exception: Any) -> None:
        if self.long:
            self.file.add_key_value_metadata({LONG: json.dumps(self.long)})
        super().__exit__(*exception)


def write_documents(path: Path, documents: Iterable[str]) -> None:
    """Write a file of texts."""
    with DocumentWriter(path) as writer:
        for text in documents:
            writer.add(text)


def read_documents(folder: Path, split: str) -> Iterator[str] | Iterator[np.ndarray]:
    """Yield the documents of a split in order, whole: texts, or arrays of ids (uint32).

    Raises:
        UserError: the folder has no such split.
    """
    for document in stream_documents(folder, split):
        yield str(document) if isinstance(document, LongText) else document


def stream_documents(folder: Path, split: str) -> Iterator[Text] | Iterator[np.ndarray]:
    """Yield the same, but of long texts what reads them in parts.

    Raises:
        UserError: the folder has no such split.
    """
    files = sorted(folder.glob(f"{split}-*.parquet"))
    if not files:
        raise UserError(f"{folder} has no {split}-*.parquet: it is not a finished corpus; run snakemake")
    for path in files:
        yield from stream_file(path)


def stream_file(file: Path | BinaryIO) -> Iterator[Text] | Iterator[np.ndarray]:
    """Yield the documents of one file in order, with one row group in memory."""
    # It is open as long as one of its long texts is in use.
    source = open_file(file)
    texts = source.schema_arrow.names == ["text"]
    for group, lengths in row_groups(source):
        if lengths:
            yield LongText(source, group, lengths, 0, sum(lengths))
        elif texts:
            yield from read_texts(source, group)
        else:
            yield from (ids.values.to_numpy() for ids in source.read_row_group(group).column(0))


def gather(pieces: Iterable[str], scratch: Path) -> Text:
    """Return the text that pieces are together; a long one lies in `scratch` as long as it is in use."""
    pieces, some, length = iter(pieces), [], 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length > rows.LENGTH:
            return spooled(chain(some, pieces), scratch)
    return "".join(some)


def spooled(pieces: Iterable[str], scratch: Path) -> LongText:
    """Return a text in a file without a name."""
    file = TemporaryFile(dir=scratch)  # noqa: SIM115 (it is open as long as the text)
    with DocumentWriter(file) as writer:
        writer.add_long(pieces)
    [text] = stream_file(file)
    return text


@dataclass
class Counts:
    """The size of a text, counted as its documents go by."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    words: int = 0
    """As white space separates them."""
    newlines: int = 0
    spaceless: int = 0
    """Characters of scripts that put no blanks between words."""

    def add(self, text: Text) -> None:
        """Count one more document."""
        self.documents += 1
        self.characters += len(text)
        self.bytes += utf8_size(text)
        self.words += count_words(text)
        self.newlines += count(text, "\n")
        self.spaceless += sum(map(count_spaceless, parts(text, ANYWHERE)))


def why_no_words(counts: dict[str, Any]) -> str | None:
    """Return why blanks do not separate the words of a text, so that no figure is given per word.

    Args:
        counts: of a split: `characters`, `words` and `spaceless`.

    Returns:
        a clause; None if blanks do, and for bare ids, which have no words either.
    """
    characters = counts["characters"]
    if not characters:
        return None
    if counts["spaceless"] > SPACELESS_SHARE * characters:
        share = counts["spaceless"] / characters
        return f"{share:.0%} of the characters are of scripts that put no blanks between words"
    if characters > LONG_WORD * max(1, counts["words"]):
        length = characters / max(1, counts["words"])
        return f"{length:,.0f} characters stand between two blanks on average, which is no word"
    return None


def parts(text: Text, border: Border = WHITE) -> Iterator[str]:
    """Yield a text in parts of PART characters, and as many more as the next match of `border` takes.

    So what is made of a long text, such as its words, need not be in memory at once. What stands between two
    matches and is longer than PART begins a part, and is itself cut after every PART characters.
    """
    if 0 < len(text) <= PART:  # as most are
        yield str(text)
        return
    held = ""
    for piece in chain(pieces_of(text), [""]):
        held += piece
        start, ahead = 0, 2 * PART + 2 if piece else 0
        while len(held) - start > ahead:
            stop = end_of_part(held, start, border)
            yield held[start:stop]
            start = stop
        held = held[start:]


def end_of_part(text: str, start: int, border: Border) -> int:
    """Return where the part that starts at a place ends; it depends on 2 · PART + 2 characters."""
    found = border.search(text, start + PART, start + 2 * PART + 1)
    end, behind = found.span() if found else (len(text), len(text))
    if end - PART <= start or border.search(text, end - PART - 1, start + PART):
        return behind
    # What stands there is longer than PART.
    begin = max((match.end() for match in border.finditer(text, start, start + PART)), default=start)
    return begin if begin > start else start + PART


def count_words(text: Text) -> int:
    """Return how many words a text has, as white space separates them."""
    words, inside = 0, False
    for part in parts(text):
        # One that is cut is counted where it begins.
        words += len(part.split()) - inside
        inside = not part[-1].isspace()
    return words


def utf8_parts(text: Text) -> Iterator[bytes]:
    """Yield a text in UTF-8, in parts."""
    return (part.encode() for part in parts(text, ANYWHERE))


def utf8_size(text: Text) -> int:
    """Return how many bytes a text has in UTF-8."""
    if isinstance(text, str) and text.isascii():
        return len(text)
    return sum(map(len, utf8_parts(text)))


def is_blank(text: Text) -> bool:
    """Return whether nothing of a text can be seen."""
    return all(map(BLANK.fullmatch, pieces_of(text)))


def batches(documents: Iterable[Text], length: int) -> Iterator[list[Text]]:
    """Yield runs of whole documents, each run as short as it can be with at least `length` characters."""
    batch, size = [], 0
    for text in documents:
        batch.append(text)
        size += len(text)
        if size >= length:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def first_characters(documents: Iterable[Text], characters: int) -> Iterator[str]:
    """Yield documents from the first on until they have so many characters together; the last one is cut."""
    for text in documents:
        yield str(text[:characters])
        characters -= len(text)
        if characters <= 0:
            return
