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


@dataclass
class Scores:
    """All groups of a text on the documents of one split."""

    folder: Path
    """Where the documents were read first."""
    numbers: np.ndarray
    """Of the documents in the split: (documents,)."""
    size: np.ndarray
    """Bytes of the documents, or scored tokens of bare ids: (documents,)."""
    in_bytes: bool
    groups: dict[str, Group]
    """Name → what it takes, in grid order."""
    guessing: dict[str, np.ndarray]
    """Name → the nats that guessing its tokens by their frequency takes on each document, (documents,), where
    references were made."""

    @property
    def unit(self) -> float:
        """What a nat per unit of the text is in the tables: bits per byte, or nats per token of bare ids."""
        return 1 / np.log(2) if self.in_bytes else 1.0


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
    shards = {cell.cell: cell.shards for cell in inputs.job.config.cells}
    for (text, group), members in cells.groupby(["text", "group"], sort=False):
        finished = members[(members["status"] != FAILED) & members["val_loss"].notna()]
        folders = [inputs.job.inputs[f"evaluate:{cell}"] for cell in finished["cell"]]
        there = [scores_path(folder).exists() for folder in folders]
        if (members["status"] == DIVERGED).any() or not there or not all(there):
            continue
        for split in ("valid", "test"):
            of_text = found.setdefault(text, {})
            read = [
                read_cell(*cell, split, of_text) for cell in zip(folders, finished["convention"], strict=True)
            ]
            of_text[split].groups[group] = summarize_group(np.stack(read), of_text[split].size)
            first = finished.iloc[0]
            references = inputs.job.inputs.get(f"references:{shards[first['cell']]}")
            guessed = read_guessing(references, split, of_text[split].numbers, first["vocab_size"])
            if guessed is not None:
                of_text[split].guessing[group] = guessed
    return found


def read_cell(folder: Path, convention: str, split: str, of_text: dict[str, Scores]) -> np.ndarray:
    """Return the nats of a cell on each document of a split: (documents,) float64.

    Args:
        folder: of its evaluation.
        convention: that its figures are of.
        split: valid or test.
        of_text: split → what was read of the text before; the first cell begins it.
    """
    column = nats_column(convention)
    table = read_document_scores(folder, split, ("document", "tokens", "bytes", column))
    if split not in of_text:
        in_bytes = bool(np.isfinite(table["bytes"]).all())
        size = table["bytes" if in_bytes else "tokens"].astype(float)
        of_text[split] = Scores(folder, table["document"], size, in_bytes, {}, {})
    first = of_text[split]
    if not np.array_equal(first.numbers, table["document"]):
        raise UserError(
            f"{scores_path(folder)} and {scores_path(first.folder)} are of different documents of the "
            f"{split} split, though their evaluations say otherwise; delete both and run snakemake again"
        )
    return table[column]


def read_guessing(folder: Path | None, split: str, numbers: np.ndarray, vocab_size: int) -> np.ndarray | None:
    """Return the nats that guessing tokens by their frequency takes on each document: (documents,).

    Where finding all tokens equally likely takes less, it is that.

    Args:
        folder: of the references over the tokens; None where none were made.
        split: valid or test.
        numbers: of the documents that cells were scored on: (documents,).
        vocab_size: of the tokenizer.

    Returns:
        None where that is not known of these documents.
    """
    if folder is None or not scores_path(folder).exists():
        return None
    table = read_document_scores(folder, split, ("document", "tokens", UNIGRAM))
    if not np.array_equal(table["document"], numbers):
        return None
    alike = table["tokens"] * np.log(vocab_size)
    return min(table[UNIGRAM], alike, key=np.sum)
