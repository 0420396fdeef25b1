"""The whole way from a source to parquet files: read, clean, split, write, count."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gptgrid.corpus.clean import REASONS, clean
from gptgrid.corpus.sources import read
from gptgrid.corpus.split import Document, split
from gptgrid.stage import Job, UserError
from gptgrid.text import write_documents


def prepare(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-00000.parquet` into the job's folder and return the facts.

    Raises:
        UserError: the source cannot be read, or a split would have no documents.
    """
    config = job.config
    with job.timing("read"):
        source = read(job)
    dropped = dict.fromkeys(REASONS, 0)
    if config.source != "random":
        with job.timing("clean"):
            source.parts = {
                part: list(clean(documents, config.clean, dropped))
                for part, documents in source.parts.items()
            }
        refuse_empty(source.parts, dropped)
    # A text that is one document can be cut only inside it.
    inside = config.source in ("files", "url") and config.document == "whole"
    splits = split(source.parts, config.split, inside)
    for name, documents in splits.items():
        with job.timing("write"):
            write_documents(job.folder / f"{name}-00000.parquet", documents)
        print(f"{name}: {len(documents):,} documents", flush=True)
    facts = {
        "splits": {name: measure(documents) for name, documents in splits.items()},
        "source": source.facts,
        "dropped": dropped,
        "license": config.license or source.license,
    }
    return {**facts, "vocab_size": config.vocab_size} if config.source == "random" else facts


def refuse_empty(parts: dict[str, list[Document]], dropped: dict[str, int]) -> None:
    """Raise an error that names the part of the corpus that has no documents."""
    for part, documents in parts.items():
        if not documents:
            reasons = ", ".join(f"{number} {reason}" for reason, number in dropped.items() if number)
            where = "the corpus has" if part == "all" else f"the {part} files have"
            raise UserError(
                f"{where} no documents left (dropped: {reasons}); give more text, or loosen `clean`"
            )


def measure(documents: Sequence[Document]) -> dict[str, int | None]:
    """Return the size of a split; for token ids, what has no meaning is None."""
    if isinstance(documents[0], np.ndarray):
        unknown = dict.fromkeys(("characters", "bytes", "words", "newlines"))
        return {"documents": len(documents), **unknown}
    return {
        "documents": len(documents),
        "characters": sum(map(len, documents)),
        "bytes": sum(len(text.encode()) for text in documents),
        "words": sum(len(text.split()) for text in documents),
        "newlines": sum(text.count("\n") for text in documents),
    }
