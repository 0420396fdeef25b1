"""Two results beside each other, for a person at a terminal, or as JSON for a program."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gptgrid.plan.versus import A_BETTER, BEST, EVERYWHERE, IDENTICAL, SEEDS_ALONE, UNDECIDED, Versus

DIGEST = re.compile(r"[0-9a-f]{40,64}")
"""A commit or a digest, of which twelve letters tell it from others."""


def show_versus(found: Versus, console: Console) -> None:
    """Print the verdicts, the figures behind them, and in what the configurations differ."""
    for row in records(found.verdicts):
        console.print(Text(sentence(row)), soft_wrap=True)
    console.print()
    table = table_of("text", "pair", "A", "B", "A's figure", "B's", "B - A", "95 % interval", "p", "seeds")
    for row in records(found.verdicts):
        seeds = f"{row['seeds_a']}, {row['seeds_b']}"
        table.add_row(
            *map(Text, (row["text"], row["what"], row["a"], row["b"], figure(row["figure_a"]))),
            *map(
                Text,
                (figure(row["figure_b"]), signed(row["difference"]), interval(row), chance(row["p"]), seeds),
            ),
        )
    console.print(table, soft_wrap=True)
    console.print(Text(f"\nA is {found.a}\nB is {found.b}"), soft_wrap=True)
    if found.verdicts.empty:
        console.print("No pair of them is compared.")
    elif found.differences.empty:
        console.print("Their configurations are the same.")
    else:
        table = table_of("differs in", "key", "A", "B")
        for row in records(found.differences):
            what = "" if row["what"] == EVERYWHERE else row["what"]
            table.add_row(*map(Text, (what, row["key"], short(row["a"]), short(row["b"]))))
        console.print(table, soft_wrap=True)
    for note in found.notes:
        console.print(Text(note), soft_wrap=True)


def sentence(row: dict[str, Any]) -> str:
    """Return a verdict as a sentence."""
    where = f"{row['text']}, {BEST}" if row["what"] == BEST else row["text"]
    a, b = f"A's {row['a']}", f"B's {row['b']}"
    if row["verdict"] == IDENTICAL:
        return f"{where}: {a} and {b} are the same evaluations"
    if row["verdict"] == SEEDS_ALONE:
        return (
            f"{where}: {a} and {b} are one recipe with other seeds: they differ by "
            f"{abs(row['difference']):.3g} {row['unit']}, which is what seeds change"
        )
    if row["covers"] == "nothing":
        return f"{where}: one seed and one document cannot tell how sure the difference of {a} and {b} is"
    sure = f"95 % interval of B - A {interval(row)}, p {chance(row['p'])}"
    size = f"{abs(row['difference']):.3g} {row['unit']} ({sure})"
    scope = f"; that covers other {row['covers']}"
    if "seeds" not in row["covers"]:
        scope += " alone, and other seeds may change it"
    if row["verdict"] == UNDECIDED:
        return f"{where}: {a} and {b} cannot be told apart: they differ by {size}{scope}"
    better, worse = (a, b) if row["verdict"] == A_BETTER else (b, a)
    return f"{where}: {better} is better than {worse} by {size}{scope}"


def as_json(found: Versus) -> str:
    """Return everything as JSON."""
    return json.dumps(
        {
            "a": found.a,
            "b": found.b,
            "verdicts": records(found.verdicts),
            "differences": records(found.differences),
            "notes": found.notes,
        },
        ensure_ascii=False,
        indent=1,
        allow_nan=False,
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table with None where there is nothing."""
    rows = table.astype(object).to_dict("records")
    return [
        {key: None if pd.api.types.is_scalar(v) and pd.isna(v) else v for key, v in row.items()}
        for row in rows
    ]


def table_of(*headings: str) -> Table:
    """Return an empty table."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def figure(value: float | None) -> str:
    """Return a figure with four digits behind the point."""
    return "" if value is None else f"{value:.4f}"


def signed(value: float | None) -> str:
    """Return a difference with its sign and three digits."""
    return "" if value is None else f"{value:+.3g}"


def interval(row: dict[str, Any]) -> str:
    """Return the interval of a difference."""
    if row["difference_low"] is None:
        return ""
    return f"{signed(row['difference_low'])} to {signed(row['difference_high'])}"


def chance(p: float | None) -> str:
    """Return a probability."""
    if p is None:
        return ""
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def short(value: Any) -> str:
    """Return a value of a configuration as it is written there; of a digest the beginning."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value[:12] if DIGEST.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False)
