"""Trained cells in the formats of others: which there are, and a folder that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.inference.export.checkpoint import export_safetensors
from gptgrid.inference.export.gguf import export_gguf
from gptgrid.inference.export.hf import export_hf
from gptgrid.inference.export.loaded import Loaded, load
from gptgrid.inference.export.shards import export_bin
from gptgrid.model.huggingface import FLOATS

TARGETS: dict[str, Callable[[Loaded, Path, str], None]] = {
    "hf": export_hf,
    "gguf": export_gguf,
    "bin": export_bin,
    "safetensors": export_safetensors,
}
"""Name of a format → function that writes a cell into an empty folder, its numbers in a type of DTYPES."""
DTYPES = tuple(FLOATS.values())
"""Names of the types that weights can have."""


def export(
    cell: Path | str, to: str, folder: Path | str, dtype: str = "float32", weights: str | int | None = None
) -> Path:
    """Write a trained cell in the format of others.

    Args:
        cell: as for gptgrid.api.load.
        to: the format, a key of TARGETS.
        folder: that is made; it appears whole, or not at all.
        dtype: of the weights, one of DTYPES.
        weights: best, last, or a step that was kept. Default: those that the cell's figures are of.

    Returns:
        The folder.

    Raises:
        UserError: there is no such cell, format or type, the folder has something in it, or the format cannot
            express the cell.
    """
    return write(load(cell, weights), to, Path(folder), dtype)


def write(loaded: Loaded, to: str, folder: Path, dtype: str) -> Path:
    """Write a cell that was read; see `export`."""
    check_one_of("format", to, TARGETS)
    check_one_of("dtype", dtype, DTYPES)
    check_free(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    above = [parent for parent in part.parents if not parent.exists()]
    try:
        part.mkdir(parents=True)
        TARGETS[to](loaded, part, dtype)
        part.rename(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); give another folder") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        remove_empty(above)
    return folder


def remove_empty(folders: list[Path]) -> None:
    """Delete the folders that have nothing in them, inner ones first."""
    for folder in folders:
        with suppress(OSError):  # it is needed, or never came to be
            folder.rmdir()


def check_one_of(what: str, value: str, known: dict | tuple) -> None:
    """Refuse what is not known.

    Raises:
        UserError: it is not.
    """
    if value not in known:
        raise UserError(f"there is no {what} {value!r}; there are {', '.join(known)}")


def check_free(folder: Path) -> None:
    """Refuse to write over what is there.

    Raises:
        UserError: the folder is a file, or has something in it.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is no folder; give another one")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; delete it, or give another folder")
