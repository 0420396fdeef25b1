"""The sentence at the top must be right: validation chooses, the test describes, intervals decide."""

from gptgrid.stages.report.conclusion import conclusion, conclusions, grid_values
from gptgrid.stages.report.experiment import read_experiment

TEXT = {"name": "tales", "unit": "bits per byte", "valid": "val_bpb", "test": "bpb"}


def group(label: str, rank: int, valid: tuple, test: tuple) -> dict:
    row = {"label": label, "text": "tales", "rank": rank, "variant": rank, "seeds": 2}
    row |= {"diverged": 0, "failed": 0, "best": rank == 1 and valid[0] is not None}
    for figure, values in (("val_bpb", valid), ("bpb", test)):
        row |= {f"{figure}_{key}": value for key, value in zip(("mean", "low", "high"), values, strict=True)}
    return row


def test_validation_chooses_and_the_test_is_reported():
    result = conclusion(
        TEXT,
        [group("b", 2, (1.1, 1.0, 1.2), (0.9, 0.8, 1.0)), group("a", 1, (1.0, 0.95, 1.05), (1.3, 1.2, 1.4))],
        [],
    )
    assert result["best"]["label"] == "a"
    assert result["test"] == {"mean": 1.3, "low": 1.2, "high": 1.4}
    assert (result["next"]["label"], round(result["next"]["behind"], 9), result["next"]["percent"]) == (
        "b",
        0.1,
        "10.0 %",
    )


def test_verdicts():
    def verdict(first, second):
        rivals = [group("a", 1, first, first), group("b", 2, second, second)]
        return conclusion(TEXT, rivals, [])["next"]["verdict"]

    assert "do not overlap" in verdict((1.0, 0.9, 1.1), (1.5, 1.4, 1.6))
    assert "more seeds" in verdict((1.0, 0.9, 1.1), (1.15, 1.05, 1.25))
    assert "chance" in verdict((1.0, None, None), (1.5, 1.4, 1.6))


def test_nothing_to_conclude():
    nothing = (None, None, None)
    assert conclusion(TEXT, [group("a", 1, nothing, nothing)], [])["best"] is None
    assert conclusion(TEXT, [group("a", 1, (1.0, None, None), nothing)], [])["next"] is None


def test_the_lowest_is_not_the_best_where_the_tables_do_not_say_so():
    lowest = group("a", 1, (1.0, 0.9, 1.1), (1.0, 0.9, 1.1)) | {"best": False}
    rivals = [lowest, group("b", 2, (2.0, 1.9, 2.1), (2.0, 1.9, 2.1))]
    result = conclusion(TEXT, rivals, ["it guesses"])
    assert (result["best"], result["test"], result["next"]) == (None, None, None)
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
