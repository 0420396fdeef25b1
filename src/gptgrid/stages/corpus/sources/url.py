"""Text files on the web, pinned by their checksums."""

from collections.abc import Iterator
from types import SimpleNamespace

from gptgrid.artifact.job import Job
from gptgrid.net.download import fetch
from gptgrid.stages.corpus.reading.texts import Reading, read_texts
from gptgrid.stages.corpus.sources.source import Source, SourceFile, read_files
from gptgrid.text.long_text import Text


def open_url(job: Job) -> Source:
    """Open the files that the configuration names; each is fetched when its documents are asked for."""
    return Source(*read_files(job, fetch_file, read_file), continuous=job.config.document == "whole")


def fetch_file(job: Job, part: str, entry: SimpleNamespace) -> SourceFile:
    """Return a file after its download.

    Raises:
        UserError: it cannot be had, is too large, or is another file.
    """
    schemes = ("https", "http", "file") if job.config.insecure else ("https",)
    path = fetch(entry.url, entry.sha256, limit=job.config.max_bytes, schemes=schemes)
    return SourceFile.describe(path, part, entry.url, entry.sha256)


def read_file(job: Job, entry: SimpleNamespace, file: SourceFile) -> Iterator[Text]:
    """Yield the documents of a file, which may have its own `members`, `format` and `field`."""
    return read_texts(file.path, file.facts, Reading.of(job.config, entry), job.scratch)
