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
            nested = any(isinstance(found, list) and dict in map(type, found) for found in value.values())
            raise (NestedRecordsError if nested else MissingFieldError)(field, list(value), where)
        value = value[key]
        if value is TWICE:
            raise UserError(f"{where} has the field {key!r} twice; leave one")
        if value is None:
            return ""
    return as_text(value, field, where, "choose another `field`")


def as_text(value: Any, field: str, where: str, todo: str) -> str:
    """Return the value of a field, which must be a text.

    Args:
        value: of the field.
        field: its name.
        where: the record.
        todo: what to do if it is none.

    Raises:
        UserError: it is none, or has half a character.
    """
    if not isinstance(value, str):
        raise UserError(f"{where}: the field {field!r} is {name_of_type(value)}, not a text; {todo}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: the field {field!r} has half a character (a lone surrogate); fix it"
        ) from None
    return value


def check_field(fields: set[str], formats: set[str]) -> None:
    """Check that a field is asked for only where there are records.

    Args:
        fields: that the configuration names.
        formats: of all files.

    Raises:
        UserError: all files are texts, so that it would have no effect.
    """
    if fields and formats == {"text"}:
        raise UserError(
            f"`field` is {' and '.join(map(repr, sorted(fields)))}, but no file has fields: all are texts by "
            "their names; set `format` to what they are (csv, tsv, jsonl, json), or take `field` out"
        )


class ListedError(UserError):
    """A message that lists fields, which are text where a table has no header; `unlisted` does not."""

    def __init__(self, problem: str, fields: list[str], todo: str) -> None:
        there = ", ".join(fields[:SHOWN]) + (" …" if len(fields) > SHOWN else "")
        super().__init__(f"{problem} {there or 'none'}; {todo}")
        self.unlisted = f"{problem} {len(fields)} fields; {todo}"


class MissingFieldError(ListedError):
    """A record has no such field."""

    def __init__(self, field: str, fields: list[str], where: str) -> None:
        super().__init__(f"{where} has no field {field!r}; it has", fields, "set `field`")


class NestedRecordsError(ListedError):
    """A record has no such field, but a list of objects, which may be the records."""

    def __init__(self, field: str, fields: list[str], where: str) -> None:
        super().__init__(
            f"{where} has no field {field!r}, but a list of objects; it has",
            fields,
            "if the objects are the records, save that list by itself as .json, or its objects one a line as "
            ".jsonl; else set `field`",
        )


def name_of_type(value: Any) -> str:
    """Return what a value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    names |= dict.fromkeys((int, float), "a number")
    return names.get(type(value), type(value).__name__)
