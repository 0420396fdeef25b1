"""Causal self-attention with grouped queries, and the cache of keys and values for generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask

from gptgrid.model import cpu_attention, flex
from gptgrid.model.parametrization import attention_scale, head_width
from gptgrid.model.position import AttentionInputs, rotate

if TYPE_CHECKING:
    from gptgrid.config.models import Model


class KVCache:
    """Keys, values and documents of the tokens read so far, in buffers of the context's length.

    Sequences may differ in length. Places behind a sequence's last token hold what later ones overwrite.
    """

    def __init__(self, config: Model, batch: int, like: Tensor) -> None:
        """Make an empty cache with the device and type of `like`."""
        shape = (config.n_layer, batch, config.n_kv_head, config.context, head_width(config))
        # Zeros, as what a mask hides must still be a number.
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values = torch.zeros_like(self.keys)
        self.documents = torch.zeros(batch, config.context, dtype=torch.long, device=like.device)
        self.lengths = [0] * batch
        """Tokens of each sequence."""
        self.start: int | Tensor = 0
        """Where the tokens that are being read begin; (batch,) where sequences differ in it."""
        self.end = 0
        """Place behind the last of them."""

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
                cached[torch.arange(len(new), device=new.device), :, self.start] = new[:, :, 0]
        return all_keys[:, :, : self.end], all_values[:, :, : self.end]

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
        """Take sequences `rows` from another cache, as many tokens of each as `lengths` says."""
        for own, new in ((self.keys, other.keys), (self.values, other.values)):
            own[:, rows, :, : other.end] = new[:, :, :, : other.end]
        self.documents[rows, : other.end] = other.documents[:, : other.end]
        for row, length in zip(rows, lengths, strict=True):
            self.lengths[row] = length

    def keep(self, rows: list[int]) -> None:
        """Go on with these sequences, in this order; one may stand there several times."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        self.documents = self.documents[rows]
        self.lengths = [self.lengths[row] for row in rows]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017), with grouped queries (Ainslie et al. 2023)."""

    def __init__(self, config: Model, window: int | None) -> None:
        """Make the matrices.

        Args:
            config: a resolved entry of `models`.
            window: tokens that a token looks back on, itself among them; None for all.
        """
        super().__init__()
        self.n_head, self.n_kv_head = config.n_head, config.n_kv_head
        self.head_dim = head_width(config)
        self.window = window
        self.scale = attention_scale(config)
        self.dropout = config.dropout
        # One matrix for queries, keys and values: one large product instead of three.
        heads = self.n_head + 2 * self.n_kv_head
        self.qkv = nn.Linear(config.d_model, heads * self.head_dim, bias=config.bias)
        self.output = nn.Linear(self.n_head * self.head_dim, config.d_model, bias=config.bias)
        if config.qk_norm:
            self.query_norm = nn.RMSNorm(self.head_dim, config.norm_eps, config.norm_gain)
            self.key_norm = nn.RMSNorm(self.head_dim, config.norm_eps, config.norm_gain)
        self.qk_norm = config.qk_norm

    def forward(self, x: Tensor, inputs: AttentionInputs, cache: KVCache | None, layer: int) -> Tensor:
        """Mix x: (batch · time, d_model) over time; no token sees a later one."""
        sizes = (self.n_head, self.n_kv_head, self.n_kv_head)
        heads = self.qkv(x).view(-1, inputs.time, sum(sizes), self.head_dim)  # (batch, time, head, head_dim)
        # Split before they are transposed: so the gradients come together in the layout of the product.
        queries, keys, values = (part.transpose(1, 2) for part in heads.split(sizes, dim=2))
        # (batch, head, time, head_dim); keys and values: (batch, kv_head, time, head_dim)
        if self.qk_norm:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if inputs.cosines is not None:
            queries = rotate(queries, inputs.cosines, inputs.sines)
            keys = rotate(keys, inputs.cosines, inputs.sines)
        if cache is not None:
            keys, values = cache.extend(layer, keys, values)  # (batch, kv_head, cached + time, head_dim)
        mixed = self.attend(queries, keys, values, inputs.masks[self.window])  # (batch, head, time, head_dim)
        return self.output(mixed.transpose(1, 2).reshape(*x.shape[:-1], -1))

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | BlockMask | None
    ) -> Tensor:
        """Return softmax(scale · queries keysᵀ + mask) values, by the kernel that serves best.

        Args:
            queries: (batch, head, time, head_dim).
            keys: (batch, kv_head, cached + time, head_dim).
            values: as keys.
            mask: a bias of the scores, blocks of them, or None for the causal rule alone.

        Returns:
            As queries.
        """
        if isinstance(mask, BlockMask):
            return flex.attend(queries, keys, values, mask, self.scale)
        if cpu_attention.supports(values, self.training):
            return cpu_attention.attend(queries, keys, values, mask, self.scale, self.dropout)
        grouped = self.n_kv_head != self.n_head
        if grouped and not queries.is_cpu:
            # Elsewhere not every kernel has groups, and the one of last resort keeps all scores.
            group = self.n_head // self.n_kv_head
            keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
        return functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            # A single new token sees all that is cached: no rule is needed.
            is_causal=mask is None and queries.shape[2] > 1,
            scale=self.scale,
            enable_gqa=grouped and queries.is_cpu,
        )
