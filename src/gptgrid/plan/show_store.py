"""The store as tables for a person: what it holds, who uses it, what may be deleted."""

from __future__ import annotations

import os
import time

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.garbage import (
    Garbage,
    delete,
    delete_old_requests,
    entries,
    identities_in_use,
    size_of,
)
from gptgrid.artifact.roots import counting_roots
from gptgrid.artifact.store import Store
from gptgrid.text.readable import duration
from gptgrid.words import counted

SHORT = 12
"""Digits of an identity that tell artifacts apart."""


def show_store(store: Store, console: Console) -> None:
    """Print what a store holds, and who uses it.

    Raises:
        UserError: there is no store.
    """
    check(store)
    used, total = identities_in_use(store), 0
    table = table_of("stage", "identity", "made", "MB", "used by")
    for entry in entries(store):
        size = size_of(entry.folder)
        total += size
        user = used.get(entry.identity, "a folder with links to it" if entry.is_linked else "")
        made = entry.provenance.get("time", "")
        table.add_row(*map(Text, (entry.stage, entry.identity[:SHORT], made, megabytes(size), user)))
    if table.row_count:
        console.print(table, soft_wrap=True)
    say(console, f"{store.root}: {counted(table.row_count, 'artifact')}, {megabytes(total)} MB")
    show_roots(store, console)


def show_roots(store: Store, console: Console) -> None:
    """Print which experiments use a store."""
    newest = {root.user: root for root in reversed(counting_roots(store))}
    if not newest:
        say(console, "no experiment uses it")
        return
    table = table_of("experiment", "checkout", "owner", "host", "last run")
    for root in newest.values():
        age = f"{duration(max(0.0, time.time() - root.time))} ago"
        table.add_row(*map(Text, (root.experiment, root.checkout, root.owner, root.host, age)))
    console.print(table, soft_wrap=True)


def show_garbage(store: Store, items: list[Garbage], console: Console) -> None:
    """Print what may be deleted from a store, why, and what keeps the rest.

    Raises:
        UserError: there is no store.
    """
    check(store)
    table = table_of("folder", "MB", "why")
    for item in items:
        table.add_row(*map(Text, (str(item.folder), megabytes(item.bytes), item.why)))
    if items:
        console.print(table, soft_wrap=True)
    say(console, f"{told(items)} may be deleted")
    say(console, "what these experiments use stays, and what their runs of the last day used:")
    show_roots(store, console)


def prune(store: Store, items: list[Garbage], console: Console) -> None:
    """Delete what is still not used, with requests that nobody asks any more, and say so."""
    deleted = delete(store, items)
    delete_old_requests(store)
    say(console, f"deleted {told(deleted)}")


def told(items: list[Garbage]) -> str:
    """Return how many folders these are, and how large."""
    return f"{counted(len(items), 'folder')}, {megabytes(sum(item.bytes for item in items))} MB"


def check_writable(store: Store) -> None:
    """Refuse a store from which this user can delete nothing.

    Raises:
        UserError: it cannot be written.
    """
    if not os.access(store.root, os.W_OK):
        raise UserError(
            f"the store {store.root} cannot be written, so nothing of it can be deleted from here; ask its "
            "owner"
        )


def check(store: Store) -> None:
    """Refuse a store that is not there.

    Raises:
        UserError: there is none.
    """
    if not store.root.is_dir():
        raise UserError(f"{store.root} is no folder: there is no store; give --store, or set GPTGRID_STORE")


def table_of(*headings: str) -> Table:
    """Return an empty table; numbers stand to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="right" if heading == "MB" else "left")
    return table


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(Text(line), soft_wrap=True)


def megabytes(size: int) -> str:
    """Return bytes as megabytes."""
    return f"{size / 1e6:.1f}"
