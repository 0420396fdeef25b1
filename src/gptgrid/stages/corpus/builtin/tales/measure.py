"""What is known of a corpus of tales: the bits that the generator itself needs, and the questions to ask."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.stages.corpus.builtin.tales.generate import Tale, generator_bpb
from gptgrid.text.documents import read_documents

QUESTIONS = "questions.jsonl"


def measure_tales(folder: Path, tales: Iterable[Tale], clean: SimpleNamespace) -> dict[str, Any]:
    """Write the test split's questions; return `generator_bpb`: split → bits per byte of its probability.

    Args:
        folder: of the corpus.
        tales: those that it was made from, generated once more.
        clean: what was dropped. It may choose among tales; those that are left then follow a law of their
            own, whose probabilities are not known, and there is no `generator_bpb`.
    """
    texts = {split: list(read_documents(folder, split)) for split in ("valid", "test")}
    written = {text for documents in texts.values() for text in documents}
    tale_of = {tale.text: tale for tale in tales if tale.text in written}
    rows = [json.dumps(question(tale_of[text]), ensure_ascii=False) + "\n" for text in texts["test"]]
    (folder / QUESTIONS).write_text("".join(rows), encoding="utf-8")
    if chooses(clean):
        return {}
    return {
        "generator_bpb": {
            split: generator_bpb(tale_of[text] for text in documents) for split, documents in texts.items()
        }
    }


def chooses(clean: SimpleNamespace) -> bool:
    """Say whether a way of cleaning may drop some tales rather than others."""
    return clean.dedupe != "none" or clean.min_chars > 0 or clean.max_chars is not None


def question(tale: Tale) -> dict[str, Any]:
    """Return the text up to the answer, the answer, and wrong ones."""
    return {
        "prompt": tale.text.removesuffix(tale.answer),
        "answer": tale.answer,
        "wrong": list(tale.alternatives),
    }
