"""A few rows of the embedding and the output matrix that learn, while the others stay as they are.

Adapters leave both matrices alone. A model that never saw the marks of a chat could then not learn to write
them: of a token that never came, training only ever lowered the logit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from gptgrid.model.gpt import GPT

PLACE = "parametrizations.weight.0."
"""What PyTorch puts before the name `rows`."""


class LearnedRows(nn.Module):
    """Puts rows of its own in the place of some of a matrix."""

    def __init__(self, weight: Tensor, ids: Sequence[int]) -> None:
        """Begin with the rows that are there.

        Args:
            weight: (vocab_size, d_model), the matrix.
            ids: of the rows.
        """
        super().__init__()
        self.rising = sorted(range(len(ids)), key=ids.__getitem__)
        self.bounds = [bound for index in sorted(ids) for bound in (index, index + 1)]
        self.rows = nn.Parameter(weight.detach()[list(ids)])

    def forward(self, weight: Tensor) -> Tensor:
        """Return the matrix (vocab_size, d_model) with these rows."""
        # Pieces, as a CUDA graph holds them for sure: an index is a tensor, whose values may be checked.
        pieces = list(weight.tensor_split(self.bounds))
        rows = self.rows.to(weight.dtype).split(1)
        pieces[1::2] = [rows[number] for number in self.rising]
        return torch.cat(pieces)


def learn_rows(module: GPT, ids: Sequence[int]) -> None:
    """Let the rows of some tokens learn, in place.

    Where the output matrix is the embedding, both have the same rows.

    Args:
        module: a model whose weights do not learn.
        ids: of the tokens.
    """
    tokens, head = module.embedding.tokens, module.head
    rows = LearnedRows(tokens.weight, ids)
    of_head = rows if module.config.tie_embeddings else LearnedRows(head.weight, ids)
    register_parametrization(tokens, "weight", rows)
    register_parametrization(head, "weight", of_head)


def settle_rows(module: GPT) -> None:
    """Make the rows part of their matrices again, in place."""
    for layer in (module.embedding.tokens, module.head):
        remove_parametrizations(layer, "weight")
    if module.config.tie_embeddings:
        module.head.weight = module.embedding.tokens.weight
