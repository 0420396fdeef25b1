"""A user's own text files."""

from collections.abc import Iterator

from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.reading.texts import Reading, read_texts
from gptgrid.stages.corpus.sources.source import Source, SourceFile, own_file, read_files


def open_files(job: Job) -> Source:
    """Open the files that the configuration names."""
    return Source(*read_files(job, own_file, read_file), continuous=job.config.document == "whole")


def read_file(job: Job, name: str, file: SourceFile) -> Iterator[str]:
    """Yield the documents of a file."""
    return read_texts(file.path, file.facts, Reading.of(job.config, job.config), job.scratch)
