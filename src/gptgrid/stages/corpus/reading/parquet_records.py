"""The texts of a column of a parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import seekable
from gptgrid.stages.corpus.reading.fields import missing_field, text_of

ROWS = 1024
"""Rows in memory at a time."""


def parquet_texts(stream: BinaryIO, name: str, field: str, scratch: Path | None) -> Iterator[str]:
    """Yield the texts of a parquet file; memory is that of a page and of ROWS rows."""
    # Loaded only where it is needed.
    import pyarrow as pa
    from pyarrow import parquet

    with seekable(stream, scratch) as source:
        try:
            file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=2**20)
            columns = [file.schema.column(i).path for i in range(len(file.schema))]
            if field not in columns:
                raise missing_field(field, columns, name)
            row = 0
            for batch in file.iter_batches(ROWS, columns=[field]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield text_of({batch.schema.names[0]: value}, field, f"{name}, row {row}")
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{name} is not a sound parquet file ({error}); fetch it again") from None
