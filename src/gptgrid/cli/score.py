"""How well a trained cell predicts texts: `score`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.cells import CellName, Device, Weights, load_cell
from gptgrid.cli.console import text_of, wide_console

if TYPE_CHECKING:
    from gptgrid.inference.cell import Score, TrainedCell
    from gptgrid.inference.text_score import TextScore


def score(
    cell: CellName,
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Texts in UTF-8; - is stdin.")],
    worst: Annotated[int, typer.Option(min=0, help="Show so many of the worst places of each text.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    weights: Weights = None,
    device: Device = "auto",
) -> None:
    """Say how well a trained cell predicts texts, and where worst.

    Each file is one document, of any size. It is scored as the evaluation
    scores: on windows that overlap by half a context, each token once. The
    worst places are passages of about a hundred bytes. A name without a file is
    refused before anything is scored; of a file that cannot be scored an error
    is told, and the others have their figures all the same.

    Examples:

      gptgrid score "tales bpe llama s1" mine.txt
      gptgrid score "tales bpe llama s1" chapters/*.txt --worst 10
      unzip -p book.zip | gptgrid score "tales bpe llama s1" - --json
    """
    check_names(files)
    from gptgrid.inference.text_score import together

    folder, trained = load_cell(cell, device, weights)
    found, errors = score_files(trained, files, worst)
    if not found:
        raise UserError("\n".join(errors))
    all_of_them = together(text.score for text in found.values())
    if as_json:
        typer.echo(json.dumps(as_data(folder, found, all_of_them), ensure_ascii=False))
    else:
        show(found, all_of_them)
    for error in errors:
        typer.echo(f"gptgrid: {error}", err=True)
    if errors:
        raise typer.Exit(1)


def check_names(files: list[str]) -> None:
    """Refuse names of texts before anything takes long.

    Raises:
        UserError: there is no such file, or one is given twice.
    """
    for name, path in ((name, Path(name)) for name in files if name != "-"):
        if path.is_dir():
            raise UserError(f"{name} is a folder; give the files in it")
        if not path.exists():
            raise UserError(f"there is no file {name}")
    if twice := [name for name, times in Counter(files).items() if times > 1]:
        raise UserError(f"{twice[0]} is given twice; give each text once")


def score_files(cell: TrainedCell, files: list[str], worst: int) -> tuple[dict[str, TextScore], list[str]]:
    """Return how well a cell predicts the texts of files, and what is wrong with the others."""
    found, errors = {}, []
    for name in files:
        try:
            found[name] = score_file(cell, name, worst)
        except UserError as error:
            errors.append(str(error))
    return found, errors


def score_file(cell: TrainedCell, name: str, worst: int) -> TextScore:
    """Return how well a cell predicts the text of a file.

    Raises:
        UserError: it cannot be read, is no text, or has nothing to score.
    """
    from gptgrid.inference.text_score import score_text

    with text_of(name) as pieces:
        return score_text(cell, pieces, worst)


def as_data(folder: Path, found: dict[str, TextScore], all_of_them: Score) -> dict:
    """Return the figures for JSON."""
    return {
        "cell": str(folder),
        "files": [
            {
                "file": name,
                **asdict(text.score),
                "worst": [asdict(place) | {"bpb": place.bpb} for place in text.worst],
            }
            for name, text in found.items()
        ],
        "together": asdict(all_of_them),
    }


def show(found: dict[str, TextScore], all_of_them: Score) -> None:
    """Print a table of texts, and their worst places."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    table.add_column("text")
    for column in ("bytes", "tokens", "bits per byte", "perplexity"):
        table.add_column(column, justify="right")
    rows = {name: text.score for name, text in found.items()}
    if len(rows) > 1:
        rows["together"] = all_of_them
    for name, figures in rows.items():
        table.add_row(
            Text(name),
            number(figures.bytes, ",d"),
            number(figures.tokens, ",d"),
            number(figures.bpb, ".4f"),
            number(figures.perplexity, ",.2f"),
        )
    console = wide_console()
    console.print(table)
    for name, text in found.items():
        if text.worst:
            typer.echo(f"\nwhere {name} is predicted worst:")
        for place in text.worst:
            shown = json.dumps(place.text, ensure_ascii=False)
            typer.echo(f"  byte {place.offset:,}: {place.bpb:.2f} bits per byte: {shown}")


def number(value: float | None, form: str) -> str:
    """Return a number as text; nothing where there is none."""
    return "" if value is None else format(value, form)
