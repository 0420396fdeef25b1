"""Dialogues between reading and writing: copies are left out, and the rest is cut into splits.

What is in memory is a row group, and some 150 bytes a dialogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.dialogues.order import ALSO_IN, COPY, LeftOut
from gptgrid.stages.corpus.dialogues.questions import QuestionCollector, Questions, text_of
from gptgrid.stages.corpus.preparing.clean import LOST
from gptgrid.stages.corpus.preparing.split import Sizes, by_document
from gptgrid.text.chat_template import ASSISTANT, SYSTEM, Message
from gptgrid.text.dialogues import DialogueWriter, read_dialogue_file
from gptgrid.text.documents import utf8_size
from gptgrid.words import counted


@dataclass
class Selection:
    """Which dialogues are kept: each once, in the part that is read first."""

    left_out: LeftOut
    system: str | None = None
    """The message that is put in front of dialogues that have none."""
    seen: dict[bytes, str] = field(default_factory=dict)
    """Hash of a dialogue → its part."""
    characters: int = 0
    """Of all dialogues that are kept, as they were read."""
    lost: int = 0
    """How many of them are U+FFFD, in the place of what could not be read, here or earlier."""

    def kept(self, dialogues: Iterable[list[Message]], part: str) -> Iterator[list[Message]]:
        """Yield the dialogues of a part that are kept, as they are written; note them."""
        for messages in dialogues:
            written = self.with_system(messages)
            digest = blake2b("".join(map(text_of, written)).encode(), digest_size=16).digest()
            if (earlier := self.seen.get(digest)) is not None:
                self.left_out.dialogues[COPY if earlier == part else ALSO_IN.format(earlier)] += 1
                continue
            self.seen[digest] = part
            self.characters += sum(len(message.content) for message in messages)
            self.lost += sum(message.content.count(LOST) for message in messages)
            yield written

    def with_system(self, messages: list[Message]) -> list[Message]:
        """Return a dialogue with the system message of all, unless it has one."""
        if self.system is None or messages[0].role == SYSTEM:
            return messages
        return [Message(SYSTEM, self.system), *messages]

    @property
    def lost_share(self) -> float:
        """The share of the characters that could not be read."""
        return self.lost / max(1, self.characters)


@dataclass(frozen=True)
class StagedDialogues:
    """The dialogues of one part of a source, in order."""

    path: Path
    questions: Questions

    @classmethod
    def write(cls, path: Path, dialogues: Iterable[list[Message]], key: bytes) -> StagedDialogues:
        """Write dialogues to a file and note what a split is decided from.

        Args:
            path: a scratch file.
            dialogues: those to keep.
            key: of the hash that draws the split.
        """
        collector = QuestionCollector(key)
        with DialogueWriter(path) as writer:
            for messages in dialogues:
                collector.add(messages)
                writer.add(messages)
        return cls(path, collector.questions())

    def cut(self, shares: Sequence[float], remedy: str) -> np.ndarray:
        """Return the split of each dialogue (dialogues,) uint8; those that ask the same are in the same.

        Args:
            shares: of the splits behind the first.
            remedy: what to do where there are too few dialogues.

        Raises:
            UserError: a split would have none.
        """
        groups = self.questions.groups()
        number = len(np.unique(groups))
        if number <= len(shares):
            raise UserError(
                f"{counted(len(groups), 'dialogue')} with {counted(number, 'different question')} cannot "
                f"fill {len(shares) + 1} splits, as those that ask the same stay together; {remedy}"
            )
        sizes = Sizes(groups, np.ones(len(groups), dtype=np.int64))
        return by_document(sizes, [Fraction(str(share)) for share in shares], remedy).splits


class SplitFile:
    """`<split>-00000.parquet`, and what is counted while it is written."""

    def __init__(self, stack: ExitStack, folder: Path, split: str, questions: Questions) -> None:
        """Open it for dialogues with these questions; the stack closes it."""
        self.writer = stack.enter_context(DialogueWriter(folder / f"{split}-00000.parquet"))
        self.questions = questions
        self.counts = dict.fromkeys(("dialogues", "turns", "answers", "bytes", "answer_bytes", "longest"), 0)
        """`turns`: messages but for those of the system; `bytes`: of all messages, `answer_bytes` of answers;
        `longest`: bytes of the longest dialogue."""

    def add(self, messages: Sequence[Message]) -> None:
        """Write a dialogue behind the others."""
        self.writer.add(messages)
        sizes = [(message.role, utf8_size(message.content)) for message in messages]
        size = sum(size for _, size in sizes)
        answers = [size for role, size in sizes if role == ASSISTANT]
        self.counts["dialogues"] += 1
        self.counts["turns"] += sum(role != SYSTEM for role, _ in sizes)
        self.counts["answers"] += len(answers)
        self.counts["bytes"] += size
        self.counts["answer_bytes"] += sum(answers)
        self.counts["longest"] = max(self.counts["longest"], size)

    def same_questions(self, other: SplitFile) -> dict[str, float]:
        """Return how many dialogues, and which share, ask the same as one of another split."""
        found = self.questions.asked_in(other.questions)
        return {"dialogues": int(found.sum()), "share": float(found.mean())}


def write_part(
    stack: ExitStack, folder: Path, staged: StagedDialogues, names: Sequence[str], splits: np.ndarray
) -> dict[str, SplitFile]:
    """Write the dialogues of a part into the files of their splits; return split → file.

    Args:
        stack: closes the files.
        folder: gets them.
        staged: the part.
        names: of its splits.
        splits: (dialogues,) the place in `names` of the split of each dialogue.
    """
    questions = [staged.questions.chosen(splits == place) for place in range(len(names))]
    files = [SplitFile(stack, folder, *pair) for pair in zip(names, questions, strict=True)]
    for split, messages in zip(splits.tolist(), read_dialogue_file(staged.path), strict=True):
        files[split].add(messages)
    return dict(zip(names, files, strict=True))
