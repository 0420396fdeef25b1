"""Score the validation and the test split with a trained cell, each under two conventions: evaluation.json.

The headline figures are those of overlapping windows. Tables rank by the validation figures. Test figures
describe what was chosen by them; nothing here chooses. The windows are defined in gptgrid.model.score, the
figures in gptgrid.metrics.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS, figures
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import check_inference
from gptgrid.model.precision import EMBEDDING, HEAD, choose_precision, round_weights
from gptgrid.model.score import WHOLE, default_stride, rows_at_once, score
from gptgrid.stages.evaluate.questions import ask
from gptgrid.text.documents import why_no_words
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_table import ScoredText, open_scored_text
from gptgrid.tokens.frequencies import guessing, token_counts
from gptgrid.tokens.shards import Shards, open_shards

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
LOSSES = {"valid": "val_loss", "test": "test_loss"}
"""Split → what its loss per token is called."""


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

    def describe(self) -> dict[str, Any]:
        """Return what evaluation.json says of it."""
        least = self.context - self.stride + 1
        definition = DEFINITIONS[self.name].format(context=self.context, stride=self.stride, least=least)
        return {"definition": definition, "context": self.context, "stride": self.stride}


def evaluate(job: Job) -> dict[str, Any]:
    """Write evaluation.json; return the headline figures as facts.

    Raises:
        UserError: tokens and model do not go together, memory does not suffice, or the loss of a finished
            training is not finite.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    recipe = read_recipe(job.inputs["train"])
    context, vocab_size = recipe["model"]["context"], recipe["vocab_size"]
    texts = {split: open_text(job, split, vocab_size) for split in ("valid", "test")}
    check_inference(namespace(recipe["model"]), vocab_size, rows_at_once(vocab_size, context), device)
    module = load_model(job.inputs["train"], device, job.config.use)
    # No weight is updated: what would be autocast in training can as well be rounded once.
    precision = "fp32" if choose_precision(job.config.precision, device) == "fp32" else "bf16_weights"
    round_weights(module, precision, exact=(EMBEDDING, HEAD))
    diverged = job.manifest("train")["facts"]["status"] == "diverged"
    conventions = conventions_of(recipe, job.config.stride)
    start, results = time.perf_counter(), {}
    for split, text in texts.items():
        with job.timing(split):
            results[split] = score_text(module, text, conventions, split, diverged)
    seconds = time.perf_counter() - start
    counts = token_counts(open_shards(job.inputs["shards"], "train"), vocab_size)
    for split, text in texts.items():
        results[split]["guessing"] = guessing(counts, text.tokens)
    answers = None
    if (questions := job.inputs.get("corpus")) is not None:
        with job.timing("questions"):
            codec = read_codec(job.inputs["train"])
            answers = ask(module, codec, questions / "questions.jsonl", context)
    job.provenance["device"] = describe_device(device)
    job.provenance["precision"] = precision
    targets = sum(len(text.tokens) - 1 for text in texts.values())
    job.provenance["tokens_per_second"] = len(conventions) * targets / seconds
    return write(job, results, answers)


def open_text(job: Job, split: str, vocab_size: int) -> ScoredText:
    """Open what is scored of a split.

    Raises:
        UserError: it is not what its manifest says, has no two tokens, or the model cannot read it.
    """
    counts = job.manifest("shards")["facts"]["splits"][split]
    text = open_scored_text(job.inputs["shards"], split, counts, job.config.bytes, "evaluation.bytes")
    check_ids(text.tokens, split, vocab_size)
    return text


def check_ids(shards: Shards, split: str, vocab_size: int) -> None:
    """Refuse ids that the model does not know.

    Raises:
        UserError: one is beyond the vocabulary.
    """
    highest = max(int(array.max()) for array in shards.arrays if len(array))
    if highest >= vocab_size:
        raise UserError(
            f"the {split} shards hold the id {highest}, but the model's vocabulary ends at {vocab_size - 1}; "
            "evaluate with the shards of the tokenizer that the cell was trained with"
        )


def conventions_of(recipe: dict[str, Any], stride: int | None) -> list[Convention]:
    """Return the conventions for a cell, the headline first: what it sees is what it saw in training.

    Args:
        recipe: config.json of the cell.
        stride: of overlapping windows; None for the default.
    """
    context = recipe["model"]["context"]
    stride = stride or default_stride(context)
    by_document = recipe["training"]["windows"] == "document"
    names = ("document", "document_disjoint") if by_document else ("sliding", "disjoint")
    return [Convention(names[0], context, stride), Convention(names[1], context, context)]


def score_text(
    module: nn.Module, text: ScoredText, conventions: list[Convention], split: str, diverged: bool
) -> dict[str, Any]:
    """Return what evaluation.json says about a split: the headline figures, the text, each convention.

    Args:
        module: the model.
        text: what is scored.
        conventions: the headline first.
        split: its name, for a message.
        diverged: whether the training did.

    Raises:
        UserError: the loss of a training that did not diverge is not finite.
    """
    totals, found = text.totals, {}
    if no_words := why_no_words(totals):
        totals |= {"words": None, "newlines": None}
    for convention in conventions:
        starts = text.documents.starts if convention.by_document else WHOLE
        losses = score(module, text.tokens, convention.context, convention.stride, starts=starts)
        nats = finite(losses, diverged, split)
        measured = figures(nats, len(losses), totals["bytes"], totals["words"], totals["newlines"])
        loss = {LOSSES[split]: measured.pop("test_loss")}
        found[convention.name] = {"nats": nats, **loss, **measured}
    headline = conventions[0].name
    return {
        **found[headline],
        "word_perplexity_reason": no_words,
        "scored_tokens": len(text.tokens) - 1,
        "convention": headline,
        **text.describe(),
        **{c.name: {**c.describe(), **found[c.name]} for c in conventions},
    }


def finite(losses: np.ndarray, diverged: bool, split: str) -> float | None:
    """Return the sum of losses; None where a training that diverged left weights without probabilities.

    Raises:
        UserError: the sum is not finite, and the training did not diverge.
    """
    nats = float(losses.sum())
    if math.isfinite(nats):
        return nats
    if diverged:
        return None
    raise UserError(
        f"the {split} loss is {nats}: the weights give no probabilities; lower training.lr and train again"
    )


def write(job: Job, results: dict[str, dict[str, Any]], answers: dict[str, Any] | None) -> dict[str, Any]:
    """Write evaluation.json; return its headline figures."""
    test, valid = results["test"], results["valid"]
    notes = {"weights": job.config.use, "questions": answers, "denominators": DENOMINATORS}
    (job.folder / "evaluation.json").write_text(
        json.dumps({**test, "valid": valid, **notes}, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    headline = ("nats", *DENOMINATORS, "scored_tokens", "convention")
    chosen_by = {"val_loss": valid["val_loss"], "val_bpb": valid["bpb"]}
    return {**{key: test[key] for key in headline}, **chosen_by}
