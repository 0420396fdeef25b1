"""The trained cells of an experiment, with what a person asks of them first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import MANIFEST, read_manifest
from gptgrid.inference.find import home_of, is_left_over, train_folder


@dataclass(frozen=True)
class Listed:
    """A trained cell. `load(listed.path)` reads it."""

    name: str
    """Corpus, tokenizer, model, training and seed; then what it is fine-tuned by, if by anything."""
    path: Path
    status: str
    """finished, stopped early, diverged, or imported."""
    parameters: int
    train_tokens: int | None
    """Tokens that the loss counted, over all steps; None of an imported model."""
    val_bpb: float | None
    """Bits per byte of the validation split, which choices are made by; None where it was not measured."""
    bpb: float | None
    """Bits per byte of the test split; None where it was not evaluated."""


def cells(experiment: str | Path, root: str | Path = "results") -> list[Listed]:
    """Return the trained cells of an experiment by name, those of an unfinished one, too.

    A list, as it is for choosing and loading: `best = min(cells("default"), key=lambda cell: cell.val_bpb)`,
    `load(best.path)`. The DataFrame with all figures is `table(experiment)["summary"]`.

    Args:
        experiment: its name, or the folder of its results.
        root: where the experiments lie.

    Raises:
        UserError: there is no such experiment.
    """
    folders = (Path(experiment), Path(root) / experiment)
    folder = next((folder for folder in folders if (folder / "cells").is_dir()), None)
    if folder is None:
        names = sorted(path.parent.name for path in Path(root).glob("*/cells"))
        raise UserError(
            f"{experiment} is no experiment: looked for a folder cells there and in {folders[1]}; there are: "
            f"{', '.join(names) or 'none'}"
        )
    found = sorted((folder / "cells").iterdir())
    return [describe(cell) for cell in found if train_folder(cell) and not is_left_over(cell)]


def describe(cell: Path) -> Listed:
    """Return what the manifests of a cell say."""
    facts = read_manifest(home_of(cell))["facts"]
    evaluated = (cell / "evaluate" / MANIFEST).is_file()
    scored = read_manifest(cell / "evaluate")["facts"] if evaluated else facts
    return Listed(
        name=cell.name,
        path=cell,
        status=facts["status"],
        parameters=facts["parameters"],
        train_tokens=facts["train_tokens"],
        val_bpb=scored.get("val_bpb"),
        bpb=scored.get("bpb"),
    )
