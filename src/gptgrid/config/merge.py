"""Mappings merged: a later file over an earlier one, an entry over its base, overrides over an entry."""

from __future__ import annotations

from typing import Any

from gptgrid.config.values import BUDGETS

RECIPES = (("training",), ("finetuning",))
"""Places of the sections whose entries have a budget."""


def merge(old: dict[str, Any], new: dict[str, Any], place: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `old` changed by `new`, key by key through nested mappings; lists are replaced.

    A new budget of a recipe replaces the old one whatever its unit.

    Args:
        old: what is changed; it stays as it is.
        new: the changes.
        place: where both stand in a configuration: () is the whole, ("training", "base") is an entry.
    """
    if place[:1] in RECIPES and len(place) == 2 and any(key in new for key in BUDGETS):
        old = {key: value for key, value in old.items() if key not in BUDGETS}
    both = dict(old)
    for key, value in new.items():
        deeper = isinstance(value, dict) and isinstance(old.get(key), dict)
        both[key] = merge(old[key], value, (*place, key)) if deeper else value
    return both


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return `{"a": {"b": value}}` for the dotted path `a.b`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value
