"""The field of a record that is its text."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.errors import UserError


def text_of(record: Any, field: str, where: str) -> str:
    """Return the text of a field; the whole of a dotted name may be a key, too.

    Raises:
        UserError: there is none.
    """
    value = record
    for key in [field] if isinstance(record, dict) and field in record else field.split("."):
        if not isinstance(value, dict):
            raise UserError(f"{where} is {name_of_type(value)}, not an object with the field {field!r}")
        if key not in value:
            raise missing_field(field, list(value), where)
        value = value[key]
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


def missing_field(field: str, fields: list[str], where: str) -> UserError:
    """Return what to say about a field that is not there."""
    return UserError(f"{where} has no field {field!r}; it has {', '.join(fields)}; set `field`")


def name_of_type(value: Any) -> str:
    """Return what a value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
