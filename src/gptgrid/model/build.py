"""From a configuration to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptgrid.artifact.variants import Variants
from gptgrid.model.encoder import Encoder
from gptgrid.model.gpt import GPT

if TYPE_CHECKING:
    from gptgrid.config.models import Model

ARCHITECTURES = Variants({"gpt2": GPT, "llama": GPT, "modern": GPT, "encoder": Encoder})
"""`preset` of a model → its class."""


def build(config: Model, vocab_size: int, eot: int | None = None) -> GPT | Encoder:
    """Return the model of a resolved `models` entry, on the current default device.

    Args:
        config: a resolved entry of `models`.
        vocab_size: rows of the embedding, columns of the logits.
        eot: id of the end-of-text token, which `document_mask` needs; None where there is none.

    Raises:
        UserError: the model needs an end-of-text token, and there is none.
    """
    return ARCHITECTURES[config.preset](config, vocab_size, eot)
