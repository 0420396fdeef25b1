"""What is known of a corpus of tales: the bits that no model can do without, and the questions to ask."""

import json
from pathlib import Path
from typing import Any

from gptgrid.corpus.tales.generate import Tale, parse
from gptgrid.text import read_documents

QUESTIONS = "questions.jsonl"


def measure_tales(folder: Path) -> dict[str, Any]:
    """Write the test split's questions; return `floor_bpb`, split → bits per byte of the tales' probability.

    The texts are read back, so that what was dropped or moved to another split does not matter.
    """
    floors = {}
    for split in ("valid", "test"):
        tales = [read_tale(text) for text in read_documents(folder, split)]
        size = sum(len(tale.text.encode()) for tale in tales)
        floors[split] = sum(tale.bits for tale in tales) / size
    rows = [json.dumps(question(tale), ensure_ascii=False) + "\n" for tale in tales]
    (folder / QUESTIONS).write_text("".join(rows), encoding="utf-8")
    return {"floor_bpb": floors}


def read_tale(text: str) -> Tale:
    """Return the tale that a text tells, in either language."""
    return parse(text, "en" if text.isascii() else "zh")[0]


def question(tale: Tale) -> dict[str, Any]:
    """Return the text up to the answer, the answer, and wrong ones, each as it would stand in the text."""
    before, answer, end = tale.text.rpartition(tale.answer)
    return {"prompt": before, "answer": answer + end, "wrong": [wrong + end for wrong in tale.alternatives]}
