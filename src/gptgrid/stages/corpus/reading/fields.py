"""The field of a record that is its text."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.errors import UserError

TWICE = object()
"""Value of a field that a record has twice."""
SHOWN = 30
"""Fields that a message lists."""


def text_of(record: Any, field: str, where: str) -> str:
    """Return the text of a field; the whole of a dotted name may be a key, too.

    Raises:
        UserError: there is none.
    """
    value = record
    for key in [field] if isinstance(record, dict) and field in record else field.split("."):
        if not isinstance(value, dict):
            raise UserError(
                f"{where} is {name_of_type(value)}, not an object with the field {field!r}; convert the file"
            )
        if key not in value:
            raise MissingFieldError(field, list(value), where)
        value = value[key]
        if value is TWICE:
            raise UserError(f"{where} has the field {key!r} twice; leave one")
        if value is None:
            return ""
    if not isinstance(value, str):
        raise UserError(
            f"{where}: the field {field!r} is {name_of_type(value)}, not a text; choose another `field`"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: the field {field!r} has half a character (a lone surrogate); fix it"
        ) from None
    return value


class MissingFieldError(UserError):
    """A record has no such field. The message lists those that it has, which are text where a table has no
    header; `unlisted` does not."""

    def __init__(self, field: str, fields: list[str], where: str) -> None:
        there = ", ".join(fields[:SHOWN]) + (" …" if len(fields) > SHOWN else "")
        super().__init__(f"{where} has no field {field!r}; it has {there or 'none'}; set `field`")
        self.unlisted = f"{where} has no field {field!r}; it has {len(fields)} others; set `field`"


def name_of_type(value: Any) -> str:
    """Return what a value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    names |= dict.fromkeys((int, float), "a number")
    return names.get(type(value), type(value).__name__)
