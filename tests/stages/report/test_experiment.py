"""What the report reads: labels, marks, units, curves."""

import math

import pytest
from experiments import Experiment

from gptgrid.artifact.errors import UserError
from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.curves import SINGLE_CURVES, bits_per_nat, mean_points
from gptgrid.stages.report.experiment import ReportContent, read_experiment
from gptgrid.stages.report.tables import read_cautions, read_table, rows_of


def compared(experiment: Experiment) -> ReportContent:
    compare(experiment.compare_job())
    return read_experiment(experiment.report_job())


def test_a_label_has_what_varies_on_some_text(small):
    labels = {group["label"] for group in read_experiment(small.report_job()).groups}
    kinds = [f"{kind} · {model}" for kind in ("char", "bpe", "ids") for model in ("gpt2", "llama", "encoder")]
    assert labels == set(kinds)


def test_a_label_has_overrides_and_no_constant_name(tmp_path):
    overrides = ({"model.n_layer": 2}, {"model.n_layer": 4}, {"training.lr": 0.001})
    groups = compared(Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,), overrides)).groups
    assert [group["label"] for group in groups] == ["n_layer=2 · base", "n_layer=4 · base", "gpt2 · lr=0.001"]


def test_one_group_is_called_by_its_model(tmp_path):
    groups = compared(Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1, 2))).groups
    assert [group["label"] for group in groups] == ["gpt2"]


def test_a_label_has_one_mark_on_all_texts_and_the_best_come_first(small):
    groups = read_experiment(small.report_job()).groups
    marks = {group["label"]: group["variant"] for group in groups}
    assert all(marks[group["label"]] == group["variant"] for group in groups)
    assert sorted(marks.values()) == list(range(len(marks)))
    assert {group["variant"] for group in groups if group["rank"] == 1} == {0, 1}


def test_texts_have_bits_per_byte_and_ids_have_nats(small):
    texts = {text["name"]: text["unit"] for text in read_experiment(small.report_job()).texts}
    assert texts == {"tales": "bits per byte", "toy": "bits per byte", "noise": "nats per token"}


def test_curves_end_at_the_table_s_bits_per_byte(small):
    experiment = read_experiment(small.report_job())
    for curve in experiment.curves:
        group = experiment.groups[curve["group"]]
        cell = next(c for c in experiment.cells if (c["group"], c["seed"]) == (curve["group"], curve["seed"]))
        bytes_known = group["val_bpb_mean"] is not None
        expected = small_val_bpb(small, cell["cell"]) if bytes_known else cell["val_loss"]
        assert curve["val_loss"][1][-1] == pytest.approx(expected, rel=1e-4)


def small_val_bpb(experiment: Experiment, cell: str) -> float:
    return experiment.compare_job().manifest(f"train:{cell}")["facts"]["val_bpb"]


def test_validation_is_drawn_where_it_was_measured(small):
    curve = read_experiment(small.report_job()).curves[0]
    assert len(curve["train_loss"][0]) == 30 and len(curve["val_loss"][0]) == 10
    assert curve["val_loss"][0][0] == 6 * 2048


def test_many_cells_are_drawn_as_means_of_groups(tmp_path):
    seeds = tuple(range(SINGLE_CURVES // 2 + 1))
    experiment = compared(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), seeds))
    assert [curve["seed"] for curve in experiment.curves] == [None, None]
    group = experiment.groups[0]
    assert experiment.curves[0]["val_loss"][1][-1] == pytest.approx(group["val_bpb_mean"], rel=1e-3)


def test_cells_and_curves_say_how_they_ended(troubled):
    experiment = read_experiment(troubled.report_job())
    expected = ["stopped early", "finished", "finished", "diverged"]
    assert [cell["status"] for cell in experiment.cells[:4]] == expected
    assert [curve["status"] for curve in experiment.curves[:4]] == expected
    assert [(cell["reason"] or "")[:12] for cell in experiment.cells[:4]] == [
        "no lower val",
        "",
        "",
        "the loss was",
    ]


def test_a_diverged_cell_is_drawn_as_far_as_its_loss_was_a_number(troubled):
    finished, diverged = read_experiment(troubled.report_job()).curves[2:4]
    assert (len(finished["train_loss"][0]), len(diverged["train_loss"][0])) == (30, 14)
    assert (len(finished["val_loss"][0]), len(diverged["val_loss"][0])) == (10, 4)


def test_units_are_those_of_the_text_where_all_diverged(troubled):
    units = [text["unit"] for text in read_experiment(troubled.report_job()).texts]
    assert units == ["bits per byte", "bits per byte", "nats per token"]


def test_a_mean_curve_ended_as_the_worst_of_its_cells(tmp_path):
    seeds = tuple(range(SINGLE_CURVES // 3 + 1))
    models = ("gpt2", "llama", "encoder")
    lost, stopped = ("llama.base.s3",), ("llama.base.s4", "gpt2.base.s5")
    experiment = compared(
        Experiment(tmp_path, ("tales",), ("bpe",), models, seeds, diverged=lost, stopped=stopped)
    )
    assert [curve["status"] for curve in experiment.curves] == ["stopped early", "diverged", "finished"]


def test_a_mean_needs_all_curves():
    assert mean_points([[[1, 2, 3], [5.0, 4.0, 3.0]], [[1, 3], [7.0, 5.0]]]) == [[1, 3], [6.0, 4.0]]


def test_tables_of_data(small):
    experiment = read_experiment(small.report_job())
    assert [row["name"] for row in experiment.corpora] == ["tales", "toy", "noise"]
    char, ids = experiment.encodings[0], experiment.encodings[-1]
    assert (char["kind"], char["corpus"], char["vocab_size"]) == ("char", "tales", 92)
    assert char["bytes_per_token"]["train"] == pytest.approx(900_000 / (900_000 - 1500))
    assert (ids["kind"], ids["bytes_per_token"]["train"]) == ("ids", None)


def test_private_text_brings_figures_and_no_samples(tmp_path):
    experiment = compared(Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",), (1,), private=("toy",)))
    assert [cell["corpus"] for cell in experiment.cells] == ["tales", "toy"]
    assert {row["cell"] for row in experiment.samples} == {0}
    assert {row["cell"] for row in experiment.training_samples} == {0}


def test_cells_of_one_environment_are_one_row(small):
    environments = read_experiment(small.report_job()).environments
    assert [(row["cells"], row["dirty"]) for row in environments] == [(15, False), (15, True)]


def test_bits_per_nat_of_ids_is_one():
    assert bits_per_nat(10, None) == 1
    assert bits_per_nat(10, 20) == pytest.approx(0.5 / math.log(2))


def test_a_report_needs_the_tables(small):
    job = small.report_job()
    del job.inputs["compare"]
    job.failed["compare"] = "the disk was full"
    with pytest.raises(UserError, match=r"without summary\.csv and comparison\.csv: the disk was full"):
        read_experiment(job)


def test_a_corpus_that_failed_is_no_row(tmp_path):
    failed = {"corpus:toy": "the download was refused"}
    experiment = compared(Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",), (1,), failed=failed))
    assert [row["name"] for row in experiment.corpora] == ["tales"]
    assert experiment.missing_data == failed and len(experiment.curves) == 2


def test_without_shards_there_is_no_curve(tmp_path):
    failed = {"shards:bpe@toy": "the disk was full"}
    experiment = compared(Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2",), (1,), failed=failed))
    assert [curve["group"] for curve in experiment.curves] == [0]
    assert [row["status"] for row in experiment.cells] == ["finished"] * 2


def test_what_was_trained_is_drawn_though_its_evaluation_failed(incomplete):
    experiment = compared(incomplete)
    drawn = [(curve["group"], curve["seed"], curve["status"]) for curve in experiment.curves]
    assert drawn == [
        (0, 1, "finished"),
        (0, 2, "finished"),
        (1, 1, "finished"),
        (3, 1, "finished"),
        (3, 2, "finished"),
    ]


def test_words_that_look_like_numbers_or_gaps_stay_words(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(
        "cell,model.d_ff,seed,vocab_size,train_flops,bpb\nNA,007,1,92,100000000000000000000,\n1e3,null,2,,,0.1\n"
    )
    assert rows_of(read_table(path)) == [
        {"cell": "NA", "model.d_ff": "007", "seed": 1, "vocab_size": 92, "train_flops": 1e20, "bpb": None},
        {"cell": "1e3", "model.d_ff": "null", "seed": 2, "vocab_size": None, "train_flops": None, "bpb": 0.1},
    ]


def test_cautions_are_read_by_text_in_their_order(tmp_path):
    path = tmp_path / "cautions.csv"
    path.write_text('text,caution\nNA,"one, or two"\n007,three\nNA,four\n')
    assert read_cautions(path) == {"NA": ["one, or two", "four"], "007": ["three"]}
    path.write_text("text,caution\n")
    assert read_cautions(path) == {}
