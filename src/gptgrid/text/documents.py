"""Documents on the disk: parquet files with one column, `text` or `ids`, and one row a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gptgrid.artifact.errors import UserError

Document = str | np.ndarray
"""A text, or its token ids (uint32)."""

SPLITS = ("train", "valid", "test")
ROWS = 4096
"""Documents in a row group, unless they are long."""
LENGTH = 4 * 2**20
"""Characters (or ids) after which a row group ends: it is what is in memory at once."""
LONGEST = 2**29
"""Characters of the longest document: parquet counts the bytes of a text in 31 bits."""
TEXT = pa.schema([("text", pa.string())])
IDS = pa.schema([("ids", pa.list_(pa.uint32()))])


class DocumentWriter:
    """A parquet file that documents are added to, one by one; the same ones give the same bytes."""

    def __init__(self, path: Path, ids: bool = False) -> None:
        """Open a file for texts, or for arrays of token ids."""
        self.schema = IDS if ids else TEXT
        self.file = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.rows: list[Document] = []
        self.length = 0

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
        self.rows.append(document)
        self.length += len(document)
        if len(self.rows) >= ROWS or self.length >= LENGTH:
            self.flush()

    def flush(self) -> None:
        """Write a row group of what was added since the last one."""
        column = pa.array(self.rows, self.schema.types[0])
        self.file.write_table(pa.table([column], schema=self.schema))
        self.rows, self.length = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rows and kind is None:
            self.flush()
        self.file.close()


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
    with pq.ParquetFile(path) as file:
        texts = file.schema_arrow.names == ["text"]
        for group in range(file.num_row_groups):
            column = file.read_row_group(group).column(0)
            yield from column.to_pylist() if texts else (row.values.to_numpy() for row in column)


@dataclass
class Counts:
    """The size of a text, counted as its documents go by."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    words: int = 0
    newlines: int = 0

    def add(self, text: str) -> None:
        """Count one more document."""
        self.documents += 1
        self.characters += len(text)
        self.bytes += len(text) if text.isascii() else len(text.encode())
        self.words += len(text.split())
        self.newlines += text.count("\n")


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
    """Yield documents from the first on until they have so many characters together; whole ones."""
    return iter(next(batches(documents, characters), []))
