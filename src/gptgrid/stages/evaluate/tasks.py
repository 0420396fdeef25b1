"""Tasks: items with one right answer each. Does the model find it the likeliest?

An item is a choice between answers, of which a minimal pair is one, or a cloze, whose answer must be what
greedy decoding gives. All items are asked. Each text begins a document, behind an end-of-text token.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.metrics import exponential
from gptgrid.stages.evaluate.likelihood import likelihoods, texts_of
from gptgrid.stages.evaluate.shares import share
from gptgrid.tokens.base import Codec

PORTION = 2048
"""Items in memory at once; the more, the more alike in length are texts that are scored together."""
ROUNDING = 1e-6
"""Nats that differ by no more than this share are a tie: fp32 tells them apart by chance."""
CHOICE = (
    "Share of the items whose right answer is the likeliest of all; a tie of k answers counts one k-th. In "
    "`per_byte` the nats of each answer are divided by its UTF-8 bytes."
)
CLOZE = (
    "Share of the items whose answer is exactly what greedy decoding gives. `perplexity` is e to the mean "
    "nats of a whole answer."
)
INTERVAL = (
    "low and high: 95 % (Wilson; where items have groups, for as many independent items as the variance "
    "between groups amounts to, with a quantile of t)."
)
LONGER = "`longer_than_context` counts the items of which the model never sees the whole at once."
DEFINITIONS = {"minimal-pairs": CHOICE, "choice": CHOICE, "cloze": CLOZE}
"""Format → what evaluation.json says of the figures."""
DIVERGED = "the training diverged, and its weights give no probabilities"
TALES = ("tales", "choice", "questions.jsonl")
"""Name, format and items of the task that a corpus of tales brings along."""


class Task(NamedTuple):
    """Items to ask, all in one format."""

    name: str
    format: str
    items: Path
    """A line for each: `prompt`, `answer`, the list `wrong`, and perhaps `group`."""


class Answer(NamedTuple):
    """What a model makes of an item."""

    credit: float
    """1 if the right answer is the likeliest, 0 if not, a share in a tie; of a cloze whether it is greedy."""
    per_byte: float
    """The same by the nats per byte of each answer."""
    tie: bool
    """Whether the right answer shares the first place."""
    nats: float
    """Of the right answer."""
    chance: float
    """The credit that guessing gives on average."""
    longer: bool
    """Whether it is longer than the context."""
    group: str | None


def tasks_of(job: Job) -> Iterator[Task]:
    """Yield the tasks that an evaluation is asked for, in the order of their names."""
    name, kind, items = TALES
    if (path := job.inputs["corpus"] / items).exists():
        yield Task(name, kind, path)
    for key in sorted(key for key in job.inputs if key.startswith("task:")):
        kind = job.manifest(key)["facts"]["format"]
        yield Task(key.removeprefix("task:"), kind, job.inputs[key] / "items.jsonl")


def ask_all(
    job: Job, module: nn.Module, codec: Codec, context: int, stride: int, diverged: bool
) -> dict[str, Any]:
    """Return what evaluation.json says of all tasks, by their names; the arguments are those of `ask`."""
    found: dict[str, Any] = {}
    threads = job.threads if next(module.parameters()).device.type == "cpu" else 1
    for task in tasks_of(job):
        with job.timing(f"task {task.name}"):
            found[task.name] = ask(module, codec, task, context, stride, diverged, threads)
    return found


def ask(
    module: nn.Module,
    codec: Codec,
    task: Task,
    context: int,
    stride: int,
    diverged: bool = False,
    threads: int = 1,
) -> dict[str, Any]:
    """Return what evaluation.json says of a task.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        codec: its tokenizer.
        task: what is asked.
        context: tokens that the model can see at once.
        stride: tokens between the starts of overlapping windows, in which longer texts are scored.
        diverged: whether the training did; then there may be no figures.
        threads: batches at a time; no figure depends on it.

    Raises:
        UserError: a likelihood of a training that did not diverge is no number.
    """
    answers: list[Answer] = []
    with task.items.open(encoding="utf-8") as file:
        while items := [json.loads(line) for line in islice(file, PORTION)]:
            answers += answers_to(module, codec, items, context, stride, threads)
    finite = all(math.isfinite(answer.nats) and math.isfinite(answer.credit) for answer in answers)
    if not finite and not diverged:
        raise UserError(
            f"task {task.name}: a likelihood is no number: the weights give no probabilities; lower "
            "training.lr and train again"
        )
    return {
        "definition": f"{DEFINITIONS[task.format]} {INTERVAL} {LONGER}",
        "format": task.format,
        "items": len(answers),
        "longer_than_context": sum(answer.longer for answer in answers),
        **summary(answers, task.format, finite),
        "reason": None if finite else DIVERGED,
    }


def answers_to(
    module: nn.Module, codec: Codec, items: list[dict[str, Any]], context: int, stride: int, threads: int
) -> Iterator[Answer]:
    """Yield what a model makes of some items. A likelihood that is no number gives a credit that is none."""
    options = [[item["answer"], *item["wrong"]] for item in items]
    texts, longer = [], []
    for item, answers in zip(items, options, strict=True):
        tokens = [codec.begin(item["prompt"] + answer) for answer in answers]
        longer.append(max(map(len, tokens)) > context + 1)
        texts += texts_of(tokens, codec.begin(item["prompt"]), context, stride)
    nats, greedy = likelihoods(module, texts, context, stride, threads)
    first = 0
    for item, answers, cut in zip(items, options, longer, strict=True):
        own = nats[first : first + len(answers)]
        if item["wrong"]:
            credit, sizes = credit_of(own), [len(answer.encode()) for answer in answers]
            tie, per_byte, chance = 0 < credit < 1, credit_of(own / sizes), 1 / len(answers)
        else:
            credit = per_byte = float(greedy[first])
            tie, chance = False, math.nan
        yield Answer(credit, per_byte, tie, float(own[0]), chance, cut, item.get("group"))
        first += len(answers)


def credit_of(nats: np.ndarray) -> float:
    """Return 1 if the first of some texts (texts,) is the likeliest, 1/k if it shares that with k − 1 others.

    Where a figure is no finite number there is no likeliest text, and the credit is no number.
    """
    if not np.isfinite(nats).all():
        return math.nan
    likeliest = nats <= nats.min() * (1 + ROUNDING)
    return float(likeliest[0] / likeliest.sum())


def summary(answers: list[Answer], kind: str, finite: bool) -> dict[str, Any]:
    """Return the figures of a task: of all items, and of each group; None where they are not finite."""
    members: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.group is not None:
            members.setdefault(answer.group, []).append(answer)
    number = {name: place for place, name in enumerate(members)}
    groups = np.array([number[answer.group] for answer in answers]) if members else None
    return {
        **figures(answers, kind, finite, groups),
        "by_group": {
            name: {"items": len(own), **figures(own, kind, finite)} for name, own in sorted(members.items())
        },
    }


def figures(
    answers: list[Answer], kind: str, finite: bool, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """Return the figures of some items.

    Args:
        answers: to the items.
        kind: their format.
        finite: whether there are any figures.
        groups: number of each item's group; None where each item stands for itself.
    """

    def measured(credits: list[float]) -> dict[str, float | None]:
        return share(np.array(credits), groups) if finite else dict.fromkeys(("accuracy", "low", "high"))

    found: dict[str, Any] = measured([answer.credit for answer in answers])
    if kind == "cloze":
        nats = math.fsum(answer.nats for answer in answers) / len(answers) if finite else None
        return {**found, "chance": None, "perplexity": exponential(nats)}
    found |= {
        "chance": sum(answer.chance for answer in answers) / len(answers),
        "ties": sum(answer.tie for answer in answers) if finite else None,
    }
    if kind == "choice":
        found["per_byte"] = measured([answer.per_byte for answer in answers])
    return found
