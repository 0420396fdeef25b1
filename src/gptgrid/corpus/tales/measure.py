"""What is known of a corpus of tales: the bits that no model can do without, and the questions to ask."""

import json
from pathlib import Path
from typing import Any, Literal

from gptgrid.corpus.tales.generate import Tale, floor_bpb
from gptgrid.corpus.tales.parse import parse
from gptgrid.text import read_documents

QUESTIONS = "questions.jsonl"


def measure_tales(folder: Path, language: Literal["en", "zh", "both"]) -> dict[str, Any]:
    """Write the test split's questions; return `floor_bpb`, split → bits per byte of the tales' probability.

    The texts are read back, so that it does not matter what was dropped, or where documents went.
    """
    floors = {}
    for split in ("valid", "test"):
        tales = [parse(text, language) for text in read_documents(folder, split)]
        floors[split] = floor_bpb(tales)
    rows = [json.dumps(question(tale), ensure_ascii=False) + "\n" for tale in tales]
    (folder / QUESTIONS).write_text("".join(rows), encoding="utf-8")
    return {"floor_bpb": floors}


def question(tale: Tale) -> dict[str, Any]:
    """Return the text up to the answer, the answer, and wrong ones."""
    return {
        "prompt": tale.text.removesuffix(tale.answer),
        "answer": tale.answer,
        "wrong": list(tale.alternatives),
    }
