"""A text continued by a trained cell: `generate`."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.artifact.errors import UserError

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell


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
    weights: Annotated[
        str | None, typer.Option(help="best or last. Default: those that the cell's figures are of.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Read prompts until end of file.")
    ] = False,
) -> None:
    """Continue a text with a trained cell."""
    from gptgrid.inference.cell import divergence, load
    from gptgrid.inference.find import find

    folder = find(cell)
    trained = load(folder, device, weights)
    if str(folder) != cell:
        typer.echo(f"gptgrid: {folder}", err=True)
    if reason := divergence(folder):
        typer.echo(
            f"gptgrid: the training of this cell diverged, and its weights are those of before: {reason}",
            err=True,
        )
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
            try:
                print_continuation(trained, line, options)
            except UserError as error:
                typer.echo(f"gptgrid: {error}", err=True)
    else:
        print_continuation(trained, prompt, options, echo=True)


def prompts() -> Iterator[str]:
    """Yield lines from the terminal, or from a pipe, until it ends; what is no text there as in arguments."""
    sys.stdin.reconfigure(errors="surrogateescape")
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\n")


def print_continuation(cell: TrainedCell, prompt: str, options: dict, echo: bool = False) -> None:
    """Print the continuation of a prompt, behind the prompt if asked, piece by piece, as it comes.

    Raises:
        UserError: the prompt is no text, or a setting is out of range; then nothing is printed.
    """
    if found := re.search("[\ud800-\udfff]", prompt):
        raise UserError(
            f"the prompt is no text: character {found.start()} is a byte that is not {sys.stdin.encoding}; "
            "give it in that encoding, or set LANG to that of the terminal"
        )
    pieces = cell.generate(prompt, **options, stream=True)
    for piece in itertools.chain([prompt] * echo, pieces):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
