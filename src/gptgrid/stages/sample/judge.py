"""How likely the best other cell finds the samples of all cells on a text: judged.json.

What is written as the text is written is likely to a model that has learned the text well: the forward
perplexity of Zhao et al. 2018. The judge is the cell that is the best on validation; for cells of its own
group, which differ from it in the seed alone, the best cell of another group. A low figure is not good by
itself: what repeats itself, or the training text, is likely, too. So the judges read the true continuations
as well, where prompts are beginnings of documents, and figures of two judges do not compare.
"""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import check_inference
from gptgrid.model.score import default_stride, rows_at_once, score
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import Shards
from gptgrid.words import counted

TRUTH = "truth"
"""In judged.json, in place of a cell, which has dots in its name: judge → what it makes of the truth."""


def judge(job: Job) -> dict[str, Any]:
    """Write judged.json: cell → decoding → the figures of its samples, their bytes, and the judge.

    And `truth` → judge → the same of the true continuations, as far as prompts have any.

    Cells that could not be sampled are left out; so are all where no other cell was evaluated.

    Raises:
        UserError: memory does not suffice, or a judge cannot be read.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    judges = judges_of(job)
    found: dict[str, Any] = {}
    truths: dict[str, Any] = {}
    for asked in judges:
        rivals = [
            cell
            for cell in job.config.cells
            if f"sample:{cell.cell}" in job.inputs and judge_for(cell, judges) is asked
        ]
        if rivals:
            print(f"{asked.cell} reads the samples of {counted(len(rivals), 'cell')}", flush=True)
            model = Judge(job, asked, device)
            for cell in rivals:
                found[cell.cell] = by_decoding(model, read_rows(job.inputs[f"sample:{cell.cell}"]))
            # The same for all cells on the text.
            rows = read_rows(job.inputs[f"sample:{rivals[0].cell}"])
            pairs = {row["document"]: (row["prompt"], row["truth"]) for row in rows if "truth" in row}
            if pairs:
                truths[asked.cell] = model.judge([*pairs.values()])
    in_order = {cell.cell: found[cell.cell] for cell in job.config.cells if cell.cell in found}
    if truths:
        in_order[TRUTH] = truths
    text = json.dumps(in_order, indent=1, ensure_ascii=False, allow_nan=False)
    (job.folder / "judged.json").write_text(text + "\n", encoding="utf-8")
    job.provenance["device"] = describe_device(device)
    return {"judges": [cell.cell for cell in judges], "cells": len(found)}


def judges_of(job: Job) -> list[SimpleNamespace]:
    """Return the best cell on validation, and the best of the other groups, as far as there are any."""
    losses = {}
    for cell in job.config.cells:
        if {f"train:{cell.cell}", f"evaluate:{cell.cell}"} <= job.inputs.keys():
            status = job.manifest(f"train:{cell.cell}")["facts"]["status"]
            loss = job.manifest(f"evaluate:{cell.cell}")["facts"].get("val_bpb")
            if loss is not None and status != "diverged":
                losses[cell.cell] = loss
    ranked = sorted(
        (cell for cell in job.config.cells if cell.cell in losses), key=lambda cell: losses[cell.cell]
    )
    return ranked[:1] + [cell for cell in ranked if cell.group != ranked[0].group][:1]


def judge_for(cell: SimpleNamespace, judges: list[SimpleNamespace]) -> SimpleNamespace | None:
    """Return the first judge that is of another group than a cell."""
    return next((judge for judge in judges if judge.group != cell.group), None)


class Judge:
    """A trained cell that reads the samples of others."""

    def __init__(self, job: Job, cell: SimpleNamespace, device: torch.device) -> None:
        """Read a cell of the job's inputs."""
        self.cell, folder = cell.cell, job.inputs[f"train:{cell.cell}"]
        recipe = read_recipe(folder)
        rows = rows_at_once(recipe["vocab_size"], recipe["model"]["context"])
        check_inference(namespace(recipe["model"]), recipe["vocab_size"], rows, device)
        self.codec, self.marks = read_codec(folder), job.config.marks == "special"
        self.module = load_model(folder, device, cell.use)

    def judge(self, pairs: list[tuple[str, str]]) -> dict[str, Any]:
        """Return bits_per_byte, perplexity, bytes and judge of continuations; no figures without any text.

        Args:
            pairs: prompt and continuation.
        """
        pairs = [(prompt, text) for prompt, text in pairs if text]
        size = sum(len(text.encode()) for _, text in pairs)
        bits = perplexity = None
        if pairs:
            nats = self.nats(pairs)
            total = sum(float(of_text.sum()) for of_text in nats)
            bits, perplexity = total / log(2) / size, exp(total / sum(map(len, nats)))
        return {"bits_per_byte": bits, "perplexity": perplexity, "bytes": size, "judge": self.cell}

    def nats(self, pairs: list[tuple[str, str]]) -> list[np.ndarray]:
        """Return the nats of the tokens of each continuation, after its prompt; ends of texts do not count.

        A token that has the end of the prompt and the beginning of the continuation counts.

        Args:
            pairs: prompt and continuation, which has a token of its own.
        """
        context = self.module.config.context
        stride = default_stride(context)
        texts, counted = [], []
        for prompt, text in pairs:
            ids, begun = self.codec.begin(prompt + text, self.marks), self.codec.begin(prompt, self.marks)
            first = common(begun, ids)
            # As much of the prompt as overlapping windows guarantee to every token.
            start = max(0, first - (context - stride + 1))
            texts.append(np.array(ids[start:], dtype=np.uint32))
            counted.append(first - start)
        starts = np.cumsum([0, *map(len, texts)])
        found = score(self.module, Shards([np.concatenate(texts)]), context, stride, starts=starts[:-1]).nats
        return [
            found[start + first - 1 : end - 1]
            for start, end, first in zip(starts, starts[1:], counted, strict=False)
        ]


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the samples of a cell."""
    with (folder / "samples.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def by_decoding(model: Judge, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return decoding → what a judge makes of the samples of a cell."""
    return {
        name: model.judge([(row["prompt"], row["text"]) for row in rows if row["decoding"] == name])
        for name in dict.fromkeys(row["decoding"] for row in rows)
    }


def common(one: list[int], other: list[int]) -> int:
    """Return how many tokens two lists share at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
