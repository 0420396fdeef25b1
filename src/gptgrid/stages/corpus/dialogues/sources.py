"""Where dialogues come from, and how they are read: each source gives those of its parts, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.stages.corpus.builtin.tales.dialogues import dialogues as dialogues_about_tales
from gptgrid.stages.corpus.dialogues.cards import unread_text
from gptgrid.stages.corpus.dialogues.formats import (
    FORMATS,
    format_of,
    has_unlearned_answer,
    known_format,
    unread,
)
from gptgrid.stages.corpus.dialogues.order import UNLEARNED, LeftOut, in_order
from gptgrid.stages.corpus.dialogues.records import Record, read_members
from gptgrid.stages.corpus.reading.containers import LIMIT
from gptgrid.stages.corpus.reading.texts import Reading
from gptgrid.stages.corpus.sources.builtin import LICENSE
from gptgrid.stages.corpus.sources.source import Source, SourceFile, own_file, read_files
from gptgrid.stages.corpus.sources.url import fetch_file
from gptgrid.text.chat_template import Message

BUILTIN = Variants({"tales": dialogues_about_tales})
"""The key `name` of the configuration → the generator: (documents, seed, language, told) → dialogues."""


def open_builtin(job: Job, left_out: LeftOut) -> Source:
    """Open the dialogues that a generator makes, which are in order."""
    config = job.config
    made = BUILTIN[config.name](config.documents, config.seed, config.language, config.told)
    return Source({"all": made}, {"name": config.name, "seed": config.seed}, LICENSE)


def open_files(job: Job, left_out: LeftOut) -> Source:
    """Open a user's own files."""
    parts, facts = read_files(job, own_file, FileReader(left_out).read)
    if leaving := vars(vars(job.config).get("left_out") or SimpleNamespace()):
        facts["left_out"] = leaving
    return Source(parts, facts)


def open_url(job: Job, left_out: LeftOut) -> Source:
    """Open files on the web; each is fetched when its dialogues are asked for."""
    return Source(*read_files(job, fetch_file, FileReader(left_out).read))


SOURCES = Variants({"builtin": open_builtin, "files": open_files, "url": open_url})
"""The key `source` of the configuration → what opens it: (Job, what is left out) → Source."""


class FileReader:
    """Reads the dialogues of files."""

    def __init__(self, left_out: LeftOut) -> None:
        """Prepare to read; what is left out is counted there."""
        self.left_out = left_out

    def read(self, job: Job, entry: Any, file: SourceFile) -> Iterator[list[Message]]:
        """Yield the dialogues of a file in order, each with an answer at its end.

        Args:
            job: its config has `dialogues` (the format, or `auto`), `fields`, and how files are read.
            entry: of the list of files.
            file: its facts get `dialogue_formats` (format → how many files in it have that) and, where there
                are any, `unread`: field that is not read → how many records have something in it. Of private
                dialogues it is `unread_fields`, the number of such fields.

        Raises:
            UserError: it cannot be read, has no records, or one that is no dialogue, or not in order.
        """
        config, formats, others = job.config, Counter(), Counter()
        members = entry.members if isinstance(entry, SimpleNamespace) else config.members
        reading = Reading(
            members, None, None, config.encoding, config.errors, None, config.max_bytes or LIMIT
        )
        for name, values in read_members(file, reading, job.scratch):
            kind = None
            for record in records_of(values, config):
                if kind is None:
                    kind = known_format(record, config.dialogues)
                    formats[kind] += 1
                    print(f"{name}: dialogues in the format {kind}", flush=True)
                else:
                    known_format(record, kind)
                others.update(unread(record, kind))
                yield from self.kept(record, kind)
            if kind is None:
                raise UserError(f"{name} has no records; take it out, or put dialogues in it")
        file.facts["dialogue_formats"] = dict(sorted(formats.items()))
        if others:
            told = {"unread_fields": len(others)} if config.private else {"unread": dict(others)}
            file.facts.update(told)
            print(f"{file.name}: not read of the records: {unread_text([file.facts])}", flush=True)

    def kept(self, record: Record, kind: str) -> Iterator[list[Message]]:
        """Yield the dialogues of a record that are not left out, in order."""
        if has_unlearned_answer(record, kind):
            self.left_out.dialogues[UNLEARNED] += 1
            return
        for dialogue in FORMATS[kind].dialogues(record):
            if (found := in_order(*dialogue, self.left_out)) is not None:
                yield found


def records_of(values: Iterator[tuple[Any, str]], config: SimpleNamespace) -> Iterator[Record]:
    """Yield records, and in place of an object of lists the records in it, if these are dialogues.

    Args:
        values: of a file, and where each stands.
        config: its `dialogues` is the format, or `auto`, and `fields` names what is called otherwise.
    """
    for value, where in values:
        record = Record(value, where.rstrip(","), vars(config.fields))
        parts = [] if format_of(record, config.dialogues) else record.unfolded()
        only_lists = parts and all(isinstance(found, list) for found in value.values())
        if parts and (only_lists or format_of(parts[0], config.dialogues)):
            yield from parts
        else:
            yield record
