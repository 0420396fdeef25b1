"""The records of a file: JSON lines, what a JSON list or an object of lists holds, or rows of parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading.containers import open_members
from gptgrid.stages.corpus.reading.encoding import decode
from gptgrid.stages.corpus.reading.fields import TWICE, as_text
from gptgrid.stages.corpus.reading.json_records import json_values, jsonl_values
from gptgrid.stages.corpus.reading.line_ends import with_line_feeds
from gptgrid.stages.corpus.reading.parquet_records import parquet_values
from gptgrid.stages.corpus.reading.texts import Reading, find_encodings, summary
from gptgrid.stages.corpus.sources.source import SourceFile

ALIASES = {
    "messages": ("messages", "conversations"),
    "role": ("role", "from"),
    "content": ("content", "value"),
    "weight": ("weight",),
    "message": ("message",),
    "system": ("system", "system_prompt"),
    "instruction": ("instruction",),
    "input": ("input", "context"),
    "output": ("output", "response"),
    "instances": ("instances",),
    "question": ("question", "prompt", "query"),
    "answer": ("answer", "completion", "response"),
}
"""Field → what files call it: OpenAI and ShareGPT, Alpaca and Dolly, GSM8K, KdConv, self-instruct."""


@dataclass(frozen=True)
class Record:
    """A record of a file, or an object in it."""

    value: Any
    where: str
    names: dict[str, str]
    """Field → what the configuration says that it is called."""

    def find(self, field: str) -> Any:
        """Return the value of a field; None where there is none.

        Raises:
            UserError: it is there twice.
        """
        name = self.name_of(field)
        return None if name is None else self.value_at(name)

    def has(self, field: str) -> bool:
        """Say whether there is a field that may be a text."""
        return self.name_of(field) is not None and not isinstance(self.find(field), list | dict)

    def text(self, field: str) -> str:
        """Return the text of a field with LF line ends; the empty text where there is none.

        Raises:
            UserError: it holds something else, or half a character.
        """
        name = self.name_of(field)
        if name is None or (value := self.value_at(name)) is None:
            return ""
        todo = "make it one, or name another in `fields`"
        return with_line_feeds(as_text(value, name, self.where, todo))

    def unfolded(self) -> list[Record]:
        """Return the records in an object of lists: the objects in its lists, or the rows of its columns.

        A list of messages has none, whatever these look like.
        """
        values = self.value if isinstance(self.value, dict) else {}
        messages = values.get(self.name_of("messages"))
        if isinstance(messages, list) and all(isinstance(each, dict) for each in messages):
            return []
        lists = {name: found for name, found in values.items() if isinstance(found, list) and found}
        objects = [found for found in lists.values() if isinstance(found[0], dict | list)]
        if objects:
            return [
                self.inner(value, f"list {place}, record {number}")
                for place, found in enumerate(objects, 1)
                for number, value in enumerate(found, 1)
            ]
        if len(lists) < len(values) or len(set(map(len, lists.values()))) != 1:
            return []
        rows = zip(*lists.values(), strict=True)
        return [
            self.inner(dict(zip(lists, row, strict=True)), f"row {number} of its lists")
            for number, row in enumerate(rows, 1)
        ]

    def inner(self, value: Any, where: str) -> Record:
        """Return an object in the record."""
        return Record(value, f"{self.where}, {where}", self.names)

    def name_of(self, field: str) -> str | None:
        """Return what a field is called, `a.b` for one in an object; None where there is none."""
        named = (self.names[field],) if field in self.names else ALIASES[field]
        return next((name for name in named if self.value_at(name) is not MISSING), None)

    def value_at(self, name: str) -> Any:
        """Return the value of a field by its name, MISSING where there is none.

        The whole of a dotted name may be a key, too.
        """
        if not isinstance(self.value, dict):
            return MISSING
        if name not in self.value:
            first, dot, rest = name.partition(".")
            return replace(self, value=self.value.get(first)).value_at(rest) if dot else MISSING
        if (found := self.value[name]) is TWICE:
            raise UserError(f"{self.where}: the field {name!r} is there twice; leave one")
        return found


MISSING = object()


def read_members(
    file: SourceFile, reading: Reading, scratch: Path
) -> Iterator[tuple[str, Iterator[tuple[Any, str]]]]:
    """Yield the name of what a file holds, itself or each member of an archive, and its records.

    Args:
        file: its facts are completed at the end.
        reading: how it is read.
        scratch: folder for what must be kept meanwhile.

    Yields:
        name, and (record, where it stands) of each record, which must be read to the last.

    Raises:
        UserError: the file is damaged, or its content is no JSON and no parquet.
    """
    counts: Counter[str] = Counter()
    encodings = find_encodings(file.path, file.name, reading, scratch)
    members = open_members(file.path, file.name, reading.members, reading.max_bytes, scratch, counts)
    found = []
    for (member, stream), encoding in zip(members, encodings, strict=True):
        kind = reading.format_of(member, file.name)
        found.append({"format": "json" if kind == "text" else kind, "line_ends": {}, **encoding})
        yield member, values_of(stream, member, found[-1], reading, scratch)
    file.facts.update(summary(found, reading) | counts)


def values_of(
    stream: BinaryIO, name: str, facts: dict[str, Any], reading: Reading, scratch: Path
) -> Iterator[tuple[Any, str]]:
    """Return the records of what is no archive, and where they stand."""
    kind = facts["format"]
    if kind == "parquet":
        return parquet_values(stream, name, scratch)
    if kind not in ("json", "jsonl"):
        raise UserError(f"{name} is {kind}, and dialogues are JSON lines, JSON or parquet; convert it")
    blocks = decode(stream, name, facts["encoding"], reading.errors, facts)
    return jsonl_values(blocks, name) if kind == "jsonl" else json_values(blocks, name)
