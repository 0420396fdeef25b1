"""How likely the best other cell finds the samples of all cells on a text."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from cells import tiny, token_by_token, uniform, write_cell

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.sample.kinds import KINDS
from gptgrid.tokens.codec import BytesCodec

ROWS = [
    ("", "greedy", "今天 fox"),
    ("a fox", "greedy", " and"),
    ("a fox", "nucleus", ""),
    ("", "nucleus", "x"),
]


@pytest.fixture
def judge(tmp_path):
    """Return a function that makes judged.json of cells (name → validation figure) and returns it."""
    torch.set_num_threads(1)

    def judge(losses, rows=ROWS, lacking=(), modules=None, codec=None, marks="text", **statuses):
        inputs, asked = {}, []
        for cell, loss in losses.items():
            module = (modules or {}).get(cell) or uniform(257)
            folder = tmp_path / cell
            inputs[f"train:{cell}"] = write_cell(
                folder / "train", module, codec, status=statuses.get(cell[0], "finished")
            )
            for stage in ("evaluate", "sample"):
                inputs[f"{stage}:{cell}"] = folder / stage
                (folder / stage).mkdir()
            (folder / "evaluate" / "manifest.json").write_text(json.dumps({"facts": {"val_bpb": loss}}))
            keys = ("prompt", "decoding", "text", "document", "truth")
            lines = [dict(zip(keys, row, strict=False)) for row in rows]
            (folder / "sample" / "samples.jsonl").write_text(
                "".join(json.dumps(line) + "\n" for line in lines)
            )
            asked.append({"cell": cell, "group": cell.split(".")[0], "use": "best"})
        inputs = {name: path for name, path in inputs.items() if name not in lacking}
        run = SimpleNamespace(device="cpu", cells_per_gpu=1)
        config = {"kind": "judge", "cells": asked, "marks": marks}
        facts = KINDS["judge"](Job(namespace(config), inputs, tmp_path, tmp_path, run))
        return json.loads((tmp_path / "judged.json").read_text(encoding="utf-8")), facts

    return judge


def judges(found):
    return {cell: by["greedy"]["judge"] for cell, by in found.items()}


def test_the_best_cell_judges_all_but_its_group_which_the_best_other_one_judges(judge):
    found, facts = judge({"a.s1": 2.0, "b.s1": 1.0, "b.s2": 1.5, "c.s1": 1.8})
    assert judges(found) == {"a.s1": "b.s1", "b.s1": "c.s1", "b.s2": "c.s1", "c.s1": "b.s1"}
    assert facts == {"judges": ["b.s1", "c.s1"], "cells": 4}


def test_cells_that_diverged_or_failed_judge_nothing(judge):
    losses = {"a.s1": 1.0, "b.s1": 2.0, "c.s1": 3.0, "d.s1": None, "e.s1": 0.5}
    found, _ = judge(losses, lacking={"evaluate:e.s1", "sample:b.s1"}, a="diverged")
    assert judges(found) == {"a.s1": "b.s1", "c.s1": "b.s1", "d.s1": "b.s1", "e.s1": "b.s1"}


def test_without_another_cell_nothing_is_judged(judge):
    assert judge({"a.s1": 1.0, "a.s2": 2.0}) == ({}, {"judges": ["a.s1"], "cells": 0})


def test_of_cells_that_guess_every_byte_of_a_text_takes_the_same(judge):
    found, _ = judge({"a.s1": 1.0, "b.s1": 2.0})
    for by in found.values():
        assert by["greedy"]["bits_per_byte"] == pytest.approx(math.log2(257), rel=1e-6)
        assert by["greedy"]["bytes"] == len("今天 fox and".encode())
        assert by["nucleus"]["bytes"] == 1


@pytest.mark.parametrize("prompt", ["", "a fox", "once upon a time there was a fox"])
def test_figures_are_those_of_one_token_after_the_other(judge, prompt):
    module, text = tiny(257), " went home and slept"
    found, _ = judge({"a.s1": 1.0, "b.s1": 2.0}, [(prompt, "greedy", text)], modules={"a.s1": module})
    ids = BytesCodec().begin(prompt + text)
    context, first = 8, 1 + len(prompt)
    start = max(0, first - (context - context // 2 + 1))
    nats = [nats for nats, _, _ in token_by_token(module, ids[start:], context, context // 2)]
    own = nats[first - start - 1 :]
    figures = found["b.s1"]["greedy"]
    assert figures["bits_per_byte"] == pytest.approx(sum(own) / math.log(2) / len(text), rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(sum(own) / len(own)), rel=1e-5)


def test_a_cell_that_wrote_nothing_has_no_figure(judge):
    found, _ = judge({"a.s1": 1.0, "b.s1": 2.0}, [("a", "greedy", "")])
    nothing = {"bits_per_byte": None, "perplexity": None, "bytes": 0}
    assert found["a.s1"]["greedy"] == {**nothing, "judge": "b.s1"}


def test_true_continuations_are_judged_once_each_by_every_judge(judge):
    module = tiny(257)
    rows = [
        ("a fox", decoding, text, 7, " went")
        for decoding, text in (("greedy", " went"), ("nucleus", " and"), ("nucleus", " or"))
    ]
    found, _ = judge({"a.s1": 1.0, "b.s1": 2.0}, rows, modules={"a.s1": module})
    truth = found.pop("truth")
    assert found.keys() == truth.keys() == {"a.s1", "b.s1"}
    assert truth["a.s1"] == {**found["b.s1"]["greedy"], "bytes": 5}
    assert truth["b.s1"]["bits_per_byte"] == pytest.approx(math.log2(257), rel=1e-6)


def test_marks_in_samples_are_what_they_are_in_the_corpus(judge):
    codec, module = BytesCodec(["<|u|>"]), uniform(258, likely=257)
    rows = [("a", "greedy", "<|u|>")]
    cells = {"a.s1": 1.0, "b.s1": 2.0}
    found, _ = judge(cells, rows, modules=dict.fromkeys(cells, module), codec=codec, marks="special")
    assert found["a.s1"]["greedy"]["bits_per_byte"] == pytest.approx(0, abs=1e-6)
