"""The `gptgrid` command. Each subcommand is thin: what it does is written in the module that it calls.

Torch takes a second to import, so only the commands that compute import it, inside.
"""

from __future__ import annotations

import sys

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.compare import compare
from gptgrid.cli.generate import generate
from gptgrid.cli.plans import accept, plan, verify
from gptgrid.cli.store import store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def describe() -> None:
    """From raw text to a comparison of small language models."""


for command in (generate, plan, verify, accept, compare):
    app.command()(command)
app.add_typer(store, name="store")


def main() -> None:
    """Run the command; tell what a person can mend in one line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # not every terminal has every character
    try:
        app()
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
