"""Dialogues as a cell reads them: token ids, and which of these are answers.

The tokens of each answer are spelled out. They must be its bytes: a difference fails the cell and names the
dialogue, and shows none of its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.stages.evaluate.spelling import Spelling
from gptgrid.text.chat_template import ASSISTANT, Message, Part
from gptgrid.tokens.conversation import Conversations, Encoded, fitting

FAULT = "no figure of this cell can be trusted; report this with its configuration"


class Span(NamedTuple):
    """An answer among the tokens of a text."""

    start: int
    """Place of its first token."""
    stop: int
    """Place after its last one, which ends it."""
    content: np.ndarray
    """Whether a token holds any of what it says, and is not mark alone: (stop - start,) bool."""


class Text(NamedTuple):
    """What the model reads at once of a dialogue, and the answers that are scored in it."""

    ids: np.ndarray
    """(tokens,) uint32, the end-of-text token first, the end of an answer last."""
    spans: list[Span]


@dataclass
class Dialogue:
    """What the true answers of a dialogue take."""

    number: int
    """In its split, counted from 0."""
    messages: Sequence[Message]
    answers: int
    bytes: int
    """UTF-8, of what the answers say."""
    texts: list[Text]
    """Each answer is in one."""
    kept: Sequence[Message]
    """Those from which the last answer is predicted, and that answer."""
    cut: int
    """Answers that are predicted without the oldest turns."""
    windows: int
    """Answers that, with their question, are longer than the context."""
    tokens: int = 0
    nats: float = 0.0
    content_nats: float = 0.0
    last_nats: float = 0.0
    """Of the last answer."""


class Reader:
    """Dialogues as a cell reads them."""

    def __init__(self, conversations: Conversations, context: int) -> None:
        """Begin.

        Args:
            conversations: how messages become ids.
            context: inputs of the model.
        """
        self.conversations, self.context = conversations, context
        self.codec, self.template = conversations.codec, conversations.template
        self.spelling = Spelling(self.codec, marks=True)

    def read(self, messages: Sequence[Message], number: int, split: str) -> Dialogue:
        """Return the texts in which the answers of a dialogue are scored.

        Raises:
            UserError: the tokens of an answer are not its bytes.
        """
        where = place_of(number, split)
        ends = [place + 1 for place, message in enumerate(messages) if message.role == ASSISTANT]
        size = sum(len(messages[end - 1].content.encode()) for end in ends)
        whole = self.encode(messages, where)
        if self.fits(whole):
            texts = [self.text(messages, whole, where)]
            return Dialogue(number, messages, len(ends), size, texts, messages, 0, 0)
        texts, cut, windows = [], 0, 0
        for end in ends:
            kept, fits = fitting(messages[:end], lambda some: self.fits(self.encode(some, where)))
            text = self.text(kept, self.encode(kept, where), where)
            texts.append(text._replace(spans=text.spans[-1:]))
            cut, windows = cut + (len(kept) < end), windows + (not fits)
        return Dialogue(number, messages, len(ends), size, texts, kept, cut, windows)

    def encode(self, messages: Sequence[Message], where: str) -> Encoded:
        """Return messages as ids, up to the end of the last answer.

        Args:
            messages: in turn.
            where: names the dialogue.

        Raises:
            UserError: the template does not take the messages, or a content cannot be encoded.
        """
        try:
            found = self.conversations.encode(messages)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
        stop = len(found.ids) - int(found.answers[::-1].argmax())
        return Encoded(found.ids[:stop], found.answers[:stop])

    def fits(self, encoded: Encoded) -> bool:
        """Say whether the model sees all of a text at once; nothing follows its last token."""
        return len(encoded.ids) - 1 <= self.context

    def text(self, messages: Sequence[Message], encoded: Encoded, where: str) -> Text:
        """Return messages as a text with all answers, after a look at how these are spelled.

        Args:
            messages: in turn.
            encoded: their ids.
            where: names the dialogue.

        Raises:
            UserError: the tokens of an answer are not its bytes.
        """
        edges = np.flatnonzero(np.diff(np.concatenate([[0], encoded.answers, [0]]).astype(np.int8)))
        parts = self.template.parts(self.conversations.with_system(messages))
        written = [list(own) for answer, own in groupby(parts, key=lambda part: part.answer) if answer]
        if len(edges) != 2 * len(written):
            raise UserError(
                f"{where} has {len(written)} answers, but {len(edges) // 2} among its tokens; {FAULT}"
            )
        spans = []
        for start, stop, own in zip(edges[::2].tolist(), edges[1::2].tolist(), written, strict=True):
            found, borders = self.spelling.spell(encoded.ids[start:stop])
            expected, first, last = self.spelled(own)
            if found != expected:
                raise UserError(
                    f"{where}: the tokens of an answer stand for {len(found)} bytes, which are not the "
                    f"{len(expected)} of the answer; {FAULT}"
                )
            spans.append(Span(start, stop, (borders[:-1] < last) & (borders[1:] > first)))
        return Text(encoded.ids, spans)

    def spelled(self, parts: Sequence[Part]) -> tuple[bytes, int, int]:
        """Return what the tokens of an answer should stand for, and where in it what it says begins and ends.

        A tokenizer that puts a blank before texts does so after each mark.
        """
        found, first, last, prefix = b"", 0, 0, self.codec.prefix
        for part in parts:
            start = len(found)
            for piece in [part.text] if part.content else self.codec.marked(part.text):
                if isinstance(piece, list):
                    found, prefix = found + self.codec.decode_bytes(piece, special=True), self.codec.prefix
                elif piece:
                    found, prefix = found + prefix + piece.encode(), b""
            if part.content:
                first, last = start, len(found)
        return found, first, last

    def prompt(self, dialogue: Dialogue) -> list[int]:
        """Return the ids that ask for the last answer of a dialogue: those from which the true one is
        predicted."""
        return self.conversations.prompt(dialogue.kept[:-1])


def place_of(number: int, split: str) -> str:
    """Return what messages call a dialogue."""
    return f"dialogue {number} of the {split} split (the first is 0)"
