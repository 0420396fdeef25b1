"""Rows on the disk: parquet files of one column, written and read with one row group in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 4096
"""Rows in a row group, unless they are long."""
LENGTH = 4 * 2**20
"""Characters (or ids) after which a row group ends: it is what is in memory at once."""
ROW_LENGTH = 2**20
"""Characters of each row of a text that is longer than LENGTH."""
LONGEST = 2**29 - 2**23
"""Characters (or ids) of the longest row: parquet counts the bytes of a row group in 31 bits."""
LONG = b"gptgrid.long_documents"
"""Of the key-value metadata of a file: which of its rows are one document together."""


class RowWriter:
    """A parquet file of one column that rows are added to, one by one; the same ones give the same bytes."""

    def __init__(self, file: Path | BinaryIO, schema: pa.Schema) -> None:
        """Open a file."""
        self.schema = schema
        # Of a dictionary, or of the least and the greatest text, the library would keep copies in memory.
        self.file = pq.ParquetWriter(
            file, self.schema, compression="zstd", use_dictionary=False, write_statistics=False
        )
        self.rows: list[Any] = []
        self.length = 0
        self.written = 0
        """Rows that are in the file."""

    def add_row(self, row: Any, length: int) -> None:
        """Add a row of some characters, or ids, behind the others.

        A full row group is written when the next row comes: by then nobody holds the texts of this one.
        """
        if len(self.rows) >= ROWS or self.length >= LENGTH:
            self.flush()
        self.rows.append(row)
        self.length += length

    def flush(self) -> None:
        """Write a row group of what was added since the last one, if anything was."""
        if self.rows:
            self.file.write_table(pa.table([self.column()], schema=self.schema))
            self.written += len(self.rows)
            self.rows, self.length = [], 0

    def column(self) -> pa.Array:
        """Return the rows as a column."""
        return pa.array(self.rows, self.schema.types[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        self.file.close()
        release_memory()


def text_column(texts: list[bytes]) -> pa.Array:
    """Return texts in UTF-8 as a column; `pa.array` would hold a long one twice."""
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def open_file(file: Path | BinaryIO) -> pq.ParquetFile:
    """Open a file of rows; of a row group that was read, its packed form does not stay in memory."""
    return pq.ParquetFile(file, pre_buffer=False, buffer_size=2**20)


def read_texts(file: pq.ParquetFile, group: int) -> list[str]:
    """Return the texts of a row group; of what the library needed to unpack them, nothing stays in memory."""
    column = file.read_row_group(group, use_threads=False).column(0)
    release_memory()
    texts = column.to_pylist()
    del column
    release_memory()
    return texts


def release_memory() -> None:
    """Give back what the library keeps for its next buffers: those of a long text are long."""
    pa.default_memory_pool().release_unused()


def long_documents(file: pq.ParquetFile) -> dict[int, list[int]]:
    """Return first row of each long document → characters of its rows, each of which is a row group."""
    found = json.loads((file.metadata.metadata or {}).get(LONG, "{}"))
    return {int(row): lengths for row, lengths in found.items()}


def row_groups(file: pq.ParquetFile) -> Iterator[tuple[int, list[int]]]:
    """Yield each row group, and nothing; of those of a long document the first, and characters of all."""
    long, group, row = long_documents(file), 0, 0
    while group < file.num_row_groups:
        lengths = long.get(row, [])
        yield group, lengths
        row += len(lengths) or file.metadata.row_group(group).num_rows
        group += len(lengths) or 1
