"""cross.csv has every group on every text, and says how far each is from the best of that text."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.artifact.identity import canonical
from gptgrid.stages.compare.contrasts import summarize_group
from gptgrid.stages.compare.cross import COLUMNS, holm, once, to_the_best
from gptgrid.stages.compare.tables import compare
from gptgrid.tokens.document_scores import COUNTS, read_document_scores, write_document_scores

TEXTS = ("tales", "toy")


def score_elsewhere(experiment: Experiment, times: float = 1.3, **changes: object) -> None:
    """Give each cell scores on the other text: `times` as many nats as the llama of that text.

    Args:
        experiment: of two texts.
        times: as many nats.
        changes: of every evaluation.json.
    """
    for cell in [cell["cell"] for cell in experiment.cells]:
        own, rest = cell.split(".", 1)
        [other] = {*TEXTS} - {own}
        folder = experiment.inputs[f"evaluate:{other}.{rest.replace('gpt2', 'llama')}"]
        table = read_document_scores(folder, (*COUNTS, "nats_sliding"))["test"]
        noise = np.random.default_rng(len(experiment.inputs)).normal(1, 0.01, len(table["bytes"]))
        table["nats_sliding"] = times * noise * table["nats_sliding"]
        found = {
            "bpb": table["nats_sliding"].sum() / math.log(2) / table["bytes"].sum(),
            "convention": "sliding",
            "text_digest": "5e57",
            "documents": len(table["bytes"]),
            "in_train": {"documents": 0, "share": 0.0, "size_share": 0.0},
            "strange_marks": 0,
            **changes,
        }
        name = f"cross:{other}:{cell}"
        experiment.put(name, {}, evaluation_json=canonical(found))
        write_document_scores(experiment.inputs[name], {"test": table})


def run(experiment: Experiment) -> pd.DataFrame:
    """Return cross.csv by text and group."""
    job = experiment.compare_job()
    compare(job)
    return pd.read_csv(job.folder / "cross.csv").set_index(["text", "group"])


def read(experiment: Experiment, name: str) -> pd.DataFrame:
    return pd.read_csv(experiment.root / "results/compare" / name)


@pytest.fixture
def experiment(tmp_path):
    return Experiment(tmp_path, TEXTS, ("bpe",), ("gpt2", "llama"), (1, 2))


def test_who_does_not_ask_has_an_empty_table(experiment):
    found = run(experiment)
    assert found.empty and [*found.index.names, *found] == list(COLUMNS)


def test_every_group_on_every_text_and_its_difference_to_the_best_there(experiment):
    score_elsewhere(experiment)
    found = run(experiment)
    groups = [f"{text}.bpe.{model}.base" for text in TEXTS for model in ("gpt2", "llama")]
    assert list(found.index) == [(text, group) for text in TEXTS for group in groups]
    comparison = read(experiment, "comparison.csv").set_index("group")
    for text in TEXTS:
        here = found.loc[text]
        own, foreign = here[here["trained_on"] == text], here[here["trained_on"] != text]
        for column in ("bpb_mean", "bpb_low", "bpb_high", "difference", "p", "verdict", "test_documents"):
            assert own[column].equals(comparison.loc[own.index, column])
        best = own.loc[own["verdict"] == "best", "bpb_mean"].item()
        assert foreign["difference"].to_numpy() == pytest.approx(foreign["bpb_mean"] - best)
        assert set(foreign["verdict"]) == {"worse"} and set(foreign["covers"]) == {"seeds and documents"}
        assert (foreign["difference_low"] > 0).all() and (foreign["bpb_low"] < foreign["bpb_mean"]).all()
    assert set(found["status"]) == {"finished"} and found["reason"].isna().all()
    assert set(found["in_train"]) == {0}
    assert read(experiment, "cautions.csv")["caution"].str.contains("cross.csv").sum() == 0


def test_a_group_of_another_text_may_be_better(experiment):
    score_elsewhere(experiment, times=0.8)
    found = run(experiment)
    foreign = found[found["trained_on"] != found.index.get_level_values("text")]
    assert set(foreign["verdict"]) == {"better"} and (foreign["difference_high"] < 0).all()


def test_a_text_that_was_seen_in_training_is_no_win(experiment):
    """Its figures are there, with the share of the text that they are not on new text for."""
    copies = {"documents": 60, "share": 0.33, "size_share": 0.3}
    score_elsewhere(experiment, times=0.5, in_train=copies)
    found = run(experiment)
    foreign = found[found["trained_on"] != found.index.get_level_values("text")]
    assert set(foreign["verdict"]) == {"seen in training"} and foreign["difference"].isna().all()
    assert (foreign["bpb_mean"] > 0).all() and foreign["reason"].str.contains("stand in the text").all()


def test_a_few_lines_that_many_texts_have_leave_the_verdict(experiment):
    score_elsewhere(experiment, times=0.5, in_train={"documents": 20, "share": 0.11, "size_share": 0.01})
    found = run(experiment)
    assert set(found[found["trained_on"] != found.index.get_level_values("text")]["verdict"]) == {"better"}


def test_a_failed_cell_costs_its_group_a_seed_and_says_why(experiment):
    score_elsewhere(experiment)
    experiment.failed |= {
        "cross:toy:tales.bpe.gpt2.base.s1": "no memory",
        **{f"cross:tales:toy.bpe.llama.base.s{seed}": "the tokenizer failed" for seed in (1, 2)},
    }
    found = run(experiment)
    part, none = found.loc["toy", "tales.bpe.gpt2.base"], found.loc["tales", "toy.bpe.llama.base"]
    assert (part["seeds"], part["failed"], part["status"], part["reason"]) == (2, 1, "finished", "no memory")
    assert part["verdict"] == "worse" and part["bpb_mean"] > 0 and math.isnan(part["bpb_low"])
    assert (none["failed"], none["status"], none["reason"]) == (2, "failed", "the tokenizer failed")
    assert math.isnan(none["bpb_mean"]) and math.isnan(none["difference"])


def test_a_diverged_cell_costs_its_group_the_figures(tmp_path):
    experiment = Experiment(tmp_path, TEXTS, ("bpe",), ("gpt2", "llama"), (1, 2), diverged=("gpt2.base.s1",))
    score_elsewhere(experiment)
    found = run(experiment)
    row = found.loc["toy", "tales.bpe.gpt2.base"]
    assert (row["status"], row["diverged"]) == ("diverged", 1) and isinstance(row["reason"], str)
    assert math.isnan(row["bpb_mean"]) and math.isnan(row["difference"])
    own = found.loc["toy", "toy.bpe.gpt2.base"]
    assert own["status"] == "diverged" and isinstance(own["reason"], str)


def test_scores_of_other_documents_do_not_compare(experiment):
    score_elsewhere(experiment, text_digest="0dd")
    found = run(experiment)
    foreign = found[found["trained_on"] != found.index.get_level_values("text")]
    assert set(foreign["status"]) == {"failed"} and foreign["bpb_mean"].isna().all()
    assert foreign["reason"].str.startswith("it was scored on other documents than the cells of").all()


def test_what_speaks_against_a_figure_stands_beside_it_and_among_the_cautions(experiment):
    score_elsewhere(experiment, in_train={"documents": 3, "share": 0.25, "size_share": 0.5}, strange_marks=7)
    found = run(experiment)
    row = found.loc["toy", "tales.bpe.gpt2.base"]
    assert row["in_train"] == 0.25 and row["status"] == "finished"
    assert "3 of these documents (25.00%) stand in the text that it was trained on" in row["reason"]
    assert "7 tokens of this text are marks" in row["reason"]
    cautions = read(experiment, "cautions.csv")
    assert (cautions["caution"] == f"cross.csv, tales.bpe.gpt2.base: {row['reason']}").sum() == 1


def test_a_text_without_a_best_has_figures_and_no_differences(tmp_path):
    failed = {f"train:toy.bpe.{model}.base.s{seed}": "no" for model in ("gpt2", "llama") for seed in (1, 2)}
    experiment = Experiment(tmp_path, TEXTS, ("bpe",), ("gpt2", "llama"), (1, 2))
    score_elsewhere(experiment)
    experiment.failed |= failed | {name.replace("train", "evaluate"): "no" for name in failed}
    experiment.failed |= {name.replace("train:", "cross:tales:"): "no" for name in failed}
    found = run(experiment).loc["toy"]
    assert found["status"].tolist() == ["finished", "finished", "failed", "failed"]
    assert found["bpb_mean"].notna().tolist() == [True, True, False, False]
    assert found["reason"].tolist()[2:] == ["no", "no"]
    assert found["difference"].isna().all() and found["verdict"].isna().all()


def test_a_checkpoint_of_others_has_one_row_on_a_text_and_no_text_of_its_own(experiment):
    score_elsewhere(experiment)
    for cell in (cell["cell"] for cell in experiment.cells):
        if ".gpt2." in cell:
            experiment.change(f"train:{cell}", status="imported")
    found = run(experiment)
    assert list(found.index) == [
        ("tales", "tales.bpe.gpt2.base"),
        ("tales", "tales.bpe.llama.base"),
        ("tales", "toy.bpe.llama.base"),
        ("toy", "tales.bpe.llama.base"),
        ("toy", "toy.bpe.gpt2.base"),
        ("toy", "toy.bpe.llama.base"),
    ]
    others = found.index.get_level_values("group").str.contains("gpt2")
    assert found["trained_on"].isna().tolist() == others.tolist()


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "aA aB bA cA"), ("b", "aA bA bB cA"), ("c", "aA aB bA cA")]
)
def test_of_each_checkpoint_of_others_the_own_or_else_the_first(text, shown):
    """A was trained here on each of three texts, B elsewhere: cells of two texts have it."""
    rows = [("a", "A", "a"), ("a", "B", None), ("b", "A", "b"), ("b", "B", None), ("c", "A", "c")]
    groups = pd.DataFrame(rows, columns=["text", "model", "trained_on"], dtype=object)
    found = once(groups, text, ["model"])
    assert (found["text"] + found["model"]).tolist() == shown.split()


def test_holm_by_hand():
    assert holm(np.array([0.04, 0.01, 0.02])).tolist() == pytest.approx([0.04, 0.03, 0.04])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert np.isnan(holm(np.array([np.nan, np.nan]))).all()


@pytest.mark.parametrize("seeds", [1, 3])
def test_like_groups_are_seldom_told_from_a_best_that_was_the_luckiest(seeds):
    """Six groups of the text, of which the luckiest seeds are chosen, and six of another that are as good."""
    generator, size, false, grids = np.random.default_rng(seeds), np.full(100, 600.0), 0, 400
    for _ in range(grids):
        luck = generator.normal(0, 0.01 if seeds > 1 else 0.0, (12, seeds, 1))
        hard = generator.normal(1, 0.1, 100) + generator.normal(0, 0.05, (12, 1, 100))
        groups = [summarize_group((hard[k] + luck[k]) * size, size) for k in range(12)]
        best = min(range(6), key=lambda k: luck[k].mean())
        found = to_the_best(groups[:6], best, groups[6:], size)
        false += (found["p"] < 0.05).any()
    assert false <= 0.05 * grids


def worlds(widths: list[float], number: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield what is found of groups of other texts beside two of the text, of two seeds each, whose standard
    deviation over seeds is 1.

    Args:
        widths: that of each.
        number: of worlds.
    """
    generator, size = np.random.default_rng(0), np.full(100, 600.0)
    for _ in range(number):
        luck = generator.normal(size=(2 + len(widths), 2, 1)) * np.array([1.0, 1.0, *widths])[:, None, None]
        hard = generator.normal(100, 10, 100) + 0.35 * 10 * generator.normal(size=(len(luck), 1, 100))
        groups = [summarize_group(nats * size, size) for nats in hard + luck]
        best = int(luck[:2].mean(axis=(1, 2)).argmin())
        yield to_the_best(groups[:2], best, groups[2:], size)


def test_models_that_are_lost_on_a_text_leave_the_others_their_intervals():
    """Like a model of two languages beside those of the other language, whose seeds differ a hundredfold."""
    lost, alone = list(worlds([1, 10, 100], 300)), list(worlds([1], 300))
    half = [
        np.array([found["difference_high"] - found["difference"] for found in of]) for of in (lost, alone)
    ]
    assert np.median(half[0][:, 0]) < 1.3 * np.median(half[1])
    covered = np.mean(np.abs([found["difference"] for found in lost]) <= half[0], axis=0)
    # Of seeds that lie close together by chance nothing tells that they spread.
    assert covered[0] > 0.93 and covered[1] > 0.8 and covered[2] > 0.88


def test_models_that_are_lost_on_a_text_know_their_spread_together():
    """Alone, two seeds of each would hardly tell anything: their interval is then 1,100 wide."""
    half = [found["difference_high"] - found["difference"] for found in worlds([1, 100, 100], 300)]
    assert np.median(half, axis=0)[1] < 500


def test_models_of_other_texts_that_spread_alike_know_the_spread_with_those_of_the_text():
    widths = [
        np.median([found["difference_high"][0] - found["difference"][0] for found in worlds(of, 300)])
        for of in ([1], [1] * 6)
    ]
    assert widths[1] < 0.9 * widths[0]
