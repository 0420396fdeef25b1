"""The texts of a column of a parquet file, or all of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import seekable
from gptgrid.stages.corpus.reading.fields import TWICE, MissingFieldError, text_of
from gptgrid.text.rows import long_documents

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData, ParquetFile

ROWS, SIZE = 1024, 2**24
"""Rows in memory at a time, and their bytes where rows are large."""


def parquet_texts(stream: BinaryIO, name: str, field: str, scratch: Path | None) -> Iterator[str]:
    """Yield the texts of a parquet file; memory is that of a page and of some rows.

    The rows of a long document in a corpus of this program are one text.
    """
    with opened(stream, name, scratch) as file:
        texts, long = row_texts(file, name, field), long_documents(file)
        row = 0
        for text in texts:
            others = long.get(row, [0])[1:]
            yield "".join([text, *islice(texts, len(others))])
            row += 1 + len(others)


def row_texts(file: ParquetFile, name: str, field: str) -> Iterator[str]:
    """Yield the text of each row."""
    check_column(list(leaves(file.schema_arrow)), field, name)
    columns = [file.schema.column(i).path for i in range(len(file.schema))]
    row, rows = 0, rows_at_a_time(file.metadata, [columns.index(field)])
    for batch in file.iter_batches(rows, columns=[field]):
        for value in values(batch.column(0), row, field, name):
            row += 1
            yield text_of({batch.schema.names[0]: value}, field, f"{name}, row {row}")


def parquet_values(stream: BinaryIO, name: str, scratch: Path | None) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each row of a parquet file as column → value, and where it stands."""
    with opened(stream, name, scratch) as file:
        names = file.schema_arrow.names
        row, rows = 0, rows_at_a_time(file.metadata, range(file.metadata.num_columns))
        for batch in file.iter_batches(rows):
            pairs = zip(batch.columns, names, strict=True)
            columns = [values(column, row, field, name) for column, field in pairs]
            for found in zip(*columns, strict=True):
                row += 1
                record = dict(zip(names, found, strict=True))
                record |= {field: TWICE for field in record if names.count(field) > 1}
                yield record, f"{name}, row {row}"


@contextmanager
def opened(stream: BinaryIO, name: str, scratch: Path | None) -> Iterator[ParquetFile]:
    """Open a parquet file.

    Raises:
        UserError: it is none, or is damaged, also where that is seen only while it is read.
    """
    # Loaded only where it is needed.
    import pyarrow as pa
    from pyarrow import parquet

    with seekable(stream, scratch) as source:
        try:
            yield parquet.ParquetFile(source, pre_buffer=False, buffer_size=2**20)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # in names
            raise UserError(f"{name} is not a sound parquet file ({error}); fetch it again") from None


def leaves(fields: Iterable[pa.Field], above: str = "") -> Iterator[tuple[str, pa.DataType]]:
    """Yield the name of each field that has none in it (`a.b` of a field in a field), and what it holds."""
    from pyarrow import types

    for field in fields:
        if types.is_struct(field.type):
            yield from leaves(field.type, f"{above}{field.name}.")
        else:
            yield above + field.name, field.type


def check_column(fields: list[tuple[str, pa.DataType]], field: str, name: str) -> None:
    """Check that a file has one field of a name, and that it holds texts.

    Raises:
        UserError: it does not.
    """
    from pyarrow import types

    found = [kind for path, kind in fields if path == field]
    if not found:
        raise MissingFieldError(field, [path for path, _ in fields], name)
    if len(found) > 1:
        raise UserError(f"{name} has the field {field!r} twice; rename the one that is not meant")
    kind = found[0].value_type if types.is_dictionary(found[0]) else found[0]
    if types.is_nested(kind):
        raise UserError(
            f"{name}: the field {field!r} is a list in each row ({kind}), not a text; write a file with a "
            "row for each text (`explode` of pandas), or choose another `field`"
        )
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    if not any(is_text(kind) for is_text in texts):
        raise UserError(f"{name}: the field {field!r} holds {kind}, not texts; choose another `field`")


def values(column: pa.Array, before: int, field: str, name: str) -> list[Any]:
    """Return what rows hold.

    Args:
        column: of the rows.
        before: rows in front of them.
        field: the name of the column.
        name: what to call the file.

    Raises:
        UserError: a text is not UTF-8, as all of parquet must be.
    """
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        for row, value in enumerate(column, before + 1):
            try:
                value.as_py()
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{name}, row {row}: the field {field!r} is not UTF-8, as texts in parquet are: byte "
                    f"{error.object[error.start]:#04x} at offset {error.start} of it; write the file again, "
                    "with texts that were read in their encoding (`encoding` and `errors` have no effect on "
                    "parquet)"
                ) from None
        raise


def rows_at_a_time(metadata: FileMetaData, columns: Iterable[int]) -> int:
    """Return how many rows of some columns may be in memory."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    size = sum(group.column(column).total_uncompressed_size for column in columns for group in groups)
    return max(1, min(ROWS, SIZE * metadata.num_rows // max(1, size)))
