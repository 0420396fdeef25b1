"""Where the nats of a text come from: what adds up to the figure of a convention, cut in four ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from gptgrid.model.score import Scores
from gptgrid.stages.evaluate.audit import runs_of_documents
from gptgrid.stages.evaluate.spelling import KINDS, Spelling
from gptgrid.tokens.document_scores import targets_by_document
from gptgrid.tokens.document_table import ScoredText

DEFINITIONS = {
    "position": "scored tokens by how many tokens of their window each was predicted from",
    "frequency": "scored tokens by how often each stands in {counted:,} tokens of the training split, the "
    "first ones",
    "script": "scored tokens by the letters that each writes, or is part of; else digits; else marks, blanks "
    "among them",
    "document": "scored tokens by the {unit} of the document that each is counted for",
}
"""Kind of breakdown → what evaluation.json says of it; bounds are inclusive."""
POSITIONS = np.array([1, *(2 ** np.arange(32) + 1)])
FREQUENCIES = np.array([0, *10 ** np.arange(16)])
LENGTHS = np.array([0, *16 * 4 ** np.arange(24)])
"""The first value of each range, the last of which is beyond all values."""
Bins = list[dict[str, Any]]


class Breakdowns:
    """The parts of a text that its tokens are sorted into, whatever the convention."""

    def __init__(self, text: ScoredText, spelling: Spelling | None, counts: np.ndarray) -> None:
        """Sort the tokens of a text.

        Args:
            text: what is scored.
            spelling: what tokens stand for; None for bare ids.
            counts: of the tokens of the training text: (vocab_size,).
        """
        unit = "tokens" if spelling is None else "bytes"
        targets = text.tokens[1:]
        self.definitions = {
            kind: sentence.format(counted=int(counts.sum()), unit=unit)
            for kind, sentence in DEFINITIONS.items()
            if kind != "script" or spelling
        }
        self.frequencies = counts[targets]
        self.kinds = None if spelling is None else kinds_of(text, spelling)[1:]
        of_documents = targets_by_document(text.documents.starts, len(targets))
        self.lengths = np.repeat(text.documents.counts[unit], of_documents)

    def of(self, scores: Scores) -> dict[str, Bins] | None:
        """Return kind of breakdown → parts with their tokens and nats, without the empty ones.

        Args:
            scores: of the text under a convention. Where one is not finite, there is no breakdown.
        """
        if not np.isfinite(scores.nats).all():
            return None
        found = {
            "position": ranges(scores.seen, scores.nats, POSITIONS),
            "frequency": ranges(self.frequencies, scores.nats, FREQUENCIES),
            "document": ranges(self.lengths, scores.nats, LENGTHS),
        }
        if self.kinds is not None:
            found["script"] = scripts(self.kinds, scores.nats)
        return found

    def describe(self, parts: dict[str, dict[str, Bins] | None]) -> dict[str, dict[str, Any]]:
        """Return kind of breakdown → its definition, and convention → parts, as evaluation.json has them.

        Args:
            parts: convention → what `of` returned.
        """
        return {
            kind: {
                "definition": definition,
                **{name: None if found is None else found[kind] for name, found in parts.items()},
            }
            for kind, definition in self.definitions.items()
        }


def scripts(kinds: np.ndarray, nats: np.ndarray) -> Bins:
    """Return the tokens and nats of what tokens write, that of most tokens first.

    Args:
        kinds: place in KINDS of each token: (tokens,).
        nats: of each token: (tokens,).
    """
    tokens, sums = tally(kinds, nats, len(KINDS))
    order = sorted(np.flatnonzero(tokens).tolist(), key=lambda kind: -tokens[kind])
    return [{"script": KINDS[kind], "tokens": int(tokens[kind]), "nats": float(sums[kind])} for kind in order]


def kinds_of(text: ScoredText, spelling: Spelling) -> np.ndarray:
    """Return what each token of a text writes: (tokens,) uint8."""
    return np.concatenate([spelling.kinds(ids) for ids, _ in runs_of_documents(text)])


def ranges(values: np.ndarray, nats: np.ndarray, firsts: np.ndarray) -> Bins:
    """Return the tokens and nats of ranges of a value, both bounds inclusive.

    Args:
        values: of each token: (tokens,).
        nats: of each token: (tokens,).
        firsts: the first value of each range, growing.
    """
    tokens, sums = tally(np.searchsorted(firsts, values, side="right") - 1, nats, len(firsts))
    return [
        {
            "from": int(firsts[place]),
            "to": int(firsts[place + 1] - 1),
            "tokens": int(tokens[place]),
            "nats": float(sums[place]),
        }
        for place in np.flatnonzero(tokens)
    ]


def tally(parts: np.ndarray, nats: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many tokens, and how many nats, fall into each of some parts: (number,) each."""
    return np.bincount(parts, minlength=number), np.bincount(parts, nats, number)
