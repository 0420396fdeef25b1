"""comparison.csv says how far each group is from the best, how sure that is, and what would decide."""

import math
import shutil
from collections.abc import Callable

import experiments
import numpy as np
import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.artifact.errors import UserError
from gptgrid.stages.compare.tables import compare
from gptgrid.stages.compare.verdicts import COLUMNS
from gptgrid.tokens.document_scores import COUNTS, read_document_scores, scores_path, write_document_scores

Columns = dict[str, np.ndarray]
NATS = ("nats_sliding", "nats_disjoint", "nats_document")


@pytest.fixture
def alike(monkeypatch):
    """Make gpt2 as good as llama, but for its seeds."""
    monkeypatch.setitem(experiments.ADVANTAGE, "gpt2", 0.0)


def run(experiment: Experiment) -> pd.DataFrame:
    """Return comparison.csv by group."""
    job = experiment.compare_job()
    compare(job)
    return pd.read_csv(job.folder / "comparison.csv").set_index("group")


def cautions(experiment: Experiment) -> list[str]:
    """Return the cautions of the last run."""
    return pd.read_csv(experiment.root / "results/compare/cautions.csv")["caution"].tolist()


def rewrite(experiment: Experiment, cell: str, change: Callable[[Columns], Columns], valid=False) -> None:
    """Change columns of the documents of a cell: those of the test split, perhaps of validation too."""
    folder = experiment.inputs[f"evaluate:{cell}"]
    splits = {split: read_document_scores(folder, [*COUNTS, *NATS])[split] for split in ("valid", "test")}
    for split in ("valid", "test") if valid else ("test",):
        splits[split] |= change(splits[split])
    write_document_scores(folder, splits)


def test_differences_are_those_of_the_means_and_of_both_splits(tmp_path):
    found = run(Experiment(tmp_path, ("tales",), ("char", "bpe"), ("gpt2", "llama", "encoder"), (1, 2)))
    best = found[found["best"]].iloc[0]
    assert best["verdict"] == "best" and math.isnan(best["difference"])
    others = found[~found["best"]]
    assert others["difference"].to_numpy() == pytest.approx(others["bpb_mean"] - best["bpb_mean"])
    assert others["val_difference"].to_numpy() == pytest.approx(others["val_bpb_mean"] - best["val_bpb_mean"])
    assert (others["difference_low"] < others["difference"]).all()
    assert (others["difference"] < others["difference_high"]).all()
    assert set(others["covers"]) == {"seeds and documents"}


def test_what_is_clear_is_worse_and_needs_no_seeds(tmp_path):
    """The t-intervals of two seeds are wider than this difference: they could never tell it."""
    found = run(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama", "encoder"), (1, 2)))
    gpt2, llama = found.loc["tales.bpe.gpt2.base"], found.loc["tales.bpe.llama.base"]
    assert llama["bpb_high"] > gpt2["bpb_low"]
    assert gpt2["verdict"] == "worse" and gpt2["p"] < 0.05 and gpt2["difference_low"] > 0
    assert math.isnan(gpt2["seeds_needed"]) and gpt2["detectable"] < gpt2["difference"]


def test_like_groups_are_not_distinguishable_and_what_would_tell_them_is_said(tmp_path, alike):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama", "encoder"), (1, 2, 3))
    found = run(experiment)
    [row] = found[found["verdict"] == "not distinguishable"].to_dict("records")
    assert row["p"] > 0.05 and row["detectable"] > abs(row["difference"])
    assert row["seeds_needed"] > 3 or math.isnan(row["seeds_needed"])
    [line] = [line for line in cautions(experiment) if "cannot be told from the best" in line]
    assert line.startswith("1 of 2 groups cannot be told from the best, tales.bpe.")
    assert f"about {row['seeds_needed']:.0f} seeds of every group would tell" in line or "no number" in line


def test_seeds_are_whole_numbers(tmp_path, alike):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2))
    needed = run(experiment)["seeds_needed"].dropna().astype(int).tolist()
    rows = experiments.read_table(tmp_path / "results" / "compare" / "comparison.csv")
    assert len(needed) == 1 and [row.seeds_needed for row in rows] == ["", str(needed[0])]
    assert any(f"; about {needed[0]} seeds of every group" in line for line in cautions(experiment))


def test_one_seed_each_is_compared_on_documents_alone_and_says_so(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    found = run(experiment)
    assert set(found["covers"]) == {"documents"} and found["verdict"].tolist() == ["worse", "best"]
    assert found["seeds_needed"].isna().all()
    assert any("leave out what another seed would change" in line for line in cautions(experiment))


def test_a_failed_cell_costs_its_group_a_seed_and_a_diverged_one_the_verdict(tmp_path):
    experiment = Experiment(
        tmp_path,
        ("tales",),
        ("char", "bpe"),
        ("gpt2", "llama"),
        (1, 2),
        failed={"train:tales.bpe.gpt2.base.s1": "no memory"},
        diverged=("char.gpt2.base.s1",),
    )
    found = run(experiment)
    assert found["verdict"].notna().tolist() == [False, True, True, True]
    assert found["covers"].fillna("").tolist() == ["", *["seeds and documents"] * 3]
    # Two groups of two seeds know the spread: one degree of freedom each, and documents besides.
    assert found["df"].dropna().between(2, 190).all()


def test_ids_compare_by_token(tmp_path):
    found = run(Experiment(tmp_path, ("noise",), models=("encoder", "llama"), seeds=(1, 2)))
    gap = found["test_loss_mean"].iloc[0] - found["test_loss_mean"].iloc[1]
    assert found["difference"].iloc[0] == pytest.approx(gap)
    assert found["verdict"].tolist() == ["worse", "best"]


def test_each_text_has_its_own_best(tmp_path):
    found = run(Experiment(tmp_path, ("tales", "toy"), ("bpe",), ("gpt2", "llama"), (1, 2)))
    assert found["verdict"].tolist() == ["worse", "best"] * 2


def test_what_learned_nothing_is_the_best_of_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "GUESSING", 0.1)
    found = run(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2)))
    assert found["verdict"].isna().all() and found["difference"].isna().all()


def in_one(columns: Columns) -> Columns:
    """Return columns of one document in place of all."""
    return {name: values.sum(keepdims=True) for name, values in columns.items()}


def test_one_document_leaves_out_what_other_text_would_give(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2))
    for cell in experiment.cells:
        rewrite(experiment, cell["cell"], in_one, valid=True)
    found = run(experiment)
    assert any(line.startswith("the test split is one document: ") for line in cautions(experiment))
    assert set(found["covers"]) == {"seeds"} and found.loc["tales.bpe.gpt2.base", "df"] == pytest.approx(2)


def test_one_document_and_one_seed_tell_nothing(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    for cell in experiment.cells:
        rewrite(experiment, cell["cell"], in_one, valid=True)
    worse = run(experiment).loc["tales.bpe.gpt2.base"]
    assert (worse["verdict"], worse["covers"]) == ("not distinguishable", "nothing")
    assert worse[["p", "difference_low", "difference_high", "detectable", "df"]].isna().all()
    assert worse["difference"] > 0
    assert any("give several seeds, or give more text" in line for line in cautions(experiment))


def test_a_test_of_another_kind_shows(tmp_path):
    """What validation did not choose is better there: that is said, and selects nothing."""
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2))
    for seed in (1, 2):
        rewrite(
            experiment, f"tales.bpe.gpt2.base.s{seed}", lambda of: {"nats_sliding": of["nats_sliding"] * 0.8}
        )
    found = run(experiment)
    assert found["verdict"].tolist() == ["better", "best"]
    assert "on the test split tales.bpe.gpt2.base is better than tales.bpe.llama.base" in " ".join(
        cautions(experiment)
    )


def test_seeds_that_spread_far_more_are_named_and_spoil_no_other_verdict(tmp_path):
    models = ("gpt2", "llama", "encoder")
    experiment = Experiment(tmp_path, ("tales",), ("char", "bpe"), models, (1, 2, 3))
    before = run(experiment)
    rewrite(experiment, "tales.char.gpt2.base.s1", lambda of: {"nats_sliding": of["nats_sliding"] * 3})
    found = run(experiment)
    wild = "tales.char.gpt2.base"
    assert found.index[found["unsteady"].astype(bool)].tolist() == [wild]
    assert found.loc[wild, "verdict"] == "not distinguishable"
    others = found.index.drop(wild)
    assert found.loc[others, "verdict"].tolist() == before.loc[others, "verdict"].tolist()
    assert any(line.startswith(f"the seeds of {wild} differ far more") for line in cautions(experiment))


def test_scores_of_an_older_source_cost_the_verdict_and_not_the_table(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama", "encoder"), (1, 2))
    scores_path(experiment.inputs["evaluate:tales.bpe.gpt2.base.s2"]).unlink()
    found = run(experiment)
    assert found["verdict"].fillna("").tolist() == ["", "best", "worse"]
    assert any(line.startswith("1 of 2 groups has no verdict") for line in cautions(experiment))


def test_documents_must_be_the_same(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1,))
    rewrite(experiment, "tales.bpe.llama.base.s1", lambda of: {"document": of["document"] + 1})
    with pytest.raises(UserError, match=r"llama.base.s1.documents.parquet and .* are of different documents"):
        run(experiment)


def test_the_convention_is_that_of_the_cell(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2))
    for cell in experiment.cells:
        rewrite(experiment, cell["cell"], lambda of: {"nats_disjoint": of["nats_disjoint"] * 7})
    found = run(experiment)
    assert found["difference"].iloc[0] == pytest.approx(-np.diff(found["bpb_mean"])[0])


def test_the_columns_stand_in_the_table_in_their_order(tmp_path):
    found = run(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2", "llama"), (1, 2)))
    assert [column for column in found if column in COLUMNS] == list(COLUMNS)
    assert not any("." in column for column in COLUMNS)


def test_same_scores_same_bytes(tmp_path, alike):
    tables = []
    for place in ("a", "b"):
        experiment = Experiment(tmp_path / place, ("tales",), ("bpe",), ("gpt2", "llama", "encoder"), (1, 2))
        run(experiment)
        tables.append((tmp_path / place / "results/compare/comparison.csv").read_bytes())
        shutil.rmtree(tmp_path / place)
    assert tables[0] == tables[1]
