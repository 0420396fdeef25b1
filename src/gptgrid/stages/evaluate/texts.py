"""What is said of a scored text, whatever predicted it: its figures, and the size of each document."""

from __future__ import annotations

from typing import Any

import numpy as np

from gptgrid.metrics import figures
from gptgrid.text.documents import why_no_words
from gptgrid.tokens.document_scores import COUNTS, targets_by_document
from gptgrid.tokens.document_table import ScoredText

LOSSES = {"valid": "val_loss", "test": "test_loss"}
"""Split → what its loss per token is called."""


def figures_of(text: ScoredText, split: str, nats: float | None, right: int | None = None) -> dict[str, Any]:
    """Return nats and figures of a text.

    Args:
        text: what was scored.
        split: valid or test.
        nats: sum over all of it; None where it is not finite.
        right: tokens that were the likeliest ones; None where nobody counted.
    """
    totals = text.totals
    if why_no_words(totals):
        totals |= {"words": None, "newlines": None}
    sizes = (totals[name] for name in ("bytes", "words", "newlines", "characters"))
    measured = figures(nats, len(text.tokens) - 1, *sizes, right)
    return {"nats": nats, LOSSES[split]: measured.pop("test_loss"), **measured}


def about(text: ScoredText) -> dict[str, Any]:
    """Return what was scored, and why there is no word perplexity; None where there is."""
    return {
        "word_perplexity_reason": why_no_words(text.totals),
        "scored_tokens": len(text.tokens) - 1,
        **text.describe(),
    }


def size_columns(text: ScoredText) -> dict[str, np.ndarray | None]:
    """Return the columns of documents.parquet that say which document it is, and how large."""
    tokens = targets_by_document(text.documents.starts, len(text.tokens) - 1)
    counts = text.documents.counts | {"document": text.numbers, "tokens": tokens}
    return {name: counts[name] for name in COUNTS}
