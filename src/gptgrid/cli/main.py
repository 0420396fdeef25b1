"""The `gptgrid` command. Each subcommand is thin: what it does is written in the module that it calls.

Torch takes a second to import, so only the commands that compute import it, inside.
"""

from __future__ import annotations

import sys
from errno import ENOSPC
from importlib import metadata
from typing import Annotated

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.chat import chat
from gptgrid.cli.compare import compare
from gptgrid.cli.demo import demo
from gptgrid.cli.export import export
from gptgrid.cli.generate import generate
from gptgrid.cli.neighbours import neighbours
from gptgrid.cli.plans import accept, plan, verify
from gptgrid.cli.score import score
from gptgrid.cli.serve import serve
from gptgrid.cli.store import store
from gptgrid.cli.synonyms import CommandWithHints
from gptgrid.cli.tokenize import tokenize
from gptgrid.cli.walk import walk


def hyphenated(name: str) -> str:
    """Return the name of an option as it is declared: keys of the configuration have `_` in its place."""
    return name.replace("_", "-")


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": hyphenated},
)


def tell_version(asked: bool) -> None:
    """Print the version and end, if it was asked for."""
    if asked:
        typer.echo(f"gptgrid {metadata.version('gptgrid')}")
        raise typer.Exit


@app.callback()
def describe(
    version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """From raw text to a comparison of small language models."""


for command in (
    generate,
    chat,
    score,
    tokenize,
    neighbours,
    walk,
    export,
    demo,
    serve,
    plan,
    verify,
    accept,
    compare,
):
    app.command(cls=CommandWithHints)(command)
app.add_typer(store, name="store")


def main() -> None:
    """Run the command; tell what a person can mend in one line."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # not every terminal has every character
    try:
        app()
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        sys.exit(f"gptgrid: {error.filename or 'the output'} cannot be written: {error.strerror}")
