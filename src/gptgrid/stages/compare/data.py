"""What stands against figures on a text: how little was scored, and tokenizers that it is too short for."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.identity import ABOUT
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.guessing import resolution
from gptgrid.words import counted, verb

Row = dict[str, Any]

FEW_TOKENS = 2_000
"""With fewer in a split, differences of a tenth of a nat cannot be seen: those of models are smaller."""
FEW_DOCUMENTS = 10
"""With fewer in what was drawn by document, one odd document is a good part of the figure."""
FEW_OCCURRENCES = 10
"""Of the tokens that occur in the training text, in the mean: rarer ones are hardly learned."""
SMALL_VOCABULARY = 512
"""Tokens up to which there is hardly a smaller vocabulary to take: bytes alone are 257."""
LARGE_VOCABULARY = 1_000
"""Tokens that may stay unused without being told: characters bring 256 bytes along for what they lack."""


def of_data(inputs: Inputs, cells: list[SimpleNamespace]) -> Iterator[str]:
    """Yield what stands against figures on a text, of which all cells were scored on the same documents."""
    names = list(dict.fromkeys(cell.shards for cell in cells))
    shards = {name: facts for name in names if (facts := inputs.facts(f"shards:{name}"))}
    corpus = inputs.facts(f"corpus:{names[0].split('@', 1)[1]}")
    if corpus:
        yield from corpus[ABOUT].get("cautions", ())
    cut_in_order = corpus is not None and corpus[ABOUT].get("split", {}).get("by") == "position"
    found = {cell.cell: inputs.evaluation(cell.cell) for cell in cells}
    # An older source scored the test split alone, and its figures are in no table.
    evaluations = {cell: evaluation for cell, evaluation in found.items() if evaluation.get("valid")}
    if evaluations:
        test = min(evaluations.values(), key=lambda text: text["scored_tokens"])
        valid = min((text["valid"] for text in evaluations.values()), key=lambda text: text["scored_tokens"])
        yield from of_split("validation", valid, cut_in_order)
        yield from of_split("test", test, cut_in_order)
    for reason in dict.fromkeys(row["word_perplexity_reason"] for row in evaluations.values()):
        if reason:
            yield f"there is no word perplexity: {reason}; compare bits per byte"
    yield from of_marks({name.split("@", 1)[0]: facts for name, facts in shards.items()})
    codecs = codecs_of(inputs)
    for name, facts in shards.items():
        yield from of_tokenizer(name.split("@", 1)[0], facts, codecs.get(facts["tokenizer"]))


def of_marks(shards: dict[str, Row]) -> Iterator[str]:
    """Yield that `marks: special` found nothing to read as a mark, or not the same for all tokenizers.

    Args:
        shards: tokenizer → facts of the text that it encoded.
    """
    found = {name: facts.get(ABOUT, {}).get("marks") for name, facts in shards.items()}
    counts = {name: marks for name, marks in found.items() if marks is not None}
    for name, marks in counts.items():
        if not any(marks.values()):
            why = f"none of {', '.join(marks)} occurs in the training text" if marks else "it has none"
            yield (
                f"`marks: special` reads no special token for {name}: {why}, and all stays text; name in "
                "`special_tokens` what the text has, letter for letter"
            )
    used = {name: {mark for mark, count in marks.items() if count} for name, marks in counts.items()}
    if len({frozenset(marks) for marks in used.values()}) > 1 and all(used.values()):
        each = "; ".join(f"{name}: {', '.join(sorted(marks))}" for name, marks in used.items())
        yield f"tokenizers read different marks in this text as special tokens ({each}); give all the same"


def codecs_of(inputs: Inputs) -> dict[str, Row]:
    """Return the manifests of tokenizers by the digests of their codecs, by which shards name them."""
    manifests = [inputs.manifest(name) for name in inputs.job.inputs if name.startswith("tokenizer:")]
    return {manifest["outputs"]["codec.json"]["sha256"]: manifest for manifest in manifests}


def of_split(split: str, text: Row, cut_in_order: bool) -> Iterator[str]:
    """Yield what was too little to score of a split, and that not all of it was.

    Args:
        split: validation or test.
        text: what an evaluation says of it; that with the fewest tokens.
        cut_in_order: whether the splits follow each other in the text, and have few documents by nature.
    """
    documents, there = text["documents"], text["documents_of_split"]
    part = documents < there
    few = documents < FEW_DOCUMENTS
    more = "raise `evaluation.bytes`" if part else "give more text, or a larger share for it (`split`)"
    if part:
        yield (
            f"figures on the {split} split are of {documents:,} of its {there:,} documents "
            f"({text['bytes']:,} of {text['bytes_of_split']:,} bytes), as `evaluation.bytes` asks"
            f"{', and so few may be unlike the rest' if few else ''}; raise it, or leave it out to score all"
        )
    if (tokens := text["scored_tokens"]) < FEW_TOKENS:
        yield (
            f"{counted(tokens, 'token')} of the {split} split {verb(tokens, 'were')} scored, which cannot "
            f"tell models apart that differ by less than {resolution(tokens):.2g} nats per token; {more}"
        )
    elif few and not part and not cut_in_order:
        yield f"the {split} split has {counted(documents, 'document')}, which may be unlike the rest; {more}"


def of_tokenizer(name: str, shards: Row, made: Row | None) -> Iterator[str]:
    """Yield that a text is too short for a vocabulary.

    Args:
        name: of the tokenizer.
        shards: facts of the text that it encoded.
        made: the manifest of the tokenizer, if it is there.
    """
    size, tokens = shards["vocab_size"], shards["splits"]["train"]["tokens"]
    asked = made["config"].get("vocab_size") if made else None
    if asked and made["facts"]["vocab_size"] < asked:
        yield (
            f"{name} has {made['facts']['vocab_size']:,} tokens, not the {asked:,} that `vocab_size` asks "
            "for: the text that it was made from has no more pairs to merge; take a smaller one, or give "
            "more text"
        )
    used = shards.get(ABOUT, {}).get("used", 1.0)
    occurrences = tokens / max(1, used * size)
    unused = used < 0.5 and (1 - used) * size > LARGE_VOCABULARY
    if size > SMALL_VOCABULARY and (occurrences < FEW_OCCURRENCES or unused):
        yield (
            f"{used * size:,.0f} of the {size:,} tokens of {name} occur in the training text, "
            f"{occurrences:,.1f} times each in the mean, so that most of the vocabulary is hardly learned; "
            "take a smaller one, or give more text"
        )
