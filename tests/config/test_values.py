"""A new key at its neutral value changes no identity; a changed default does."""

from typing import Annotated

import jsonschema
import pytest
from pydantic import Field

from gptgrid.config import reference
from gptgrid.config.corpora import HubCorpus, UrlCorpus
from gptgrid.config.experiment import Decoding, Evaluation, Run, Sampling
from gptgrid.config.models import Model
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.config.training import Checkpoints, Training
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


MINIMAL = {
    **{"corpora": {"toy": {"source": "builtin"}}, "tokenizers": {"a": {"kind": "char"}}},
    **{"models": {"a": {}}, "grid": [{"seed": [1]}]},
}
BEAM = Decoding(min_p=0.1, no_repeat_ngram=3, beams=2, length_penalty=2, stop=["."])
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
        Training(steps=10, betas=(0.8, 0.9), eval_bytes=100),
        Sampling(count=2, precision="auto", decodings={"beam": BEAM}),
        Run(),
        UrlCorpus(source="url", url=[{"url": "https://a/b", "sha256": "0" * 64}], marks="special"),
    ],
    ids=lambda section: type(section).__name__,
)
def test_keys_without_a_neutral_value_are_in_the_slice(section: Section) -> None:
    assert section.slice() == section.complete()


def test_a_model_is_what_it_was_before_some_of_its_keys_were_there() -> None:
    model = Model(preset="modern")
    assert model.complete().keys() - model.slice().keys() == {"head_dim", "huggingface"}


def test_a_data_set_of_the_hub_is_what_it_was_before_some_of_its_keys_were_there() -> None:
    corpus = HubCorpus(source="hub", path="a/b", revision="0" * 40)
    assert corpus.complete().keys() - corpus.slice().keys() == {"sha256", "marks"}


def test_numbers_are_finite_unless_their_key_says_otherwise() -> None:
    class Open(Section):
        """A section."""

        bound: Annotated[float, Field(allow_inf_nan=True)] = float("inf")
        """May be infinite."""

    assert Open(bound=float("inf")).bound == float("inf")
    with pytest.raises(ValueError, match="finite"):
        Training(steps=10, lr=float("inf"))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2M", 2_000_000),
        ("1.5k", 1500),
        ("3 G", 3 * 10**9),
        ("1.1M", 1_100_000),
        ("20000", 20_000),
        (1e6, 10**6),
    ],
)
def test_counts_are_exact(text: object, count: int) -> None:
    assert Training(tokens=text).tokens == count


@pytest.mark.parametrize(
    ("section", "keys", "key", "value"),
    [
        (Model, {"context": "1k"}, "context", 1000),
        (Model, {"rope_theta": "10k"}, "rope_theta", 10_000.0),
        (Training, {"tokens": "1M", "batch_tokens": "4k", "sample_every": "0.5k"}, "sample_every", 500),
        (Training, {"tokens": "1M", "batch_tokens": "4k", "sample_every": "epoch"}, "batch_tokens", 4000),
        (Evaluation, {"contexts": ["1k", 256]}, "contexts", [1000, 256]),
        (Decoding, {"stop": ["2M"]}, "stop", ["2M"]),
        (Sampling, {"seed": "1k", "prompts": ["1k"]}, "prompts", ["1k"]),
    ],
)
def test_every_number_may_be_a_count_and_no_text_is_one(
    section: type[Section], keys: dict, key: str, value: object
) -> None:
    made = getattr(section(**keys), key)
    assert made == value and type(made) is type(value)


def test_the_schema_takes_counts_for_numbers() -> None:
    def check(models: dict) -> None:
        jsonschema.validate({"experiment": "a", "models": {"a": models}}, schema)

    schema = {**reference.schema(), "required": []}
    for right in ({"context": "1k"}, {"context": 128}, {"rope_theta": "10 k"}, {"rope_theta": 1e4}):
        check(right)
    for wrong in ({"context": "long"}, {"context": 0}, {"context": "x1k"}, {"norm": "1k"}):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong)


@pytest.mark.parametrize(
    "text", ["2m", "2 million", "1,000", ".M", "2.5.1M", "1.23456k", "0.0001k", "1e6", "", "٣M"]
)
def test_text_that_is_no_count_is_refused_with_examples(text: str) -> None:
    with pytest.raises(
        ConfigError, match=f"found {text!r}, expected a whole number without commas, such as 20000"
    ):
        Configuration({**MINIMAL, "training": {"a": {"tokens": text}}}, "my.yaml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (Training, "lr", True),
        (Training, "steps", True),
        (Training, "betas", [True, 0.9]),
        (Training, "patience", False),
        (Training, "batch_tokens", True),
        (Model, "n_layer", True),
        (Decoding, "temperature", False),
    ],
)
def test_a_boolean_is_no_number(section: type[Section], key: str, value: object) -> None:
    found = str(value[0] if isinstance(value, list) else value).lower()
    with pytest.raises(ValueError, match=f"{key}: found {found}, expected a number"):
        section(**{**({"steps": 10} if section is Training else {}), key: value})


def test_a_boolean_stays_one_where_there_may_be_one() -> None:
    assert Model(bias=False).bias is False
    assert Run(compile=True).compile is True


def test_the_default_of_min_lr_is_what_a_person_would_write() -> None:
    for lr in (1e-3, 2e-3, 3e-3, 6e-3, 7e-4, 1e-10, 0.1):
        assert Training(steps=1, lr=lr).min_lr == float(f"{lr / 10:.6g}")
    assert repr(Training(steps=1, lr=3e-3).min_lr) == "0.0003"


@pytest.mark.parametrize("written", [3, {"last": 3}, {"last": "0.003k"}])
def test_the_last_checkpoints_may_be_asked_for_in_words(written: object) -> None:
    assert Checkpoints(keep=written) == Checkpoints(keep=3)
    definition = reference.schema()["$defs"]["Checkpoints"]["properties"]["keep"]
    jsonschema.validate(written, definition)


@pytest.mark.parametrize("written", [{"last": True}, {"last": 0}, {"first": 3}, {"last": 3, "first": 1}, {}])
def test_other_checkpoints_may_not(written: object) -> None:
    with pytest.raises(ValueError, match="keep"):
        Checkpoints(keep=written)
