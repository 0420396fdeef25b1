"""Questions about a text, each with one right answer among several: does the model find it the likeliest?

All questions of the test split are asked: they cost about as much as scoring it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gptgrid.model.score import losses_of, rows_at_once
from gptgrid.tokens.base import Codec

CHUNK = 256
"""Questions in memory at once."""
ROUNDING = 1e-6
"""Nats that differ by no more than this share are a tie: fp32 tells them apart by chance."""


def ask(module: nn.Module, codec: Codec, path: Path, context: int) -> dict[str, Any]:
    """Return how many questions there were, the share answered right, and the share that guessing gives.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        codec: its tokenizer.
        path: a line for each question: `prompt`, `answer`, and `wrong` answers.
        context: tokens that the model can see; of a longer text it sees the end.

    Returns:
        asked, right, chance, and `reason`: why `right` is None, where the context is shorter than an answer.
    """
    asked, right, chance = 0, 0.0, 0.0
    longest = 0
    with path.open(encoding="utf-8") as file:
        while questions := [json.loads(line) for line in islice(file, CHUNK)]:
            texts = [tokens_of(codec, question) for question in questions]
            asked += len(texts)
            chance += sum(1 / len(answers) for answers in texts)
            longest = max(longest, *map(answer_length, texts))
            if longest <= context:
                right += sum(map(credit, nats_of(module, texts, context)))
    reason = None
    if longest > context:
        reason = f"an answer has {longest} tokens, more than the context of {context} lets a model see"
    return {
        "asked": asked,
        "right": None if reason else right / asked,
        "chance": chance / asked,
        "reason": reason,
    }


def tokens_of(codec: Codec, question: dict[str, Any]) -> list[list[int]]:
    """Return the tokens of a question with each of its answers, the right one first."""
    answers = [question["answer"], *question["wrong"]]
    return [codec.begin(question["prompt"] + answer) for answer in answers]


def answer_length(texts: list[list[int]]) -> int:
    """Return how many tokens the longest answer has, from where the texts differ."""
    return max(map(len, texts)) - first_difference(texts)


def first_difference(texts: list[list[int]]) -> int:
    """Return the first place at which not all texts have the same token."""
    return next(place for place, ids in enumerate(zip(*texts, strict=False)) if len(set(ids)) > 1)


def credit(nats: np.ndarray) -> float:
    """Return 1 if the first of the texts (texts,) is the likeliest, 1/k if it shares that with k − 1 others.

    Where a figure is no finite number there is no likeliest text, and no credit.
    """
    if not np.isfinite(nats).all():
        return 0.0
    likeliest = np.isclose(nats, nats.min(), rtol=ROUNDING, atol=0.0)
    return float(likeliest[0] / likeliest.sum())


def nats_of(module: nn.Module, questions: list[list[list[int]]], context: int) -> Iterator[np.ndarray]:
    """Yield for the texts of each question (texts,) the nats of their tokens from where they differ.

    Several questions are read in one pass. What makes them equally long comes at the end, where no token that
    counts can see it.
    """
    windows = [window(texts, context) for texts in questions]
    width = max(rows.shape[1] for rows, _ in windows)
    at_once = max(1, rows_at_once(module.vocab_size, width) // max(map(len, questions)))
    for first in range(0, len(windows), at_once):
        batch = windows[first : first + at_once]
        rows = np.concatenate([widened(rows, width) for rows, _ in batch])
        with torch.inference_mode():
            losses = losses_of(module, rows, 0).double().cpu().numpy()
        for _, counted in batch:
            own, losses = np.split(losses, [len(counted)])
            yield np.where(counted, own[:, : counted.shape[1]], 0.0).sum(axis=1)


def window(texts: list[list[int]], context: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model sees of texts, (texts, time + 1) int64, and which targets count, (texts, time)."""
    common = first_difference(texts)
    # Every text begins at the same place, so that all see the same of what they share.
    first = max(0, max(map(len, texts)) - context - 1)
    width = max(map(len, texts)) - first
    rows = np.zeros((len(texts), width), dtype=np.int64)
    counted = np.zeros((len(texts), width - 1), dtype=bool)
    for row, ids in enumerate(texts):
        rows[row, : len(ids) - first] = ids[first:]
        counted[row, max(0, common - first - 1) : len(ids) - first - 1] = True
    return rows, counted


def widened(rows: np.ndarray, width: int) -> np.ndarray:
    """Return rows (texts, time) with zeros after them: (texts, width)."""
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))
