"""The steps of a walk in a terminal, 60 to 100 columns wide; colours in a terminal alone."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from typing import TextIO

import regex
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from gptgrid.inference.walk.step import Step, Table, Value
from gptgrid.inference.walk.walk import Walk
from gptgrid.inference.walk.words import Words

NARROWEST, WIDTH = 60, 100
"""Columns."""
LABEL, HEADER = 14, 7
"""Cells of the label of a row, and of a column's name over numbers."""
PARTS = regex.compile(r"[“‘（]?\p{Han}[，。、：；？！”’）]*\s*|[^\s\p{Han}]+\s*|\s+")
"""What stays together in a line: a word, or a Chinese character with the punctuation behind it."""
CROWDED = 5
"""Columns from which on names are cut."""


def make_console(file: TextIO | None = None) -> Console:
    """Return where to print: as wide as the terminal or COLUMNS, but 60 to 100 columns; else 100."""
    file = file or sys.stdout
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    known = console.is_terminal or "COLUMNS" in os.environ
    console.width = max(NARROWEST, min(WIDTH, console.width)) if known else WIDTH
    return console


def show_steps(console: Console, walk: Walk, steps: Iterable[Step]) -> None:
    """Print steps, numbered, each block under a line of its own."""
    if walk.shown:
        console.print(wrapped(walk.shown, console.width) + "\n")
    block = None
    for number, step in enumerate(steps, 1):
        if step.block != block and step.block is not None:
            console.rule(walk.label("block", number=step.block), style="cyan", align="left")
            console.print()
        block = step.block
        show_step(console, step, walk.words, number)


def show_step(console: Console, step: Step, words: Words, number: int | None = None) -> None:
    """Print a step."""
    console.print(Text(step.title if number is None else f"{number}. {step.title}", "bold"))
    console.print(wrapped(step.what, console.width))
    for name, value in (("formula", step.formula), ("shape", step.shape)):
        if value:
            line = wrapped(f"{words(f'labels.{name}')}  {value}", console.width)
            console.print(Text(line, "cyan"))
    for table in step.tables:
        console.print(Padding(rich_table(table), (0, 0, 0, 2), expand=False))
    console.print()


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most so many cells, broken at blanks and between Chinese characters.

    Rich breaks at blanks only, which leaves ragged lines in Chinese.
    """
    lines = [""]
    for part in PARTS.findall(text):
        if cell_len(lines[-1] + part.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += part
    return "\n".join(lines).rstrip()


def rich_table(table: Table) -> RichTable:
    """Return a table whose columns stand in line, also where characters are two cells wide."""
    drawn = RichTable(box=None, show_header=bool(table.title or table.columns), padding=(0, 2, 0, 0))
    drawn.add_column(Text(table.title), style="bold", overflow="fold")
    crowded = len(table.columns) >= CROWDED
    columns = list(zip(*(values for _, values in table.rows), strict=True))
    for name, values in zip(table.columns, columns, strict=True):
        numbers = not any(isinstance(value, str) for value in values)
        name = cut(name, HEADER) if crowded else name
        drawn.add_column(Text(name), justify="right" if numbers else "left")
    if table.cut:
        drawn.add_column("…")
    for label, values in table.rows:
        label = cut(label, LABEL) if crowded else label
        cells = [Text(value if isinstance(value, str) else number_text(value)) for value in values]
        drawn.add_row(Text(label), *cells, *(["…"] if table.cut else []))
    return drawn


def cut(text: str, cells: int) -> str:
    """Return a text that is at most so many cells wide, with … where something is left out."""
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def number_text(value: Value) -> str:
    """Return a number as people read it: three decimals, or two digits where these would show nothing."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    if value and abs(value) < 0.0005:
        return f"{value:.0e}".replace("-", "−")
    return (f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}").replace("-", "−")
