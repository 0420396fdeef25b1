"""The conversations of a split as token ids that fit the context: longer ones dropped, cut or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.text.chat_template import ASSISTANT, Message
from gptgrid.tokens.conversation import Conversations, Encoded, fitting


@dataclass
class Split:
    """What is learned or validated of a split."""

    used: list[Encoded] = field(default_factory=list)
    """Each has at most one token more than the context; the cut ones are among them."""
    first: list[Message] = field(default_factory=list)
    """The messages of the first of them, as they were."""
    dropped: int = 0
    cut: int = 0


def encode_split(
    dialogues: Sequence[Sequence[Message]], split: str, conversations: Conversations, context: int, rule: str
) -> Split:
    """Return the conversations of a split.

    Args:
        dialogues: their messages.
        split: its name, for messages.
        conversations: encodes them.
        context: of the model.
        rule: what to do with those that are longer: a key of TOO_LONG.

    Raises:
        UserError: a conversation cannot be encoded, or is too long and `rule` refuses it; or none is left.
    """
    found, longest = Split(), 0
    for number, messages in enumerate(dialogues, 1):
        name = f"dialogue {number} of the {split} split"
        try:
            encoded = conversations.encode(messages)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
        longest = max(longest, length_of(encoded))
        kept = encoded
        if length_of(encoded) > context:
            kept = TOO_LONG[rule](messages, encoded, conversations, context, name)
        if kept is None:
            found.dropped += 1
            continue
        refuse_cut_short(messages, conversations, name)
        found.cut += kept is not encoded
        found.first = found.first or list(messages)
        found.used.append(kept)
    if not found.used:
        what = f"all are longer than the context: the longest has {longest:,} tokens, the context {context:,}"
        advice = "take dialogues that are shorter, or a model with a longer context"
        if rule == "cut":
            what += ", which the last question and the system message fill, so that no answer begins in it"
        else:
            advice += ", or set `too_long: cut`"
        raise UserError(
            f"no dialogue of the {split} split is left: {what if dialogues else 'it has none'}; "
            f"{advice if dialogues else 'give it some, or a share of the others (`split`)'}"
        )
    return found


def refuse_cut_short(messages: Sequence[Message], conversations: Conversations, name: str) -> None:
    """Refuse answers that the model could never give whole.

    Raises:
        UserError: one holds the text that ends answers.
    """
    for number, message in enumerate(messages, 1):
        if message.role == ASSISTANT and conversations.cut_short(message.content):
            raise UserError(
                f"{name}: message {number}, an answer, holds {conversations.stop[0]!r}, with which the chat "
                f"template {conversations.template.name} ends answers, so that a model would never say what "
                "stands behind it; take a template that ends answers with a mark, such as `template: chatml`"
            )


def length_of(encoded: Encoded) -> int:
    """Return the tokens that a model reads of a conversation: all but the last, which it is to predict."""
    return len(encoded.ids) - 1


def drop(
    messages: Sequence[Message], encoded: Encoded, conversations: Conversations, context: int, name: str
) -> None:
    """Leave it out."""


def refuse(
    messages: Sequence[Message], encoded: Encoded, conversations: Conversations, context: int, name: str
) -> None:
    """Refuse it.

    Raises:
        UserError: always.
    """
    raise UserError(
        f"{name} takes {length_of(encoded):,} tokens, more than the model's context of {context:,}; shorten "
        "it, or set `too_long: drop` or `cut` of the fine-tuning"
    )


def cut(
    messages: Sequence[Message], encoded: Encoded, conversations: Conversations, context: int, name: str
) -> Encoded | None:
    """Leave out whole turns from the front, all but a system message; and of a single turn that is still too
    long, the end of its answer. Return None if the answer does not even begin within the context."""
    kept, _ = fitting(messages, lambda some: length_of(conversations.encode(some)) <= context)
    encoded = conversations.encode(kept)
    shorter = Encoded(encoded.ids[: context + 1], encoded.answers[: context + 1])
    return shorter if shorter.answers.any() else None


Rule = Callable[[Sequence[Message], Encoded, Conversations, int, str], Encoded | None]
TOO_LONG: Variants[Rule] = Variants({"drop": drop, "cut": cut, "refuse": refuse})
"""The key `too_long` → what becomes of a conversation that is too long; None: it is dropped."""
