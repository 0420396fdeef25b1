"""Documents on the disk: parquet files with one column, `text` or `ids`, and one row a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gptgrid.stage import UserError

ROWS = 4096
"""Documents in a row group: what is in memory at once."""
TEXT = pa.schema([("text", pa.string())])
IDS = pa.schema([("ids", pa.list_(pa.uint32()))])


def write_documents(path: Path, documents: Iterable[str] | Iterable[np.ndarray]) -> None:
    """Write documents, texts or arrays of token ids; the same ones give the same bytes."""
    rest = iter(documents)
    first = next(rest)
    schema = TEXT if isinstance(first, str) else IDS
    documents = chain([first], rest)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := list(islice(documents, ROWS)):
            writer.write_table(pa.table([pa.array(rows, schema.types[0])], schema=schema))


def read_documents(folder: Path, split: str) -> Iterator[str] | Iterator[np.ndarray]:
    """Yield the documents of a split in order: texts, or arrays of ids (uint32).

    Raises:
        UserError: the folder has no such split.
    """
    files = sorted(folder.glob(f"{split}-*.parquet"))
    if not files:
        raise UserError(f"{folder} has no {split}-*.parquet: it is not a finished corpus; run snakemake")
    for path in files:
        file = pq.ParquetFile(path)
        texts = file.schema_arrow.names == ["text"]
        for batch in file.iter_batches(ROWS):
            column = batch.column(0)
            if texts:
                yield from column.to_pylist()
            else:
                yield from (row.values.to_numpy() for row in column)
