"""The texts of a column of a parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import seekable
from gptgrid.stages.corpus.reading.fields import MissingFieldError, text_of

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData

ROWS, SIZE = 1024, 2**24
"""Rows in memory at a time, and their bytes where rows are large."""


def parquet_texts(stream: BinaryIO, name: str, field: str, scratch: Path | None) -> Iterator[str]:
    """Yield the texts of a parquet file; memory is that of a page and of some rows."""
    # Loaded only where it is needed.
    import pyarrow as pa
    from pyarrow import parquet

    with seekable(stream, scratch) as source:
        try:
            file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=2**20)
            columns = [file.schema.column(i).path for i in range(len(file.schema))]
            if field not in columns:
                raise MissingFieldError(field, columns, name)
            if columns.count(field) > 1:
                raise UserError(f"{name} has the field {field!r} twice; rename the one that is not meant")
            row, rows = 0, rows_at_a_time(file.metadata, columns.index(field))
            for batch in file.iter_batches(rows, columns=[field]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield text_of({batch.schema.names[0]: value}, field, f"{name}, row {row}")
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{name} is not a sound parquet file ({error}); fetch it again") from None


def rows_at_a_time(metadata: FileMetaData, column: int) -> int:
    """Return how many rows of a column may be in memory."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    size = sum(group.column(column).total_uncompressed_size for group in groups)
    return max(1, min(ROWS, SIZE * metadata.num_rows // max(1, size)))
