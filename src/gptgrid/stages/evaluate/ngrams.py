"""What a text takes without a network: references.json and documents.parquet, of one tokenizer on one corpus.

`unigram` knows how often each token occurs in the training text, `kneser-ney` what follows the tokens before.
They predict what a cell predicts: every token of the scored documents but the first, over its vocabulary.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gptgrid.artifact.job import Job
from gptgrid.stages.evaluate.texts import LOSSES, about, figures_of, size_columns
from gptgrid.tokens.document_scores import by_document, nats_column, write_document_scores
from gptgrid.tokens.document_table import ScoredText, open_scored_text
from gptgrid.tokens.frequencies import TOKENS, nats_by_frequency, token_counts
from gptgrid.tokens.ngram import predict
from gptgrid.tokens.shards import Shards, open_shards

COUNTED = 2**23
"""Tokens of the training text, from its start, in which grams are counted: about 1 GB of memory."""


@dataclass(frozen=True)
class Reference:
    """What needs no network."""

    definition: str
    train_tokens: int
    """From the start of the training text."""
    nats: list[np.ndarray]
    """Of each split, (tokens - 1,) float64: of every token but the first."""


def count_grams(job: Job) -> dict[str, Any]:
    """Write references.json and documents.parquet; return the test figures as facts.

    Raises:
        UserError: the shards are damaged, a split has no two tokens, or a part is asked for of bare ids.
    """
    folder, facts = job.inputs["shards"], job.manifest("shards")["facts"]
    texts = [
        open_scored_text(folder, split, facts["splits"][split], job.config.bytes, "evaluation.bytes")
        for split in LOSSES
    ]
    training = open_shards(folder, "train")
    references = {}
    for name, make in (("unigram", unigram), ("kneser-ney", kneser_ney)):
        with job.timing(name):
            references[name] = make(training, [text.tokens for text in texts], facts["vocab_size"])
    return write(job, references, texts, facts["vocab_size"])


def unigram(training: Shards, texts: list[Shards], vocab_size: int) -> Reference:
    """Return what knowing only frequencies takes."""
    nats = nats_by_frequency(token_counts(training, vocab_size))
    definition = "Each token is guessed by its share of the training text (Witten and Bell 1991)."
    counted = min(len(training), TOKENS)
    return Reference(definition + part(counted, training), counted, [nats[text[1:]] for text in texts])


def kneser_ney(training: Shards, texts: list[Shards], vocab_size: int) -> Reference:
    """Return what counting grams takes."""
    counted = training[:COUNTED]
    found = predict(counted, texts, vocab_size)
    definition = (
        f"Interpolated modified Kneser-Ney (Chen and Goodman 1999) of order {found.order}, which takes least "
        "on validation; its grams run across documents."
    )
    return Reference(definition + part(len(counted), training), len(counted), found.nats)


def part(counted: int, training: Shards) -> str:
    """Return in how much of the training text was counted; empty if in all of it."""
    whole = len(training)
    return f" Counted in the first {counted:,} of {whole:,} training tokens." if counted < whole else ""


def write(
    job: Job, references: dict[str, Reference], texts: list[ScoredText], vocab_size: int
) -> dict[str, Any]:
    """Write figures, and nats by document; return the test losses."""
    described: dict[str, dict[str, Any]] = {
        name: {"definition": each.definition, "vocab_size": vocab_size, "train_tokens": each.train_tokens}
        for name, each in references.items()
    }
    columns = {}
    for number, (split, text) in enumerate(zip(LOSSES, texts, strict=True)):
        columns[split] = size_columns(text)
        for name, reference in references.items():
            nats = by_document(reference.nats[number], text.documents.starts)
            columns[split][nats_column(name)] = nats
            described[name][split] = {**figures_of(text, split, math.fsum(nats)), **about(text)}
    write_document_scores(job.folder, columns)
    (job.folder / "references.json").write_text(
        json.dumps(described, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    return {name: each["test"]["test_loss"] for name, each in described.items()}
