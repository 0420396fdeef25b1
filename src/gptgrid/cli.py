"""The `gptgrid` command. Each subcommand is thin: what it does is written in the module that it calls.

Torch takes a second to import, so only the commands that compute import it, inside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.stage import UserError

if TYPE_CHECKING:
    from gptgrid.api import Cell

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def describe() -> None:
    """From raw text to a comparison of small language models."""


@app.command()
def generate(
    cell: Annotated[str, typer.Argument(help="Folder of a cell, or parts of its name: 'tales bpe llama'.")],
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens at most.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw among the k likeliest; 0 is off.")] = 0,
    top_p: Annotated[
        float, typer.Option(help="Draw among those of probability p together; 1 is off.")
    ] = 0.95,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: repeat less.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same text.")] = 0,
    ignore_eos: Annotated[bool, typer.Option("--ignore-eos", help="Go on after the end of text.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Read prompts until end of file.")
    ] = False,
) -> None:
    """Continue a text with a trained cell."""
    from gptgrid.api import find, load

    trained = load(find(cell), device)
    options = {
        "max_new_tokens": max_new_tokens,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "repetition_penalty": repetition_penalty,
        "seed": seed,
        "ignore_eos": ignore_eos,
    }
    if interactive:
        for line in prompts():
            show(trained, line, options)
    else:
        typer.echo(prompt, nl=False)
        show(trained, prompt, options)


def prompts() -> Iterator[str]:
    """Yield lines from the terminal, or from a pipe, until it ends."""
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\n")


def show(cell: Cell, prompt: str, options: dict) -> None:
    """Print the continuation of a prompt piece by piece, as it comes."""
    for piece in cell.generate(prompt, **options, stream=True):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def main() -> None:
    """Run the command; tell what a person can mend in one line."""
    try:
        app()
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
