"""One is no plural."""

from gptgrid.words import counted, verb


def test_one_thing_is_singular_and_any_other_number_is_not():
    assert [counted(number, "cell") for number in (0, 1, 2, 2000)] == [
        "0 cells",
        "1 cell",
        "2 cells",
        "2,000 cells",
    ]
    assert [verb(1, word) for word in ("take", "have", "are", "were")] == ["takes", "has", "is", "was"]
    assert [verb(number, "have") for number in (0, 2)] == ["have"] * 2
