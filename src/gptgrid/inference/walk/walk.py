"""From a text and a model to the steps of a forward pass, in the words of a language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.inference.vocabulary import Vocabulary
from gptgrid.inference.walk.record import Recording, record
from gptgrid.inference.walk.step import TOKENS_SHOWN, Step, Table, chosen_places
from gptgrid.inference.walk.words import Words
from gptgrid.tokens.base import Codec


@dataclass(frozen=True)
class Walk:
    """A forward pass over a text, and what is needed to tell it."""

    text: str
    """What is read of the text: what fits the context."""
    tokens: int
    """Of the whole text, the end-of-text token in front among them."""
    module: nn.Module
    vocabulary: Vocabulary
    recording: Recording
    labels: list[str]
    """Each token as a person reads it."""
    words: Words

    @property
    def codec(self) -> Codec:
        """Return the tokenizer."""
        return self.vocabulary.codec

    def token(self, index: int) -> str:
        """Return a token as a person reads it."""
        return self.vocabulary.token(index).text

    @property
    def cropped(self) -> str:
        """Return what to say if the text is longer than the context, else nothing."""
        context = self.module.config.context
        if self.tokens <= context:
            return ""
        return self.label("cropped", count=self.tokens, context=context)

    @property
    def shown(self) -> str:
        """Return what to say if tables leave out tokens, else nothing."""
        count = len(self.labels)
        first, last = TOKENS_SHOWN
        if len(chosen_places(count)) == count:
            return ""
        return self.label("shown", count=count, first=first, last=last)

    def step(
        self,
        key: str,
        /,
        *,
        block: int | None = None,
        formula: str = "",
        shape: str = "",
        tables: Sequence[Table] = (),
        **values: object,
    ) -> Step:
        """Return a step with its words; `values` fill those that say what it does."""
        return Step(
            key,
            block,
            self.words(f"steps.{key}.title", **values),
            self.words(f"steps.{key}.what", **values).strip(),
            formula,
            shape,
            list(tables),
        )

    def formula(self, name: str, /, **values: object) -> str:
        """Return a formula by its name."""
        return self.words(f"formulas.{name}", **values)

    def label(self, name: str, /, **values: object) -> str:
        """Return the name of a column, row or table."""
        return self.words(f"labels.{name}", **values)


@torch.no_grad()
def take_walk(module: nn.Module, codec: Codec, text: str, words: Words, marks: bool = False) -> Walk:
    """Run a model over the beginning of a document.

    Args:
        module: in eval mode.
        codec: the tokenizer of the model.
        text: what the document begins with; beyond the context it is cut.
        words: of the language.
        marks: read names of special tokens in the text as these.

    Raises:
        UserError: the text has nothing in it.
    """
    if not text:
        raise UserError("the text is empty; give one with --text")
    ids = codec.begin(text, marks)
    if len(ids) < 2:
        raise UserError(
            f"the text {text!r} has {len(ids)} of the 2 tokens that a prediction takes; give a longer text"
        )
    kept = ids[: module.config.context]
    if len(kept) < 2:
        raise UserError("this model sees one token at once; a walk needs two, as it predicts the next one")
    if len(kept) < len(ids):
        text = codec.decode(kept)
    recording = record(module, kept)
    vocabulary = Vocabulary(codec)
    labels = [vocabulary.token(index).text for index in kept]
    return Walk(text, len(ids), module, vocabulary, recording, labels, words)


def chosen_numbers(given: str, count: int, what: str) -> list[int]:
    """Return the numbers of blocks or heads that a person asks for.

    Args:
        given: numbers with commas between, or `all`.
        count: how many there are.
        what: blocks or heads.

    Raises:
        UserError: it is neither, or there is no such one.
    """
    if given == "all":
        return list(range(count))
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) < count for part in parts):
        raise UserError(
            f"--{what} is {given!r}; this model has the {what} 0 to {count - 1}: give some of these numbers "
            "with commas between, or `all`"
        )
    return sorted({int(part) for part in parts})
