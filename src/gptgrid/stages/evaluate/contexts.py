"""The test split at other context lengths than that of the training, also beyond it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.model.load import with_context
from gptgrid.model.memory import check_inference
from gptgrid.model.score import rows_at_once
from gptgrid.stages.evaluate.conventions import Convention, overlapping
from gptgrid.stages.evaluate.splits import ScoredSplit
from gptgrid.tokens.document_table import ScoredText


def score_contexts(
    module: nn.Module, recipe: dict[str, Any], test: ScoredSplit, contexts: Iterable[int], stride: int | None
) -> list[dict[str, Any]]:
    """Return the figures of the headline convention at some context lengths.

    Args:
        module: the trained model.
        recipe: config.json of the cell.
        test: the split.
        contexts: tokens that a window shows; one that comes again is left out.
        stride: of the configuration, at most a context; None for half a context each.

    Returns:
        for each `context` and `stride`, the convention in words, its figures, and `reason`: why they are
        None, where the model has no such context, or the text is too short for it.

    Raises:
        UserError: there is too little memory for one.
    """
    found = []
    for context in dict.fromkeys(contexts):
        convention = overlapping(recipe, context, stride)
        reason = why_not(convention, recipe, test.text)
        figures: dict[str, float | None] = dict.fromkeys(test.figures)
        if reason is None:
            _, _, figures = test.score(fitted(module, recipe, context), convention)
        found.append({**convention.describe(), **figures, "reason": reason})
    return found


def why_not(convention: Convention, recipe: dict[str, Any], text: ScoredText) -> str | None:
    """Return why a text cannot be scored at a context length; None if it can."""
    context, trained = convention.context, recipe["model"]["context"]
    if not can_see(recipe["model"], context):
        return f"the model has learned {trained} positions, and no others"
    counts = text.documents.counts["tokens"]
    longest = int(counts.max()) if convention.by_document else len(text.tokens) - 1
    if context > longest:
        what = "the longest document" if convention.by_document else "the text"
        return f"{what} has {longest} tokens to predict from, so that no window is that long"
    return None


def can_see(model: dict[str, Any], context: int) -> bool:
    """Say whether a model, a resolved entry of `models`, has a place for so many tokens."""
    return context <= model["context"] or model["position"] != "learned"


def fitted(module: nn.Module, recipe: dict[str, Any], context: int) -> nn.Module:
    """Return the model for a context.

    Raises:
        UserError: there is too little memory for a longer one than it was trained with.
    """
    if context <= recipe["model"]["context"]:
        return module
    vocab_size, config = recipe["vocab_size"], {**recipe["model"], "context": context}
    device = next(module.parameters()).device
    try:
        check_inference(namespace(config), vocab_size, rows_at_once(vocab_size, context), device)
    except UserError as error:
        raise UserError(f"evaluation.contexts, {context}: {error}; or leave this one out") from None
    return with_context(module, context, recipe["eot"])
