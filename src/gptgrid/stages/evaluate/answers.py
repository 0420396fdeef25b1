"""What a cell answers by itself, and how near that comes to the true answers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from torch import nn

from gptgrid.model.continuation import Continuation, complete
from gptgrid.model.decoding import Decoding
from gptgrid.stages.evaluate.shares import share
from gptgrid.stages.evaluate.turns import Dialogue, Reader
from gptgrid.text.agreement import chrf
from gptgrid.text.writing_systems import count_spaceless

WORDS, CHARACTERS = 10, 20
"""A reference is short if it is one line and has at most so many words, or so many characters where any of
them is of a script without blanks between words."""


def ask(
    module: nn.Module,
    reader: Reader,
    dialogues: Sequence[Dialogue],
    most: int,
    rows: int,
) -> list[dict[str, Any]]:
    """Return what a cell answers in dialogues in place of their last answers.

    Args:
        module: in eval mode.
        reader: how it reads them.
        dialogues: of the test split.
        most: tokens of an answer at most.
        rows: dialogues at a time.

    Returns:
        rows of answers.jsonl, but for the nats of the references.
    """
    prompts = [reader.prompt(dialogue) for dialogue in dialogues]
    decoding, ends = Decoding(temperature=0.0, stop=reader.conversations.stop), reader.conversations.ends
    written: list[Continuation] = []
    for first in range(0, len(prompts), rows):
        some = prompts[first : first + rows]
        seeds = [0] * len(some)  # nothing is drawn
        written += complete(module, reader.codec, some, decoding, most, seeds, ends=ends, begins=True)
    return [
        {
            "dialogue": dialogue.number,
            "messages": [vars(message) for message in dialogue.messages[:-1]],
            "reference": (reference := dialogue.messages[-1].content),
            "answer": answer.text,
            "exact": is_exact(answer.text, reference),
            "bytes": len(reference.encode()),
            "tokens": len(answer.tokens),
            "ended": answer.finish != "length",
            "cut": len(dialogue.kept) < len(dialogue.messages),
            "unreachable": reader.conversations.cut_short(reference.strip()),
        }
        for dialogue, answer in zip(dialogues, written, strict=True)
    ]


def figures_of(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of answers; None where there are none to measure.

    Returns:
        asked, items (those with a short reference), exact with low and high, chrf and its signature,
        mean_bytes, mean_tokens, ended (by themselves), asked_cut (without the oldest turns), unreachable
        (references that no answer can be).
    """
    credits = np.array([row["exact"] for row in answers if row["exact"] is not None], dtype=float)
    exact = share(credits) if len(credits) else dict.fromkeys(("accuracy", "low", "high"))
    texts = [row["answer"] for row in answers]
    near, signature = chrf(texts, [row["reference"] for row in answers]) if answers else (None, None)
    return {
        "asked": len(answers),
        "items": len(credits),
        "exact": exact["accuracy"],
        "exact_low": exact["low"],
        "exact_high": exact["high"],
        "chrf": near,
        "chrf_signature": signature,
        "mean_bytes": fmean(len(text.encode()) for text in texts) if answers else None,
        "mean_tokens": fmean(row["tokens"] for row in answers) if answers else None,
        "ended": sum(row["ended"] for row in answers),
        "asked_cut": sum(row["cut"] for row in answers),
        "unreachable": sum(row["unreachable"] for row in answers),
    }


def is_exact(answer: str, reference: str) -> bool | None:
    """Say whether an answer is the reference; None where that is not short: see WORDS."""
    wanted = reference.strip()
    short = len(wanted) <= CHARACTERS if count_spaceless(wanted) else len(wanted.split()) <= WORDS
    return answer.strip() == wanted if short and "\n" not in wanted else None
