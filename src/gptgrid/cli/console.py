"""What commands share about the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from gptgrid.artifact.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 10_000
"""Columns of a table before rich cuts it."""
WIDE = 32
"""Columns of a text up to which others are aligned with it."""


def wide_console() -> Console:
    """Return a console that leaves long lines to the terminal: a name cut in two cannot be copied."""
    from rich.console import Console

    return Console(width=WIDEST)


def refuse_bytes(text: str, what: str) -> None:
    """Refuse what was typed, or came through a pipe, with bytes that are no text.

    Raises:
        UserError: there are such bytes, which stand as halves of surrogate pairs.
    """
    if found := re.search("[\ud800-\udfff]", text):
        raise UserError(
            f"{what} is no text: character {found.start()} is a byte that is not {sys.stdin.encoding}; "
            "give it in that encoding, or set LANG to that of the terminal"
        )


@contextmanager
def text_of(file: str) -> Iterator[Iterator[str]]:
    """Give the text of a file, or of stdin for `-`, in pieces. What is raised meanwhile gets its name.

    Raises:
        UserError: it cannot be read, or is no UTF-8.
    """
    from gptgrid.inference.utf8 import read_utf8

    stdin = file == "-"
    name = "stdin" if stdin else file
    try:
        with nullcontext(sys.stdin.buffer) if stdin else Path(file).open("rb") as opened:
            yield read_utf8(opened)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def aligned(rows: Sequence[Sequence[str]], numbers: int) -> Iterator[str]:
    """Yield rows as lines with aligned columns; a Chinese character is as wide as two others.

    A text that is wider than WIDE moves what stands behind it in its own line alone.

    Args:
        rows: of texts, all with as many columns. A table of rich takes seconds for so many as a vocabulary.
        numbers: how many of the first columns stand to the right.
    """
    from rich.cells import cell_len

    widths = [min(WIDE, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        blanks = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        texts = [
            blank + text if column < numbers else text + blank
            for column, (text, blank) in enumerate(zip(row, blanks, strict=True))
        ]
        yield "  ".join(texts).rstrip()
