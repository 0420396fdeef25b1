"""A front is what nothing beats in cost and loss at once; unlike conventions and machines are no rivals."""

from types import SimpleNamespace

import pandas as pd
import pytest
from experiments import Experiment, read_table

from gptgrid.stages.compare.pareto import on_front
from gptgrid.stages.compare.tables import compare

LAYERS = ({"model.n_layer": 2}, {"model.n_layer": 4}, {"model.n_layer": 8})


def rows(experiment: Experiment) -> list[SimpleNamespace]:
    job = experiment.compare_job()
    compare(job)
    return read_table(job.folder / "pareto.csv")


@pytest.mark.parametrize(
    ("costs", "losses", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], [True, True, True]),
        ([1, 2, 3], [3, 4, 1], [True, False, True]),
        # The same figures twice stand on the front twice; the same cost or loss alone does not do.
        ([1, 1, 1], [2, 2, 3], [True, True, False]),
        ([1, 2, 3], [2, 2, 2], [True, False, False]),
        ([3, 1, 2], [1, 3, 3], [True, True, False]),
    ],
)
def test_front(costs, losses, expected):
    assert on_front(pd.Series(costs, dtype=float), pd.Series(losses, dtype=float)) == expected


def test_larger_and_better_groups_are_on_the_front_of_parameters(tmp_path):
    found = rows(Experiment(tmp_path, ("tales",), ("bpe",), ("llama", "encoder"), (1, 2), LAYERS))
    flags = {row.group.split(".")[2]: row.on_front_parameters for row in found}
    assert flags == {f"llama+n_layer={n}": "True" for n in (2, 4, 8)} | {
        # Of about as many parameters as a llama, and worse; but smaller than that by 1.5 %.
        f"encoder+n_layer={n}": "True" if n == 2 else "False"
        for n in (2, 4, 8)
    }


def test_a_group_that_diverged_is_on_no_front_and_the_reason_is_said(tmp_path):
    experiment = Experiment(
        tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2), LAYERS, diverged=("=2.base.s1",)
    )
    first, *others = rows(experiment)
    assert (first.on_front_parameters, first.reason) == ("", "1 of 2 cells diverged")
    assert [row.on_front_parameters for row in others] == ["True", "True"]


def test_seconds_compare_on_one_kind_of_machine_alone(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2), LAYERS)
    small, medium = (f"train:tales.bpe.llama+n_layer={n}.base.s" for n in (2, 4))
    # Slower than the better ones, but elsewhere; and a group of two machines has no seconds of its own.
    for seed in (1, 2):
        experiment.change(f"{small}{seed}", "provenance", train_seconds=50.0, cpu="Another CPU")
    experiment.change(f"{medium}1", "provenance", cpu="Another CPU")
    found = rows(experiment)
    assert [row.on_front_train_seconds for row in found] == ["True", "", "True"]
    assert [row.train_seconds for row in found] == ["50.0", "", "12.5"]
    assert [row.machine for row in found] == ["cpu, Another CPU", "", "cpu, Some CPU"]


def test_seconds_of_a_part_of_a_training_are_not_its_seconds(tmp_path):
    """A continuation knows nothing of its parent's seconds where those were not kept."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1,), LAYERS[:1])
    experiment.change("train:tales.bpe.llama+n_layer=2.base.s1", "provenance", train_seconds=2.0)
    [row] = rows(experiment)
    assert row.train_seconds == row.on_front_train_seconds == ""


def test_bare_ids_are_compared_by_nats(tmp_path):
    found = rows(Experiment(tmp_path, ("noise",), models=("llama",), seeds=(1,), overrides=LAYERS))
    assert [row.val_bpb for row in found] == ["", "", ""]
    assert [row.on_front_parameters for row in found] == ["True", "True", "True"]


def test_generation_is_compared_by_bytes_in_a_second_on_one_kind_of_machine(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1,), LAYERS)
    speeds = {2: 900.0, 4: 1000.0, 8: 500.0}  # the smallest is neither the fastest nor the best
    for layers, speed in speeds.items():
        name = f"sample:tales.bpe.llama+n_layer={layers}.base.s1"
        experiment.change(name, "provenance", bytes_per_second=speed)
    found = rows(experiment)
    assert [row.generated_bytes_per_second for row in found] == ["900.0", "1000.0", "500.0"]
    assert [row.on_front_generated_bytes_per_second for row in found] == ["False", "True", "True"]
    experiment.change("sample:tales.bpe.llama+n_layer=2.base.s1", "provenance", cpu="Another CPU")
    assert [row.on_front_generated_bytes_per_second for row in rows(experiment)] == ["True"] * 3


def test_bare_ids_have_no_speed_in_bytes(tmp_path):
    found = rows(Experiment(tmp_path, ("noise",), models=("llama",), seeds=(1,), overrides=LAYERS))
    assert {(row.generated_bytes_per_second, row.on_front_generated_bytes_per_second) for row in found} == {
        ("", "")
    }
