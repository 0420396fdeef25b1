"""Documents on the disk: parquet files with one column, `text` or `ids`, and one row a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import regex

from gptgrid.artifact.errors import UserError
from gptgrid.text.writing_systems import count_spaceless

Document = str | np.ndarray
"""A text, or its token ids (uint32)."""

SPLITS = ("train", "valid", "test")
ROWS = 4096
"""Documents in a row group, unless they are long."""
LENGTH = 4 * 2**20
"""Characters (or ids) after which a row group ends: it is what is in memory at once."""
LONGEST = 2**29 - 2**23
"""Characters of the longest document: parquet counts the bytes of the texts in a row group in 31 bits."""
PART = 2**18
"""Characters of a long text that are looked at in one go."""
BLANK = regex.compile(r"[\s\x1a\p{Default_Ignorable_Code_Point}]*+")
"""White space, the mark at which files of DOS end, and characters of no width."""
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


class RowWriter:
    """A parquet file of one column that rows are added to, one by one; the same ones give the same bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Open a file."""
        self.schema = schema
        # Of a dictionary, or of the least and the greatest text, the library would keep copies in memory.
        self.file = pq.ParquetWriter(
            path, self.schema, compression="zstd", use_dictionary=False, write_statistics=False
        )
        self.rows: list[Any] = []
        self.length = 0

    def add_row(self, row: Any, length: int) -> None:
        """Add a row of some characters, or ids, behind the others.

        A full row group is written when the next row comes: by then nobody holds the texts of this one.
        """
        if len(self.rows) >= ROWS or self.length >= LENGTH:
            self.flush()
        self.rows.append(row)
        self.length += length

    def flush(self) -> None:
        """Write a row group of what was added since the last one."""
        self.file.write_table(pa.table([self.column()], schema=self.schema))
        self.rows, self.length = [], 0

    def column(self) -> pa.Array:
        """Return the rows as a column."""
        return pa.array(self.rows, self.schema.types[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rows and kind is None:
            self.flush()
        self.file.close()
        release_memory()


class DocumentWriter(RowWriter):
    """A parquet file of documents."""

    def __init__(self, path: Path, ids: bool = False) -> None:
        """Open a file for texts, or for arrays of token ids."""
        super().__init__(path, IDS if ids else TEXT)

    def add(self, document: Document) -> None:
        """Add a document behind the others.

        Raises:
            UserError: it is longer than a document can be.
        """
        if len(document) > LONGEST:
            raise UserError(
                f"one document has {len(document):,} characters, more than {LONGEST:,}; cut the text finer "
                "(`document: blank-line`, `line`, or a delimiter)"
            )
        self.add_row(document.encode() if isinstance(document, str) else document, len(document))

    def column(self) -> pa.Array:
        return super().column() if self.schema is IDS else text_column(self.rows)


def text_column(texts: list[bytes]) -> pa.Array:
    """Return texts in UTF-8 as a column; `pa.array` would hold a long one twice."""
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def write_documents(path: Path, documents: Iterable[str]) -> None:
    """Write a file of texts."""
    with DocumentWriter(path) as writer:
        for text in documents:
            writer.add(text)


def read_documents(folder: Path, split: str) -> Iterator[str] | Iterator[np.ndarray]:
    """Yield the documents of a split in order: texts, or arrays of ids (uint32).

    Raises:
        UserError: the folder has no such split.
    """
    files = sorted(folder.glob(f"{split}-*.parquet"))
    if not files:
        raise UserError(f"{folder} has no {split}-*.parquet: it is not a finished corpus; run snakemake")
    for path in files:
        yield from read_file(path)


def read_file(path: Path) -> Iterator[str] | Iterator[np.ndarray]:
    """Yield the documents of one file in order, with one row group in memory."""
    with open_file(path) as file:
        texts = file.schema_arrow.names == ["text"]
        for group in range(file.num_row_groups):
            if texts:
                yield from read_texts(file, group)
            else:
                yield from (row.values.to_numpy() for row in file.read_row_group(group).column(0))


def open_file(path: Path) -> pq.ParquetFile:
    """Open a file of documents; of a row group that was read, its packed form does not stay in memory."""
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20)


def read_texts(file: pq.ParquetFile, group: int) -> list[str]:
    """Return the texts of a row group; of what the library needed to unpack them, nothing stays in memory."""
    column = file.read_row_group(group, use_threads=False).column(0)
    release_memory()
    texts = column.to_pylist()
    del column
    release_memory()
    return texts


def release_memory() -> None:
    """Give back what the library keeps for its next buffers: those of a long document are long."""
    pa.default_memory_pool().release_unused()


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

    def add(self, text: str) -> None:
        """Count one more document."""
        self.documents += 1
        self.characters += len(text)
        self.bytes += utf8_size(text)
        self.words += sum(len(part.split()) for part in parts(text))
        self.newlines += text.count("\n")
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


def parts(text: str, border: re.Pattern[str] = WHITE) -> Iterator[str]:
    """Yield a text in parts of PART characters, and as many more as the next match of `border` takes.

    So what is made of a long text, such as its words, need not be in memory at once.
    """
    start = 0
    while start < len(text):
        found = border.search(text, start + PART)
        stop = found.end() if found else len(text)
        yield text[start:stop] if stop - start < len(text) else text
        start = stop


def utf8_parts(text: str) -> Iterator[bytes]:
    """Yield a text in UTF-8, in parts."""
    return (part.encode() for part in parts(text, ANYWHERE))


def utf8_size(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else sum(map(len, utf8_parts(text)))


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen."""
    return BLANK.fullmatch(text) is not None


def batches(documents: Iterable[str], length: int) -> Iterator[list[str]]:
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


def first_characters(documents: Iterable[str], characters: int) -> Iterator[str]:
    """Yield documents from the first on until they have so many characters together; the last one is cut."""
    for text in documents:
        yield text[:characters]
        characters -= len(text)
        if characters <= 0:
            return
