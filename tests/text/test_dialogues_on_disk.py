"""Dialogues come back from the disk as they were, in row groups that are small."""

import pyarrow.parquet as pq

from gptgrid.text import rows
from gptgrid.text.chat_template import Message
from gptgrid.text.dialogues import DialogueWriter, read_dialogues


def test_dialogues_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "ROWS", 2)
    dialogues = [
        [Message("system", ""), Message("user", f"Who\nis {number}? 谁"), Message("assistant", "Me\u2028.")]
        for number in range(5)
    ]
    path = tmp_path / "train-00000.parquet"
    with DialogueWriter(path) as writer:
        for messages in dialogues:
            writer.add(messages)
    assert read_dialogues(tmp_path, "train") == dialogues
    assert pq.read_metadata(path).num_row_groups == 3
    assert pq.read_schema(path).names == ["messages"]
