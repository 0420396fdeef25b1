"""The store of finished artifacts: `store list` and `store gc`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gptgrid.artifact.store import Store
from gptgrid.cli.console import wide_console

DEFAULT_STORE = Path("results") / ".store"

store = typer.Typer(no_args_is_help=True, help="Look at the store of finished artifacts, or prune it.")
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GPTGRID_STORE", help="Folder of the store.", show_default=True)
]


@store.command("list")
def list_store(folder: StoreFolder = DEFAULT_STORE) -> None:
    """Show what the store holds, and who uses it.

    Examples:

      gptgrid store list
      gptgrid store list --store elsewhere/results/.store
    """
    from gptgrid.plan.show_store import show_store

    show_store(Store(folder), wide_console())


@store.command()
def gc(
    folder: StoreFolder = DEFAULT_STORE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also the work of killed programs, and its checkpoints.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without a question.")] = False,
) -> None:
    """Delete what no experiment of any checkout uses any more.

    Examples:

      gptgrid store gc --dry-run
      gptgrid store gc --unfinished --yes
    """
    from gptgrid.artifact.garbage import garbage
    from gptgrid.plan.show_store import check_writable, prune, show_garbage

    pruned, console = Store(folder), wide_console()
    items = garbage(pruned, unfinished)
    show_garbage(pruned, items, console)
    if dry_run:
        return
    check_writable(pruned)
    if items and not yes:
        typer.confirm("Delete them?", abort=True)
    prune(pruned, items, console)
