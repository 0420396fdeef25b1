"""The way of a text through the stage: source → documents → clean → split → written → described.

The text goes by in two streams, source → scratch file → splits, because a split can only be decided when all
documents are known. What is in memory is a row group, and some 30 bytes a document.
"""

from contextlib import ExitStack
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT, CARD
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.preparing.cards import describe_documents, render
from gptgrid.stages.corpus.preparing.cautions import cautions, remedy, split_shares
from gptgrid.stages.corpus.preparing.clean import Cleaner
from gptgrid.stages.corpus.preparing.leakage import measure_documents, measure_texts
from gptgrid.stages.corpus.preparing.split import Cut, decide, hash_key
from gptgrid.stages.corpus.preparing.staging import StagedDocuments
from gptgrid.stages.corpus.preparing.writing import SplitFiles
from gptgrid.stages.corpus.reading.fields import ListedError
from gptgrid.stages.corpus.sources.source import Source
from gptgrid.stages.corpus.sources.table import SOURCES
from gptgrid.text.documents import SPLITS
from gptgrid.words import counted

READING_ORDER = ("test", "valid", "train", "all")
"""A published test keeps its documents; copies of them are taken from the other parts."""

MOST_LOST = 0.05
"""With a larger share of characters that could not be read, a text is refused."""


def prepare(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-NNNNN.parquet` and the data card into the job's folder; return the facts.

    Raises:
        UserError: the source cannot be read, or a split would have no documents.
    """
    with job.timing("read"):
        source = SOURCES[job.config.source](job)
        cleaner = None if source.has_ids else Cleaner(job.config.clean, job.scratch)
        parts = stage_documents(job, source, cleaner)
    with job.timing("write"):
        files = write_splits(job, source, parts)
    counts = {name: files[name].counts() for name in SPLITS}
    with job.timing("describe"):
        about = describe(job, source, cleaner, files, list(parts))
    facts: dict[str, Any] = {"splits": counts, **source.vocabulary}
    (job.folder / CARD).write_text(render(job.config, facts, about), encoding="utf-8")
    return {**facts, ABOUT: about}


def stage_documents(job: Job, source: Source, cleaner: Cleaner | None) -> dict[str, StagedDocuments]:
    """Read and clean every part of a source.

    Raises:
        UserError: a part has no documents, or cannot be read, or much of the text is lost.
    """
    key = hash_key(job.config.split.seed)
    parts = {}
    for part in READING_ORDER:
        if part in source.parts:
            documents = source.parts[part] if cleaner is None else cleaner.clean(source.parts[part])
            path = job.scratch / f"{part}.parquet"
            try:
                parts[part] = StagedDocuments.write(path, documents, key, source.has_ids)
            except ListedError as error:
                raise (UserError(error.unlisted) if job.config.private else error) from None
            if not len(parts[part]):
                refuse_empty(part, cleaner)
    if cleaner:
        refuse_lost(cleaner.lost_share)
    return parts


def refuse_empty(part: str, cleaner: Cleaner | None) -> None:
    """Raise a UserError that names the part of a corpus that has no documents."""
    subject = "the corpus has" if part == "all" else f"the {part} files have"
    reasons = cleaner.dropped.counts if cleaner else {}
    dropped = f" (dropped: {cleaner.dropped})" if reasons else ""
    loosen = ", or loosen `clean`" if set(reasons) - {"empty"} else ""
    raise UserError(f"{subject} no documents left{dropped}; give more text{loosen}")


def refuse_lost(share: float) -> None:
    """Raise a UserError if such a share of the characters could not be read that the rest is no text."""
    if share > MOST_LOST:
        raise UserError(
            f"{share:.1%} of the characters of the corpus are U+FFFD, which stands for what "
            "could not be read; set `encoding` to what the files are in, or to auto; if they were saved so, "
            "give the text as it was before"
        )


def write_splits(job: Job, source: Source, parts: dict[str, StagedDocuments]) -> dict[str, SplitFiles]:
    """Write the documents of every part into the files of their splits.

    Raises:
        UserError: a split would have no documents, or fewer than shards.
    """
    config = job.config
    with ExitStack() as stack:
        files = {name: SplitFiles(stack, job.folder, name, source.has_ids) for name in SPLITS}
        for part, documents in parts.items():
            published = part in ("valid", "test")
            names = [part] if published else cut_splits(list(parts))
            shares = [getattr(config.split, name) for name in names[1:]]
            todo = remedy(config, source)
            decision = decide(documents.sizes, shares, config.split.by, source.continuous, todo)
            if not published:
                files["train"].set_shards(config.shards, decision.first_length(documents.sizes))
            distribute(documents, decision, [files[name] for name in names])
    files["train"].check_shards()
    for name, split in files.items():
        print(f"{name}: {counted(len(split.lengths), 'document')}", flush=True)
    return files


def distribute(documents: StagedDocuments, decision: Cut, files: list[SplitFiles]) -> None:
    """Write documents into the files of their splits; none is held while these are closed."""
    for index, document in enumerate(documents):
        for number, piece in decision.pieces(index, document):
            files[number].add(piece)


def cut_splits(parts: list[str]) -> list[str]:
    """Return the splits that the text without a published split is cut into."""
    return ["train", *(name for name in ("valid", "test") if name not in parts)]


def describe(
    job: Job, source: Source, cleaner: Cleaner | None, files: dict[str, SplitFiles], parts: list[str]
) -> dict[str, Any]:
    """Return what is worth knowing about a corpus that no later stage computes with."""
    config = job.config
    about: dict[str, Any] = {
        "source": source.facts,
        "license": config.license or source.license,
        "private": config.private,
    }
    if len(cut := cut_splits(parts)) > 1:
        about["split"] = split_shares(config, files, cut)
    about["leakage"] = measure_documents(job.folder)
    if cleaner is not None:
        about |= cleaner.facts(config.private)
        about |= describe_documents(job.folder, files, config.private)
        if source.measure is not None:
            about |= source.measure(job.folder)
        characters = {name: split.counts()["characters"] for name, split in files.items()}
        about["leakage"] |= measure_texts(job.folder, characters)
    about["cautions"] = list(cautions(config, source, about))
    for caution in about["cautions"]:
        print(f"warning: {caution}", flush=True)
    return about
