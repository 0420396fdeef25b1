"""Records to dialogues: what each format of dialogues looks like.

A dialogue is here as its file has it: who may say what after whom is decided in `order`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.dialogues.records import Record
from gptgrid.stages.corpus.reading.fields import ListedError, name_of_type
from gptgrid.text.chat_template import ASSISTANT, SYSTEM, USER, Message
from gptgrid.text.documents import is_blank
from gptgrid.text.readable import excerpt

ROLES = {
    **dict.fromkeys(("system", "developer"), SYSTEM),
    **dict.fromkeys(("user", "human", "prompter"), USER),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model"), ASSISTANT),
}
"""What files call a role, in small letters → its name."""
AUTO = "auto"
SHOWN = 30
"""Characters of a role that a message quotes."""


class UnknownRoleError(ListedError):
    """A message has a role that is none of ROLES."""

    def __init__(self, role: str, where: str) -> None:
        todo = f"expected one of {', '.join(ROLES)}; take such messages out, or give them one of these roles"
        super().__init__(f"{where}: found the role", [repr(excerpt(role, SHOWN))], todo)
        self.unlisted = f"{where}: found another role; {todo}"


@dataclass(frozen=True)
class Format:
    """A format of dialogues."""

    fields: str
    """What its records have, in words."""
    reads: dict[str, tuple[str, ...]]
    """The fields of a record that are read → what is read of the objects in each, if it is a list of them."""
    fits: Callable[[Record], bool]
    """Says whether a record has the fields that all of the format have."""
    dialogues: Callable[[Record], Iterator[tuple[list[Message], str]]]
    """Yields the dialogues of such a record, and where each stands."""


# ---------------------------------------------------------------------------------------- messages


def listed(record: Record) -> list[Any] | None:
    """Return the messages of a record, which may itself be the list; None where there are none."""
    found = record.value if isinstance(record.value, list) else record.find("messages")
    return found if isinstance(found, list) else None


def has_messages_with(record: Record, *fields: str) -> bool:
    """Say whether a record lists messages, the first of which has some fields; an empty list is one, too."""
    messages = listed(record)
    if not messages:
        return messages is not None
    first = record.inner(messages[0], "message 1")
    return all(first.name_of(field) is not None for field in fields)


def spoken(record: Record) -> Iterator[Record]:
    """Yield the messages of a record.

    Raises:
        UserError: one is no object.
    """
    for number, value in enumerate(listed(record), 1):
        if not isinstance(value, dict):
            raise UserError(
                f"{record.where}, message {number}: found {name_of_type(value)}, not an object; mend it"
            )
        yield record.inner(value, f"message {number}")


def of_roles(record: Record) -> Iterator[tuple[list[Message], str]]:
    """Yield the dialogue of a list of messages that say who speaks."""
    messages = [Message(role_of(message), message.text("content")) for message in spoken(record)]
    yield with_system(record, messages), record.where


def role_of(message: Record) -> str:
    """Return the role of a message.

    Raises:
        UserError: it is none that is known.
    """
    role = message.text("role")
    if role.strip().lower() not in ROLES:
        raise UnknownRoleError(role, message.where)
    return ROLES[role.strip().lower()]


def of_turns(record: Record) -> Iterator[tuple[list[Message], str]]:
    """Yield the dialogue of a list of messages whose two sides take turns, the user first."""
    texts = [message.text("message") for message in spoken(record)]
    messages = [Message((USER, ASSISTANT)[number % 2], text) for number, text in enumerate(texts)]
    yield with_system(record, messages), record.where


def with_system(record: Record, messages: list[Message]) -> list[Message]:
    """Return messages with the system message that a record has beside them.

    Raises:
        UserError: they begin with another one.
    """
    text = record.text("system")
    if is_blank(text):
        return messages
    own = [message for message in messages[:1] if message.role == SYSTEM]
    if not own or is_blank(own[0].content):
        return [Message(SYSTEM, text), *messages[len(own) :]]
    if own[0].content.split() != text.split():
        raise UserError(
            f"{record.where}: the field {record.name_of('system')!r} and the system message say different "
            "things; leave one of them"
        )
    return messages


def has_unlearned_answer(record: Record, kind: str) -> bool:
    """Say whether an answer of a record is not to be learned: OpenAI's `weight`, which is 0 or 1."""
    if "weight" not in FORMATS[kind].reads.get("messages", ()):
        return False
    return any(
        message.find("weight") not in (None, 1) and role_of(message) == ASSISTANT
        for message in spoken(record)
    )


# --------------------------------------------------------------------------- a question and its answer


def of_instruction(record: Record) -> Iterator[tuple[list[Message], str]]:
    """Yield the dialogue of an instruction, or those of the instances that it lists.

    Raises:
        UserError: the instances are no list of objects.
    """
    instruction = record.text("instruction")
    instances = record.find("instances")
    if record.name_of("output") is not None or not isinstance(instances, list):
        parts = [record]
    else:
        values = enumerate(instances, 1)
        parts = [record.inner(value, f"instance {number}") for number, value in values] or [record]
    for part in parts:
        given = part.text("input")
        asked = instruction if is_blank(given) else f"{instruction}\n\n{given}"
        messages = [Message(USER, asked), Message(ASSISTANT, part.text("output"))]
        yield with_system(record, messages), part.where


def has_instruction(record: Record) -> bool:
    """Say whether a record is an instruction with an output, or with instances of one."""
    instances = record.find("instances")
    return record.has("instruction") and (
        record.has("output")
        or (isinstance(instances, list) and all(isinstance(value, dict) for value in instances))
    )


def of_question(record: Record) -> Iterator[tuple[list[Message], str]]:
    """Yield the dialogue of a question and its answer."""
    messages = [Message(USER, record.text("question")), Message(ASSISTANT, record.text("answer"))]
    yield with_system(record, messages), record.where


FORMATS = {
    "messages": Format(
        "`messages` (or `conversations`), a list of `role` and `content` (or `from` and `value`)",
        {"messages": ("role", "content", "weight"), "system": ()},
        lambda record: has_messages_with(record, "role", "content"),
        of_roles,
    ),
    "kdconv": Format(
        "`messages`, a list of `message`",
        {"messages": ("message",), "system": ()},
        lambda record: has_messages_with(record, "message"),
        of_turns,
    ),
    "instruction": Format(
        "`instruction`, perhaps `input` (or `context`), and `output` (or `response`)",
        dict.fromkeys(("instruction", "input", "output", "system"), ()) | {"instances": ("input", "output")},
        has_instruction,
        of_instruction,
    ),
    "question": Format(
        "`question` (or `prompt`, `query`) and `answer` (or `completion`, `response`)",
        dict.fromkeys(("question", "answer", "system"), ()),
        lambda record: record.has("question") and record.has("answer"),
        of_question,
    ),
}
"""Value of the key `format` → the format; the first that fits is that of `auto`."""


def format_of(record: Record, asked: str) -> str | None:
    """Return the format of a record: the one that is asked for, or the first that fits; None for none."""
    names = FORMATS if asked == AUTO else [asked]
    return next((name for name in names if FORMATS[name].fits(record)), None)


def known_format(record: Record, asked: str) -> str:
    """Return the format of a record.

    Raises:
        UserError: it has none, or not the one that is asked for.
    """
    if (kind := format_of(record, asked)) is None:
        raise unknown(record, asked)
    return kind


def unread(record: Record, kind: str) -> list[str]:
    """Return the fields of a record that hold something and that its format does not read.

    A field of the objects in the list `a` is called `a[].b`; `[].b` where the record itself is that list.
    """
    reads = FORMATS[kind].reads
    found = dict.fromkeys(others(record, reads))
    for field, inner in reads.items():
        parts = record.value if isinstance(record.value, list) else record.find(field)
        for part in parts if inner and isinstance(parts, list) else ():
            names = others(record.inner(part, ""), inner)
            found |= dict.fromkeys(f"{record.name_of(field) or ''}[].{name}" for name in names)
    return list(found)


def others(record: Record, fields: Collection[str]) -> list[str]:
    """Return the names of what a record holds beside some fields; of `a.b`, all of `a` counts as read."""
    names = [name for field in fields if (name := record.name_of(field)) is not None]
    read = {*names, *(name.partition(".")[0] for name in names)}
    values = record.value if isinstance(record.value, dict) else {}
    return [name for name, value in values.items() if name not in read and value not in (None, "", [], {})]


def unknown(record: Record, asked: str) -> UserError:
    """Return what to say about a record that is no dialogue.

    Args:
        record: it.
        asked: the format that it should have, or `auto`.
    """
    names = FORMATS if asked == AUTO else [asked]
    known = "; ".join(f"{name}: {FORMATS[name].fields}" for name in names)
    one = "one of " if asked == AUTO else ""
    expected = f"expected {one}{known}; mend it, or give the names that it has in `fields`"
    if not isinstance(record.value, dict):
        return UserError(f"{record.where}: found {name_of_type(record.value)}, not a dialogue; {expected}")
    fields = list(record.value)
    for first in (listed(record) or [])[:1]:
        fields += [f"{name} (in the first message)" for name in first] if isinstance(first, dict) else []
    return ListedError(f"{record.where}: no dialogue, by its fields:", fields, expected)
