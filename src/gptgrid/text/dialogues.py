"""Dialogues on the disk: parquet files with the column `messages`, and one row a dialogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gptgrid.artifact.errors import UserError
from gptgrid.text.chat_template import Message
from gptgrid.text.rows import LONGEST, RowWriter

MESSAGES = pa.schema([("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])))])


class DialogueWriter(RowWriter):
    """A parquet file of dialogues."""

    def __init__(self, path: Path) -> None:
        """Open a file."""
        super().__init__(path, MESSAGES)

    def add(self, messages: Sequence[Message]) -> None:
        """Add a dialogue behind the others.

        Raises:
            UserError: it is longer than a row can be.
        """
        length = sum(len(message.content) for message in messages)
        if length > LONGEST:
            raise UserError(
                f"one dialogue has {length:,} characters, more than {LONGEST:,}; take it out, or cut it"
            )
        self.add_row([{"role": message.role, "content": message.content} for message in messages], length)


def read_dialogues(folder: Path, split: str) -> list[list[Message]]:
    """Return the dialogues of a split in order, each of which ends with an answer.

    Args:
        folder: of dialogues that the stage corpus made.
        split: train, valid or test.

    Raises:
        UserError: the folder has no such split.
    """
    files = sorted(folder.glob(f"{split}-*.parquet"))
    if not files:
        raise UserError(f"{folder} has no {split}-*.parquet: it holds no finished dialogues; run snakemake")
    return [messages for path in files for messages in read_dialogue_file(path)]


def read_dialogue_file(path: Path) -> Iterator[list[Message]]:
    """Yield the dialogues of one file in order, with one row group in memory."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, use_threads=False).column(0).to_pylist():
                yield [Message(message["role"], message["content"]) for message in row]
