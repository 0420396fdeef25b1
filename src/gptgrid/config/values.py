"""Kinds of values that keys of the configuration may have, and the base class of its sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

BUDGETS = ("tokens", "epochs", "steps")


def read_count(value: Any) -> Any:
    """Turn `2M`, `1.5k` or `3G` (powers of 1000) into a whole number; leave the rest to the check."""
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9.]+)\s*([kKMGB])", value.strip())):
        scale = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}[match[2]]
        return round(float(match[1]) * scale)
    return value


Count = Annotated[int, BeforeValidator(read_count), Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0)]
HubName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?$")]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


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


def plain(value: Any) -> Any:
    """Return a value as plain data, with the slices of the sections in it."""
    if isinstance(value, Section):
        return value.slice()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
