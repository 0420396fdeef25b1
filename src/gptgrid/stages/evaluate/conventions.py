"""From what each token is predicted: the conventions under which a cell is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gptgrid.model.score import WHOLE, default_stride
from gptgrid.tokens.document_table import ScoredText

OVERLAPPING = (
    "Windows of {context} tokens start every {stride} tokens, and each scores what no earlier one has "
    "scored: every token but the first once, from at least {least} tokens where so many stand before it"
)
DISJOINT = (
    "Windows of {context} tokens stand side by side: every token but the first is scored once, from the "
    "tokens before it in its own window"
)
WITHIN = (
    " in its document. Each document has its own windows, which begin at its end-of-text token; its last "
    "target is that of the next document."
)
DEFINITIONS = {
    "sliding": f"{OVERLAPPING}. They run through the text, across documents.",
    "disjoint": f"{DISJOINT}. They run through the text, across documents.",
    "document": OVERLAPPING + WITHIN,
    "document_disjoint": DISJOINT + WITHIN,
}
"""Convention → what evaluation.json says of it."""


@dataclass(frozen=True)
class Convention:
    """From what each token is predicted."""

    name: str
    context: int
    """Inputs of a window."""
    stride: int
    """Tokens between the starts of windows."""

    @property
    def by_document(self) -> bool:
        """Say whether no token sees another document than its own."""
        return self.name.startswith("document")

    def starts(self, text: ScoredText) -> np.ndarray:
        """Return where the parts of a text begin that do not see each other: (parts,) int64."""
        return text.documents.starts if self.by_document else WHOLE

    def describe(self) -> dict[str, Any]:
        """Return what evaluation.json says of it."""
        least = self.context - self.stride + 1
        definition = DEFINITIONS[self.name].format(context=self.context, stride=self.stride, least=least)
        return {"definition": definition, "context": self.context, "stride": self.stride}


def conventions_of(recipe: dict[str, Any], stride: int | None) -> list[Convention]:
    """Return the conventions for a cell, the headline first: what it sees is what it saw in training.

    Args:
        recipe: config.json of the cell.
        stride: of overlapping windows; None for the default.
    """
    context = recipe["model"]["context"]
    return [overlapping(recipe, context, stride), disjoint(recipe, context)]


def overlapping(recipe: dict[str, Any], context: int, stride: int | None) -> Convention:
    """Return the headline convention of a cell for a context; a stride is at most that."""
    name = "document" if reads_documents(recipe) else "sliding"
    return Convention(name, context, min(stride or default_stride(context), context))


def disjoint(recipe: dict[str, Any], context: int) -> Convention:
    """Return the convention of a cell in which windows do not overlap."""
    return Convention("document_disjoint" if reads_documents(recipe) else "disjoint", context, context)


def reads_documents(recipe: dict[str, Any]) -> bool:
    """Say whether the training of a cell showed each document alone."""
    return recipe["training"]["windows"] == "document"
