"""What groups take on each document of a text: what differences are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gptgrid.artifact.errors import UserError
from gptgrid.stages.compare.cells import DIVERGED, FAILED
from gptgrid.stages.compare.contrasts import Group, summarize_group
from gptgrid.stages.compare.facts import Inputs
from gptgrid.tokens.document_scores import nats_column, read_document_scores, scores_path

UNIGRAM = nats_column("unigram")
Table = dict[str, np.ndarray]
"""Column → one value a document."""


@dataclass
class Scores:
    """All groups of a text on the documents of one split."""

    folder: Path
    """Where the documents were read first."""
    numbers: np.ndarray
    """Of the documents in the split: (documents,)."""
    size: np.ndarray
    """Bytes of the documents, or scored tokens of bare ids: (documents,)."""
    unit: float
    """What a nat per unit of the size is in the tables: bits per byte, or nats per token of bare ids."""
    groups: dict[str, Group]
    """Name → what it takes, in grid order."""
    guessing: dict[str, np.ndarray]
    """Name → the nats that guessing its tokens by their frequency takes on each document, (documents,), where
    references were made."""


def read_scores(inputs: Inputs, cells: pd.DataFrame) -> dict[str, dict[str, Scores]]:
    """Return text → split → what its groups take.

    A group is left out if one of its cells diverged, as it has no figures, or was evaluated by an older
    source, which has nothing by document. Failed cells are left out of their group.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.

    Raises:
        UserError: documents.parquet is damaged, or not of the same documents as others.
    """
    found: dict[str, dict[str, Scores]] = {}
    guessed: dict[str, dict[str, Table]] = {}
    shards = {cell.cell: cell.shards for cell in inputs.job.config.cells}
    for (text, group), members in cells.groupby(["text", "group"], sort=False):
        finished = members[(members["status"] != FAILED) & members["val_loss"].notna()]
        folders = [inputs.job.inputs[f"evaluate:{cell}"] for cell in finished["cell"]]
        there = [scores_path(folder).exists() for folder in folders]
        if (members["status"] == DIVERGED).any() or not there or not all(there):
            continue
        read = [read_cell(*cell) for cell in zip(folders, finished["convention"], strict=True)]
        first = finished.iloc[0]
        source = shards[first["cell"]]
        if source not in guessed:
            guessed[source] = read_guessing(inputs.job.inputs.get(f"references:{source}"))
        of_text = found.setdefault(text, {})
        add_group(of_text, group, folders, read)
        for split, scores in of_text.items():
            taken = guessing_on(scores, guessed[source].get(split), first["vocab_size"])
            if taken is not None:
                scores.guessing[group] = taken
    return found


def add_group(
    scores: dict[str, Scores], group: str, folders: list[Path], read: list[dict[str, Table]]
) -> None:
    """Add what a group takes on a text.

    Args:
        scores: split → what groups take on it; empty before the first.
        group: its name.
        folders: of the evaluations of its cells.
        read: split → what each of them takes on each document: see `read_cell`.

    Raises:
        UserError: a cell was scored on other documents.
    """
    for split in ("valid", "test"):
        of_split = scores.setdefault(split, begin_scores(folders[0], read[0][split]))
        nats = [
            nats_on(of_split, split, folder, table[split])
            for folder, table in zip(folders, read, strict=True)
        ]
        of_split.groups[group] = summarize_group(np.stack(nats), of_split.size)


def read_cell(folder: Path, convention: str) -> dict[str, Table]:
    """Return split → what a cell takes on each document, `nats`, and which and how large these are.

    Args:
        folder: of its evaluation.
        convention: that its figures are of.
    """
    column = nats_column(convention)
    tables = read_document_scores(folder, ("document", "tokens", "bytes", column))
    return {split: {**table, "nats": table[column]} for split, table in tables.items()}


def begin_scores(folder: Path, table: Table) -> Scores:
    """Return the documents of a split without any group.

    Args:
        folder: where they were read.
        table: see `read_cell`.
    """
    in_bytes = bool(np.isfinite(table["bytes"]).all())
    size = table["bytes" if in_bytes else "tokens"].astype(float)
    unit = 1 / np.log(2) if in_bytes else 1.0
    return Scores(folder, table["document"], size, unit, {}, {})


def nats_on(scores: Scores, split: str, folder: Path, table: Table) -> np.ndarray:
    """Return the nats of a cell on the documents of a split: (documents,) float64.

    Args:
        scores: the documents.
        split: valid or test.
        folder: of the cell's evaluation.
        table: see `read_cell`.

    Raises:
        UserError: they are of other documents.
    """
    if not np.array_equal(scores.numbers, table["document"]):
        raise UserError(
            f"{scores_path(folder)} and {scores_path(scores.folder)} are of different documents of the "
            f"{split} split, though their evaluations say otherwise; delete both and run snakemake again"
        )
    return table["nats"]


def read_guessing(folder: Path | None) -> dict[str, Table]:
    """Return split → the nats that guessing tokens by their frequency takes on each document.

    Args:
        folder: of the references over the tokens; None where none were made: then nothing is known.
    """
    if folder is None or not scores_path(folder).exists():
        return {}
    return read_document_scores(folder, ("document", "tokens", UNIGRAM))


def guessing_on(scores: Scores, table: Table | None, vocab_size: int) -> np.ndarray | None:
    """Return the nats that guessing takes on the documents of a split: (documents,).

    Where finding all tokens equally likely takes less, it is that.

    Args:
        scores: the documents.
        table: see `read_guessing`; None where that is not known.
        vocab_size: of the tokenizer.

    Returns:
        None where it is not known of these documents.
    """
    if table is None or not np.array_equal(table["document"], scores.numbers):
        return None
    return min(table[UNIGRAM], table["tokens"] * np.log(vocab_size), key=np.sum)
