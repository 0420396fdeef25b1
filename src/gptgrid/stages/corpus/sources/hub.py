"""Data sets of the Hugging Face hub: their data files at one commit, and nothing that would run.

The rows are read by `reading`: `datasets` gives the same, but takes about ten times as long, and memory or a
cache on the disk that grows with the data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.net.download import DOWNLOADS, checksum, fetch
from gptgrid.stages.corpus.reading.containers import LIMIT, open_members
from gptgrid.stages.corpus.reading.documents import DELIMITERS, check_delimiter, documents_of_records
from gptgrid.stages.corpus.reading.records import format_of, read_records
from gptgrid.stages.corpus.sources.hub_files import CARD, choose_files, read_license
from gptgrid.stages.corpus.sources.hub_listing import file_address, list_files
from gptgrid.stages.corpus.sources.source import Pinned, Source, refuse_shared
from gptgrid.text.long_text import Text


@dataclass
class DataFile:
    """A data file of a data set."""

    name: str
    """Its path in the data set."""
    path: Path
    """Where it lies here."""


@dataclass
class DataSet:
    """The data files of a data set at one commit."""

    parts: dict[str, list[DataFile]]
    """`train`, `valid`, `test`, as far as the configuration names them → files in order."""
    facts: dict[str, Any]
    """For the manifest: `path`, `name`, `revision`, and of each file `part`, `name`, `sha256`, `bytes`."""
    license: str | None = None
    """As its card says."""


def open_hub(job: Job) -> Source:
    """Fetch the data set that the configuration names, and open it."""
    data = fetch_data_set(job.config)
    for file in data.facts["files"]:
        if format_of(file["name"]) != "text":
            file["field"] = job.config.field
    parts = {part: read_documents(job, part, files) for part, files in data.parts.items()}
    return Source(parts, data.facts, data.license, continuous=job.config.document == "whole")


def fetch_data_set(config: SimpleNamespace, downloads: Path = DOWNLOADS) -> DataSet:
    """Find the data files of a data set and fetch them, from the mirror `GPTGRID_MIRROR` or from the hub.

    Every file is checked against the checksum that the configuration or the hub's listing has for it.

    Args:
        config: `path`, `name` (None: the only one), `revision`, `splits` (part → the hub's name of the
            split), `sha256` (file → digest; empty: as the hub lists it) and `max_bytes` (of one file; None:
            any).
        downloads: where files are kept.

    Raises:
        UserError: there is no such data set, configuration or split, it needs a token, its files are of other
            kinds, or one is not what the checksum says.
    """
    digests = list_files(config)

    def obtain(name: str) -> Path:
        return fetch(file_address(config, name), digests[name], downloads, config.max_bytes)

    card = obtain(CARD).read_text(encoding="utf-8") if CARD in digests else None
    facts = {"path": config.path, "name": config.name, "revision": config.revision, "files": []}
    data = DataSet({}, facts, read_license(card) if card is not None else None)
    for part, names in choose_files(digests, card, config).items():
        data.parts[part] = [DataFile(name, obtain(name)) for name in names]
        data.facts["files"] += [file_facts(part, file) for file in data.parts[part]]
    refuse_shared(Pinned(file["part"], file["name"], file["sha256"]) for file in data.facts["files"])
    return data


def file_facts(part: str, file: DataFile) -> dict[str, Any]:
    """Return what the manifest says of a file."""
    return {"part": part, "name": file.name, "sha256": checksum(file.path), "bytes": file.path.stat().st_size}


def read_documents(job: Job, part: str, files: list[DataFile]) -> Iterator[Text]:
    """Yield the documents of a split."""
    config, counts = job.config, Counter()
    for file in files:
        rows = read_rows(file, config.field, config.max_bytes or LIMIT, job.scratch)
        yield from documents_of_records(rows, config.document, counts, job.scratch)
    check_delimiter(config.document, counts[DELIMITERS], part)


def read_rows(file: DataFile, field: str, limit: int = LIMIT, scratch: Path | None = None) -> Iterator[str]:
    """Yield the text of each row of a data file; in a text file each line is a row.

    Raises:
        UserError: the file is damaged, or a row has no such field.
    """
    for name, stream in open_members(file.path, file.name, None, limit, scratch):
        yield from read_records(stream, name, format_of(name), field, scratch=scratch)
