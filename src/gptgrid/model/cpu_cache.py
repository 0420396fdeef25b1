"""The cache of keys and values on a CPU, laid out for tokens that come one by one.

Attention of one token is two sums of weighted rows. The values are summed, weighted by the softmax of the
scores; and as all scores together are a sum over the dimensions of a head, the keys' dimensions are summed,
weighted by the query's. FBGEMM has a kernel for such sums, which torch calls an embedding bag. It reads the
cache nearly as fast as the memory gives it; scaled_dot_product_attention, made for many queries, takes twice
as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gptgrid.model.cache import KVCache

if TYPE_CHECKING:
    from gptgrid.config.models import Model
    from gptgrid.model.attention import Attention

BLOCK = 64
"""Tokens whose keys lie in one block, a row for each dimension. A block is read whole, filled or not."""
LEAST = {torch.float32: 3 * 2**17, torch.bfloat16: 0}
"""Type of the weights → texts · context · kv_head · head_dim from which on a model has this cache.

In fp32 it is faster from there on. In bf16 it is from 2¹⁶ on, and hardly slower before; but rounding shows
there, and with one cache for all a text does not depend on how many others are continued beside it."""


def supports(like: Tensor, size: int) -> bool:
    """Say whether a model with such weights should have this cache, for so many numbers in a layer's keys."""
    has_kernel = "fbgemm" in torch.backends.quantized.supported_engines
    here = like.is_cpu and has_kernel and not torch.is_autocast_enabled("cpu")
    return here and like.dtype in LEAST and size >= LEAST[like.dtype]


def blocks_of(tokens: int) -> int:
    """Return how many blocks the keys of so many tokens take."""
    return -(-tokens // BLOCK)


@dataclass(frozen=True)
class Bags:
    """Which rows of a table are summed."""

    rows: Tensor
    """(bag · row,) int32: the rows of each bag, one bag after the other."""
    borders: Tensor
    """(bag + 1,) int32: where in `rows` each bag begins, and where the last one ends."""

    @classmethod
    def of(cls, rows: Tensor) -> Bags:
        """Return bags of the rows (bag, row)."""
        bags, size = rows.shape
        return cls(rows.flatten(), torch.arange(0, bags * size + 1, size, dtype=torch.int32))

    def sums(self, table: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum of the rows of each bag: (bag, width).

        Args:
            table: (row, width).
            weights: of each of `rows`, in any shape.
        """
        # By place: scale_grad_by_freq, mode (0 sums), sparse; the last says that `borders` has the end.
        options = (False, 0, False, weights.reshape(-1), True)
        return torch.embedding_bag(table, self.rows, self.borders, *options)[0]


class CpuCache(KVCache):
    """As KVCache, but the keys are (layer, batch, kv_head, block, head_dim, BLOCK), and always fp32.

    FBGEMM gives sums in the type of the rows, and where all scores are large, bf16 is too coarse for them.
    """

    def __init__(self, config: Model, batch: int, like: Tensor) -> None:
        """Make an empty cache."""
        super().__init__(config, batch, like)
        self.keys = self.keys.float()
        self.group = config.n_head // config.n_kv_head
        """Queries that share a key."""
        self.bags_of = (0, 0)
        """Texts and blocks that `key_bags` is for."""

    def key_shape(self, tokens: int, head_dim: int) -> tuple[int, ...]:
        return blocks_of(tokens), head_dim, BLOCK

    def begin(self, time: int) -> int | Tensor:
        start = super().begin(time)
        if time == 1:
            self.begin_one()
        return start

    def begin_one(self) -> None:
        """Find for all layers at once what one more token of each text reads and writes."""
        layers, batch, kv_heads, blocks, head_dim, _ = self.keys.shape
        if self.bags_of != (batch, blocks_of(self.end)):
            self.bags_of = batch, blocks_of(self.end)
            # For each query, the head of a text that it looks at.
            heads = torch.arange(batch * kv_heads, dtype=torch.int32).repeat_interleave(self.group)[:, None]
            key_rows = torch.arange(blocks_of(self.end) * head_dim, dtype=torch.int32)
            self.key_bags = Bags.of((heads * (blocks * head_dim) + key_rows).view(-1, head_dim))
            self.first_values = heads * self.values.shape[3]
        self.value_bags = Bags.of(self.first_values + torch.arange(self.end, dtype=torch.int32))
        self.key_tables = self.keys.view(layers, -1, BLOCK)
        self.value_tables = self.values.view(layers, -1, head_dim)
        if isinstance(self.start, int):
            block, place = divmod(self.start, BLOCK)
            self.key_places = self.keys[:, :, :, block, :, place].unsqueeze(3)
            self.value_places = self.values[:, :, :, self.start : self.end]

    def attend(
        self,
        attention: Attention,
        layer: int,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        batch, heads, time, head_dim = queries.shape
        if time > 1:
            return super().attend(attention, layer, queries, keys, values, mask)
        self.add_one(layer, keys, values)
        weights = queries.float().expand(batch, heads, blocks_of(self.end), head_dim) * attention.scale
        scores = self.key_bags.sums(self.key_tables[layer], weights)  # (batch · head · block, BLOCK)
        scores = scores.view(batch, heads, 1, -1).narrow(3, 0, self.end)
        if mask is not None:
            scores = scores + mask
        weights = scores.softmax(-1).to(values.dtype)
        return self.value_bags.sums(self.value_tables[layer], weights).view_as(queries)

    def add_one(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Add keys and values (batch, kv_head, 1, head_dim) of one token of each text to one layer."""
        if isinstance(self.start, int):
            self.key_places[layer].copy_(keys)
            self.value_places[layer].copy_(values)
        else:
            texts = torch.arange(len(keys))
            self.keys[layer][texts, :, self.start // BLOCK, :, self.start % BLOCK] = keys.squeeze(2).float()
            self.values[layer][texts, :, self.start] = values.squeeze(2)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        all_keys, all_values = self.keys[layer], self.values[layer]
        all_values[:, :, self.start : self.end] = values
        for block in range(self.start // BLOCK, blocks_of(self.end)):
            first, last = max(self.start, block * BLOCK), min(self.end, (block + 1) * BLOCK)
            new = keys[:, :, first - self.start : last - self.start].transpose(2, 3)
            all_keys[:, :, block, :, first - block * BLOCK : last - block * BLOCK] = new
        if self.start == 0:
            return keys, values
        read = all_keys.transpose(3, 4).flatten(2, 3)[:, :, : self.end]
        return read.to(keys.dtype), all_values[:, :, : self.end]
