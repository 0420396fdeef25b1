"""Kinds of values that keys of the configuration may have, and the base class of its sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

BUDGETS = ("tokens", "epochs", "steps")
SCALES = {"k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "B": 1000**3}
SCALED = r"([0-9]+(?:\.[0-9]+)?)\s*([kKMGB])"


def read_count(value: Any) -> Any:
    """Turn `2M`, `1.5k` or `3G` (powers of 1000) into a whole number, also in a list; leave the rest."""
    if isinstance(value, list):
        return [read_count(each) for each in value]
    if isinstance(value, str) and (match := re.fullmatch(SCALED, value.strip())):
        number = Decimal(match[1]) * SCALES[match[2]]
        return int(number) if number == int(number) else value
    return value


Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
SHA256 = "^[0-9a-f]{64}$"
HUB_NAME = "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?$"
COMMIT = "^[0-9a-f]{40}$"
NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]*$"
Sha256 = Annotated[str, Field(pattern=SHA256)]
Size = Annotated[int, Field(gt=0)]
HubName = Annotated[str, Field(pattern=HUB_NAME)]
Commit = Annotated[str, Field(pattern=COMMIT)]
Name = Annotated[str, Field(pattern=NAME)]
IN_WORDS = {
    SHA256: "a sha256: 64 digits of 0-9 a-f, as `sha256sum FILE` prints them",
    HUB_NAME: "OWNER/NAME, such as Salesforce/wikitext",
    COMMIT: "a commit: 40 digits of 0-9 a-f. A branch such as main moves; on the data set's page, under "
    "`Files`, `History` lists its commits and copies them in full",
    NAME: "a name made of A-Z a-z 0-9 _ and -, which does not begin with -",
}
"""Pattern → what it expects."""


@dataclass(frozen=True)
class Neutral:
    """The value at which a key changes nothing: what its stage did before the key existed.

    A new key is declared as `key: Annotated[bool, Neutral(False)] = False`. Results that were made before it
    came stay valid, as `Section.slice` leaves it out at this value. The default may be another one.
    """

    value: Any


class Section(BaseModel):
    """A mapping of the configuration in which unknown keys are errors and docstrings document keys.

    Numbers are finite unless the key says `Field(allow_inf_nan=True)`.
    """

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def read_numbers(cls, data: Any) -> Any:
        """Read `2M` where a number stands, and refuse true and false, which pydantic takes for 1 and 0."""
        if not isinstance(data, dict):
            return data
        numbers = {key: value for key, value in data.items() if cls.is_number(key)}
        for key, value in numbers.items():
            if (found := boolean_in(value)) is not None:
                raise ValueError(f"{key}: found {str(found).lower()}, expected a number")
        return {**data, **{key: read_count(value) for key, value in numbers.items()}}

    @classmethod
    def is_number(cls, key: Any) -> bool:
        """Say whether a key takes numbers, and neither text of one's own nor true and false."""
        kind = cls.model_fields[key].annotation if key in cls.model_fields else None
        return (mentions(kind, int) or mentions(kind, float)) and not (
            mentions(kind, bool) or mentions(kind, str)
        )

    def complete(self) -> dict[str, Any]:
        """Return every key with its value as plain data: what a stage's program reads."""
        return self.model_dump(mode="json")

    def slice(self) -> dict[str, Any]:
        """Return the keys that decide an identity as plain data: all but those at their neutral value."""
        values = {key: getattr(self, key) for key in type(self).model_fields}
        return {key: plain(value) for key, value in values.items() if not self.is_neutral(key, value)}

    def is_neutral(self, key: str, value: Any) -> bool:
        """Say whether a key declares a neutral value and has it."""
        return Neutral(value) in type(self).model_fields[key].metadata


def boolean_in(value: Any) -> bool | None:
    """Return a boolean, or the first in a list; None if there is none."""
    values = value if isinstance(value, list) else [value]
    return next((each for each in values if isinstance(each, bool)), None)


def mentions(annotation: Any, kind: type) -> bool:
    """Say whether a type is another one, or is made of it: `list[int] | None` mentions int."""
    return annotation is kind or any(mentions(inner, kind) for inner in get_args(annotation))


def plain(value: Any) -> Any:
    """Return a value as plain data, with the slices of the sections in it."""
    if isinstance(value, Section):
        return value.slice()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
