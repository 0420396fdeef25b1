"""Causal self-attention with grouped queries, and the cache of keys and values for generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.model.position import Span, rotate

if TYPE_CHECKING:
    from gptgrid.config import Model


class Cache:
    """Keys and values of the tokens seen so far, in buffers of the context's length."""

    def __init__(self, config: Model, batch: int, like: Tensor) -> None:
        """Make an empty cache with the device and type of `like`."""
        shape = (config.n_layer, batch, config.n_kv_head, config.context, config.d_model // config.n_head)
        self.keys = torch.empty(shape, dtype=like.dtype, device=like.device)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add keys and values (batch, heads, time, width) of one layer; return all of that layer."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017), with grouped queries (Ainslie et al. 2023) if asked."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        self.n_head, self.n_kv_head = config.n_head, config.n_kv_head
        self.width = config.d_model // config.n_head
        self.dropout = config.dropout
        # One matrix for queries, keys and values: one large product instead of three.
        heads = self.n_head + 2 * self.n_kv_head
        self.qkv = nn.Linear(config.d_model, heads * self.width, bias=config.bias)
        self.output = nn.Linear(config.d_model, config.d_model, bias=config.bias)
        if config.qk_norm:
            self.query_norm = nn.RMSNorm(self.width, config.norm_eps)
            self.key_norm = nn.RMSNorm(self.width, config.norm_eps)
        self.qk_norm = config.qk_norm

    def forward(self, x: Tensor, span: Span, cache: Cache | None, layer: int) -> Tensor:
        """Mix x: (batch, time, d_model) over time; no token sees a later one."""
        batch, time, d_model = x.shape
        sizes = (self.n_head, self.n_kv_head, self.n_kv_head)
        heads = self.qkv(x).view(batch, time, sum(sizes), self.width).transpose(1, 2)
        queries, keys, values = heads.split(sizes, dim=1)
        if self.qk_norm:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if span.cosines is not None:
            queries, keys = rotate(queries, span), rotate(keys, span)
        if cache is not None:
            keys, values = cache.extend(layer, keys, values)
        mixed = functional.scaled_dot_product_attention(
            queries,
            self.shared(keys),
            self.shared(values),
            attn_mask=None if span.bias is None else span.bias.to(queries.dtype),
            dropout_p=self.dropout if self.training else 0.0,
            # A single new token sees all that is cached: no rule is needed.
            is_causal=span.bias is None and time > 1,
        )
        return self.output(mixed.transpose(1, 2).reshape(batch, time, d_model))

    def shared(self, heads: Tensor) -> Tensor:
        """Repeat key or value heads (axis 1) for each query head of their group."""
        if self.n_kv_head == self.n_head:
            return heads
        return heads.repeat_interleave(self.n_head // self.n_kv_head, dim=1)
