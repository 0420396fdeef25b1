"""A table of variants gives nothing that a fingerprint does not cover."""

import pytest

from gptgrid.artifact.variants import Variants


def test_outside_a_program_a_table_gives_everything() -> None:
    assert Variants({"one": 1, "two": 2})["two"] == 2


def test_in_a_program_a_table_gives_what_the_configuration_names() -> None:
    table = Variants({"one": 1, "two": 2})
    with Variants.covering(["one"]):
        assert table["one"] == 1
        with pytest.raises(LookupError, match="'two' was chosen by something that is no value"):
            table["two"]
    assert table["two"] == 2
