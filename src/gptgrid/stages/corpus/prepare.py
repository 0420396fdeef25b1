"""The whole way from a source to parquet files: read, clean, split, write, describe.

The text goes through in two streams, source → scratch file → splits, because a split can only be decided
when all documents are known. What is in memory is a row group, and some 30 bytes a document.
"""

from contextlib import ExitStack
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT, CARD
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.builtin.tales.generate import tales
from gptgrid.stages.corpus.builtin.tales.measure import measure_tales
from gptgrid.stages.corpus.preparing.cards import describe, render
from gptgrid.stages.corpus.preparing.clean import Cleaner
from gptgrid.stages.corpus.preparing.leakage import measure_leakage
from gptgrid.stages.corpus.preparing.pool import Pool
from gptgrid.stages.corpus.preparing.split import decide, secret_of
from gptgrid.stages.corpus.preparing.writing import SplitFiles
from gptgrid.stages.corpus.sources.sources import Source, read
from gptgrid.text.documents import SPLITS

READING_ORDER = ("test", "valid", "train", "all")
"""A published test keeps its documents; copies of them are taken from the other parts."""


def prepare(job: Job) -> dict[str, Any]:
    """Write `{train,valid,test}-NNNNN.parquet` and the data card into the job's folder; return the facts.

    Raises:
        UserError: the source cannot be read, or a split would have no documents.
    """
    config = job.config
    with job.timing("read"):
        source = read(job)
        cleaner = None if source.ids else Cleaner(config.clean)
        pools = fill(job, source, cleaner)
    with job.timing("write"):
        splits = cut(job, source, pools)
    facts: dict[str, Any] = {"splits": {name: splits[name].counts() for name in SPLITS}, **source.ids}
    about: dict[str, Any] = {
        "source": source.facts,
        "license": config.license or source.license,
        "private": config.private,
    }
    if cleaner is not None:
        with job.timing("describe"):
            about |= cleaner.facts(config.private)
            about |= describe(job.folder, splits, config.private)
            if config.source == "builtin" and config.name == "tales":
                told = tales(config.documents, config.seed, config.language)
                about |= measure_tales(job.folder, told)
            about["leakage"] = measure_leakage(job.folder, facts["splits"]["test"]["characters"])
    (job.folder / CARD).write_text(render(config, facts, about), encoding="utf-8")
    return {**facts, ABOUT: about}


def fill(job: Job, source: Source, cleaner: Cleaner | None) -> dict[str, Pool]:
    """Read every part of a source into a pool of its documents."""
    secret = secret_of(job.config.split.seed)
    pools = {}
    for part in READING_ORDER:
        if part in source.parts:
            documents = source.parts[part]
            kept = documents if cleaner is None else cleaner.clean(documents)
            pools[part] = Pool.fill(job.scratch / f"{part}.parquet", kept, secret, bool(source.ids))
            if not len(pools[part]):
                refuse_empty(part, cleaner)
    return pools


def refuse_empty(part: str, cleaner: Cleaner | None) -> None:
    """Raise an error that names the part of the corpus that has no documents."""
    where = "the corpus has" if part == "all" else f"the {part} files have"
    dropped = f" (dropped: {cleaner.dropped})" if cleaner and cleaner.dropped.counts else ""
    raise UserError(f"{where} no documents left{dropped}; give more text, or loosen `clean`")


def cut(job: Job, source: Source, pools: dict[str, Pool]) -> dict[str, SplitFiles]:
    """Write the documents of pools into the files of their splits."""
    config = job.config
    missing = [name for name in ("valid", "test") if name not in pools]
    with ExitStack() as stack:
        files = {name: SplitFiles(stack, job.folder, name, bool(source.ids)) for name in SPLITS}
        for part, pool in pools.items():
            published = part in ("valid", "test")
            names = (part,) if published else ("train", *missing)
            shares = [getattr(config.split, name) for name in names[1:]]
            decision = decide(pool.sizes, shares, config.split.by, source.inside)
            if not published:
                files["train"].spread(decision.first_length(pool.sizes), config.shards)
            for index, document in enumerate(pool):
                for number, piece in decision.pieces(index, document):
                    files[names[number]].add(piece)
    files["train"].check()
    for name, split in files.items():
        print(f"{name}: {len(split.lengths):,} documents", flush=True)
    return files
