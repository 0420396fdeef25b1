"""What stands against trainings: too few steps, text that was not read, best weights of a moment."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gptgrid.stages.compare.cells import DIVERGED, IMPORTED, STOPPED
from gptgrid.stages.compare.costs import costs_of
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.guessing import GUESSING, guessing_of, has_learned, scored_tokens
from gptgrid.words import counted, verb

FEW_STEPS = 100
"""About as many take the warmup and AdamW's running means, which decay by 0.95 to 0.999 a step, to settle."""
SHORT_TEXT = 1_000_000
"""Tokens up to which a training costs next to nothing, so that not seeing all of them is rarely meant."""
MOST = 0.9
"""Of a text: what is left out at the ends of windows, and in a last epoch that is not whole, is less."""
LONGER = 1.2
"""Times as much in a training as in another: enough to change the order of like recipes."""
EARLY = 0.1
"""Of the steps: best weights from before then mean that the rest of the training made them worse."""
OF_NO_USE = "what it has learned is of no use there; see whether the test is text of another kind"


def of_trainings(inputs: Inputs, cells: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that trainings are too short to tell what their recipe is worth."""
    trained = {cell.cell: facts for cell in cells if (facts := inputs.facts(f"train:{cell.cell}"))}
    for facts in trained.values():
        yield from facts.get("remarks", ())
    kept = {name: facts for name, facts in trained.items() if facts["status"] not in (DIVERGED, IMPORTED)}
    yield from of_steps(list(kept.values()))
    left = [cell for cell in cells if cell.cell in kept]
    yield from of_reading(inputs, left, kept)
    yield from of_amounts(inputs, left, kept)


def of_steps(trainings: list[dict[str, Any]], what: str = "training") -> Iterator[str]:
    """Yield that trainings have few steps, as they were to have, or for want of patience.

    Args:
        trainings: facts of those that did not diverge.
        what: one is called.
    """
    short = [facts for facts in trainings if facts["steps"] < FEW_STEPS]
    if few := [facts["steps"] for facts in short if facts["status"] != STOPPED]:
        yield (
            f"{len(few)} of {counted(len(trainings), what)} {verb(len(few), 'have')} fewer than {FEW_STEPS} "
            f"steps (the shortest {min(few)}), in which a model hardly begins to learn; raise `epochs`, "
            "`tokens` or `steps`, or lower `batch_tokens`"
        )
    if few := [facts["steps"] for facts in short if facts["status"] == STOPPED]:
        yield (
            f"{len(few)} of {counted(len(trainings), what)} stopped early within fewer than {FEW_STEPS} "
            f"steps (the shortest {min(few)}), in which a model hardly begins to learn; raise `patience` or "
            "`eval_every`"
        )


def of_reading(
    inputs: Inputs, cells: list[SimpleNamespace], trainings: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Yield that trainings have not read all of their text: of a short one, or for their windows.

    Args:
        inputs: of `compare`.
        cells: that did not diverge.
        trainings: cell → facts of its training.
    """
    passes, shares = [], []
    for cell in cells:
        facts, shards = trainings[cell.cell], inputs.facts(f"shards:{cell.shards}")
        if shards:
            tokens, epochs = shards["splits"]["train"]["tokens"], epochs_of(inputs, cell.cell)
            shares.append(facts["train_tokens"] / epochs / tokens)
            # What stopped by itself has not had too small a budget.
            if tokens < SHORT_TEXT and facts["status"] != STOPPED:
                passes.append(epochs)
    if partial := [number for number in passes if number < MOST]:
        yield (
            f"{len(partial)} of {counted(len(passes), 'training')} {verb(len(partial), 'have')} not seen all "
            f"of a short text (the shortest {min(partial):.0%}); raise `epochs`"
        )
    if partial := [share for share in shares if share < MOST]:
        yield (
            f"in {len(partial)} of {counted(len(shares), 'training')} an epoch reads less than the training "
            f"text (the least {min(partial):.0%}), as what does not fit into the windows is left out; give "
            "another `context`, or other `windows`"
        )


def of_amounts(
    inputs: Inputs, cells: list[SimpleNamespace], trainings: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Yield that trainings with different tokenizers have read clearly different amounts of one text.

    The same number of tokens is more text for a tokenizer with longer ones.

    Args:
        inputs: of `compare`.
        cells: that did not diverge.
        trainings: cell → facts of its training.
    """
    read: dict[str, list[float]] = {}
    for cell in cells:
        size = costs_of(inputs, cell).get("bytes")
        if size is not None and trainings[cell.cell]["status"] != STOPPED:
            read.setdefault(cell.tokenizer, []).append(size)
    most = {name: max(sizes) for name, sizes in read.items()}
    if not most:
        return
    low, high = min(most, key=most.get), max(most, key=most.get)
    if most[high] > LONGER * most[low]:
        yield (
            f"trainings with {high} have read up to {most[high]:,.0f} bytes of this text, those with {low} "
            f"{most[low]:,.0f}, so that the order of tokenizers may be that of their budgets: the same "
            "`tokens` or `steps` is more text in longer tokens; give `epochs`"
        )


def epochs_of(inputs: Inputs, cell: str) -> float:
    """Return how many passes over its windows a training made, whatever tokens those share."""
    header, *_, last = (inputs.job.inputs[f"train:{cell}"] / "metrics.csv").read_text().splitlines()
    return float(next(csv.DictReader([header, last]))["epoch"])


def of_best(inputs: Inputs, cells: list[SimpleNamespace], useful: bool | None = None) -> Iterator[str]:
    """Yield that cells of the best group are so on validation alone, or were so for a moment.

    Args:
        inputs: of `compare`.
        cells: of the best group.
        useful: whether it takes less than guessing on the test documents; None where that is not known.
    """
    for cell in cells:
        loss, tokens = inputs.evaluation(cell.cell).get("test_loss"), scored_tokens(inputs, cell.cell)
        guessing = guessing_of(inputs, cell.cell, "test")
        learned = has_learned(loss, guessing, tokens.get("test")) if useful is None else useful
        if loss is not None and not learned:
            yield (
                f"on the test split {cell.cell} takes {loss:.3f} nats per token where {GUESSING} "
                f"takes {guessing:.3f}: "
                + (untold(inputs.evaluation(cell.cell)) if loss < guessing else OF_NO_USE)
            )
        facts = inputs.facts(f"train:{cell.cell}")
        if (
            facts
            and facts["best_step"]
            and cell.use == "best"
            and facts["best_step"] <= EARLY * facts["steps"]
        ):
            yield (
                f"the best weights of {cell.cell} are those of step {facts['best_step']} of "
                f"{facts['steps']}: the rest of the training made it worse on validation; give more text, a "
                "smaller model, fewer epochs or a lower `lr`"
            )


def untold(evaluation: dict[str, Any]) -> str:
    """Return what it means that a test loss is lower than that of guessing by no more than chance explains.

    Args:
        evaluation: evaluation.json of the cell.
    """
    part = evaluation["documents"] < evaluation["documents_of_split"]
    more = "raise `evaluation.bytes`" if part else "give more text"
    return f"that is lower, but other documents could turn it around; {more}, or train longer"
