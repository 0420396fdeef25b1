"""What the shell offers for a name that is half typed.

It is asked at every press of the key: only names of folders are read, and nothing heavy is imported.
"""

from __future__ import annotations

from collections import Counter
from glob import escape
from pathlib import Path

from gptgrid.inference.find import SUMMARY, label_of, train_folder

RESULTS = Path("results")
TOKENIZERS = Path("data") / "tokenizers"


def cell_names(incomplete: str) -> list[str]:
    """Return the trained cells that a person may mean.

    Each by its name, or with its experiment or as a path if that is how one begins to write it. A name that
    stands in several experiments is offered with each.
    """
    cells = [folder for folder in sorted(RESULTS.glob("*/cells/*")) if train_folder(folder)]
    times = Counter(folder.name for folder in cells)
    found = []
    for folder in cells:
        label = label_of(folder)
        ways = (folder.name if times[folder.name] == 1 else label, label, str(folder))
        found += [way for way in ways if way.startswith(incomplete)][:1]
    return found


def tokenizer_names(incomplete: str) -> list[str]:
    """Return the tokenizers under data/ that a person may mean."""
    return folder_names(TOKENIZERS, "codec.json", incomplete)


def experiment_names(incomplete: str) -> list[str]:
    """Return the experiments with tables that a person may mean."""
    return folder_names(RESULTS, SUMMARY, incomplete)


def compared_names(incomplete: str) -> list[str]:
    """Return the experiments and cells that a person may mean."""
    return [*experiment_names(incomplete), *cell_names(incomplete)]


def codec_names(incomplete: str) -> list[str]:
    """Return the tokenizers and cells that a person may mean."""
    return [*tokenizer_names(incomplete), *cell_names(incomplete)]


def folder_names(root: Path, inside: str, incomplete: str) -> list[str]:
    """Return the names of the folders of a folder that have a certain file and begin as typed."""
    return sorted(path.name for path in root.glob(f"{escape(incomplete)}*") if (path / inside).is_file())
