"""What each document of a scored split costs: `documents.parquet` beside evaluation.json.

A figure of the whole split is the exact sum of its documents (`math.fsum`), so that both can be compared to
the bit, and two models document by document.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gptgrid.artifact.errors import UserError

COUNTS = ("document", "tokens", "bytes", "characters", "words", "newlines")
"""Columns of whole numbers: the document's number in its split, the tokens that are scored for it, and the
size of its text; null for bare ids."""


def nats_column(convention: str) -> str:
    """Return the name of the column that holds a convention's nats: float64."""
    return f"nats_{convention}"


def scores_path(folder: Path) -> Path:
    """Return where the table lies in the folder of an evaluation."""
    return folder / "documents.parquet"


def targets_by_document(starts: np.ndarray, targets: int) -> np.ndarray:
    """Return how many scored tokens each document has: (documents,) int64.

    They are the tokens after its end-of-text token, and the end-of-text token of the next document, which is
    its end. The last document has one fewer, so perhaps none.

    Args:
        starts: where each document begins in the tokens: (documents,) int64, 0 first, never falling.
        targets: scored tokens, all but the first.
    """
    return np.diff(np.minimum(np.append(starts, targets), targets))


def by_document(nats: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the summed nats of each document: (documents,) float64.

    Args:
        nats: (tokens - 1,) float64, of every token but the first.
        starts: see `targets_by_document`.
    """
    numbers = np.repeat(np.arange(len(starts)), targets_by_document(starts, len(nats)))
    return np.bincount(numbers, nats, len(starts))


def write_document_scores(folder: Path, splits: dict[str, dict[str, Sequence | np.ndarray | None]]) -> None:
    """Write the table; the same scores give the same bytes.

    Args:
        folder: of the evaluation.
        splits: split → column → one value a document: `COUNTS`, then each `nats_column`; None for a column
            without values.
    """
    tables = []
    for split, columns in splits.items():
        length = len(columns["document"])
        arrays = {"split": pa.array([split] * length, pa.string())}
        for name, values in columns.items():
            kind = pa.int64() if name in COUNTS else pa.float64()
            arrays[name] = pa.nulls(length, kind) if values is None else pa.array(values, kind)
        tables.append(pa.table(arrays))
    pq.write_table(pa.concat_tables(tables), scores_path(folder), compression="zstd")


def read_document_scores(folder: Path, columns: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Return split → columns in the order of its documents; a column of nulls has NaN.

    Args:
        folder: of the evaluation.
        columns: names of `COUNTS` and `nats_column`.

    Raises:
        UserError: the table is missing, damaged, or lacks a column.
    """
    path = scores_path(folder)
    try:
        # Threads, and what `read_table` can besides, take longer than the few rows.
        with pq.ParquetFile(path) as file:
            table = file.read(columns=["split", *columns], use_threads=False)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: an older source made this evaluation; run snakemake, which makes it again"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} is damaged ({error}); delete the folder and run snakemake again") from None
    if missing := [name for name in columns if name not in table.column_names]:
        raise UserError(f"{path} has no column {', '.join(missing)}; run snakemake, which makes it again")
    of_split = table["split"].to_numpy(zero_copy_only=False)
    values = {name: table[name].to_numpy(zero_copy_only=False) for name in columns}
    return {
        split: {name: column[of_split == split] for name, column in values.items()}
        for split in dict.fromkeys(of_split)
    }
