"""A conversation with a trained cell: what was said, how the model reads it, and the settings.

Nothing here reads from a terminal or writes to one.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from gptgrid.artifact.errors import UserError
from gptgrid.inference.cell import TrainedCell
from gptgrid.model.continuation import Piece, left_out, stream
from gptgrid.model.decoding import Decoding
from gptgrid.model.generate import check
from gptgrid.text.chat_template import ASSISTANT, USER, Message
from gptgrid.tokens.conversation import Conversations, fitting


class Prompt(NamedTuple):
    """What a model reads of a conversation before it answers."""

    ids: list[int]
    left_out: int
    """Tokens of the conversation, its oldest ones, for which the context has no room."""
    notice: str | None
    """What that means, for a person."""


class Reading(Protocol):
    """How a model reads a conversation, and where its answers end."""

    ends: tuple[int, ...]
    """Ids at which an answer ends, beside the end of text."""
    stop: tuple[str, ...]
    """Texts at which an answer ends."""
    marks: bool
    """Whether special tokens are shown by their names."""
    begins: bool
    """Whether an answer begins a text of its own, and does not go on with that before it."""
    silence: str
    """What it means, for a person, if the model ends an answer before it says anything."""

    def text(self, messages: Sequence[Message]) -> str:
        """Return the conversation as one text."""

    def prompt(self, messages: Sequence[Message], most: int) -> Prompt:
        """Return what the model reads.

        Args:
            messages: in turn, one of the user last.
            most: tokens that the answer may have.

        Raises:
            UserError: the messages cannot be read.
        """


class Transcript:
    """The form of a base model, which knows documents and no roles: one document that both write.

    What the model says goes on right where the text ends; any other message begins a new line, unless it is
    empty: then the model just goes on.
    """

    ends, stop = (), ()
    begins = False
    silence = "the text has ended; /reset begins a new one"

    def __init__(self, cell: TrainedCell) -> None:
        self.cell, self.marks = cell, cell.marks

    def text(self, messages: Sequence[Message]) -> str:
        """Return the document so far."""
        text = ""
        for message in messages:
            if message.role != ASSISTANT and message.content and text and not text.endswith("\n"):
                text += "\n"
            text += message.content
        return text

    def prompt(self, messages: Sequence[Message], most: int) -> Prompt:
        """Return the document so far; of one that is too long the model reads the end."""
        ids = self.cell.codec.begin(self.text(messages), self.marks)
        missing, notice = left_out(self.cell.module, ids), None
        if missing:
            notice = (
                f"the text is longer than the context of {self.cell.context} tokens; from now on its oldest "
                "part is not read"
            )
        return Prompt(ids[missing:], missing, notice)


class Turns:
    """The form of a model that is fine-tuned on conversations: its chat template."""

    marks, begins = False, True
    silence = "the answer is empty; /retry asks once more"

    def __init__(self, cell: TrainedCell, conversations: Conversations) -> None:
        self.cell, self.conversations = cell, conversations
        self.ends, self.stop = conversations.ends, conversations.stop

    def text(self, messages: Sequence[Message]) -> str:
        """Return the conversation as the template writes it."""
        return self.conversations.template.render(self.conversations.with_system(messages))

    def prompt(self, messages: Sequence[Message], most: int) -> Prompt:
        """Return the conversation up to the answer, for which up to half of the context is kept free.

        Of one that is too long the oldest turns are left out whole; of a last message that is too long, what
        comes first.
        """
        context, prompt = self.cell.context, self.conversations.prompt
        room = context - min(most, context // 2)
        whole = prompt(messages)
        if len(whole) <= room:
            return Prompt(whole, 0, None)
        kept, _ = fitting(messages, lambda some: len(prompt(some)) <= room)
        ids, notice = prompt(kept), None
        if len(ids) > context:
            notice = f"the message is longer than the context of {context} tokens; its beginning is not read"
        elif len(ids) < len(whole):
            notice = (
                f"the conversation is longer than the context of {context} tokens; from now on its oldest "
                "turns are not read"
            )
        return Prompt(ids[-context:], len(whole) - len(ids[-context:]), notice)


def reading_of(cell: TrainedCell) -> Reading:
    """Return how a cell reads conversations.

    Raises:
        UserError: its template and its tokenizer do not go together.
    """
    return Transcript(cell) if cell.conversations is None else Turns(cell, cell.conversations)


@dataclass(frozen=True)
class Settings:
    """How answers are drawn; those of `gptgrid generate` at the start."""

    decoding: Decoding = Decoding(temperature=0.8, top_p=0.95)  # noqa: RUF009 -- it is frozen
    max_new_tokens: int = 100
    seed: int = 0
    """Of the first answer; each further one, also to the same message, has the next one."""

    def values(self) -> dict[str, Any]:
        """Return all of them by name."""
        return {**vars(self.decoding), "max_new_tokens": self.max_new_tokens, "seed": self.seed}

    def changed(self, name: str, value: str) -> Settings:
        """Return settings of which one has another value.

        Args:
            name: of the setting, with `_` or `-`.
            value: a number; for `stop` a text, or a JSON list of texts.

        Raises:
            UserError: there is no such setting, or the value is no number.
        """
        known, name = self.values(), name.replace("-", "_")
        if name not in known:
            raise UserError(f"there is no setting {name!r}{meant(name, known)}; there are {', '.join(known)}")
        kind = type(known[name])
        try:
            new = texts(value) if kind is tuple else kind(value)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise UserError(f"{name} is {value!r}; expected {expected}") from None
        if hasattr(self.decoding, name):
            return replace(self, decoding=replace(self.decoding, **{name: new}))
        return replace(self, **{name: new})


def texts(value: str) -> tuple[str, ...]:
    """Return the texts that a JSON list or a JSON text names; what is neither stands for itself."""
    try:
        found = json.loads(value)
    except ValueError:
        return (value,)
    if isinstance(found, str):
        return (found,)
    is_list = isinstance(found, list) and all(isinstance(text, str) for text in found)
    return tuple(found) if is_list else (value,)


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question for the name that may be meant; nothing if none is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f" (do you mean {near[0]}?)" if near else ""


class Conversation:
    """Messages in turn, of which the model says every second one."""

    def __init__(self, cell: TrainedCell, settings: Settings | None = None) -> None:
        """Begin an empty one.

        Args:
            cell: that answers.
            settings: at the start.

        Raises:
            UserError: the cell's template and its tokenizer do not go together.
        """
        self.cell = cell
        self.reading = reading_of(cell)
        self.settings = settings or Settings()
        self.messages: list[Message] = []
        self.draws = 0
        """Answers since the beginning, or since the seed was set."""
        self.prompt: Prompt | None = None
        """What the model read before the last answer."""
        self.ended = False
        """Whether the last answer ended with a token that ends it, and not at a limit or a stop text."""

    @property
    def text(self) -> str:
        """Return all that was said as one text, as the model reads it."""
        return self.reading.text(self.messages)

    def set(self, name: str, value: str) -> None:
        """Change a setting; see `Settings.changed`.

        Raises:
            UserError: there is no such setting, or its value is out of range; all stays as it is.
        """
        new = self.settings.changed(name, value)
        check(self.cell.module, [], new.decoding, new.max_new_tokens, [new.seed])
        self.settings = new
        if name == "seed":
            self.draws = 0

    def ask(self, text: str) -> Generator[str, None, None]:
        """Say something; return the answer in pieces as it comes.

        An answer that is closed before its end is kept as far as it came.

        Raises:
            UserError: the text cannot be read, by the call itself; then it counts as not said.
        """
        return self.answer([*self.messages, Message(USER, text)])

    def retry(self) -> Generator[str, None, None]:
        """Answer the last message of the user once more, by another draw.

        Raises:
            UserError: there is none.
        """
        return self.answer([*self.before_last(), self.last_asked()])

    def undo(self) -> None:
        """Take back the last message of the user and what was answered.

        Raises:
            UserError: there is none.
        """
        self.messages = self.before_last()

    def reset(self) -> None:
        """Begin anew, with the settings as they are; the same messages get the same answers."""
        self.messages, self.draws, self.prompt = [], 0, None

    def last_asked(self) -> Message:
        """Return the last message of the user."""
        return self.messages[len(self.before_last())]

    def before_last(self) -> list[Message]:
        """Return what was said before the last message of the user."""
        places = [place for place, message in enumerate(self.messages) if message.role == USER]
        if not places:
            raise UserError("nothing was said yet")
        return self.messages[: places[-1]]

    def answer(self, messages: list[Message]) -> Generator[str, None, None]:
        """Return the answer to messages, which become what was said so far."""
        decoding, reading, most = self.settings.decoding, self.reading, self.settings.max_new_tokens
        prompt = reading.prompt(messages, most)
        pieces = stream(
            self.cell.module,
            self.cell.codec,
            [prompt.ids],
            replace(decoding, stop=(*decoding.stop, *reading.stop)),
            most,
            [self.settings.seed + self.draws],
            ends=reading.ends,
            begins=reading.begins,
            marks=reading.marks,
        )
        self.messages, self.prompt = messages, prompt
        self.draws += 1
        return self.said(pieces)

    def said(self, pieces: Iterator[Piece]) -> Generator[str, None, None]:
        """Yield the texts of some pieces, and note them as said by the model."""
        answer, self.ended = "", False
        try:
            with closing(pieces):
                for piece in pieces:
                    answer += piece.text
                    self.ended = piece.finish == "end"
                    yield piece.text
        finally:
            self.messages.append(Message(ASSISTANT, answer))
