"""What is known of a corpus of tales: the bits that no model can do without, and the questions to ask."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gptgrid.stages.corpus.builtin.tales.generate import Tale, floor_bpb
from gptgrid.text.documents import read_documents

QUESTIONS = "questions.jsonl"


def measure_tales(folder: Path, tales: Iterable[Tale]) -> dict[str, Any]:
    """Write the test split's questions; return `floor_bpb`, split → bits per byte of the tales' probability.

    Args:
        folder: of the corpus.
        tales: those that it was made from, generated once more.
    """
    texts = {split: list(read_documents(folder, split)) for split in ("valid", "test")}
    written = {text for documents in texts.values() for text in documents}
    tale_of = {tale.text: tale for tale in tales if tale.text in written}
    rows = [json.dumps(question(tale_of[text]), ensure_ascii=False) + "\n" for text in texts["test"]]
    (folder / QUESTIONS).write_text("".join(rows), encoding="utf-8")
    return {
        "floor_bpb": {
            split: floor_bpb(tale_of[text] for text in documents) for split, documents in texts.items()
        }
    }


def question(tale: Tale) -> dict[str, Any]:
    """Return the text up to the answer, the answer, and wrong ones."""
    return {
        "prompt": tale.text.removesuffix(tale.answer),
        "answer": tale.answer,
        "wrong": list(tale.alternatives),
    }
