"""Count what was scored a second time, by other means than those that scored it.

Each token must have been scored once, as itself, from as many tokens as its convention says. The tokens must
read as the documents of the corpus do, byte by byte, whatever the tokenizer. A difference fails the cell: no
figure of it could be trusted. What is told names a document and shows none of its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.model.score import Scores
from gptgrid.stages.evaluate.conventions import Convention
from gptgrid.stages.evaluate.spelling import Spelling
from gptgrid.text.documents import read_documents
from gptgrid.tokens.document_table import ScoredText
from gptgrid.words import counted, verb

CHUNK = 2**20
"""Tokens that are spelled out at once: whole documents, as many as have so many tokens."""
NAMES = {"valid": "validation", "test": "test"}
FAULT = (
    "gptgrid counted wrongly, and no figure of this cell can be trusted; report this with its configuration"
)
OTHER_TEXT = (
    "the shards are of another text, or the tokenizer does not give every text back; delete the folder of "
    "the shards and run snakemake again, and if this stays, take another tokenizer"
)


def check_scores(scores: Scores, text: ScoredText, convention: Convention, split: str) -> None:
    """Refuse scores of which not each token has one, of itself, from what the convention lets it see.

    Args:
        scores: of all tokens of the text but the first.
        text: what was scored.
        convention: from what each should be predicted.
        split: its name, for the message.

    Raises:
        UserError: a token was not scored, or twice, or as another token, or from more or fewer tokens.
    """
    seen = tokens_to_see(text, convention)
    for wrong, said in (
        (scores.times != 1, lambda token: f"was scored {scores.times[token]} times, not once"),
        (scores.targets != text.tokens[1:], lambda token: "was scored as another token"),
        (
            scores.seen != seen,
            lambda token: f"was predicted from {scores.seen[token]} tokens, not from {seen[token]}",
        ),
    ):
        if wrong.any():
            first = int(wrong.argmax())
            document = int(np.searchsorted(text.documents.starts, first + 1, side="right")) - 1
            place = first + 1 - text.documents.starts[document]
            found = f"token {place} of it {said(first)} (convention {convention.name})"
            refuse(text, document, split, found, FAULT)


def tokens_to_see(text: ScoredText, convention: Convention) -> np.ndarray:
    """Return from how many tokens each but the first is predicted by definition: (tokens - 1,) int64.

    A window that begins `stride` tokens after the one before scores what that did not reach.
    """
    begins, targets = convention.starts(text), np.arange(len(text.tokens) - 1)
    before = targets + 1 - begins[np.searchsorted(begins, targets, side="right") - 1]
    later_windows = -(np.minimum(0, convention.context - before) // convention.stride)
    return before - later_windows * convention.stride


def check_text(
    text: ScoredText, spelling: Spelling | None, eot: int | None, corpus: Path, split: str
) -> None:
    """Refuse tokens that do not read as the documents of the corpus.

    Args:
        text: what was scored.
        spelling: what tokens stand for; None for bare ids.
        eot: id of the end-of-text token that begins every document; None where there is none.
        corpus: the folder of the documents.
        split: valid or test.

    Raises:
        UserError: the documents are fewer or more, or one is not that of the corpus, or its table says
            another size.
    """
    documents = chosen(corpus, split, text)
    sizes = text.documents.counts["bytes"]
    for number, (ids, found) in enumerate(spelled(text, spelling)):
        document = next(documents, None)
        if document is None:
            refuse(text, number, split, "it is not in the corpus", OTHER_TEXT)
        if eot is not None and (len(ids) == 0 or ids[0] != eot):
            refuse(text, number, split, "it does not begin with the end-of-text token", OTHER_TEXT)
        if spelling is None:
            ids = ids if eot is None else ids[1:]
            if not np.array_equal(ids, document):
                refuse(text, number, split, f"its {len(ids)} ids are not those of the corpus", OTHER_TEXT)
        elif found != (written := spelling.written(document)):
            place = first_difference(found, written)
            told = (
                f"its tokens stand for {len(found)} bytes, which differ from the corpus' from byte {place} on"
            )
            refuse(text, number, split, told, OTHER_TEXT)
        elif sizes[number] != (size := len(document.encode())):
            told = f"it has {size} bytes, but {sizes[number]} were counted"
            refuse(text, number, split, told, FAULT)
    if next(documents, None) is not None:
        refuse(text, len(text.documents) - 1, split, "the corpus has more documents after it", OTHER_TEXT)


def chosen(corpus: Path, split: str, text: ScoredText) -> Iterator[str | np.ndarray]:
    """Yield the documents of a split that are scored."""
    if len(text.numbers) == text.split["documents"]:
        yield from read_documents(corpus, split)
        return
    numbers = iter(text.numbers.tolist())
    wanted = next(numbers, None)
    for number, document in enumerate(read_documents(corpus, split)):
        if number == wanted:
            yield document
            wanted = next(numbers, None)


def spelled(text: ScoredText, spelling: Spelling | None) -> Iterator[tuple[np.ndarray, bytes]]:
    """Yield the ids of each document, and what they stand for; nothing for bare ids."""
    for ids, starts in runs_of_documents(text):
        found, borders = (b"", np.zeros(len(ids) + 1, np.int64)) if spelling is None else spelling.spell(ids)
        for start, stop in zip(starts, [*starts[1:], len(ids)], strict=True):
            yield ids[start:stop], found[borders[start] : borders[stop]]


def runs_of_documents(text: ScoredText) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the ids of some whole documents at a time, with where each begins in them."""
    starts = text.documents.starts
    ends = np.append(starts[1:], len(text.tokens))
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + CHUNK)))
        yield text.tokens[starts[first] : ends[last - 1]], starts[first:last] - starts[first]
        first = last


def first_difference(found: bytes, written: bytes) -> int:
    """Return the first place at which two byte strings differ."""
    length = min(len(found), len(written))
    differs = np.frombuffer(found, np.uint8, length) != np.frombuffer(written, np.uint8, length)
    return int(differs.argmax()) if differs.any() else length


def refuse(text: ScoredText, document: int, split: str, found: str, advice: str) -> NoReturn:
    """Raise a UserError that names a document of what is scored.

    Its number is that of documents.parquet: the first of the split is 0.
    """
    number = text.numbers[document]
    raise UserError(f"document {number} of the {NAMES[split]} split (the first is 0): {found}; {advice}")


def in_train(facts: dict[str, Any], split: str) -> dict[str, Any]:
    """Return how much of a split stands in the training split as whole documents, and warn of it.

    Args:
        facts: what the manifest of the corpus says of it.
        split: valid or test.

    Returns:
        documents, share (of the documents of the split), size_share (of its bytes, or ids). The corpus stage
        counted them by hash; case and kinds of blanks do not count.
    """
    overlap = facts["leakage"]["documents"][f"{split} in train"]
    if overlap["documents"]:
        print(
            f"warning: {counted(overlap['documents'], 'document')} of the {NAMES[split]} split "
            f"({overlap['share']:.2%} of them, {overlap['size_share']:.2%} of its size) "
            f"{verb(overlap['documents'], 'stand')} in the training split, too: figures on them are not "
            "those on new text; see card.md of the corpus",
            flush=True,
        )
    return overlap
