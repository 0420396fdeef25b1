"""A law is of one tokenizer, text and recipe, and is refused where the losses cannot tell it."""

import json
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from experiments import Experiment, read_table

from gptgrid.stages.compare.tables import compare

SIZES, BUDGETS = (1, 2, 4, 8, 16), (100, 300, 1000)


def law(size: float, budget: float) -> float:
    """The loss of a cell, exactly."""
    return 1.5 + 50 / size**0.4 + 30 / budget**0.3


class Study(Experiment):
    """Cells of some sizes, in 10,000 parameters, and budgets, in 10,000 tokens, whose losses follow a law."""

    def __init__(
        self, root, places: Any, noise: float = 0.0, seeds: tuple[int, ...] = (1,), **recipe: Any
    ) -> None:
        overrides = tuple(
            {"model.d_model": size, "training.tokens": budget, **more}
            for size, budget, *more in places
            for more in more or [{}]
        )
        super().__init__(root, ("tales",), ("bpe",), ("llama",), seeds, overrides, **recipe)
        random = np.random.default_rng(0)
        for cell in self.cells:
            keys = cell["overrides"]
            size, budget = keys["model.d_model"] * 1e4, keys["training.tokens"] * 1e4
            self.change(f"train:{cell['cell']}", parameters=size, train_tokens=budget)
            loss = law(size, budget) * np.exp(noise * random.standard_normal()) + keys.get("training.lr", 0)
            path = self.inputs[f"evaluate:{cell['cell']}"] / "evaluation.json"
            evaluation = json.loads(path.read_text())
            evaluation["valid"]["val_loss"] = loss
            path.write_text(json.dumps(evaluation))

    def tables(self) -> tuple[list[SimpleNamespace], list[SimpleNamespace]]:
        job = self.compare_job()
        compare(job)
        return read_table(job.folder / "scaling.csv"), read_table(job.folder / "scaling_cells.csv")


def values(row: SimpleNamespace, *names: str) -> list[float]:
    return [float(getattr(row, name)) for name in names]


def test_a_law_of_sizes_and_budgets(tmp_path):
    [row], cells = Study(tmp_path, product(SIZES, BUDGETS)).tables()
    assert (row.form, row.text, row.tokenizer, row.recipe) == ("E + A/N^alpha + B/D^beta", "tales", "bpe", "")
    assert (row.cells, row.sizes, row.budgets) == ("15", "5", "3")
    assert values(row, "E", "A", "alpha", "B", "beta") == pytest.approx([1.5, 50, 0.4, 30, 0.3], rel=0.01)
    assert values(row, "E_huber", "alpha_huber") == pytest.approx([1.5, 0.4], rel=0.01)
    assert values(row, "alpha_low", "alpha_high") == pytest.approx([0.4, 0.4], rel=0.01)
    # Twice and ten times the largest cells in parameters and tokens, and what such a prediction is worth.
    assert values(row, "loss_at_2_times", "loss_at_10_times") == pytest.approx(
        [law(32e4, 2000e4), law(160e4, 10000e4)], rel=1e-3
    )
    assert float(row.held_out) == 16e4
    assert values(row, "held_out_measured")[0] == pytest.approx(
        np.mean([law(16e4, b * 1e4) for b in BUDGETS])
    )
    assert abs(float(row.held_out_error)) < 1e-3
    assert all(float(cell.predicted) == pytest.approx(float(cell.val_loss), rel=1e-3) for cell in cells)


def test_the_error_of_predicting_the_largest_is_that_of_the_others_alone(tmp_path):
    study = Study(tmp_path, product((*SIZES, 32, 64), [100]))
    path = study.inputs[f"evaluate:{study.cells[-1]['cell']}"] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    evaluation["valid"]["val_loss"] += 0.01
    path.write_text(json.dumps(evaluation))
    [row], _ = study.tables()
    assert float(row.held_out_error) == pytest.approx(-0.01, rel=0.02)


@pytest.mark.parametrize(
    ("places", "form"),
    [
        (list(product(SIZES, [100])), "E + A/N^alpha"),
        (list(product([4], [50, 100, 200, 400, 800])), "E + B/D^beta"),
        # Budgets that whole steps reach by a little more are one budget.
        ([(size, 100 + number) for number, size in enumerate(SIZES)], "E + A/N^alpha"),
    ],
)
def test_what_does_not_vary_has_no_term(tmp_path, places, form):
    [row], _ = Study(tmp_path, places).tables()
    assert (row.form, row.reason) == (form, "")
    assert (row.B == "") == ("B" not in form) and (row.A == "") == ("A" not in form)


def test_budgets_in_step_with_sizes_are_one_effect(tmp_path):
    [row], _ = Study(tmp_path, [(size, 20 * size) for size in SIZES]).tables()
    assert row.form == "E + A/N^alpha" and "budgets grow in step with sizes" in row.cautions


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (
            list(product(SIZES[:4], BUDGETS)),
            "4 sizes and 3 budgets; it takes 5 sizes, or 5 budgets of one size",
        ),
        ([(4, 100)], "1 sizes and 1 budgets; it takes 5 sizes, or 5 budgets of one size"),
        (list(product(SIZES, BUDGETS[:2])), "2 budgets; it takes one, or 3"),
        # Equal FLOPs.
        (
            [(size, 1600 // size) for size in SIZES],
            "budgets fall in step with sizes, which hides what each does; vary one alone, too",
        ),
        ([*zip(SIZES, (100, 900, 300, 100, 2000), strict=True)], "5 pairs of size and budget; it takes 8"),
    ],
)
def test_a_law_that_the_losses_cannot_tell_is_refused(tmp_path, places, reason):
    [row], cells = Study(tmp_path, places).tables()
    assert (row.form, row.E, row.loss_at_2_times) == ("", "", "")
    assert row.reason == reason
    assert {cell.predicted for cell in cells} == {""}


def test_sizes_that_are_near_their_neighbours_alone_are_several(tmp_path):
    """Each is 4.5 % above the last; two in a row are one size, three are not."""
    [row], _ = Study(tmp_path, [(1.045**number, 100) for number in range(12)]).tables()
    assert (row.sizes, row.budgets) == ("6", "1")


def test_a_law_that_noise_hides_is_refused(tmp_path):
    """Sizes change these losses by less than a tenth of what their noise does."""
    places = list(product((1.0, 1.1, 1.2, 1.3, 1.4), BUDGETS))
    [row], cells = Study(tmp_path, places, noise=0.2).tables()
    assert row.reason.startswith("the losses do not tell alpha"), row
    assert (row.form, row.E, row.A, row.loss_at_2_times, row.loss_at_10_times_high) == ("",) * 5
    assert {cell.predicted for cell in cells} == {""}


def test_a_law_that_misses_its_losses_is_told(tmp_path):
    places = list(product((*SIZES, 32, 64, 128), BUDGETS))
    [row], _ = Study(tmp_path, places, noise=0.04, seeds=(1, 2)).tables()
    assert row.form and "the law misses these losses by 3." in row.cautions, row


def test_recipes_have_laws_of_their_own(tmp_path):
    places = [(size, 100, {}) for size in SIZES] + [(size, 100, {"model.norm": "rmsnorm"}) for size in SIZES]
    first, second = Study(tmp_path, places).tables()[0]
    assert (first.recipe, second.recipe) == ("model.norm=null", 'model.norm="rmsnorm"')
    assert (first.cells, second.cells) == ("5", "5")


def test_of_several_learning_rates_the_best_counts(tmp_path):
    places = [(size, 100, {"training.lr": lr}) for size in SIZES for lr in (0.0, 0.5)]
    [row], cells = Study(tmp_path, places).tables()
    assert row.cells == "5" and float(row.E) == pytest.approx(1.5 + 30 / 100e4**0.3, rel=0.01)
    assert {cell.reason for cell in cells if "lr=0.5" in cell.cell} == {
        "another recipe has a lower loss at this size and budget"
    }


def test_only_finished_cells_count(tmp_path):
    places = list(product((*SIZES, 32, 64), [100]))
    study = Study(
        tmp_path,
        places,
        seeds=(1, 2),
        diverged=("=32+tokens=100.base.s1",),
        stopped=("=64+tokens=100.base.s2",),
    )
    [row], cells = study.tables()
    reasons = {cell.cell.split("d_model=")[1]: cell.reason for cell in cells if cell.reason}
    assert len(reasons) == 3, reasons
    assert row.cells == "11" and row.sizes == "6"


def test_without_a_finished_cell_there_is_no_law(tmp_path):
    study = Study(tmp_path / "diverged", product(SIZES, [100]), diverged=("s1",))
    [row], cells = study.tables()
    assert row.reason == "0 sizes and 0 budgets; it takes 5 sizes, or 5 budgets of one size"
    assert {cell.reason for cell in cells} == {"diverged"}
    failed = {f"train:{cell['cell']}": "memory" for cell in study.cells}
    assert Study(tmp_path / "failed", product(SIZES, [100]), failed=failed).tables() == ([], [])


def test_texts_read_many_times_are_told(tmp_path):
    """900,000 bytes at 3.1 a token."""
    [row], _ = Study(tmp_path, product(SIZES, [200])).tables()
    assert "5 of 5 cells read the text more than 4 times" in row.cautions


def test_the_same_cells_give_the_same_bytes(tmp_path):
    texts = []
    for name in ("a", "b"):
        study = Study(tmp_path / name, product(SIZES, BUDGETS), noise=0.01)
        study.tables()
        texts.append((study.compare_job().folder / "scaling.csv").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [({}, False), ({"schedule": "cosine"}, True), ({"weight_decay": "auto"}, True)],
)
def test_what_a_budget_would_not_have_from_the_start_is_told(tmp_path, changes, told):
    """The rates are 0.002 from the first step to the last."""
    study = Study(tmp_path, product(SIZES, [100]))
    recipe = {"lr": 2e-3, "min_lr": 0.0, "schedule": "constant", "warmup": 0.0, **changes}
    for cell in study.cells:
        study.change(f"train:{cell['cell']}", "inputs", parent="")
        study.change(f"train:{cell['cell']}", "config", training=recipe)
    [row], _ = study.tables()
    assert ("5 of 5 cells continue a shorter training" in row.cautions) == told
