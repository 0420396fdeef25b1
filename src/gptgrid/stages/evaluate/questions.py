"""Questions about a text, each with one right answer among several: does the model find it the likeliest?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gptgrid.model.score import losses_of, rows_at_once
from gptgrid.tokens.base import Codec

MAX_QUESTIONS = 300
"""Questions that count, from the first on."""


def ask(module: nn.Module, codec: Codec, path: Path, context: int) -> dict[str, float]:
    """Return how many questions there were, the share answered right, and the share that guessing gives.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        codec: its tokenizer.
        path: a line for each question: `prompt`, `answer`, and `wrong` answers.
        context: tokens that the model can see; of a longer text it sees the end.
    """
    with path.open(encoding="utf-8") as file:
        questions = [json.loads(line) for line, _ in zip(file, range(MAX_QUESTIONS), strict=False)]
    answers = [[question["answer"], *question["wrong"]] for question in questions]
    texts = [
        [codec.begin(question["prompt"] + answer) for answer in those]
        for question, those in zip(questions, answers, strict=True)
    ]
    right = sum(int(np.argmin(nats) == 0) for nats in nats_of(module, texts, context))
    return {
        "asked": len(questions),
        "right": right / len(questions),
        "chance": sum(1 / len(those) for those in answers) / len(questions),
    }


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
    common = next(i for i, ids in enumerate(zip(*texts, strict=False)) if len(set(ids)) > 1)
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
