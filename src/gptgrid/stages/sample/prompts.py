"""What a cell is asked to continue: texts of the configuration, or the beginnings of documents.

Documents are those of the corpus, not its tokens, so that every cell on it gets the same ones.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gptgrid.seeds import derive
from gptgrid.stages.sample.units import Unit
from gptgrid.text.documents import read_documents

PROMPT_LENGTH = 2**15
"""Characters of a prompt at most: of a longer beginning its end, for which no context here has room."""
BYTES_PER_TOKEN = 4
"""Bytes of a true continuation for each of `max_new_tokens`, about what a token of an English text has. It is
the same text for all tokenizers, so that a cell with smaller tokens writes more of them."""


@dataclass(frozen=True)
class Prompt:
    """A text to continue."""

    text: str
    truth: str | None = None
    """What follows in its document; None where it has none."""
    document: int | None = None
    """Number of the document in its split, counted from 0."""
    occurrence: int = 0
    """How many prompts before it have the same text."""


def document_prompts(
    corpus: Path, split: str, number: int, take: float, size: int, unit: Unit, seed: int
) -> list[Prompt]:
    """Return the beginnings of some documents of a split, with what follows in them, in its order.

    Which documents are drawn depends on the seed and on their numbers alone. Those of which too little is
    left for a prompt or for a continuation are passed over. Bare ids are texts of numbers.

    Args:
        corpus: the folder of the documents.
        split: valid or test.
        number: how many; all where there are fewer.
        take: the share of a document's characters that is the prompt.
        size: bytes of a continuation at most.
        unit: of the corpus: no word is cut.
        seed: of the draw.
    """
    prompts = cut_all(read_documents(corpus, split), take, size, unit)
    drawn = heapq.nsmallest(number, prompts, key=lambda prompt: derive(seed, "documents", prompt.document))
    seen: Counter[str] = Counter()
    prompts = []
    for prompt in sorted(drawn, key=lambda prompt: prompt.document):
        prompts.append(replace(prompt, occurrence=seen[prompt.text]))
        seen[prompt.text] += 1
    return prompts


def cut_all(
    documents: Iterator[str] | Iterator[np.ndarray], take: float, size: int, unit: Unit
) -> Iterator[Prompt]:
    """Yield the prompt of each document that can be cut."""
    for number, document in enumerate(texts_of(documents)):
        place = round(take * len(document))
        while not unit.begins(document, place):
            place -= 1
        prompt, truth = document[max(0, place - PROMPT_LENGTH) : place], first_bytes(document[place:], size)
        if prompt.strip() and truth.strip():
            yield Prompt(prompt, truth, number)


def texts_of(documents: Iterator[str] | Iterator[np.ndarray]) -> Iterator[str]:
    """Yield documents as texts: bare ids as numbers, as their tokenizer decodes them."""
    for document in documents:
        yield document if isinstance(document, str) else " ".join(map(str, document.tolist()))


def first_bytes(text: str, size: int) -> str:
    """Return the beginning of a text that has at most so many bytes, in whole characters."""
    return text[:size].encode()[:size].decode(errors="ignore")
