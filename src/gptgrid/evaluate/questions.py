"""Questions about a text, each with one right answer among several: does the model find it the likeliest?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gptgrid.model.score import losses_of
from gptgrid.tokens.base import Codec

MOST = 300
"""Questions that are asked, from the first on."""


def ask(module: nn.Module, codec: Codec, path: Path, context: int) -> dict[str, float]:
    """Return how many questions were asked, the share answered right, and the share that guessing gives.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        codec: its tokenizer.
        path: a line for each question: `prompt`, `answer`, and `wrong` answers.
        context: tokens that the model can see; of a longer text it sees the end.
    """
    with path.open(encoding="utf-8") as file:
        questions = [json.loads(line) for line, _ in zip(file, range(MOST), strict=False)]
    right, chance = 0, 0.0
    for question in questions:
        answers = [question["answer"], *question["wrong"]]
        texts = [codec.begin(question["prompt"] + answer) for answer in answers]
        right += int(np.argmin(nats_of(module, texts, context)) == 0)
        chance += 1 / len(answers)
    return {
        "asked": len(questions),
        "right": right / len(questions),
        "chance": chance / len(questions),
    }


@torch.inference_mode()
def nats_of(module: nn.Module, texts: list[list[int]], context: int) -> np.ndarray:
    """Return for each text (texts,) the nats of its tokens from where the texts differ."""
    common = next(i for i, ids in enumerate(zip(*texts, strict=False)) if len(set(ids)) > 1)
    # Every text begins at the same place, so that all see the same of what they share.
    first = max(0, max(map(len, texts)) - context - 1)
    width = max(map(len, texts)) - first
    rows = np.zeros((len(texts), width), dtype=np.int64)
    counted = np.zeros((len(texts), width - 1), dtype=bool)
    for row, ids in enumerate(texts):
        rows[row, : len(ids) - first] = ids[first:]
        counted[row, max(0, common - first - 1) : len(ids) - first - 1] = True
    losses = losses_of(module, rows, 0).double().cpu().numpy()
    return np.where(counted, losses, 0.0).sum(axis=1)
