"""The forward pass of a trained cell over a text, step by step: `walk`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.cells import CellName, Weights, load_cell
from gptgrid.cli.console import refuse_bytes

Language = Annotated[str, typer.Option(help="en or zh.")]


def walk(
    cell: CellName,
    text: Annotated[str, typer.Option(help="Text to read, as the beginning of a document.")] = "我 爱 学习",
    blocks: Annotated[str, typer.Option(help="Blocks to show in full: 0,1 or all.")] = "0",
    heads: Annotated[str, typer.Option(help="Attention heads to show in these: 0,1 or all.")] = "0",
    backward: Annotated[
        bool, typer.Option("--backward", help="Then gradients, and one step of the optimizer.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with attention maps to this file instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON, not rounded.")] = False,
    language: Language = "en",
    weights: Weights = None,
) -> None:
    """Follow a text through a trained cell in numbers.

    Bytes, tokens, vectors, attention, loss: all values are the model's own,
    noted while it computes, on the CPU.

    Examples:

      gptgrid walk "tales bpe llama s1" --text "Once upon a time"
      gptgrid walk "tales bpe llama s1" --blocks all --heads 0,1 --backward
      gptgrid walk "tales bpe llama s1" --text "Tom went." --html walk.html
    """
    from gptgrid.inference.walk.show import make_console, show_steps
    from gptgrid.inference.walk.steps import walk_cell
    from gptgrid.inference.walk.words import read_words

    refuse_bytes(text, "the text")
    words = read_words(language)
    folder, trained = load_cell(cell, "cpu", weights)
    told = walk_cell(trained, text, words, blocks, heads, backward)
    if told.walk.cropped:
        typer.echo(f"gptgrid: {told.walk.cropped}", err=True)
    if html is not None:
        from gptgrid.inference.walk.page import render

        write(html, render(told, str(folder)))
    elif as_json:
        typer.echo(json.dumps(told.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        show_steps(make_console(), told.walk, told.steps)


def write(path: Path, page: str) -> None:
    """Write the page, and say so.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); give another file to --html") from None
    typer.echo(f"gptgrid: wrote {path}", err=True)
