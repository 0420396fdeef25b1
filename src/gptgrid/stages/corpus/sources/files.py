"""A user's own text files."""

from collections.abc import Iterator
from types import SimpleNamespace

from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.reading.texts import Reading, read_texts
from gptgrid.stages.corpus.sources.source import Source, SourceFile, own_file, read_files
from gptgrid.text.long_text import Text


def open_files(job: Job) -> Source:
    """Open the files that the configuration names."""
    parts, facts = read_files(job, own_file, read_file)
    if left_out := vars(vars(job.config).get("left_out") or SimpleNamespace()):
        facts["left_out"] = left_out
    return Source(parts, facts, continuous=job.config.document == "whole")


def read_file(job: Job, name: str, file: SourceFile) -> Iterator[Text]:
    """Yield the documents of a file."""
    return read_texts(file.path, file.facts, Reading.of(job.config, job.config), job.scratch)
