"""Where documents come from: what is built in, files on the web, data sets, a user's own files, token ids.

A source gives documents as they stand there, for all splits together (`all`) or for published splits, one
after the other as they are asked for. What is dropped, and how `all` is cut, is decided later.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.net.download import fetch
from gptgrid.stages.corpus.builtin.tales.generate import tales
from gptgrid.stages.corpus.builtin.toy import SENTENCES
from gptgrid.stages.corpus.reading.containers import LIMIT, open_members
from gptgrid.stages.corpus.reading.documents import as_lines, cut
from gptgrid.stages.corpus.reading.encoding import decode, detect
from gptgrid.stages.corpus.reading.records import form_of, read_records
from gptgrid.stages.corpus.sources.hub import HubFile, open_hub, read_rows
from gptgrid.stages.corpus.sources.shards import documents_of_ids, noise
from gptgrid.text.documents import Document

OWN_LICENSE = "MIT"
"""Of the corpora that come with gptgrid."""


@dataclass
class Source:
    """What there is to read."""

    parts: dict[str, Iterable[Document]]
    """`all`, `train`, `valid`, `test` → documents."""
    facts: dict[str, Any]
    """For the manifest: what was read. Complete when the documents were."""
    license: str | None = None
    """Of the text, where it is known."""
    inside: bool = False
    """Whether documents may be cut inside: the whole of a text is one."""
    ids: dict[str, Any] = field(default_factory=dict)
    """For documents of token ids: `vocab_size`, and `eot`. Empty for texts."""


def read(job: Job) -> Source:
    """Open the source that the configuration names.

    Raises:
        UserError: here or while the documents are read: a file is missing, has changed, is empty, or is not
            a text in its encoding.
    """
    config = job.config
    match config.source:
        case "builtin":
            facts = {"name": config.name, "seed": config.seed}
            return Source({"all": builtin(config)}, facts, OWN_LICENSE)
        case "random":
            ids = noise(config.vocab_size, config.tokens, config.document_tokens, config.seed)
            facts = {"name": "random", "seed": config.seed}
            return Source({"all": ids}, facts, ids={"vocab_size": config.vocab_size})
        case "hub":
            hub = open_hub(config)
            parts = {part: hub_texts(files, job) for part, files in hub.parts.items()}
            return Source(parts, hub.facts, inside=config.document == "whole")
    records: list[dict[str, Any]] = []
    if config.source == "shards":
        ids = {"vocab_size": config.vocab_size, "eot": config.eot}
        parts = {part: read_shards(part, files, job, records) for part, files in vars(config.files).items()}
        return Source(parts, {"files": records}, ids=ids)
    parts = {part: read_texts(part, files, job, records) for part, files in vars(config.files).items()}
    return Source(parts, {"files": records}, inside=config.document == "whole")


def builtin(config: SimpleNamespace) -> Iterable[str]:
    """Return the documents of a corpus that comes with gptgrid."""
    if config.name == "tales":
        return (tale.text for tale in tales(config.documents, config.seed, config.language))
    if config.documents and config.documents > len(SENTENCES):
        raise UserError(
            f"toy has {len(SENTENCES)} documents, not {config.documents}; lower `documents`, or leave it out"
        )
    return SENTENCES[: config.documents]


def hub_texts(files: list[HubFile], job: Job) -> Iterator[str]:
    """Yield the documents of a split of a data set."""
    for file in files:
        rows = read_rows(file, job.config.field, job.config.max_bytes or LIMIT, job.scratch)
        yield from records_as_documents(rows, job.config.document)


def records_as_documents(rows: Iterator[str], document: str | None) -> Iterator[str]:
    """Yield records as they are, or the documents of the text that they make together."""
    return rows if document in (None, "record") else cut(as_lines(rows), document)


def locate(part: str, file: str | SimpleNamespace, job: Job) -> tuple[Path, dict[str, Any]]:
    """Return where a file lies, after its download if it is on the web, and what the manifest says of it."""
    if isinstance(file, str):
        path, name, sha256 = job.own_file(file), file, job.raw[file]
    else:
        name, sha256 = file.url, file.sha256
        schemes = ("https", "http", "file") if job.config.insecure else ("https",)
        path = fetch(file.url, file.sha256, limit=job.config.max_bytes, schemes=schemes)
    size = path.stat().st_size
    print(f"reading {name}, {size:,} bytes", flush=True)
    return path, {"part": part, "name": name, "sha256": sha256, "bytes": size}


def read_texts(
    part: str, files: list[str | SimpleNamespace], job: Job, records: list[dict[str, Any]]
) -> Iterator[str]:
    """Yield the documents of some files; add what is known of each file to `records`."""
    for file in files:
        path, record = locate(part, file, job)
        records.append(record)
        how = job.config if isinstance(file, str) else file
        blank = True
        for text in documents_of_file(path, record, how, job):
            blank = blank and (not text or text.isspace())
            yield text
        if blank:
            raise UserError(f"{record['name']} is empty; take it out of the corpus, or put text in it")


def documents_of_file(path: Path, record: dict[str, Any], how: SimpleNamespace, job: Job) -> Iterator[str]:
    """Yield the documents of a file, or of the members of an archive.

    Args:
        path: where it lies.
        record: what the manifest says of it; told the encodings of texts.
        how: `members`, `format` and `field` of the file.
        job: the job, whose configuration says what a document is.
    """
    document = job.config.document
    encodings = encodings_of(path, record["name"], how, job)
    limit = job.config.max_bytes or LIMIT
    for name, stream in open_members(path, record["name"], how.members, limit, job.scratch):
        if name not in encodings:
            form = how.format or form_of(name)
            encoding = "utf-8-sig" if job.config.encoding == "auto" else job.config.encoding
            rows = read_records(stream, name, form, how.field or "text", encoding, job.scratch)
            yield from records_as_documents(rows, document)
        elif document == "record":
            raise UserError(
                f"{name} is a text, which has no records; set `document` to whole, line, blank-line or a "
                "delimiter, or `format` to what the file is"
            )
        else:
            facts = encodings[name]
            blocks = decode(stream, name, facts["encoding"], job.config.errors, facts)
            yield from cut(blocks, document or "blank-line")
    if encodings:
        record.update(summary(list(encodings.values())))


def encodings_of(path: Path, name: str, how: SimpleNamespace, job: Job) -> dict[str, dict[str, Any]]:
    """Return name → encoding for the texts in a file. Guessing reads them, so they are opened again later."""
    found = {}
    limit = job.config.max_bytes or LIMIT
    for member, stream in open_members(path, name, how.members, limit, job.scratch):
        if (how.format or form_of(member)) == "text":
            given = {"encoding": job.config.encoding, "guessed": False}
            found[member] = detect(stream, member) if job.config.encoding == "auto" else given
    return found


def summary(texts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is known of the encodings of some texts, in few words."""
    return {
        "encodings": dict(sorted(Counter(facts["encoding"] for facts in texts).items())),
        "guessed": sum(facts["guessed"] for facts in texts),
        "line_ends": sorted({end for facts in texts for end in facts["line_ends"]}),
        "replaced": sum(facts["replaced"] for facts in texts),
    }


def read_shards(
    part: str, files: list[str | SimpleNamespace], job: Job, records: list[dict[str, Any]]
) -> Iterator[np.ndarray]:
    """Yield the documents of ready-made token shards (uint32), without their end-of-text tokens."""
    for file in files:
        path, record = locate(part, file, job)
        records.append(record)
        yield from documents_of_ids(path, record["name"], job.config.vocab_size, job.config.eot)
