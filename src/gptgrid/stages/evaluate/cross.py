"""Score the test split of a text that a cell was not trained on: evaluation.json, documents.parquet beside.

Documents and audit are as for the cells that were trained on that text, conventions and tokenizer the cell's
own, so that figures compare in bits per byte alone. They choose nothing: the validation split is not scored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import read_recipe
from gptgrid.stages.evaluate.audit import check_text, chosen
from gptgrid.stages.evaluate.conventions import conventions_of
from gptgrid.stages.evaluate.evaluation import open_text, read_model
from gptgrid.stages.evaluate.spelling import Spelling
from gptgrid.stages.evaluate.splits import ScoredSplit
from gptgrid.text.documents import read_documents
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_scores import write_document_scores
from gptgrid.tokens.document_table import ScoredText
from gptgrid.tokens.shards import Shards


def evaluate_elsewhere(job: Job) -> dict[str, Any]:
    """Write evaluation.json and documents.parquet of the test split; return the headline figures as facts.

    Raises:
        UserError: as `evaluate` does.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    recipe, codec = read_recipe(job.inputs["train"]), read_codec(job.inputs["train"])
    text = open_text(job, "test", recipe["vocab_size"])
    marks, corpus = job.config.marks == "special", job.inputs["corpus"]
    with job.timing("audit"):
        check_text(text, Spelling(codec, marks), codec.eot, corpus, "test")
        seen = in_training(text, corpus, job.inputs.get("trained_on"))
    without_marks = "trained_on" in job.inputs and recipe.get("marks") != "special"
    module, precision = read_model(job, recipe, device, job.config.use)
    split = ScoredSplit("test", text, job.manifest("train")["facts"]["status"] == "diverged")
    conventions = conventions_of(recipe, job.config.stride)
    start = time.perf_counter()
    for convention in conventions:
        with job.timing("test"):
            split.add(module, convention)
    job.provenance["tokens_per_second"] = (
        len(conventions) * (len(text.tokens) - 1) / (time.perf_counter() - start)
    )
    job.provenance["device"] = describe_device(device)
    job.provenance["precision"] = precision
    write_document_scores(job.folder, {"test": split.by_document()})
    found = {
        **split.describe(),
        "in_train": seen,
        "strange_marks": strange_marks(text.tokens, codec) if without_marks else 0,
        "weights": job.config.use,
        "denominators": DENOMINATORS,
    }
    (job.folder / "evaluation.json").write_text(
        json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    return {key: found[key] for key in ("nats", *DENOMINATORS, "scored_tokens", "convention")}


def in_training(text: ScoredText, corpus: Path, trained_on: Path | None) -> dict[str, Any] | None:
    """Return how many documents of a text the cell was trained on, and warn of them.

    Case and blanks do not count.

    Args:
        text: what is scored.
        corpus: the folder of its documents.
        trained_on: the folder of those of the cell; None where that is not known.

    Returns:
        documents (in the training split as wholes), share (of those that are scored), size_share (of their
        bytes).
    """
    if trained_on is None:
        return None
    copies = np.isin(keys(chosen(corpus, "test", text)), keys(read_documents(trained_on, "train")))
    sizes = text.documents.counts["bytes"]
    found = {
        "documents": int(copies.sum()),
        "share": float(copies.mean()),
        "size_share": int(sizes[copies].sum()) / max(1, int(sizes.sum())),
    }
    if found["documents"]:
        print(
            f"warning: {found['documents']:,} documents of this test split ({found['share']:.2%} of them, "
            f"{found['size_share']:.2%} of its size) stand in the training split of the cell: figures on "
            "them are not those on new text",
            flush=True,
        )
    return found


def keys(documents: Iterable[str]) -> np.ndarray:
    """Return a hash of what counts of each document: (documents,) uint64."""
    found = (xxh3_64_intdigest(" ".join(text.casefold().split()).encode()) for text in documents)
    return np.fromiter(found, np.uint64)


def strange_marks(tokens: Shards, codec: Codec) -> int:
    """Return how many tokens of a text are marks: a cell that was trained without them has never seen any."""
    marks = [index for index in codec.special_tokens.values() if index != codec.eot]
    return sum(int(np.isin(array, marks).sum()) for array in tokens.arrays)
