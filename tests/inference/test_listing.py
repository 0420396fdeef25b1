"""The cells of an experiment are listed with their first figures, whether it has finished or not."""

import json

import pytest
from cells import tiny, write_cell

from gptgrid.api import cells, load
from gptgrid.artifact.errors import UserError

FACTS = {"status": "finished", "parameters": 9, "train_tokens": 800, "val_bpb": 3.0}


@pytest.fixture
def results(tmp_path):
    """Return results with an experiment of three cells: evaluated, trained, and neither."""
    folder = tmp_path / "my" / "cells"
    for name in ("toy.bytes.a.base.s1", "toy.bytes.b.base.s1"):
        train = write_cell(folder / name / "train", tiny(257))
        (train / "manifest.json").write_text(json.dumps({"facts": FACTS}))
    (folder / "toy.bytes.a.base.s1" / "evaluate").mkdir()
    evaluated = {"config": {"use": "best"}, "facts": {"val_bpb": 2.5, "bpb": 2.75}}
    (folder / "toy.bytes.a.base.s1" / "evaluate" / "manifest.json").write_text(json.dumps(evaluated))
    (folder / "toy.bytes.c.base.s1").mkdir()
    return tmp_path


def test_trained_cells_are_listed_with_what_is_known(results):
    for found in (cells("my", results), cells(results / "my")):
        assert [cell.name for cell in found] == ["toy.bytes.a.base.s1", "toy.bytes.b.base.s1"]
        first, second = found
        assert (first.val_bpb, first.bpb, second.val_bpb, second.bpb) == (2.5, 2.75, 3.0, None)
        assert (second.status, second.parameters, second.train_tokens) == ("finished", 9, 800)
        best = min(found, key=lambda cell: cell.val_bpb)
        assert load(best.path, "cpu").context == 8


def test_what_the_grid_no_longer_has_is_left_out(results):
    (results / "my" / "compare").mkdir()
    (results / "my" / "compare" / "summary.csv").write_text("cell,seed\ntoy.bytes.b.base.s1,1\n")
    assert [cell.name for cell in cells("my", results)] == ["toy.bytes.b.base.s1"]


def test_no_experiment_lists_those_that_there_are(results):
    with pytest.raises(
        UserError, match=r"yours is no experiment: looked for a folder cells .*; there are: my"
    ):
        cells("yours", results)
