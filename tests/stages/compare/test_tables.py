"""summary.csv is the contract with users' scripts; comparison.csv is what the conclusion rests on."""

import json
import math
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from experiments import Experiment, read_table

from gptgrid.stages.compare.groups import summarize
from gptgrid.stages.compare.tables import compare

BEFORE = ["cell", "corpus", "tokenizer", "model", "training", "seed"]
AFTER = [
    "parameters",
    "non_embedding_parameters",
    "vocab_size",
    "train_tokens",
    "train_flops",
    "val_loss",
    "test_loss",
    "perplexity",
    "bpb",
    "word_perplexity",
    "answers_right",
    "answers_asked",
    "answers_chance",
    "valid_documents",
    "valid_documents_of_split",
    "test_documents",
    "test_documents_of_split",
    "convention",
    "tokens_per_second",
    "train_seconds",
    "peak_memory_mb",
    "python",
    "torch",
    "device",
    "precision",
    "sampled",
    "distinct_2",
    "repetition",
    "copied",
    "sample_bpb",
    "identity",
    "path",
    "status",
    "reason",
    "loses_to",
]
FIGURES = ("val_bpb", "val_loss", "test_loss", "perplexity", "bpb", "word_perplexity", "answers_right")


def run(experiment: Experiment) -> tuple[dict, list[SimpleNamespace], list[SimpleNamespace]]:
    job = experiment.compare_job()
    facts = compare(job)
    return facts, read_table(job.folder / "summary.csv"), read_table(job.folder / "comparison.csv")


def edit_evaluation(experiment: Experiment, cell: str, **changes: Any) -> None:
    """Change what an evaluation says: the figures of the validation split, or other keys."""
    path = experiment.inputs[f"evaluate:{cell}"] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    valid = {key: changes.pop(key) for key in ("val_loss", "bpb", "guessing") if key in changes}
    path.write_text(json.dumps({**evaluation, "valid": {**evaluation["valid"], **valid}, **changes}))


def test_summary_has_the_contracts_columns_and_the_grids_order(tmp_path):
    experiment = Experiment(tmp_path)
    _, summary, _ = run(experiment)
    assert list(vars(summary[0])) == BEFORE + AFTER
    assert [row.cell for row in summary] == [cell["cell"] for cell in experiment.cells]


def test_overridden_keys_are_columns_by_first_appearance_and_empty_elsewhere(tmp_path):
    overrides = (
        {},
        {"model.n_layer": 2, "training.lr": 1e-3},
        {"training.betas": [0.9, 0.95], "model.d_ff": None},
    )
    _, summary, _ = run(Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,), overrides))
    keys = ["model.n_layer", "training.lr", "training.betas", "model.d_ff"]
    assert list(vars(summary[0])) == BEFORE + keys + AFTER
    assert [[vars(row)[key] for key in keys] for row in summary] == [
        ["", "", "", ""],
        ["2", "0.001", "", ""],
        ["", "", "[0.9, 0.95]", "null"],
    ]


def test_what_was_scored_and_how_is_said_of_cells_and_groups(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,))
    edit_evaluation(
        experiment,
        experiment.cells[0]["cell"],
        documents=7,
        convention="document",
        document={"definition": "In its document."},
    )
    _, [cell], [group] = run(experiment)
    for row in (cell, group):
        assert (row.test_documents, row.test_documents_of_split) == ("7", "183")
        assert (row.valid_documents, row.valid_documents_of_split) == ("166", "166")
        assert row.convention == "document"
    assert group.definition == "In its document."
    assert not hasattr(cell, "definition")


def test_numbers_are_unrounded(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,))
    _, summary, _ = run(experiment)
    cell = experiment.cells[0]["cell"]
    facts = json.loads((experiment.inputs[f"train:{cell}"] / "manifest.json").read_text())["facts"]
    evaluation = json.loads((experiment.inputs[f"evaluate:{cell}"] / "evaluation.json").read_text())
    assert summary[0].val_loss == repr(facts["val_loss"])
    assert summary[0].bpb == repr(evaluation["bpb"])
    assert summary[0].tokens_per_second == "30000.123456789"


def test_groups_are_cells_but_for_the_seed(tmp_path):
    facts, summary, groups = run(Experiment(tmp_path, seeds=(1, 2, 3)))
    assert facts["cells"] == len(summary) == 36 and facts["groups"] == len(groups) == 12
    assert {row.seeds for row in groups} == {"3"}
    group = groups[0]
    bpb = [float(row.bpb) for row in summary if row.cell.startswith(f"{group.group}.s")]
    assert float(group.bpb_mean) == statistics.fmean(bpb)
    assert float(group.bpb_std) == statistics.stdev(bpb)


def test_interval_is_students(tmp_path):
    # Textbook: t(0.975, 2) = 4.302653.
    half = 4.302653 * 1 / math.sqrt(3)
    assert summarize([1.0, 2.0, 3.0]) == pytest.approx(
        {"mean": 2, "std": 1, "low": 2 - half, "high": 2 + half}
    )


def test_interval_of_a_perplexity_is_that_of_its_logarithm():
    summary = summarize([math.exp(1.0), math.exp(2.0), math.exp(3.0)], exponential=True)
    half = 4.302653 * 1 / math.sqrt(3)
    assert (summary["low"], summary["high"]) == pytest.approx((math.exp(2 - half), math.exp(2 + half)))
    assert summarize([20.0, math.exp(200)], exponential=True)["high"] is None


def test_mean_perplexity_is_the_exponential_of_the_mean_loss_and_lies_in_its_interval():
    """The arithmetic mean of these perplexities is 221, and the upper end of their interval 14."""
    losses = [2.0] * 30 + [8.8]
    summary = summarize([math.exp(loss) for loss in losses], exponential=True)
    assert summary["mean"] == pytest.approx(math.exp(statistics.fmean(losses)))
    assert summary["low"] < summary["mean"] < summary["high"]


def test_one_seed_has_no_spread():
    assert summarize([1.5]) == {"mean": 1.5, "std": None, "low": None, "high": None}


def test_validation_ranks_and_test_figures_never_select(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    edit_evaluation(experiment, "tales.bpe.gpt2.base.s1", bpb=0.5)
    facts, _, groups = run(experiment)
    gpt2, llama = groups
    assert float(gpt2.bpb_mean) > float(llama.bpb_mean)
    assert (gpt2.rank, gpt2.best, llama.rank, llama.best) == ("1", "True", "2", "False")
    assert facts["best"] == {"tales": "tales.bpe.gpt2.base"}


def test_bytes_rank_and_not_tokens(tmp_path):
    """A character is easier to guess than a word piece: the loss per token prefers the worse tokenizer."""
    _, _, groups = run(Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2",), (1,)))
    char, bpe = groups
    assert float(char.val_loss_mean) < float(bpe.val_loss_mean)
    assert (char.rank, bpe.rank) == ("2", "1")


def guess(experiment: Experiment, tokenizer: str, corpus: str, nats: float | None) -> None:
    """Set what guessing takes on the validation text of an encoded corpus."""
    for cell in experiment.cells:
        if (cell["tokenizer"], cell["corpus"]) == (tokenizer, corpus):
            edit_evaluation(experiment, cell["cell"], guessing=nats)


def test_what_cannot_be_told_from_guessing_is_not_the_best(tmp_path):
    """Of 32,258 tokens the mean loss has a standard error of about 0.011 nats."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    loss = float(run(experiment)[2][1].val_loss_mean)
    for guessing, best in ((loss + 0.02, "False"), (loss + 0.03, "True"), (loss - 1, "False")):
        guess(experiment, "bpe", "tales", guessing)
        facts, _, (_, llama) = run(experiment)
        assert (llama.rank, llama.best, llama.learned) == ("1", best, best)
        assert float(llama.guessing) == guessing and llama.val_tokens == "32257"
        assert facts["best"] == ({"tales": "tales.bpe.llama.base"} if best == "True" else {})


def test_whole_numbers_beside_a_gap_stay_whole(tmp_path):
    failed = {f"train:tales.bpe.gpt2.base.s{seed}": "no memory" for seed in (1, 2)}
    _, _, (gpt2, llama) = run(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), failed=failed))
    assert [(row.val_tokens, row.answers_asked) for row in (gpt2, llama)] == [("", ""), ("32257", "60")]


def test_bytes_that_are_guessed_well_do_not_make_a_model_good(tmp_path):
    """Pieces of words need fewer bits per byte than characters, also where the model has learned nothing."""
    experiment = Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2",))
    guess(experiment, "bpe", "tales", 1.0)
    facts, _, (char, bpe) = run(experiment)
    assert (bpe.rank, bpe.best, char.rank, char.best) == ("1", "False", "2", "False")
    assert facts["best"] == {}


def test_an_accepted_older_result_without_that_figure_may_be_the_best(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",))
    guess(experiment, "bpe", "tales", None)
    assert run(experiment)[0]["best"] == {"tales": "tales.bpe.gpt2.base"}


def test_questions_have_their_number_and_their_chance_in_both_tables(tmp_path):
    _, summary, groups = run(Experiment(tmp_path, ("tales", "noise"), ("bpe",), ("gpt2",), (1, 2)))
    assert [(row.answers_right, row.answers_asked, row.answers_chance) for row in summary] == [
        ("0.4", "60", "0.25"),
        ("0.4", "60", "0.25"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert [(row.answers_right_mean, row.answers_asked, row.answers_chance) for row in groups] == [
        ("0.4", "60", "0.25"),
        ("", "", ""),
    ]


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_shares_of_right_answers_have_the_interval_for_other_items(tmp_path, seeds):
    """Two seeds that agree know no more of other items than one; two that do not leave 0 … 1 by Student's t."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), seeds)
    for cell, share in zip(experiment.cells, (0.25, 1.0), strict=False):
        mine = {"accuracy": share, "low": share - 0.2, "high": min(share + 0.2, 1.0), "chance": 0.5}
        tasks = {"mine": mine, "tales": {**mine, "items": 60}, "one": {**mine, "low": None, "high": None}}
        edit_evaluation(experiment, cell["cell"], tasks=tasks)
    _, [cell, *_], [group] = run(experiment)
    mean, high = (0.625, 1.0) if len(seeds) == 2 else (0.25, 0.45)
    for name in ("task_mine", "answers_right"):
        found = [float(vars(group)[f"{name}_{key}"]) for key in ("mean", "low", "high")]
        assert found == pytest.approx([mean, 0.05, high])
    assert (group.task_one_low, group.task_one_high) == ("", "")
    assert not [column for column in vars(cell) if column.startswith(("low_", "high_"))]


def test_each_text_has_its_own_ranks(tmp_path):
    overrides = ({}, {"corpus.documents": 10})
    facts, _, groups = run(Experiment(tmp_path, ("tales", "toy"), ("char",), ("gpt2",), (1,), overrides))
    assert [row.rank for row in groups] == ["1"] * 4
    assert list(facts["best"]) == ["tales", "tales+documents=10", "toy", "toy+documents=10"]


def test_ids_rank_by_loss_per_token(tmp_path):
    _, _, groups = run(Experiment(tmp_path, ("noise",), models=("encoder", "llama"), seeds=(1, 2)))
    assert [(row.rank, row.bpb_mean, row.bpb_low) for row in groups] == [("2", "", ""), ("1", "", "")]
    assert groups[0].val_loss_low


def test_a_cell_without_a_loss_ranks_last(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"))
    edit_evaluation(experiment, "tales.bpe.llama.base.s2", bpb=None, val_loss=None)
    _, _, groups = run(experiment)
    assert [(row.rank, row.val_bpb_mean != "") for row in groups] == [("2", False), ("1", True)]


def test_nothing_is_best_where_nothing_was_measured(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1,))
    edit_evaluation(experiment, "tales.bpe.llama.base.s1", bpb=None, val_loss=None)
    facts, _, groups = run(experiment)
    assert facts["best"] == {} and groups[0].best == "False"


def test_a_diverged_cell_has_no_figures_and_says_so(tmp_path):
    """Its evaluation has some: those of weights that are not what its recipe makes."""
    experiment = Experiment(
        tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), diverged=("llama.base.s2",), stopped=("s1",)
    )
    _, summary, _ = run(experiment)
    assert [row.status for row in summary] == ["stopped early", "finished", "stopped early", "diverged"]
    figures = [[vars(row)[key] for key in FIGURES if key in AFTER] for row in summary]
    assert figures[3] == [""] * 6 and all(all(row) for row in figures[:3])
    assert summary[3].train_tokens == "61440" and summary[3].tokens_per_second


def test_a_group_with_a_diverged_seed_has_the_figures_of_the_others_and_ranks_last(tmp_path):
    experiment = Experiment(
        tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"), (1, 2, 3), diverged=("llama.base.s2",)
    )
    facts, summary, (llama, gpt2) = run(experiment)
    assert [(row.seeds, row.diverged) for row in (llama, gpt2)] == [("3", "1"), ("3", "0")]
    bpb = [float(row.bpb) for row in summary if row.model == "llama" and row.bpb]
    assert len(bpb) == 2 and float(llama.bpb_mean) == statistics.fmean(bpb)
    assert bpb[0] < float(gpt2.bpb_mean)  # the lucky ones are better, and still not the best
    assert (llama.status, gpt2.status, gpt2.reason, llama.verdict) == ("diverged", "finished", "", "")
    assert llama.reason.startswith("1 of 3 seeds diverged: the loss was nan at step 30")
    assert all(vars(gpt2)[f"{key}_mean"] for key in FIGURES)
    assert (llama.rank, llama.best, gpt2.rank, gpt2.best) == ("2", "False", "1", "True")
    assert facts["best"] == {"tales": "tales.bpe.gpt2.base"}


def test_nothing_is_best_where_all_diverged(tmp_path):
    experiment = Experiment(tmp_path, ("tales", "noise"), ("bpe",), ("llama", "gpt2"), diverged=("s1", "s2"))
    facts, _, groups = run(experiment)
    assert facts["best"] == {} and {(row.best, row.diverged) for row in groups} == {("False", "2")}


def test_a_failed_cell_is_a_row_in_grid_order_without_figures(tmp_path):
    lost = "tales.bpe.llama.base.s2"
    experiment = Experiment(
        tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"), failed={f"train:{lost}": "no memory, left"}
    )
    facts, summary, _ = run(experiment)
    assert facts["cells"] == 4 and [row.cell for row in summary] == [
        cell["cell"] for cell in experiment.cells
    ]
    row = vars(summary[1])
    assert [row.pop(key) for key in ("status", "reason")] == ["failed", "no memory, left"]
    assert {key for key, value in row.items() if value} == {*BEFORE, "path"}
    assert [(row.status, row.reason) for row in summary if row.cell != lost] == [("finished", "")] * 3


def test_numbers_beside_a_gap_stay_as_they_are(tmp_path):
    """A column of integers with a gap is one of floats to pandas."""
    whole, gap = (
        Experiment(tmp_path / name, ("tales",), ("bpe",), ("llama", "gpt2"), failed=failed)
        for name, failed in (("whole", {}), ("gap", {"train:tales.bpe.llama.base.s1": "no memory"}))
    )
    assert run(whole)[1][1:] == run(gap)[1][1:]


def test_a_cell_without_evaluation_failed_and_keeps_what_is_known_of_its_training(tmp_path):
    failed = {"evaluate:tales.bpe.llama.base.s1": "the test loss is nan"}
    _, summary, groups = run(Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1,), failed=failed))
    assert (summary[0].status, summary[0].reason) == ("failed", "the test loss is nan")
    assert {vars(summary[0])[key] for key in FIGURES if key in AFTER} == {""}
    assert summary[0].parameters and summary[0].identity and summary[0].device == "cpu"
    assert groups[0].parameters == summary[0].parameters


def test_a_diverged_training_needs_no_evaluation(tmp_path):
    failed = {"evaluate:tales.bpe.llama.base.s1": "the weights give no probabilities"}
    _, summary, _ = run(
        Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1,), diverged=("s1",), failed=failed)
    )
    assert summary[0].status == "diverged" and summary[0].reason.startswith("the loss was nan")


def test_figures_of_a_group_are_over_the_cells_that_did_not_fail(tmp_path):
    failed = {"train:tales.bpe.llama.base.s2": "no memory"}
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2, 3), failed=failed)
    facts, summary, (gpt2, llama) = run(experiment)
    assert [(row.seeds, row.diverged, row.failed) for row in (gpt2, llama)] == [
        ("3", "0", "0"),
        ("3", "0", "1"),
    ]
    bpb = [float(row.bpb) for row in summary if row.model == "llama" and row.bpb]
    assert len(bpb) == 2 and float(llama.bpb_mean) == statistics.fmean(bpb)
    assert (llama.rank, facts["best"]) == ("1", {"tales": "tales.bpe.llama.base"})


def test_a_group_without_finished_cells_is_a_row_and_ranks_last(tmp_path):
    failed = {f"train:tales.bpe.llama.base.s{seed}": "no memory" for seed in (1, 2)}
    facts, _, (llama, gpt2) = run(
        Experiment(tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"), failed=failed)
    )
    assert (llama.failed, llama.rank, llama.best, llama.parameters) == ("2", "2", "False", "")
    assert {vars(llama)[f"{key}_{end}"] for key in FIGURES for end in ("mean", "std", "low", "high")} == {""}
    assert (gpt2.rank, gpt2.best) == ("1", "True") and facts["groups"] == 2


def test_all_cells_may_fail(tmp_path):
    failed = {f"train:tales.bpe.llama.base.s{seed}": "no memory" for seed in (1, 2)}
    facts, summary, groups = run(Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), failed=failed))
    assert facts == {"cells": 2, "groups": 1, "best": {}}
    assert [row.status for row in summary] == ["failed"] * 2 and groups[0].failed == "2"


def test_the_validation_loss_is_that_of_the_evaluation(tmp_path):
    """Trainings may validate on parts of the split, in windows of their own."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"), (1,))
    edit_evaluation(
        experiment,
        "tales.bpe.gpt2.base.s1",
        val_loss=1.25,
        bpb=0.75,
        convention="document",
        document={"definition": "In its document."},
    )
    _, summary, groups = run(experiment)
    assert [row.convention for row in summary] == ["sliding", "document"]
    assert (summary[1].val_loss, groups[1].val_bpb_mean, groups[1].rank) == ("1.25", "0.75", "1")


@pytest.mark.parametrize("split", ["valid", "test"])
def test_cells_of_which_other_documents_were_scored_are_not_ranked(tmp_path, split):
    experiment = Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("llama", "gpt2"), (1, 2))
    cell = "tales.bpe.gpt2.base.s2"
    figures = json.loads((experiment.inputs[f"evaluate:{cell}"] / "evaluation.json").read_text())
    other = {"valid": {**figures["valid"], "text_digest": "0"}} if split == "valid" else {"text_digest": "0"}
    edit_evaluation(experiment, cell, **other)
    facts, summary, groups = run(experiment)
    assert [row.status for row in summary] == ["failed"] * 4 + ["finished"] * 4
    assert {row.val_loss + row.bpb for row in summary[:4]} == {""}
    said = "evaluations of the 4 cells on this text scored 2 different selections of its documents"
    assert all(said in row.reason for row in summary[:4])
    assert [row.best for row in groups[:2]] == ["False"] * 2 and list(facts["best"]) == ["toy"]


def test_other_texts_have_other_documents(tmp_path):
    overrides = ({}, {"corpus.documents": 10})
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2), overrides)
    for seed in (1, 2):
        edit_evaluation(experiment, f"tales.bpe.llama+documents=10.base.s{seed}", text_digest="0")
    assert {row.status for row in run(experiment)[1]} == {"finished"}


def test_an_evaluation_of_an_older_source_has_no_validation_figures(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama", "gpt2"), (1,))
    edit_evaluation(experiment, "tales.bpe.gpt2.base.s1", valid=None)
    _, summary, groups = run(experiment)
    assert summary[1].status == "failed" and "gptgrid accept --undo" in summary[1].reason
    assert (summary[1].bpb, groups[0].rank, groups[0].best) == ("", "1", "True")


def test_device_precision_and_versions_are_those_of_the_training(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("llama",), (1, 2))
    path = experiment.inputs["train:tales.bpe.llama.base.s2"] / "provenance.json"
    libraries = {"libraries": {"torch": "2.12.1"}, "precision": "bf16", "device": "cuda (H100)"}
    path.write_text(json.dumps(json.loads(path.read_text()) | libraries))
    _, summary, _ = run(experiment)
    assert [(row.python, row.torch, row.device, row.precision) for row in summary] == [
        ("3.11.7", "2.13.0", "cpu", "fp32"),
        ("3.11.7", "2.12.1", "cuda (H100)", "bf16"),
    ]


def test_same_inputs_same_bytes(tmp_path):
    for folder in ("a", "b"):
        run(Experiment(tmp_path / folder))
    first, second = (tmp_path / folder / "results/compare" for folder in ("a", "b"))
    for name in ("summary.csv", "comparison.csv", "cautions.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_each_file_is_read_once_however_many_tables_ask_for_it(tmp_path, monkeypatch):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"))
    job, read = experiment.compare_job(), []
    read_text = Path.read_text

    def counted(path: Path, *args: Any, **keywords: Any) -> str:
        read.append(path)
        return read_text(path, *args, **keywords)

    monkeypatch.setattr(Path, "read_text", counted)
    compare(job)
    found = [path for path in read if path.name in ("evaluation.json", "manifest.json")]
    assert len(found) == len(set(found)) > 4
