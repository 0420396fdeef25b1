"""What is exported: the files of a trained cell, read as they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from gptgrid.artifact.identity import namespace
from gptgrid.inference.cell import path_of, trained_folder, weights_file, weights_name, weights_of
from gptgrid.inference.serve.names import cell_of
from gptgrid.model.cost import without_values
from gptgrid.model.load import WEIGHTS, load_weights, read_recipe
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.conversation import Conversations, conversations_of


@dataclass(frozen=True)
class Loaded:
    """A trained cell, base or fine-tuned."""

    folder: Path
    """Its `train` or `finetune` folder."""
    file: str
    """Of the weights, in that folder."""
    recipe: dict[str, Any]
    """What config.json says: model, vocab_size, eot, training, seed, and perhaps finetuning, chat, and that
    it began with weights of others."""
    codec: Codec

    @property
    def name(self) -> str:
        """Return the name of the cell."""
        return cell_of(self.folder.absolute()).name

    @property
    def others(self) -> str | None:
        """Return the name of the weights, as behind `CELL@`; None if the cell is judged by them."""
        if self.file == WEIGHTS[weights_of(self.folder)]:
            return None
        return weights_name(self.folder / self.file)

    @property
    def label(self) -> str:
        """Return what to call a folder of it: the cell, and the weights if it is not judged by them."""
        return f"{self.name}@{self.others}" if self.others else self.name

    @property
    def config(self) -> SimpleNamespace:
        """Return the resolved entry of `models`."""
        return namespace(self.recipe["model"])

    @property
    def vocab_size(self) -> int:
        """Return the rows of the embedding; the tokenizer of an imported model may have fewer tokens."""
        return self.recipe["vocab_size"]

    @property
    def fine_tuned(self) -> bool:
        """Say whether it was taught to answer here."""
        return "finetuning" in self.recipe

    @property
    def imported(self) -> bool:
        """Say whether others trained it, before it was perhaps fine-tuned here."""
        return self.recipe.get("imported", False)

    @property
    def of_others(self) -> bool:
        """Say whether it began with weights that others trained."""
        return self.imported or self.recipe.get("starts", False)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Return the weights by their names, in fp32; an output matrix that is the embedding is left out.

        Raises:
            UserError: the file is damaged, or of another model than config.json.
        """
        found = load_weights(self.folder / self.file, without_values(self.config, self.vocab_size))
        if self.config.tie_embeddings:
            del found["head.weight"]
        return {name: tensor.float() for name, tensor in found.items()}

    @cached_property
    def conversations(self) -> Conversations | None:
        """Return how it reads conversations; None for a cell that was not taught to.

        Raises:
            UserError: its template is none, or does not go together with its tokenizer.
        """
        return conversations_of(self.recipe, self.codec)


def load(cell: Path | str, weights: str | int | None = None) -> Loaded:
    """Read a trained cell.

    Args:
        cell: its folder, its `train` or `finetune` folder, a copy of that, a file of weights in it, or parts
            of its name.
        weights: best, last, or a step that was kept. Default: those that the cell's figures are of.

    Raises:
        UserError: there is no such cell, or no such weights.
    """
    path = path_of(cell)
    folder = trained_folder(path)
    return Loaded(folder, weights_file(path, folder, weights), read_recipe(folder), read_codec(folder))
