"""Which tokens a token may look at: itself and those before it, within its window, within its document.

A mask is a bias for scaled_dot_product_attention; `flex.py` has the same rule for another kernel.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def layer_windows(config: Model) -> list[int | None]:
    """Return each layer's window in tokens, None for the whole context: `window_pattern`, repeated."""
    pattern = config.window_pattern or "S"
    return [config.window if pattern[i % len(pattern)] == "S" else None for i in range(config.n_layer)]


def number_documents(tokens: Tensor, eot: int) -> Tensor:
    """Return the number of the document that each token is of: (batch, time) int64, from 0 in each row.

    The end-of-text token belongs to the document that it begins. What stands before the first is document 0.
    """
    return (tokens == eot).cumsum(dim=1)


def places_in_documents(documents: Tensor) -> Tensor:
    """Return the place of each token in its own document, from 0: (batch, time) int64.

    Args:
        documents: (batch, time) numbers of documents, each of which stands in one piece.
    """
    place = torch.arange(documents.shape[1], device=documents.device)
    begins = documents.diff(dim=1, prepend=documents[:, :1] - 1) != 0
    return place - torch.where(begins, place, 0).cummax(dim=1).values


def is_near(distance: Tensor, window: int | None) -> Tensor:
    """Say whether a key that stands `distance` tokens before a query may be looked at: not from after it,
    and with a window only if it is among the last `window` tokens, the query itself among them."""
    near = distance >= 0
    return near if window is None else near & (distance < window)


def attention_bias(
    start: int | Tensor,
    end: int,
    dtype: torch.dtype,
    device: torch.device,
    window: int | None = None,
    documents: Tensor | None = None,
    slopes: Tensor | None = None,
) -> Tensor:
    """Return what to add to the attention scores of the queries start … end-1 to the keys 0 … end-1.

    Args:
        start: place of the first query, or (batch,) places of the only query of each sequence.
        end: place behind the last query and the last key.
        dtype: of the bias: that of the queries.
        device: of the bias.
        window: tokens that a query may look back on, itself among them; None for all.
        documents: (batch, end) numbers of documents; a query looks at keys of its own only.
        slopes: (head,) of ALiBi.

    Returns:
        (batch or 1, head or 1, query, end): -inf where a query may not look, elsewhere 0, or minus
        slope × distance (Press et al. 2022). Every query may look at itself. Always four axes: with three,
        the fast kernels of the CPU do not take it.
    """
    places = torch.arange(end, device=device)
    queries = places[None, start:] if isinstance(start, int) else start[:, None]  # (batch or 1, query)
    distance = (queries[:, :, None] - places)[:, None]  # (batch or 1, 1, query, key)
    visible = is_near(distance, window)
    if documents is not None:
        own = documents.gather(1, queries.expand(len(documents), -1))  # (batch, query)
        visible = visible & (own[:, None, :, None] == documents[:, None, None])  # (batch, 1, query, key)
    if slopes is None:
        bias = torch.zeros((), dtype=dtype, device=device)
    else:
        bias = (-slopes[:, None, None] * distance).to(dtype)  # (1, head, query, key)
    return torch.where(visible, bias, -math.inf)
