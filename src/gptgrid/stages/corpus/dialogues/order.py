"""Who speaks after whom: perhaps a system message, then questions and answers in turns, an answer last.

Sets of real dialogues begin inside a talk or end with a question: what has no counterpart is left out, and
counted, as are whole dialogues in which somebody says nothing. Anything else out of order is a mistake of the
file, which is for a person to mend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from gptgrid.artifact.errors import UserError
from gptgrid.text.chat_template import ASSISTANT, SYSTEM, USER, Message
from gptgrid.text.documents import is_blank

NO_ANSWER, EMPTY_ANSWER = "without an answer", "with an empty answer"
EMPTY_QUESTION = "with an empty question"
UNLEARNED = "with an answer that is not to be learned (its `weight` is not 1)"
COPY, ALSO_IN = "that are copies of earlier ones", "that stand in {}, too"
"""Why a dialogue is left out, in words for people."""
FIRST_ANSWERS, LAST_QUESTIONS = "answers before the first question", "questions after the last answer"
"""Messages that are left out of dialogues."""


@dataclass
class LeftOut:
    """What is left out: reason → how many."""

    dialogues: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)


def in_order(messages: list[Message], where: str, left_out: LeftOut) -> list[Message] | None:
    """Return a dialogue in order; None of one that is left out.

    Args:
        messages: as their file has them.
        where: they stand.
        left_out: gets what is left out.

    Raises:
        UserError: two messages of one side follow each other, or a system message is not the first.
    """
    number = 1 if messages and messages[0].role == SYSTEM else 0
    system, talk = [each for each in messages[:number] if not is_blank(each.content)], messages[number:]
    for place, each in enumerate(talk, number + 1):
        if each.role == SYSTEM:
            raise UserError(
                f"{where}: message {place} is a system message, and is not the first; mend the dialogue"
            )
    first = next((place for place, each in enumerate(talk) if each.role == USER), len(talk))
    last = next((len(talk) - place for place, each in enumerate(reversed(talk)) if each.role == ASSISTANT), 0)
    if first >= last:
        left_out.dialogues[NO_ANSWER] += 1
        return None
    for place, (one, other) in enumerate(pairwise(talk[first:last]), number + first + 1):
        if one.role == other.role:
            raise UserError(
                f"{where}: messages {place} and {place + 1} are both of the {one.role}, and the sides take "
                "turns; make one of the two, or take the dialogue out"
            )
    for role, reason in ((ASSISTANT, EMPTY_ANSWER), (USER, EMPTY_QUESTION)):
        if any(each.role == role and is_blank(each.content) for each in talk[first:last]):
            left_out.dialogues[reason] += 1
            return None
    left_out.messages += Counter({FIRST_ANSWERS: first, LAST_QUESTIONS: len(talk) - last})
    return system + talk[first:last]
