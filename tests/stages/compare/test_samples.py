"""samples.csv, what summary.csv takes from it, and the caution on models that copy."""

import pandas as pd
import pytest
from experiments import Experiment, worth

from gptgrid.stages.compare.tables import compare

GRID = (("tales",), ("char",), ("gpt2", "llama"), (1,))
FIRST, SECOND = "tales.char.gpt2.base.s1", "tales.char.llama.base.s1"


def run(experiment):
    """Return samples.csv, summary.csv and the cautions."""
    job = experiment.compare_job()
    compare(job)
    return (read(job, name) for name in ("samples.csv", "summary.csv", "cautions.csv"))


def read(job, name):
    return pd.read_csv(job.folder / name, keep_default_na=False, dtype=str).to_dict("records")


def test_a_row_for_each_cell_and_decoding_below_the_true_continuations(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.judge("tales", greedy=1.5, nucleus=2.5)
    samples, _, _ = run(experiment)
    assert [(row["cell"], row["decoding"], row["bpb"], row["judge"]) for row in samples] == [
        ("", "truth", "", ""),
        (FIRST, "greedy", "", ""),
        (FIRST, "nucleus", "", ""),
        (SECOND, "greedy", "1.5", FIRST),
        (SECOND, "nucleus", "2.5", FIRST),
    ]
    assert [row["perplexity"] for row in samples[3:]] == [str(2**1.5), str(2**2.5)]
    assert [row["group"] for row in samples[:2]] == ["", "tales.char.gpt2.base"]
    assert {row["text"] for row in samples} == {"tales"} and {row["unit"] for row in samples} == {"words"}
    assert (samples[1]["distinct_2"], samples[1]["copied"], samples[1]["ended"]) == ("0.25", "0.125", "1")
    why = "self_bleu: there is one; bleu, chrf: the prompts are texts"
    assert samples[3]["reason"] == why
    assert samples[1]["reason"] == f"{why}; bpb: there is no other cell on this text to judge it"


def test_true_continuations_have_the_figure_of_each_judge(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.judge("tales", truth={FIRST: 1.25, SECOND: 1.75}, greedy=1.5)
    samples, _, _ = run(experiment)
    assert [(row["decoding"], row["bpb"], row["judge"]) for row in samples[:3]] == [
        ("truth", "1.25", FIRST),
        ("truth", "1.75", SECOND),
        ("greedy", "", ""),
    ]
    assert samples[0]["copied"] == samples[1]["copied"] == "0.125"


def test_summary_has_the_decoding_of_the_most_varied_samples(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    experiment.judge("tales", greedy=1.5, nucleus=2.5)
    _, summary, _ = run(experiment)
    columns = ("sampled", "distinct_2", "repetition", "copied", "sample_bpb")
    assert [summary[0][column] for column in columns] == ["nucleus", "0.75", "0.25", "0.125", ""]
    assert [summary[1][column] for column in columns] == ["nucleus", "0.75", "0.25", "0.125", "2.5"]


def test_what_could_not_be_made_is_a_reason(tmp_path):
    failed = {f"sample:{FIRST}": "disk <full>", "judged:tales": "no memory"}
    experiment = Experiment(tmp_path, *GRID, failed=failed)
    experiment.judge("tales", greedy=1.5)
    samples, summary, _ = run(experiment)
    assert [(row["cell"], row["decoding"]) for row in samples] == [
        ("", "truth"),
        (FIRST, ""),
        (SECOND, "greedy"),
        (SECOND, "nucleus"),
    ]
    assert samples[1]["reason"] == "disk <full>" and samples[2]["reason"].endswith("; bpb: no memory")
    assert [row["sampled"] for row in summary] == ["", "nucleus"]


def test_samples_of_an_older_source_have_a_row_without_figures(tmp_path):
    experiment = Experiment(tmp_path, *GRID)
    for cell in (FIRST, SECOND):
        experiment.change(f"sample:{cell}", decodings={}, truth=None)
    samples, summary, _ = run(experiment)
    assert [(row["cell"], row["reason"]) for row in samples] == [
        (cell, "an older source made its samples") for cell in (FIRST, SECOND)
    ]
    assert {row["sampled"] for row in summary} == {""}


@pytest.mark.parametrize(
    ("fresh", "copied", "said"),
    [
        (0.125, 0.5, True),
        (0.125, 0.24, False),
        (0.05, 0.14, False),
        (0.3, 0.5, False),
        (0.3, 0.6, True),
        (None, 1, False),
    ],
)
def test_a_model_that_copies_much_more_than_a_fresh_text_has_is_a_caution(tmp_path, fresh, copied, said):
    experiment = Experiment(tmp_path, *GRID)
    for cell in (FIRST, SECOND):
        experiment.change(f"sample:{cell}", truth={**worth(0.5), "copied": fresh})
    experiment.change(f"sample:{SECOND}", decodings={"nucleus": {**worth(0.5), "copied": copied}})
    _, _, cautions = run(experiment)
    found = [row["caution"] for row in cautions if row["text"] == "tales" and "copied from" in row["caution"]]
    assert len(found) == said
    if said:
        assert found[0].startswith("samples of 1 of 2 cells are copied from the training text: ")
        assert f"{copied:.0%} of the runs of 8 words in those of {SECOND} (nucleus) stand there" in found[0]
        assert f"and {fresh:.0%} of those in true continuations" in found[0]
