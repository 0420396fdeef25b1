"""Conversations as token ids, and which of these are answers.

The marks of a template become special tokens; a content that spells one stays ordinary text. Between marks,
text of the template and contents are encoded as one run, but cut where an answer begins and ends: so what a
model is asked with is, token by token, what it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.text.chat_template import ASSISTANT, SYSTEM, USER, ChatTemplate, Message, Part
from gptgrid.tokens.base import Codec
from gptgrid.tokens.widen import spelled_like_text

ORDINARY = ("Yes.", "yes", "1", "是")
"""How answers begin."""
UNUSUAL = ("\nYes.", "\n\nYes.", " Yes.")
"""How few answers begin."""


@dataclass(frozen=True)
class Encoded:
    """A conversation as ids."""

    ids: np.ndarray
    """(tokens,) uint32, the end-of-text token first."""
    answers: np.ndarray
    """(tokens,) bool: whether a token belongs to an answer, its end mark included: a target of the loss."""


class Conversations:
    """Encodes conversations by a template."""

    marks: tuple[int, ...]
    """Ids of the special tokens that the template writes."""
    ends: tuple[int, ...]
    """Ids of special tokens that end an answer, beside the end of text."""
    stop: tuple[str, ...]
    """Texts that end an answer, where the template has no special token for it."""

    def __init__(self, codec: Codec, template: ChatTemplate, system: str | None = None) -> None:
        """Put a tokenizer and a template together.

        Args:
            codec: has the special tokens that the template writes.
            template: how messages become text.
            system: what a system message says in front of conversations that have none.

        Raises:
            UserError: the template cannot be used, or the tokenizer lacks special tokens.
        """
        template.check()
        self.codec, self.template, self.system = codec, template, system
        if codec.eot is None or codec.kind == "ids":
            raise UserError(
                f"the tokenizer (kind {codec.kind}) has no text; conversations need one that does"
            )
        if missing := lacking(codec, template):
            raise UserError(what_lacks(codec, template, missing))
        self.refuse_end_of_text()
        self.marks = self.marks_of_template()
        self.ends, self.stop = self.end_of_answer()

    def encode(self, messages: Sequence[Message]) -> Encoded:
        """Return a whole conversation as ids; nothing is cropped.

        Raises:
            UserError: the template does not take the messages, or a content cannot be encoded.
        """
        start = np.array([self.codec.eot], dtype=np.uint32)
        sections = [(False, start), *self.sections(self.template.parts(self.with_system(messages)))]
        return Encoded(
            np.concatenate([ids for _, ids in sections]),
            np.repeat([answer for answer, _ in sections], [len(ids) for _, ids in sections]),
        )

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids that end where the model is to answer.

        Raises:
            UserError: the template does not take the messages, or a content cannot be encoded.
        """
        parts = self.template.parts(self.with_system(messages), answer=True)
        return [self.codec.eot, *(index for _, ids in self.sections(parts) for index in ids.tolist())]

    def with_system(self, messages: Sequence[Message]) -> list[Message]:
        """Return messages that begin with a system message, where there is one for all."""
        if self.system is None or any(message.role == SYSTEM for message in messages):
            return list(messages)
        return [Message(SYSTEM, self.system), *messages]

    def sections(self, parts: Sequence[Part]) -> Iterator[tuple[bool, np.ndarray]]:
        """Yield what lies between the beginnings and ends of answers: whether it is one, and its ids."""
        # Each answer begins with its content.
        numbers = accumulate(part.answer and part.content for part in parts)
        for (answer, _), section in groupby(
            zip(parts, numbers, strict=True), key=lambda pair: (pair[0].answer, pair[1])
        ):
            yield answer, self.codec.join(runs(piece for part, _ in section for piece in self.pieces(part)))

    def pieces(self, part: Part) -> Iterator[str | list[int]]:
        """Yield a part as texts and ids of marks."""
        return iter([part.text]) if part.content else self.codec.marked(part.text)

    def marks_of_template(self) -> tuple[int, ...]:
        """Return the ids of the special tokens that the template writes, in order of their first places."""
        pieces = (piece for text in self.template.own_texts() for piece in self.codec.marked(text))
        return tuple(dict.fromkeys(index for piece in pieces if isinstance(piece, list) for index in piece))

    def end_of_answer(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return the ids and the texts with which the template ends an answer.

        Raises:
            UserError: it writes a text before the mark that ends it.
        """
        mark = self.codec.names.search(self.template.end)
        if mark is None:
            return (), (self.template.end,)
        self.template.check_mark(mark[0])
        return (self.codec.special_tokens[mark[0]],), ()

    def cut_short(self, answer: str) -> bool:
        """Say whether an answer holds the text that ends answers: then a model cannot give all of it."""
        return any((answer + end).index(end) < len(answer) for end in self.stop)

    def joins(self, answers: Sequence[str]) -> bool:
        """Say whether any of some answers has other ids where a conversation is read as one text, as by
        transformers: then what stands before an answer and its beginning may be one token."""
        talks = [[Message(USER, "Who?"), Message(ASSISTANT, answer)] * 2 for answer in answers]
        return any(
            self.encode(talk).ids.tolist() != self.codec.begin(self.template.render(talk), marks=True)
            for talk in map(self.with_system, talks)
        )

    def refuse_end_of_text(self) -> None:
        """Refuse a template that writes the end-of-text token, by whatever name the tokenizer has it.

        Raises:
            UserError: it does.
        """
        name = next(name for name, index in self.codec.special_tokens.items() if index == self.codec.eot)
        if any(name in text for text in self.template.own_texts()):
            raise UserError(
                f"the chat template {self.template.name} writes {name}, the end of text of this "
                "tokenizer, which begins documents; end answers with another mark"
            )


def conversations_of(recipe: dict[str, Any], codec: Codec) -> Conversations | None:
    """Return how a fine-tuned cell encodes conversations; None for a base cell.

    Args:
        recipe: what its config.json says.
        codec: its tokenizer.

    Raises:
        UserError: its template is none, or does not go together with its tokenizer.
    """
    chat = recipe.get("chat")
    if chat is None:
        return None
    return Conversations(codec, ChatTemplate(chat["template"], "of this cell"), chat["system"])


def fitting(
    messages: Sequence[Message], fits: Callable[[Sequence[Message]], bool]
) -> tuple[Sequence[Message], bool]:
    """Return messages without as few of the oldest turns as needed, and whether that was enough.

    A turn begins with what the user says. A system message and the last turn stay.

    Args:
        messages: in turn.
        fits: whether some of them are short enough.
    """
    system = [message for message in messages[:1] if message.role == SYSTEM]
    turns = [place for place, message in enumerate(messages) if message.role == USER]
    longer = [[*system, *messages[place:]] for place in reversed(turns[1:])]
    # The shortest first: of a very long conversation, few are looked at.
    kept, *longer = [*longer, messages]
    if not fits(kept):
        return kept, False
    for candidate in longer:
        if not fits(candidate):
            break
        kept = candidate
    return kept, True


def lacking(codec: Codec, template: ChatTemplate) -> list[str]:
    """Return the special tokens that a template writes and a tokenizer does not have as such."""
    return [name for name in template.special_tokens() if name not in codec.special_tokens]


def what_lacks(codec: Codec, template: ChatTemplate, missing: Sequence[str]) -> str:
    """Say which special tokens a tokenizer lacks, and what to do."""
    text = [name for name in missing if spelled_like_text(codec, name)]
    advice = (
        f"{text[0]} is a token of text there, so write another mark in the template"
        if text
        else "add them to `special_tokens` of the tokenizer, or set `new_tokens: add` of the fine-tuning"
    )
    return (
        f"the tokenizer (kind {codec.kind}) has no special tokens {', '.join(missing)}, which the chat "
        f"template {template.name} writes; {advice}"
    )


def runs(pieces: Iterator[str | list[int]]) -> Iterator[str | list[int]]:
    """Yield pieces, texts that follow each other as one."""
    for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        if is_text:
            yield "".join(group)
        else:
            yield from group
