"""Kinds of values that keys of the configuration may have, and the base class of its sections."""

from __future__ import annotations

import re
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


class Section(BaseModel):
    """A mapping of the configuration in which unknown keys are errors and docstrings document keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    def slice(self) -> dict[str, Any]:
        """Return the resolved values as plain data for a stage."""
        return self.model_dump(mode="json")
