"""A new key at its neutral value changes no identity; a changed default does."""

from typing import Annotated

import pytest
from pydantic import Field

from gptgrid.config import reference
from gptgrid.config.corpora import HubCorpus, UrlCorpus
from gptgrid.config.experiment import Run, Sampling
from gptgrid.config.models import Model
from gptgrid.config.training import Training
from gptgrid.config.values import Neutral, Section


class Inner(Section):
    """A section in another."""

    width: int = 8
    """Known for long."""
    shift: Annotated[int, Neutral(0)] = 0
    """New."""


class Outer(Section):
    """A section with a new key, and new keys in its sections."""

    depth: int = 2
    """Known for long."""
    gate: Annotated[bool, Neutral(False)] = False
    """New."""
    cap: Annotated[float | None, Field(gt=0), Neutral(None)] = None
    """New, and checked."""
    inner: Inner = Inner()
    """A section."""
    many: list[Inner] = Field(default_factory=lambda: [Inner()])
    """A list of sections."""
    named: dict[str, Inner] = Field(default_factory=lambda: {"a": Inner()})
    """Sections by name."""


OLD = {"depth": 2, "inner": {"width": 8}, "many": [{"width": 8}], "named": {"a": {"width": 8}}}


def test_a_new_key_at_its_neutral_value_is_in_no_slice_and_in_every_program() -> None:
    assert Outer().slice() == OLD
    inner = {"width": 8, "shift": 0}
    new = {"gate": False, "cap": None, "inner": inner, "many": [inner], "named": {"a": inner}}
    assert Outer().complete() == {**OLD, **new}


def test_another_value_is_in_the_slice() -> None:
    changed = Outer(
        gate=True, cap=1.5, inner=Inner(shift=1), many=[Inner(shift=2)], named={"a": Inner(shift=3)}
    )
    inner = [{"width": 8, "shift": shift} for shift in (1, 2, 3)]
    new = {"gate": True, "cap": 1.5, "inner": inner[0], "many": [inner[1]], "named": {"a": inner[2]}}
    assert changed.slice() == {**OLD, **new}


def test_a_changed_default_is_in_the_slice() -> None:
    class Deeper(Outer):
        """The same with other defaults."""

        depth: int = 3
        """An old key."""
        gate: Annotated[bool, Neutral(False)] = True
        """What was neutral is still what stages did before the key existed."""

    assert Deeper().slice() == {**OLD, "depth": 3, "gate": True}
    assert Deeper(gate=False).slice() == {**OLD, "depth": 3}


def test_reference_and_schema_know_keys_with_a_neutral_value() -> None:
    assert "| `gate` | `true`, `false` | `false` | New. |" in reference.table(Outer)
    assert "| `cap` | number > 0 |  | New, and checked. |" in reference.table(Outer)
    assert Outer.model_json_schema()["properties"]["gate"]["default"] is False


@pytest.mark.parametrize(
    "section",
    [
        Model(preset="modern"),
        Training(steps=10, betas=(0.8, 0.9)),
        Sampling(),
        Run(),
        UrlCorpus(source="url", url=[{"url": "https://a/b", "sha256": "0" * 64}]),
    ],
    ids=lambda section: type(section).__name__,
)
def test_keys_without_a_neutral_value_are_in_the_slice(section: Section) -> None:
    assert section.slice() == section.complete()


def test_a_data_set_of_the_hub_without_checksums_is_what_it_was_before_they_were_a_key() -> None:
    corpus = HubCorpus(source="hub", path="a/b", revision="0" * 40)
    assert corpus.complete().keys() - corpus.slice().keys() == {"sha256"}


def test_numbers_are_finite_unless_their_key_says_otherwise() -> None:
    class Open(Section):
        """A section."""

        bound: Annotated[float, Field(allow_inf_nan=True)] = float("inf")
        """May be infinite."""

    assert Open(bound=float("inf")).bound == float("inf")
    with pytest.raises(ValueError, match="finite"):
        Training(steps=10, lr=float("inf"))
