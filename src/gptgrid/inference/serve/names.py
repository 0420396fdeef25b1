"""What clients call the cells of a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gptgrid.inference.cell import weights_name
from gptgrid.inference.find import HOMES, label_of


def names_of(paths: Iterable[Path]) -> dict[str, Path]:
    """Return name → path of cells: the cell's name, with its experiment where two cells have the same.

    A file of weights adds which they are, so that several steps of one training may be served together.
    """
    cells = {path: cell_of(path.absolute()) for path in paths}
    times = Counter(cell.name for cell in set(cells.values()))
    names = {path: cell.name if times[cell.name] == 1 else label_of(cell) for path, cell in cells.items()}
    return {
        f"{name}@{weights_name(path) or path.stem}" if path.is_file() else name: path
        for path, name in names.items()
    }


def cell_of(path: Path) -> Path:
    """Return the folder of a cell; its `train` or `finetune` folder, or a file in that, may be given."""
    folder = path.parent if path.is_file() else path
    return folder.parent if folder.name in HOMES else folder
