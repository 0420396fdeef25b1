"""What is known of a split once it is scored: figures under each convention, nats by document."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.model.score import Scores, score
from gptgrid.stages.evaluate.audit import check_scores
from gptgrid.stages.evaluate.conventions import Convention
from gptgrid.stages.evaluate.texts import about, figures_of, size_columns
from gptgrid.tokens.document_scores import by_document, nats_column
from gptgrid.tokens.document_table import ScoredText


class ScoredSplit:
    """A split under one convention after the other, the headline first."""

    def __init__(self, name: str, text: ScoredText, diverged: bool) -> None:
        """Begin with no convention.

        Args:
            name: valid or test.
            text: what is scored.
            diverged: whether the training did, so that there may be no figures.
        """
        self.name, self.text, self.diverged = name, text, diverged
        self.definitions: dict[str, dict[str, Any]] = {}
        self.found: dict[str, dict[str, float | None]] = {}
        self.columns: dict[str, np.ndarray | None] = {}

    def add(self, module: nn.Module, convention: Convention) -> Scores:
        """Score the split under a convention, which evaluation.json and documents.parquet then have."""
        scores, nats, measured = self.score(module, convention)
        self.definitions[convention.name] = convention.describe()
        self.found[convention.name] = measured
        self.columns[nats_column(convention.name)] = nats
        return scores

    def score(
        self, module: nn.Module, convention: Convention
    ) -> tuple[Scores, np.ndarray | None, dict[str, float | None]]:
        """Return the scores of all tokens, the nats of each document (documents,), and the figures.

        The nats of the whole are the exact sum of those of the documents.

        Raises:
            UserError: the audit finds another count, or the loss of a training that did not diverge is not
                finite.
        """
        text = self.text
        scores = score(
            module, text.tokens, convention.context, convention.stride, starts=convention.starts(text)
        )
        check_scores(scores, text, convention, self.name)
        nats = self.finite(by_document(scores.nats, text.documents.starts))
        total = None if nats is None else math.fsum(nats)
        return scores, nats, figures_of(text, self.name, total, int(scores.right.sum()))

    def finite(self, nats: np.ndarray) -> np.ndarray | None:
        """Return nats; None where a training that diverged left weights without probabilities.

        Raises:
            UserError: their sum is not finite, and the training did not diverge.
        """
        loss = float(nats.sum())
        if math.isfinite(loss):
            return nats
        if self.diverged:
            return None
        raise UserError(
            f"the {self.name} loss is {loss}: the weights give no probabilities; lower training.lr and train "
            "again"
        )

    @property
    def headline(self) -> str:
        """The name of the convention that figures are of where none is named."""
        return next(iter(self.found))

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures of the headline convention."""
        return self.found[self.headline]

    def describe(self) -> dict[str, Any]:
        """Return what evaluation.json says: the headline figures, the text, each convention."""
        conventions = {name: {**self.definitions[name], **found} for name, found in self.found.items()}
        return {**self.figures, **about(self.text), "convention": self.headline, **conventions}

    def by_document(self) -> dict[str, np.ndarray | None]:
        """Return the columns of documents.parquet."""
        return {**size_columns(self.text), **self.columns}
