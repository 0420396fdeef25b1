"""Causal self-attention with grouped queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask

from gptgrid.model import cpu_attention, flex
from gptgrid.model.cache import KVCache
from gptgrid.model.linear import Linear
from gptgrid.model.parametrization import attention_scale, head_width
from gptgrid.model.position import AttentionInputs, rotate

if TYPE_CHECKING:
    from gptgrid.config.models import Model


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
        self.qkv = Linear(config.d_model, heads * self.head_dim, bias=config.bias)
        self.output = Linear(self.n_head * self.head_dim, config.d_model, bias=config.bias)
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
        mask = inputs.masks[self.window]
        if cache is None:
            mixed = self.attend(queries, keys, values, mask)  # (batch, head, time, head_dim)
        else:
            mixed = cache.attend(self, layer, queries, keys, values, mask)
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
