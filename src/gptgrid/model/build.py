"""From a configuration to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.model.encoder import Encoder
from gptgrid.model.gpt import GPT

if TYPE_CHECKING:
    from gptgrid.config import Model


def build(config: Model, vocab_size: int) -> GPT | Encoder:
    """Return the model of a resolved `models` entry, on the current default device."""
    return (Encoder if config.preset == "encoder" else GPT)(config, vocab_size)
