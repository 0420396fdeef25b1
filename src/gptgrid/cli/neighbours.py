"""Tokens with similar embeddings: `neighbours`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptgrid.cli.cells import CellName, Device, Weights, load_cell
from gptgrid.cli.console import aligned, refuse_bytes

if TYPE_CHECKING:
    from gptgrid.inference.vocabulary import Neighbours


def neighbours(
    cell: CellName,
    words: Annotated[
        list[str], typer.Argument(metavar="WORD…", help="Any texts. Those that begin with - stand behind --.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Neighbours at most.")] = 10,
    head: Annotated[
        bool,
        typer.Option("--head", help="Compare the rows of the output matrix in place of the embeddings."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Show the tokens whose embeddings are nearest to those of a word.

    Near is what has a large cosine of the token embeddings, as they are
    trained: nothing is subtracted or scaled before. A word of several tokens
    has the neighbours of each, and of the mean of their embeddings. Blanks
    count: " fox" is the fox within a sentence, "fox" one that begins a text.
    In the lists, ␣ is a blank, and \\xe5 a byte that is no whole character.

    Examples:

      gptgrid neighbours "tales bpe llama s1" " fox" " bear"
      gptgrid neighbours "tales bpe llama s1" " mouse" --count 6 --json
    """
    from gptgrid.inference.vocabulary import neighbours as find_neighbours

    for word in words:
        refuse_bytes(word, "the word")
    _, trained = load_cell(cell, device, weights)
    found = {word: find_neighbours(trained, word, count, head) for word in words}
    if as_json:
        told = [{"word": word, "groups": list(map(as_data, groups))} for word, groups in found.items()]
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo("\n\n".join(shown(group) for groups in found.values() for group in groups))


def shown(group: Neighbours) -> str:
    """Return the neighbours of a token, or of several, as lines."""
    own = " ".join(f"{token.text} ({token.id})" for token in group.of)
    rows = [(f"{cosine:.4f}", str(token.id), token.text) for token, cosine in group.nearest]
    title = f"mean of {own}" if len(group.of) > 1 else own
    return "\n".join([title, *aligned(rows, numbers=2)])


def as_data(group: Neighbours) -> dict[str, Any]:
    """Return the same for a program."""
    nearest = [{**token.to_json(), "cosine": cosine} for token, cosine in group.nearest]
    return {"of": [token.to_json() for token in group.of], "neighbours": nearest}
