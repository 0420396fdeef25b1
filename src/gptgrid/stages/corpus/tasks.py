"""The items of a task: JSON lines in one of three formats → items.jsonl, in which all formats are alike.

A line of it has `prompt`, `answer`, the list `wrong` (empty in a cloze) and perhaps `group`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT
from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.net.download import fetch
from gptgrid.stages.corpus.reading.containers import open_members
from gptgrid.stages.corpus.reading.fields import TWICE, name_of_type
from gptgrid.stages.corpus.reading.json_records import record_of
from gptgrid.stages.corpus.reading.line_ends import with_line_feeds
from gptgrid.stages.corpus.sources.source import SourceFile, own_file
from gptgrid.text.writing_systems import SPACELESS
from gptgrid.words import counted

ITEMS = "items.jsonl"
GROUP = "UID"
"""The field that says what an item is about, where the configuration names none and the items have it."""


@dataclass(frozen=True)
class Line:
    """A line of a task's file."""

    record: dict[str, Any]
    where: str
    """File and line."""
    task: str
    """The format that its fields are of."""

    def value(self, field: str) -> Any:
        """Return the value of a field.

        Raises:
            UserError: there is none, or there are two.
        """
        if field not in self.record:
            raise UserError(
                f"{self.where} has no field {field!r}; it has {', '.join(self.record) or 'none'}. Items of "
                f"the format {self.task} have {', '.join(FIELDS[self.task])}, and all of them a field that "
                "`group` names; mend the line, or set `format`"
            )
        if self.record[field] is TWICE:
            raise UserError(f"{self.where} has the field {field!r} twice; leave one")
        return self.record[field]

    def text(self, field: str, may_be_empty: bool = False) -> str:
        """Return the text of a field, with LF line ends.

        Raises:
            UserError: it holds none.
        """
        return self.checked(self.value(field), field, may_be_empty)

    def texts(self, field: str) -> list[str]:
        """Return the texts of a field that lists some.

        Raises:
            UserError: it is no list of texts, or an empty one.
        """
        values = self.value(field)
        if not isinstance(values, list) or not values:
            found = "an empty list" if values == [] else name_of_type(values)
            raise UserError(f"{self.where}: the field {field!r} is {found}, not a list of texts")
        return [self.checked(value, field) for value in values]

    def checked(self, value: Any, field: str, may_be_empty: bool = False) -> str:
        """Return what must be a text."""
        if not isinstance(value, str):
            raise UserError(f"{self.where}: the field {field!r} holds {name_of_type(value)}, not a text")
        if not value and not may_be_empty:
            raise UserError(f"{self.where}: the field {field!r} holds an empty text, which has no likelihood")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{self.where}: the field {field!r} has half a character (a lone surrogate); fix it"
            ) from None
        return with_line_feeds(value)


def pair(line: Line, before: str | None) -> dict[str, Any]:
    """Return the item of a minimal pair: two texts without a prompt."""
    start = " " if before is None else before
    good, bad = (start + line.text(field) for field in FIELDS["minimal-pairs"])
    return {"prompt": "", "answer": good, "wrong": [bad]}


def choice(line: Line, before: str | None) -> dict[str, Any]:
    """Return the item of a question with several answers.

    Raises:
        UserError: the right answer is among the wrong ones, or one of those stands twice.
    """
    item, wrong = cloze(line, before), line.texts("wrong")
    if item["answer"] in wrong:
        raise UserError(f"{line.where}: the answer is among the wrong ones, too; mend the line")
    if twice := [text for text in wrong if wrong.count(text) > 1]:
        raise UserError(
            f"{line.where}: the wrong answer {twice[0]!r} stands twice, and would count twice; leave one"
        )
    return {**item, "wrong": wrong}


def cloze(line: Line, before: str | None) -> dict[str, Any]:
    """Return the item of a text whose end is asked for.

    Raises:
        UserError: prompt and answer would become one word, and nobody said that they are to.
    """
    prompt, answer = line.text("prompt", may_be_empty=True), line.text("answer")
    if before is None and are_one_word(prompt[-1:], answer[0]):
        raise UserError(
            f"{line.where}: prompt and answer would become one word, without a blank between them; set "
            '`before` of the task to " ", or to "" if that is meant'
        )
    return {"prompt": prompt + (before or ""), "answer": answer, "wrong": []}


def are_one_word(last: str, first: str) -> bool:
    """Say whether two characters, of which the former may be missing, make one word of two."""
    return last.isalnum() and first.isalnum() and not SPACELESS.search(last + first)


def write_items(job: Job, item_of: Callable[[Line, str | None], dict[str, Any]]) -> dict[str, Any]:
    """Write items.jsonl; return the facts.

    Args:
        job: its config has `task` (the format), `files` (names of own files, or url and sha256), `members`,
            `group` and `before`.
        item_of: (line, `before`, None where nobody gave it) → its item without the group.

    Raises:
        UserError: a file cannot be had or read, a line is no such item, or there are none.
    """
    config, files, items = job.config, [], 0
    field = config.group
    with job.timing("read"), (job.folder / ITEMS).open("w", encoding="utf-8") as output:
        for line in lines(job, files):
            if field is None and GROUP in line.record:
                if items:
                    raise UserError(
                        f"{line.where} has a field {GROUP!r}, which the items before it have not; give it to "
                        "all of them, or to none"
                    )
                field = GROUP
            item = item_of(line, config.before) | ({"group": line.text(field)} if field else {})
            output.write(json.dumps(item, ensure_ascii=False) + "\n")
            items += 1
    if not items:
        raise UserError(f"{', '.join(file['name'] for file in files)}: no items; each line is to be one")
    print(counted(items, "item"), flush=True)
    return {"format": config.task, "items": items, ABOUT: {"source": {"files": files}, "group": field}}


def lines(job: Job, files: list[dict[str, Any]]) -> Iterator[Line]:
    """Yield the lines of all files of a task; blank ones are left out.

    Args:
        job: the task's.
        files: gets what is known of each file.

    Raises:
        UserError: a file cannot be had or read, or a line is no JSON object in UTF-8.
    """
    for entry in job.config.files:
        file = located(job, entry)
        files.append(file.facts)
        for name, stream in open_members(file.path, file.name, job.config.members, scratch=job.scratch):
            for number, packed in enumerate(stream, 1):
                where = f"{name}, line {number}"
                try:
                    text = packed.decode("utf-8-sig")
                except UnicodeDecodeError:
                    raise UserError(f"{where} is not UTF-8, which JSON is written in; convert it") from None
                if text.strip():
                    record = record_of(text, where)
                    if not isinstance(record, dict):
                        raise UserError(
                            f"{where} is {name_of_type(record)}, not an object; items stand one a line, as "
                            "in .jsonl"
                        )
                    yield Line(record, where, job.config.task)


def located(job: Job, entry: Any) -> SourceFile:
    """Return a user's own file, or one of the web after its download."""
    if isinstance(entry, str):
        return own_file(job, "items", entry)
    return SourceFile.describe(fetch(entry.url, entry.sha256), "items", entry.url, entry.sha256)


FIELDS = {
    "minimal-pairs": ("sentence_good", "sentence_bad"),
    "choice": ("prompt", "answer", "wrong"),
    "cloze": ("prompt", "answer"),
}
"""Format → the fields of its items."""
TASKS = Variants(
    {
        "minimal-pairs": partial(write_items, item_of=pair),
        "choice": partial(write_items, item_of=choice),
        "cloze": partial(write_items, item_of=cloze),
    }
)
"""The key `format` of a task → what writes its items: Job → facts."""
