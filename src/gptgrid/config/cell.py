"""The cells of a grid: the entries that each takes of the sections, its name, what is fine-tuned from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gptgrid.artifact.identity import digest
from gptgrid.config.parse import read_scalar
from gptgrid.config.training import Untrained

PARTS = {
    "corpus": "corpora",
    "tokenizer": "tokenizers",
    "model": "models",
    "training": "training",
}
"""Key of a grid block → section of the configuration."""
FINETUNING = "finetuning"
"""Key of a grid block, and section: what cells are fine-tuned by, if by anything."""
IN_NAMES = re.compile(r"[A-Za-z0-9_.+=,-]+")
"""What may stand in the name of a cell: names become paths and reach a shell."""


@dataclass(frozen=True)
class Choice:
    """The entry of a section that a cell takes, with the cell's overrides."""

    name: str
    """As the configuration has it."""
    overrides: dict[str, Any]
    """Dotted key → value."""
    value: Any
    """The resolved entry."""
    repeated: tuple[str, ...] = ()
    """The overridden keys whose value the entry has without them, too."""

    @property
    def label(self) -> str:
        """The name with its overrides: `llama-xs+n_layer=4`."""
        return self.name + "".join(f"+{key}={in_name(value)}" for key, value in self.overrides.items())

    @property
    def meaning(self) -> tuple[str, ...]:
        """What makes two choices the same that vary the same keys of an entry."""
        return self.name, *self.overrides, digest(self.value.complete())


@dataclass(frozen=True)
class Finetuned:
    """What is fine-tuned from a cell."""

    finetuning: Choice
    seed: int
    group: str
    """Name of the cell without its seed."""

    @property
    def name(self) -> str:
        """`<corpus>.<tokenizer>.<model>.<training>.s<seed>.<finetuning>`."""
        return f"{self.group}.s{self.seed}.{self.finetuning.label}"

    @property
    def overrides(self) -> dict[str, Any]:
        """Every overridden key of the recipe: `finetuning.lr` → 3e-4."""
        return {f"{FINETUNING}.{path}": value for path, value in self.finetuning.overrides.items()}


@dataclass(frozen=True)
class Cell:
    """One point of the grid."""

    corpus: Choice
    tokenizer: Choice
    model: Choice
    training: Choice
    seed: int
    tokenizer_corpus: Choice | None = None
    """What the tokenizer learns from; None where it learns nothing."""
    finetuned: tuple[Finetuned, ...] = ()
    """What is fine-tuned from it, in order."""

    @property
    def imported(self) -> bool:
        """Say whether its model is a checkpoint of others, as it is."""
        return isinstance(self.training.value, Untrained)

    @property
    def starts(self) -> bool:
        """Say whether its training starts from a checkpoint of others."""
        return self.model.value.huggingface is not None and not self.imported

    @property
    def group(self) -> str:
        """The name without the seed: `<corpus>.<tokenizer>.<model>.<training>`."""
        return ".".join(choice.label for choice in self.choices.values())

    @property
    def name(self) -> str:
        """`<corpus>.<tokenizer>.<model>.<training>.s<seed>`."""
        return f"{self.group}.s{self.seed}"

    @property
    def choices(self) -> dict[str, Choice]:
        """Key of a grid block → what the cell takes for it, in the order of the name."""
        return {key: getattr(self, key) for key in PARTS}

    @property
    def overrides(self) -> dict[str, Any]:
        """Every overridden key with the part that it belongs to: `model.n_layer` → 4."""
        return {
            f"{key}.{path}": value
            for key, choice in self.choices.items()
            for path, value in choice.overrides.items()
        }

    @property
    def repeated(self) -> list[str]:
        """The overridden keys, named like `overrides`, that change nothing in their entry."""
        return [f"{key}.{path}" for key, choice in self.choices.items() for path in choice.repeated]


def in_name(value: Any) -> str:
    """Return a value as it stands in a name; a list, a sentence and the like become a short hash."""
    if isinstance(value, str):
        value = read_scalar(value)  # the text 1e-3 is the number
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)  # two numbers may have one short form
    if isinstance(value, int) or (isinstance(value, str) and IN_NAMES.fullmatch(value)):
        return str(value)
    return digest(value)[:8]
