"""What stands against figures of fine-tuned cells: few dialogues, few steps, dialogues that did not fit."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

from gptgrid.stages.compare.cells import DIVERGED
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.trainings import of_steps
from gptgrid.words import counted, verb

FEW = 30
"""Short answers, or dialogues: of fewer a share is known to about ±20 points."""
MOST = 0.5
"""Of the training dialogues: if more are not whole, what was learned is something else than the data."""


def of_finetuning(inputs: Inputs) -> list[tuple[str, str]]:
    """Return `dialogues NAME` and what must be known about the figures on them.

    Args:
        inputs: of `compare`.
    """
    of_data: dict[str, list[SimpleNamespace]] = {}
    for entry in getattr(inputs.job.config, "finetuned", []):
        facts = inputs.facts(f"finetune:{entry.cell}")
        if facts is not None and facts["status"] != DIVERGED:
            of_data.setdefault(entry.data, []).append(entry)
    return [
        (f"dialogues {data}", sentence)
        for data, entries in of_data.items()
        for sentence in (
            *of_test(inputs, entries),
            *of_validation(inputs, entries),
            *of_steps([inputs.facts(f"finetune:{entry.cell}") for entry in entries], "fine-tuning"),
            *of_length(inputs, entries),
        )
    ]


def of_test(inputs: Inputs, entries: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that few short answers, or few dialogues at all, were asked of the test split."""
    found = [answers for entry in entries if (answers := inputs.answers(entry.cell, entry.data))]
    if not found:
        return
    fewest = min(found, key=lambda answers: answers["asked"]["items"] or answers["asked"]["asked"])
    asked, items, there = fewest["asked"]["asked"], fewest["asked"]["items"], fewest["dialogues"]
    if 0 < (items or asked) < FEW:
        number = items or asked
        what = f"{counted(number, 'short answer' if items else 'answer')} {verb(number, 'were')}"
        more = "raise `evaluation.answers.documents`" if asked < there else "give the test more dialogues"
        yield f"{what} compared, so few that others could change the figures much; {more}"


def of_validation(inputs: Inputs, entries: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that few validation dialogues chose among the weights of trainings."""
    used = [
        inputs.facts(f"finetune:{entry.cell}")["dialogues"]["valid"]["used"]
        for entry in entries
        if entry.use == "best"
    ]
    if used and min(used) < FEW:
        yield (
            f"{counted(min(used), 'validation dialogue')} chose the weights, so few that the lowest loss may "
            "be chance; give validation more of them (`split: {valid: …}`), or take `use: last`"
        )


def of_length(inputs: Inputs, entries: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that most training dialogues were left out or cut, as they were longer than the context."""
    shares = {}
    for entry in entries:
        train = inputs.facts(f"finetune:{entry.cell}")["dialogues"]["train"]
        share = (train["dropped"] + train["cut"]) / (train["used"] + train["dropped"])
        if share > MOST:
            shares[entry.cell] = share, train
    if shares:
        worst = max(shares, key=lambda cell: shares[cell][0])
        share, train = shares[worst]
        learned = "parts of them" if train["cut"] else "the short ones"
        yield (
            f"in {len(shares)} of {counted(len(entries), 'fine-tuning')} most training dialogues are longer "
            f"than the context ({share:.0%} in {worst}: {train['dropped']:,} left out, {train['cut']:,} "
            f"cut), so that it has learned from {learned}; take a model with a longer context, or shorter "
            "dialogues"
        )
