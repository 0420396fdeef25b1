"""How commands write tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 10_000
"""Columns of a table before rich cuts it."""


def wide_console() -> Console:
    """Return a console that leaves long lines to the terminal: a name cut in two cannot be copied."""
    from rich.console import Console

    return Console(width=WIDEST)
