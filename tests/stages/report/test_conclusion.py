"""The sentence at the top must be right: validation chooses, the test documents tell how sure that is."""

from gptgrid.stages.report.conclusion import VERDICT, conclusion, conclusions, grid_values
from gptgrid.stages.report.experiment import read_experiment

TEXT = {"name": "tales", "unit": "bits per byte", "valid": "val_bpb", "test": "bpb"}


def group(label: str, rank: int, valid: float | None, test: float | None, **verdict: object) -> dict:
    return {
        **{"label": label, "text": "tales", "rank": rank, "variant": rank, "seeds": 2},
        **{"diverged": 0, "failed": 0, "best": rank == 1 and valid is not None},
        **{"val_bpb_mean": valid, "bpb_mean": test},
        **dict.fromkeys(VERDICT),
        **verdict,
    }


def test_validation_chooses_and_the_test_is_reported():
    worse = {"difference": 0.3, "difference_low": 0.2, "difference_high": 0.4, "p": 0.001, "verdict": "worse"}
    rivals = [group("b", 2, 1.1, 1.6, **worse), group("a", 1, 1.0, 1.3, verdict="best")]
    result = conclusion(TEXT, rivals, [])
    assert (result["best"]["label"], result["test"]) == ("a", 1.3)
    assert result["next"] == {"label": "b", "variant": 2, **dict.fromkeys(VERDICT), **worse}


def test_verdicts_are_those_of_the_table_and_the_best_is_none_of_the_others():
    verdicts = ("not distinguishable", "worse", "better", "worse", None)
    others = [group(f"g{n}", n, 1.0 + n, 1.0, verdict=verdict) for n, verdict in enumerate(verdicts, 2)]
    rivals = [group("a", 1, 1.0, 1.0, verdict="best"), *others, group("lost", 9, None, None)]
    result = conclusion(TEXT, rivals, [])
    assert result["verdicts"] == {"not distinguishable": 1, "worse": 2, "better": 1, None: 1}
    assert (result["measured"], result["groups"]) == (6, 7)


def test_nothing_to_conclude():
    assert conclusion(TEXT, [group("a", 1, None, None)], [])["best"] is None
    assert conclusion(TEXT, [group("a", 1, 1.0, None)], [])["next"] is None


def test_the_lowest_is_not_the_best_where_the_tables_do_not_say_so():
    lowest = group("a", 1, 1.0, 1.0) | {"best": False}
    result = conclusion(TEXT, [lowest, group("b", 2, 2.0, 2.0)], ["it guesses"])
    assert (result["best"], result["test"], result["next"], result["verdicts"]) == (None, None, None, {})
    assert (result["lowest"]["label"], result["cautions"]) == ("a", ["it guesses"])


def test_every_text_has_a_conclusion(small):
    result = conclusions(read_experiment(small.report_job()))
    assert [(a["text"]["name"], a["best"]["label"]) for a in result] == [
        ("tales", "bpe · llama"),
        ("toy", "bpe · llama"),
        ("noise", "ids · llama"),
    ]


def test_a_group_with_a_diverged_cell_is_not_the_best(troubled):
    result = conclusions(read_experiment(troubled.report_job()))
    assert [a["best"] and a["best"]["label"] for a in result] == ["gpt2", None, None]
    assert [(a["diverged"], a["cells"]) for a in result] == [(1, 4), (4, 4), (2, 4)]
    assert result[0]["next"] is None


def test_values_of_the_grid(small):
    assert dict(grid_values(read_experiment(small.report_job())))["model"] == ["gpt2", "llama", "encoder"]
