"""A conversation with a trained cell: what was said, and the settings.

Nothing here reads from a terminal or writes to one.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.reading import Prompt, reading_of
from gptgrid.model.continuation import Piece, stream
from gptgrid.model.decoding import DEFAULT, Decoding
from gptgrid.model.generate import check
from gptgrid.text.chat_template import ASSISTANT, USER, Message


@dataclass(frozen=True)
class Settings:
    """How answers are drawn; those of `gptgrid generate` at the start."""

    decoding: Decoding = DEFAULT
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
