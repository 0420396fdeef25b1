"""What a reader of the tables must know before believing them, from the facts of what was compared.

A sentence each: what was found, how much, and what to do. None of them quotes text. Those on a corpus alone
were found by the `corpus` stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd

from gptgrid.artifact.identity import ABOUT
from gptgrid.artifact.job import Job
from gptgrid.stages.compare.guessing import (
    evaluation_of,
    guessing_of,
    has_learned,
    resolution,
    scored_tokens,
)
from gptgrid.text.documents import why_no_words

Row = dict[str, Any]

SPLITS = {"valid": "validation", "test": "test"}
FEW_TOKENS = 2_000
"""With fewer in a split, differences of a tenth of a nat cannot be seen: those of models are smaller."""
FEW_DOCUMENTS = 10
"""With fewer in a split that was drawn by document, one odd document is a good part of the figure."""
FEW_STEPS = 100
"""About as many take the warmup and AdamW's running means, which decay by 0.95 to 0.999 a step, to settle."""
SHORT_TEXT = 1_000_000
"""Tokens up to which a training costs next to nothing, so that not seeing all of them is rarely meant."""
EARLY = 0.1
"""Of the steps: best weights from before then mean that the rest of the training made them worse."""
FEW_OCCURRENCES = 10
"""Of the tokens that occur in the training text, in the mean: rarer ones are hardly learned."""
SMALL_VOCABULARY = 512
"""Tokens up to which there is hardly a smaller vocabulary to take: bytes alone are 257."""
LARGE_VOCABULARY = 1_000
"""Tokens that may stay unused without being told: characters bring 256 bytes along for what they lack."""


def cautions(job: Job, cells: pd.DataFrame, groups: pd.DataFrame) -> dict[str, list[str]]:
    """Return text → what must be known about the figures on it, the weightiest first.

    Args:
        job: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
        groups: the rows of all groups.

    Returns:
        only texts about which there is something to say.
    """
    asked = {cell.cell: cell for cell in job.config.cells}
    found = {}
    for text, members in cells.groupby("text", sort=False):
        rivals = groups[groups["text"] == text].sort_values("rank").to_dict("records")
        own = [asked[cell] for cell in members["cell"]]
        best = [asked[cell] for cell in members["cell"][members["group"].isin(winners(rivals))]]
        sentences = [*of_groups(rivals), *of_data(job, own), *of_trainings(job, own), *of_best(job, best)]
        found[text] = list(dict.fromkeys(sentences))
    return {text: sentences for text, sentences in found.items() if sentences}


# ------------------------------------------------------------------------------------------- groups


def winners(rivals: list[Row]) -> list[str]:
    """Return the best group of a text, if there is one."""
    return [group["group"] for group in rivals if group["best"]]


def of_groups(rivals: list[Row]) -> Iterator[str]:
    """Yield what stands against choosing among the groups of a text.

    Args:
        rivals: the rows of the groups, by rank.
    """
    measured = [group for group in rivals if pd.notna(group["val_loss_mean"])]
    if measured and not measured[0]["best"]:
        first = measured[0]
        yield (
            f"no group is the best: the lowest on validation, {first['group']}, takes "
            f"{first['val_loss_mean']:.3f} nats per token where guessing tokens by their frequency takes "
            f"{first['guessing']:.3f}, so that it has learned nothing that the {first['val_tokens']:,} "
            "tokens scored could show; train longer, or give more text"
        )
    elif lost := [group["group"] for group in measured if not group["learned"]]:
        yield (
            f"{len(lost)} of {len(rivals)} groups cannot be told from guessing tokens by their frequency "
            f"({', '.join(lost[:3])}{', …' if len(lost) > 3 else ''}); train them longer, or give more text"
        )
    if len(rivals) > 1:
        yield from of_seeds([group["seeds"] - group["failed"] for group in rivals])
    for group in measured[:1]:
        if group["failed"]:
            yield (
                f"{group['failed']} of {group['seeds']} cells of {group['group']} failed, and its figures "
                "are those of the others; run the same command again"
            )


def of_seeds(seeds: list[int]) -> Iterator[str]:
    """Yield what is wrong with the numbers of finished seeds of groups that are compared."""
    if max(seeds) == 1:
        yield "every group has one seed, so that the order may be chance; give several (`seed: [1, 2, 3]`)"
    elif min(seeds) != max(seeds):
        yield (
            f"groups have {min(seeds)} to {max(seeds)} finished seeds, and means over fewer are less sure; "
            "give all the same seeds"
        )


# --------------------------------------------------------------------------------------------- data


def of_data(job: Job, cells: list[SimpleNamespace]) -> Iterator[str]:
    """Yield what stands against figures on a text: its splits, and tokenizers that it is too short for."""
    names = list(dict.fromkeys(cell.shards for cell in cells))
    shards = {name: facts for name in names if (facts := facts_of(job, f"shards:{name}"))}
    corpus = facts_of(job, f"corpus:{names[0].split('@', 1)[1]}")
    if corpus:
        yield from corpus[ABOUT].get("cautions", ())
    scored = [scored_tokens(job, cell.cell) for cell in cells]
    for split, name in SPLITS.items():
        tokens = min((numbers[split] for numbers in scored if split in numbers), default=None)
        yield from of_split(split, name, corpus, tokens)
    if corpus and (reason := why_no_words(corpus["splits"]["test"])):
        yield f"there is no word perplexity: {reason}; compare bits per byte"
    for cell in cells:
        questions = evaluation_of(job, cell.cell).get("questions") or {}
        if questions.get("reason"):
            yield f"{cell.model} answers no questions: {questions['reason']}; raise `context`"
    for name, facts in shards.items():
        yield from of_vocabulary(name.split("@", 1)[0], facts)


def facts_of(job: Job, name: str) -> dict[str, Any] | None:
    """Return the facts of an input; None if it could not be made."""
    return job.manifest(name)["facts"] if name in job.inputs else None


def of_split(split: str, name: str, corpus: Row | None, tokens: int | None) -> Iterator[str]:
    """Yield what a split is too small for.

    Args:
        split: valid or test.
        name: what it is called in a sentence.
        corpus: facts of the corpus, if it is there.
        tokens: that the evaluations scored, the fewest of all cells; None without one.
    """
    more = "give more text, or a larger share for it (`split`)"
    documents = corpus["splits"][split]["documents"] if corpus else None
    cut_in_order = corpus is not None and corpus[ABOUT].get("split", {}).get("by") == "position"
    if tokens is not None and tokens < FEW_TOKENS:
        yield (
            f"{tokens:,} tokens of the {name} split were scored, which cannot tell models apart that differ "
            f"by less than {resolution(tokens):.2g} nats per token; {more}"
        )
    elif documents is not None and documents < FEW_DOCUMENTS and not cut_in_order:
        noun = "document" if documents == 1 else "documents"
        yield f"the {name} split has {documents} {noun}, which may be unlike the rest; {more}"


def of_vocabulary(tokenizer: str, facts: Row) -> Iterator[str]:
    """Yield that a text is too short for a vocabulary."""
    size, tokens = facts["vocab_size"], facts["splits"]["train"]["tokens"]
    used = facts.get(ABOUT, {}).get("used", 1.0)
    occurrences = tokens / max(1, used * size)
    unused = used < 0.5 and (1 - used) * size > LARGE_VOCABULARY
    if size > SMALL_VOCABULARY and (occurrences < FEW_OCCURRENCES or unused):
        yield (
            f"{used:.0%} of the {size:,} tokens of {tokenizer} occur in the training text, "
            f"{occurrences:,.1f} times each in the mean, so that most of the vocabulary is hardly learned; "
            "take a smaller one, or give more text"
        )


# ---------------------------------------------------------------------------------------- trainings


def of_trainings(job: Job, cells: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that trainings are too short to tell what their recipe is worth."""
    trained = {cell.cell: facts for cell in cells if (facts := facts_of(job, f"train:{cell.cell}"))}
    kept = {name: facts for name, facts in trained.items() if facts["status"] != "diverged"}
    steps = [facts["steps"] for facts in kept.values()]
    if few := [number for number in steps if number < FEW_STEPS]:
        yield (
            f"{len(few)} of {len(steps)} trainings have fewer than {FEW_STEPS} steps (the shortest "
            f"{min(few)}), in which a model hardly begins to learn; raise `epochs`, `tokens` or `steps`, or "
            "lower `batch_tokens`"
        )
    seen = []
    for cell in cells:
        shards = facts_of(job, f"shards:{cell.shards}")
        if cell.cell in kept and shards:
            tokens = shards["splits"]["train"]["tokens"]
            seen += [kept[cell.cell]["train_tokens"] / tokens] if tokens < SHORT_TEXT else []
    # Windows leave out less than one of themselves at the ends of the text.
    if partial := [share for share in seen if share < 0.9]:
        yield (
            f"{len(partial)} of {len(seen)} trainings have not seen all of their short text (the shortest "
            f"{min(partial):.0%}); raise `epochs`"
        )


def of_best(job: Job, cells: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that cells of the best group are so on validation alone, or were so for a moment."""
    for cell in cells:
        loss, tokens = evaluation_of(job, cell.cell).get("test_loss"), scored_tokens(job, cell.cell)
        guessing = guessing_of(job, cell.shards, "test")
        if loss is not None and not has_learned(loss, guessing, tokens["test"]):
            yield (
                f"on the test split {cell.cell} takes {loss:.3f} nats per token where guessing tokens by "
                f"their frequency takes {guessing:.3f}: what it has learned is of no use there; see whether "
                "the test is text of another kind"
            )
        facts = facts_of(job, f"train:{cell.cell}")
        if facts and cell.use == "best" and facts["best_step"] <= EARLY * facts["steps"]:
            yield (
                f"the best weights of {cell.cell} are those of step {facts['best_step']} of "
                f"{facts['steps']}: the rest of the training made it worse on validation; give more text, a "
                "smaller model, fewer epochs or a lower `lr`"
            )
