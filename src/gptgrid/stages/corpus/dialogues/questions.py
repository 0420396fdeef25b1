"""What dialogues ask, as hashes: so that none is asked in training and in a test.

A question is all that is said before an answer, but for system messages; blanks do not count. A dialogue may
be the beginning of another one, so two of them ask the same if what one asks last is asked anywhere in the
other. A greeting with which many begin makes no two of them the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from gptgrid.text.chat_template import ASSISTANT, SYSTEM, Message


def text_of(message: Message) -> str:
    """Return what counts of a message when dialogues are compared: who says it, and the words."""
    return f"{message.role} {' '.join(message.content.split())}\n"


@dataclass(frozen=True)
class Questions:
    """The questions of dialogues."""

    hashes: np.ndarray
    """(answers,) uint64: of each question."""
    starts: np.ndarray
    """(dialogues,) int64: where those of each dialogue begin."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> np.ndarray:
        """How many questions each dialogue has (dialogues,) int64."""
        return np.diff(self.starts, append=len(self.hashes))

    @property
    def last(self) -> np.ndarray:
        """The last question of each dialogue (dialogues,) uint64."""
        return self.hashes[self.starts + self.lengths - 1]

    def groups(self) -> np.ndarray:
        """Return a number for each dialogue (dialogues,) uint64, the same for those that ask the same.

        It is the first of its questions with which a dialogue ends. One that ends with a later question of it
        has the same questions up to there, and so the same first one.
        """
        places = np.arange(len(self.hashes))
        ends = np.where(np.isin(self.hashes, self.last), places, len(places))
        return self.hashes[np.minimum.reduceat(ends, self.starts)]

    def asked_in(self, other: Questions) -> np.ndarray:
        """Return which dialogues ask the same as one of others (dialogues,) bool."""
        inside = np.logical_or.reduceat(np.isin(self.hashes, other.last), self.starts)
        return np.isin(self.last, other.hashes) | inside

    def chosen(self, which: np.ndarray) -> Questions:
        """Return the questions of some of the dialogues; `which` is (dialogues,) bool."""
        lengths = self.lengths
        kept = lengths[which]
        return Questions(self.hashes[np.repeat(which, lengths)], np.cumsum(kept) - kept)


class QuestionCollector:
    """Takes down the questions of dialogues as they go by."""

    def __init__(self, key: bytes) -> None:
        """Begin; the key is that of the hash."""
        self.key = key
        self.hashes, self.starts = array("Q"), array("q")

    def add(self, messages: Sequence[Message]) -> None:
        """Add those of one more dialogue."""
        self.starts.append(len(self.hashes))
        said = blake2b(digest_size=8, key=self.key)
        for message in messages:
            if message.role == ASSISTANT:
                self.hashes.append(int.from_bytes(said.digest(), "little"))
            if message.role != SYSTEM:
                said.update(text_of(message).encode())

    def questions(self) -> Questions:
        """Return all of them."""
        return Questions(np.array(self.hashes, dtype=np.uint64), np.array(self.starts, dtype=np.int64))
