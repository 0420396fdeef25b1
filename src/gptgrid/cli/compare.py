"""Two results beside each other: `compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from gptgrid.cli.completion import compared_names
from gptgrid.cli.console import wide_console


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="An experiment, by name or folder; or a cell.", autocompletion=compared_names
        ),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", help="Another of the same kind.", autocompletion=compared_names)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say in what two results differ, and which is better on the texts of both.

    A name of cells without their seed means all its seeds.

    Examples:

      gptgrid compare default mine
      gptgrid compare "tales bpe llama" "tales bpe gpt2"
      gptgrid compare "tales bpe llama s1" "tales char s1" --json
    """
    from gptgrid.api import compare as put_beside
    from gptgrid.plan import show_versus

    found = put_beside(a, b)
    if as_json:
        typer.echo(show_versus.as_json(found))
    else:
        show_versus.show_versus(found, wide_console())
