"""Can a model be told from one that has learned nothing but the frequencies of tokens?

By document, against the reference `unigram`, where that was made; else by a rule of thumb on the mean loss.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from gptgrid.stages.compare.contrasts import Group, contrasts
from gptgrid.stages.compare.documents import Scores
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.selection import LEVEL, half_width

SPREAD = 2.0
"""Nats: the standard deviation, over tokens, of the difference of two models' losses. Guessing each token
from the one before it, against guessing by frequency alone, has 0.9 by characters and 1.3 to 2.1 by pieces of
words."""

GUESSING = "guessing (by frequency, or all tokens alike)"
"""What the lower of both losses is called."""


def resolution(tokens: int) -> float:
    """Return the difference in nats per token below which so many tokens cannot tell two models apart: twice
    the standard error of its mean."""
    return 2 * SPREAD / math.sqrt(tokens)


def guessing_columns(inputs: Inputs) -> dict[str, pd.Series]:
    """Return for each cell, in order, what guessing by frequency loses in its validation split, and how many
    tokens of that were scored: None where it is not known."""
    cells = inputs.job.config.cells
    columns = {
        "guessing": [guessing_of(inputs, cell.cell, "valid") for cell in cells],
        "val_tokens": [scored_tokens(inputs, cell.cell).get("valid") for cell in cells],
    }
    # As objects: integers beside a gap would become floats.
    return {name: pd.Series(values, dtype=object) for name, values in columns.items()}


def guessing_of(inputs: Inputs, cell: str, split: str) -> float | None:
    """Return the nats per token that guessing by frequency takes on what was scored of a split for a cell.

    None where it is not known.
    """
    return scored_texts(inputs, cell).get(split, {}).get("guessing")


def scored_tokens(inputs: Inputs, cell: str) -> dict[str, int]:
    """Return split → tokens of it that the evaluation of a cell scored; empty without one."""
    return {split: text["scored_tokens"] for split, text in scored_texts(inputs, cell).items()}


def scored_texts(inputs: Inputs, cell: str) -> dict[str, dict[str, Any]]:
    """Return split → what the evaluation of a cell says of what it scored; empty without one."""
    evaluation = inputs.evaluation(cell)
    # An older source scored the test split alone.
    splits = {"valid": evaluation.get("valid"), "test": evaluation}
    return {split: text for split, text in splits.items() if text}


def learned_by_document(scores: Scores) -> dict[str, bool]:
    """Return group → whether it takes less than guessing does, by more than other documents explain.

    Its weights are what they are: other seeds are no part of the question.

    Args:
        scores: what the groups of a text take on one split.

    Returns:
        only groups of which it is known by document, and of several documents.
    """
    known = {name: nats for name, nats in scores.guessing.items() if len(scores.size) > 1}
    if not known:
        return {}
    losses = [Group(scores.groups[name].nats - nats, np.zeros(1), 0.0) for name, nats in known.items()]
    found = contrasts(np.eye(len(losses)), losses, scores.size)
    highest = found.value + half_width(found.error, found.df, LEVEL)
    return {name: bool(high < 0) for name, high in zip(known, highest, strict=True)}


def has_learned(loss: float | None, guessing: float | None, tokens: int | None) -> bool:
    """Say whether a loss is lower than that of guessing, by more than chance would explain, as far as a mean
    tells.

    Args:
        loss: nats per token; None where there is none.
        guessing: nats per token; None where it is not known, as for an evaluation of an older source.
        tokens: that were scored.
    """
    if pd.isna(loss) or pd.isna(guessing):
        return pd.notna(loss)
    return loss < guessing - resolution(tokens)
