"""How a trained cell reads a conversation: as its chat template says, or as one document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gptgrid.model.continuation import left_out
from gptgrid.text.chat_template import ASSISTANT, Message
from gptgrid.tokens.conversation import Conversations, fitting

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell


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
