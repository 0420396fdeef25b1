"""The whole walk: which steps there are, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.identity import namespace
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.walk.backward import backward_steps
from gptgrid.inference.walk.blocks import block_steps
from gptgrid.inference.walk.outputs import embedding_steps, output_steps
from gptgrid.inference.walk.reading import reading_steps
from gptgrid.inference.walk.step import Step
from gptgrid.inference.walk.walk import Walk, chosen_numbers, take_walk
from gptgrid.inference.walk.words import Words


@dataclass(frozen=True)
class Told:
    """A walk and the steps that tell it."""

    walk: Walk
    steps: list[Step]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "text": self.walk.text,
            "tokens": self.walk.tokens,
            "ids": self.walk.recording.ids,
            "labels": self.walk.labels,
            "loss": float(self.walk.recording.loss),
            "steps": [step.as_json() for step in self.steps],
        }


def walk_cell(
    cell: TrainedCell, text: str, words: Words, blocks: str = "0", heads: str = "0", backward: bool = False
) -> Told:
    """Follow a text through a trained cell.

    Args:
        cell: the cell.
        text: what a document begins with.
        words: of the language.
        blocks: numbers of the blocks to tell in full, with commas between, or `all`.
        heads: of attention heads, likewise.
        backward: tell the way back, too.

    Raises:
        UserError: the text is empty, or there is no such block or head.
    """
    layers = chosen_numbers(blocks, len(cell.module.blocks), "blocks")
    chosen_heads = chosen_numbers(heads, cell.module.config.n_head, "heads")
    walk = take_walk(cell.module, cell.codec, text, words, cell.marks)
    steps = list(forward_steps(walk, layers, chosen_heads))
    if backward:
        steps += backward_steps(walk, recipe_of(cell))
    return Told(walk, steps)


def forward_steps(walk: Walk, layers: list[int], heads: list[int]) -> Iterator[Step]:
    """Yield the steps from the text to the loss."""
    yield from reading_steps(walk)
    yield from embedding_steps(walk)
    for layer in layers:
        yield from block_steps(walk, layer, heads)
    yield from output_steps(walk)


def recipe_of(cell: TrainedCell) -> SimpleNamespace | None:
    """Return the training recipe of a cell; None where it was not trained here."""
    training = cell.config["training"]
    return namespace(training) if "optimizer" in training else None
