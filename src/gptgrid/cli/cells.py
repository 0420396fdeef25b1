"""What commands that compute with a trained cell share: which one, with which weights, on what device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.cli.completion import cell_names

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell

CELL = (
    "Folder of a cell, or parts of its name: 'tales bpe llama'; or a file of weights in it. "
    "Behind it, @STEP takes weights that were kept."
)
CellName = Annotated[str, typer.Argument(metavar="CELL", help=CELL, autocompletion=cell_names)]
CellNames = Annotated[list[str], typer.Argument(metavar="CELL…", help=CELL, autocompletion=cell_names)]
Weights = Annotated[
    str | None,
    typer.Option(help="best, last, or a step that was kept. Default: those that the cell's figures are of."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="fp32: exact. auto: in the blocks bf16, where the device multiplies it faster."),
]


def load_cell(
    name: str, device: str, weights: str | None, precision: str = "fp32"
) -> tuple[Path, TrainedCell]:
    """Return the cell that is meant and where it lies; say on stderr which one, and whether its training
    diverged.

    Raises:
        UserError: none or several are meant, or the cell cannot be read.
    """
    from gptgrid.inference.cell import divergence, load, named

    folder = named(name)
    cell = load(folder, device, weights, precision)
    if str(folder) != name:
        typer.echo(f"gptgrid: {folder}", err=True)
    if reason := divergence(folder):
        typer.echo(
            f"gptgrid: the training of this cell diverged, and its weights are those of before: {reason}",
            err=True,
        )
    return folder, cell
