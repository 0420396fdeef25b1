"""Which folders are meant: names of experiments and cells, and parts of them."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.plan.names import group_of, listed, match, refuse_step

RECIPE = ("config.json", "codec.json")
FILES = ("model.safetensors", *RECIPE)
"""What a folder must hold to be a trained cell."""
HOMES = ("train", "finetune")
"""Folders of a cell, and of what is fine-tuned from one, that hold these files."""
SUMMARY = "compare/summary.csv"
"""What a folder must hold to be an experiment."""
TABLES = (SUMMARY, "compare/finetuning.csv")
"""Which cells its grid has."""


def train_folder(path: Path) -> Path | None:
    """Return the folder with the files of a cell: `path`, its `train` or `finetune`, or that of weights.

    None if none has them.
    """
    try:
        if path.suffix == ".safetensors" and path.is_file():
            return path.parent if all((path.parent / name).is_file() for name in RECIPE) else None
        candidates = (path, *(path / home for home in HOMES))
        return next((f for f in candidates if all((f / name).is_file() for name in FILES)), None)
    except OSError:  # no file has such a name
        return None


def home_of(path: Path) -> Path:
    """Return the folder of a cell that holds its files, or should; `path` itself if it has none."""
    return next((path / home for home in HOMES if (path / home).is_dir()), path)


def lacking(path: Path) -> list[str]:
    """Return the files of a trained cell that a folder, or its `train` or `finetune`, does not have."""
    home = home_of(path)
    return [name for name in FILES if not (home / name).is_file()]


def is_unfinished(path: Path) -> bool:
    """Say whether a folder is that of a cell, or its `train` or `finetune`, which lacks files."""
    try:
        if not path.is_dir() or not path.name or not (missing := lacking(path)):
            return False
    except (OSError, ValueError):  # no file has such a name
        return False
    return path.parent.name == "cells" or len(missing) < len(FILES)


def unfinished(path: Path) -> UserError:
    """Return what to say of the folder of a cell that lacks files."""
    missing = lacking(path)
    if FILES[0] in missing:
        home = home_of(path)
        where = FILES[0] if path.name in HOMES else f"{home.name if home != path else 'train'}/{FILES[0]}"
        return UserError(
            f"{path} is not trained yet (it has no {where}); run snakemake, which goes on where a training "
            "was interrupted"
        )
    return UserError(
        f"{path} is no whole cell: it has no {missing[0]}; copy its `{home_of(path).name}` folder again, "
        "with all its files"
    )


def experiment_folder(name: str, root: str | Path) -> Path | None:
    """Return the folder of an experiment that has tables; None if it is no experiment.

    Raises:
        UserError: it has cells, but no tables.
    """
    candidates = (Path(name), Path(root) / name) if name else ()
    try:
        found = next((folder for folder in candidates if (folder / SUMMARY).is_file()), None)
        bare = next((folder for folder in candidates if (folder / "cells").is_dir()), None)
    except OSError:  # no folder has such a name
        return None
    if found is None and bare is not None:
        raise UserError(
            f"{bare} is an experiment without its tables ({bare / SUMMARY} is missing): its run has not "
            "finished, or they were not copied; run snakemake"
        )
    return found


def find(names: str, root: str | Path = "results") -> Path:
    """Return the folder of the one cell that is meant, of those that the grid of their experiment has.

    Args:
        names: a path (of a cell, or of a file of weights in it), the name of a cell, or parts of names with
            blanks between them: `tales bpe llama`.
            A part that is a whole name of some cells means those (`s1` is not `s10`, `llama` is not
            `llama+n_layer=4`); any other stands for every name that contains it. The experiment's name may be
            one of the parts. A cell that the grid no longer has is found by its path alone.
        root: where the experiments lie.

    Raises:
        UserError: no cell matches, or several do.
    """
    refuse_step(names, "find takes none: it returns the folder of a cell; gptgrid.api.load takes them")
    found = matching(names, root)
    if len(found) > 1:
        raise too_many(names, found)
    return found[0]


def find_cells(names: str, root: str | Path = "results") -> list[Path]:
    """Return the folders of the one cell that is meant, as for `find`, or of all its seeds.

    Raises:
        UserError: no cell matches, or several that differ in more than their seeds.
    """
    found = [folder.parent if train_folder(folder) == folder else folder for folder in matching(names, root)]
    if len({(folder.parent, group_of(folder.name)) for folder in found}) > 1:
        raise too_many(names, found)
    return found


def too_many(names: str, found: list[Path]) -> UserError:
    """Return what to say where names mean several cells."""
    labels = [label_of(folder) for folder in found]
    return UserError(f"{names!r} matches {len(found)} cells; add a part of the name:\n{listed(labels)}")


def label_of(cell: Path) -> str:
    """Return what to call the folder of a cell: its experiment and its name."""
    return f"{cell.parents[1].name}/{cell.name}"


def matching(names: str, root: str | Path) -> list[Path]:
    """Return the folders of the cells that are meant, at least one.

    Raises:
        UserError: no cell matches.
    """
    if train_folder(Path(names)):
        return [Path(names)]
    if is_unfinished(Path(names)):
        raise unfinished(Path(names))
    folders = {label_of(folder): folder for folder in sorted(Path(root).glob("*/cells/*"))}
    cells = {label: folder for label, folder in folders.items() if train_folder(folder)}
    parts = names.removeprefix(f"{root}/").rstrip("/")
    left = {label for label, folder in cells.items() if is_left_over(folder)}
    found = match(parts, [label for label in cells if label not in left])
    if found:
        return [cells[label] for label in found]
    if found := match(parts, sorted(left)):
        paths = listed([str(cells[label]) for label in found])
        raise UserError(
            f"{names!r} matches only what the grid of its experiment does not have; to use it all "
            f"the same, give its path:\n{paths}"
        )
    if found := match(parts, [label for label in folders if label not in cells]):
        raise unfinished(folders[found[0]])
    there = (
        f"there are:\n{listed(list(cells))}"
        if cells
        else f"there is none under {root}/*/cells/; run snakemake, which trains those of config/config.yaml"
    )
    raise UserError(f"no trained cell matches {names!r}; {there}")


def is_left_over(cell: Path) -> bool:
    """Say whether the tables of its experiment, where it has some, lack a cell: the grid had it once."""
    names: set[str] = set()
    for table in TABLES:
        with suppress(OSError, KeyError):
            lines = (cell.parents[1] / table).read_text(encoding="utf-8").splitlines()
            names |= {row["cell"] for row in csv.DictReader(lines)}
    return bool(names) and cell.name not in names
