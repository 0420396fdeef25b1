"""Keys and values of what was read, for generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from gptgrid.model.parametrization import head_width

if TYPE_CHECKING:
    from gptgrid.config.models import Model
    from gptgrid.model.attention import Attention


class KVCache:
    """Keys, values and documents of the tokens read so far, in buffers of the context's length.

    Sequences may differ in length. Places behind a sequence's last token hold what later ones overwrite.
    """

    def __init__(self, config: Model, batch: int, like: Tensor) -> None:
        """Make an empty cache with the device and type of `like`."""
        self.config = config
        heads, head_dim = (config.n_layer, batch, config.n_kv_head), head_width(config)
        options = {"dtype": like.dtype, "device": like.device}
        # Zeros, as what a mask hides must still be a number.
        self.keys = torch.zeros(*heads, *self.key_shape(config.context, head_dim), **options)
        self.values = torch.zeros(*heads, config.context, head_dim, **options)
        self.documents = torch.zeros(batch, config.context, dtype=torch.long, device=like.device)
        self.lengths = [0] * batch
        """Tokens of each sequence."""
        self.start: int | Tensor = 0
        """Where the tokens that are being read begin; (batch,) where sequences differ in it."""
        self.end = 0
        """Place behind the last of them."""

    def empty(self, batch: int) -> Self:
        """Return an empty cache of the same kind for `batch` sequences."""
        return type(self)(self.config, batch, self.values)

    def key_shape(self, tokens: int, head_dim: int) -> tuple[int, ...]:
        """Return the shape of the keys of so many tokens, of one head in one layer."""
        return tokens, head_dim

    def begin(self, time: int) -> int | Tensor:
        """Make room for `time` more tokens of each sequence, one where lengths differ; return `start`."""
        alike = len(set(self.lengths)) == 1
        self.start = self.lengths[0] if alike else torch.tensor(self.lengths, device=self.keys.device)
        self.end = max(self.lengths) + time
        self.lengths = [length + time for length in self.lengths]
        return self.start

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values (batch, kv_head, time, head_dim) of one layer; return all of that layer."""
        all_keys, all_values = self.keys[layer], self.values[layer]
        for cached, new in ((all_keys, keys), (all_values, values)):
            if isinstance(self.start, int):
                cached[:, :, self.start : self.end] = new
            else:
                # Under autocast they are of another type, which an index does not change.
                new = new[:, :, 0].to(cached.dtype)
                cached[torch.arange(len(new), device=new.device), :, self.start] = new
        return all_keys[:, :, : self.end], all_values[:, :, : self.end]

    def attend(
        self,
        attention: Attention,
        layer: int,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """Return the attention of new tokens to all that are cached, after adding these.

        Args:
            attention: the layer's.
            layer: its number.
            queries: (batch, head, time, head_dim).
            keys: (batch, kv_head, time, head_dim).
            values: as keys.
            mask: as in `Attention.attend`, whose result this is.
        """
        keys, values = self.extend(layer, keys, values)
        return attention.attend(queries, keys, values, mask)

    def extend_documents(self, documents: Tensor) -> Tensor:
        """Add documents (batch, time), numbered from 0; return the numbers of all tokens."""
        if isinstance(self.start, int):
            before = self.documents[:, self.start - 1, None] if self.start else 0
            self.documents[:, self.start : self.end] = documents + before
        else:
            place = self.start[:, None]
            # What an empty sequence goes on from does not matter: only equal numbers do.
            before = self.documents.gather(1, (place - 1).clamp(min=0))
            self.documents.scatter_(1, place, documents + before)
        return self.documents[:, : self.end]

    def replace(self, rows: list[int], other: KVCache, lengths: list[int]) -> None:
        """Take sequences `rows` from a cache of the same kind, as many tokens of each as `lengths` says."""
        end = self.key_shape(other.end, 1)[0]
        self.keys[:, rows, :, :end] = other.keys[:, :, :, :end]
        self.values[:, rows, :, : other.end] = other.values[:, :, :, : other.end]
        self.documents[rows, : other.end] = other.documents[:, : other.end]
        for row, length in zip(rows, lengths, strict=True):
            self.lengths[row] = length

    def keep(self, rows: list[int]) -> None:
        """Go on with these sequences, in this order; one may stand there several times."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        self.documents = self.documents[rows]
        self.lengths = [self.lengths[row] for row in rows]
