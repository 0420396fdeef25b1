"""Equal budgets are read from curves where there are curves, and rivals were validated on the same text."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from experiments import Experiment, read_table

from gptgrid.artifact.job import Job
from gptgrid.stages.compare.cells import cell_table
from gptgrid.stages.compare.curves import Rival, amounts
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.groups import group_names, text_names
from gptgrid.stages.compare.tables import compare
from gptgrid.stages.compare.views import view_tables

TRAINED = 60 * 2048


def rows(experiment: Experiment, budget: str = "tokens") -> list[SimpleNamespace]:
    job = experiment.compare_job()
    compare(job)
    return [row for row in read_table(job.folder / "equal.csv") if row.budget in (budget, "")]


def table_of(job: Job) -> pd.DataFrame:
    """Return the rows of all cells as the other tables get them."""
    cells = cell_table(Inputs(job), [])
    return cells.assign(group=group_names(cells), text=text_names(cells, []))


def write_curve(experiment: Experiment, cell: str, points: dict[int, float], **facts: float) -> None:
    """Give a training this curve, tokens → validation loss, and its last tokens as its budget."""
    lines = [f"{number},{tokens},1,0.1,9,{loss},1" for number, (tokens, loss) in enumerate(points.items(), 1)]
    text = "\n".join(["step,tokens,epoch,lr,train_loss,val_loss,grad_norm", *lines]) + "\n"
    (experiment.inputs[f"train:{cell}"] / "metrics.csv").write_text(text)
    experiment.change(f"train:{cell}", train_tokens=max(points), train_flops=10 * max(points), **facts)


@pytest.fixture
def pair(tmp_path) -> Experiment:
    """Two groups of one seed: a curve to 4,000 tokens, and one to 1,000."""
    experiment = Experiment(tmp_path, ("tales",), ("char",), ("llama", "gpt2"), (1,))
    write_curve(experiment, "tales.char.llama.base.s1", {500: 4.0, 1000: 3.0, 2000: 2.5, 4000: 2.0})
    write_curve(experiment, "tales.char.gpt2.base.s1", {250: 5.0, 1000: 2.8})
    return experiment


def test_losses_at_equal_tokens(pair):
    found = {(float(row.amount), row.group.split(".")[2]): row for row in rows(pair)}
    # The common budget, its halves as far as a curve goes back, its doubles as far as one goes on.
    assert sorted({amount for amount, _ in found}) == [250, 500, 1000, 2000, 4000]
    assert float(found[1000, "llama"].val_loss) == 3.0
    assert float(found[1000, "gpt2"].val_loss) == 2.8
    # Half the logarithm of the way from 250 to 1000.
    assert float(found[500, "gpt2"].val_loss) == pytest.approx(3.9)


def test_nothing_is_extrapolated(pair):
    found = {(float(row.amount), row.group.split(".")[2]): row for row in rows(pair)}
    beyond, before = found[2000, "gpt2"], found[250, "llama"]
    assert (beyond.val_loss, beyond.val_bpb, beyond.rank) == ("", "", "")
    assert beyond.reason == "it does not reach as far"
    assert (before.val_loss, before.reason) == ("", "no validation so early")


def test_a_curve_before_the_end_of_its_schedule_is_marked(pair):
    marks = {(float(row.amount), row.group.split(".")[2]): row.before_end for row in rows(pair)}
    assert (marks[1000, "llama"], marks[1000, "gpt2"]) == ("True", "False")
    ranks = {(float(row.amount), row.group.split(".")[2]): row.rank for row in rows(pair)}
    assert (ranks[1000, "llama"], ranks[1000, "gpt2"]) == ("", "1")
    assert marks[4000, "llama"] == "False"
    pair.change("train:tales.char.llama.base.s1", "config", training={"schedule": "constant"})
    found = {(float(row.amount), row.group.split(".")[2]): row for row in rows(pair)}
    assert found[1000, "llama"].before_end == "False"
    assert [found[1000, name].rank for name in ("llama", "gpt2")] == ["2", "1"]


def test_what_stopped_early_never_ended_its_schedule(pair):
    pair.change("train:tales.char.gpt2.base.s1", status="stopped early")
    marks = {(float(row.amount), row.group.split(".")[2]): row.before_end for row in rows(pair)}
    assert marks[1000, "gpt2"] == "True"


def test_bits_per_byte_are_of_what_training_validated(pair):
    pair.change("train:tales.char.llama.base.s1", "config", training={"schedule": "constant"})
    pair.change("train:tales.char.llama.base.s1", val_tokens=300, val_bytes=900)
    pair.change("train:tales.char.gpt2.base.s1", val_tokens=450, val_bytes=900)
    found = {row.group.split(".")[2]: row for row in rows(pair) if float(row.amount) == 1000}
    assert float(found["llama"].val_bpb) == pytest.approx(3.0 * 300 / (900 * math.log(2)))
    assert float(found["gpt2"].val_bpb) == pytest.approx(2.8 * 450 / (900 * math.log(2)))
    assert (found["llama"].rank, found["gpt2"].rank) == ("1", "2")


def test_unlike_validation_samples_are_no_rivals(pair):
    pair.change("train:tales.char.gpt2.base.s1", val_bytes=50)
    found = rows(pair)
    assert {row.validation_sample for row in found} == {"100000 bytes", "50 bytes"}
    assert {row.rank for row in found} == {"1", ""}
    # Each has its own budgets.
    assert {float(row.amount) for row in found if row.group.split(".")[2] == "llama"} == {
        500,
        1000,
        2000,
        4000,
    }


@pytest.mark.parametrize(
    ("budget", "amount"), [("tokens", TRAINED), ("bytes", TRAINED * 3.1), ("seconds", 12.5)]
)
def test_every_budget_has_its_own_amounts(tmp_path, budget, amount):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2))
    found = rows(experiment, budget)
    assert float(found[-1].amount) == pytest.approx(amount, rel=1e-5)
    assert found[-1].before_end == "False" and found[-1].cells == "2"
    assert {row.machine for row in found} == {"cpu, Some CPU" if budget == "seconds" else ""}


def test_bare_ids_have_no_bytes(tmp_path):
    experiment = Experiment(tmp_path, ("noise",), models=("llama",))
    assert rows(experiment, "bytes") == []
    assert {(row.val_bpb, row.rank) for row in rows(experiment)} == {("", ""), ("", "1")}


def test_seeds_that_failed_are_left_out_and_groups_that_diverged_are_told(tmp_path):
    experiment = Experiment(
        tmp_path,
        ("tales",),
        ("bpe",),
        ("llama", "gpt2"),
        diverged=("gpt2.base.s1",),
        failed={"train:tales.bpe.llama.base.s2": "memory"},
    )
    found = rows(experiment)
    assert {(row.group, row.cells, row.reason) for row in found} == {
        ("tales.bpe.llama.base", "1", ""),
        ("tales.bpe.gpt2.base", "2", "1 of 2 cells diverged"),
    }


def test_whole_steps_that_reach_a_budget_by_a_little_are_that_budget():
    """1, 2 and 4 million tokens in steps of 8,192."""
    reaches = [1_007_616.0, 2_007_040.0, 4_005_888.0]
    assert amounts(reaches)[-3:] == reaches


def test_a_model_that_others_trained_has_no_curve(pair):
    pair.change("train:tales.char.gpt2.base.s1", status="imported", train_tokens=None, train_flops=None)
    (pair.inputs["train:tales.char.gpt2.base.s1"] / "metrics.csv").unlink()
    job = pair.compare_job()
    views = view_tables(Inputs(job), table_of(job))
    reasons = {row.group.split(".")[2]: row.reason for row in views["equal.csv"].itertuples()}
    assert reasons["gpt2"] == "it was not trained here"
    gpt2 = views["pareto.csv"].set_index("group").loc["tales.char.gpt2.base"]
    assert gpt2["on_front_parameters"] is True or gpt2["on_front_parameters"] is False
    assert gpt2[["on_front_train_flops", "on_front_train_seconds"]].isna().all()
    assert [*views["scaling_cells.csv"]["group"]] == ["tales.char.llama.base"]


def test_seeds_that_take_unlike_seconds_end_at_the_last_of_them():
    def curve(seconds: float) -> SimpleNamespace:
        return SimpleNamespace(costs={"seconds": seconds, "tokens": 100.0}, loss=lambda *_: 2.0)

    rival = Rival("a", (), [curve(0.7), curve(1.5)], (10, 20), ends=True, constant=False)
    assert rival.row("seconds", 0.7)["before_end"] and not rival.row("tokens", 100.0)["before_end"]
