"""The GPT of gptgrid: a decoder-only transformer in which every choice is a key of the configuration.

    tokens → embeddings (+ positions) → n_layer × [attention, feed-forward] → norm → logits

Embeddings and absolute positions live in `embedding.py`, relative positions in `position.py`, what may be
looked at in `mask.py`, the two sublayers in `attention.py` and `feedforward.py`; initial weights in
`initialize.py`, what changes with the width in `parametrization.py`; choosing the next token in
`generate.py`. Nothing here knows of losses, optimizers or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError
from gptgrid.model import cpu_cache
from gptgrid.model.attention import Attention
from gptgrid.model.cache import KVCache
from gptgrid.model.embedding import Embedding
from gptgrid.model.feedforward import FeedForward
from gptgrid.model.head import logits_of
from gptgrid.model.linear import Linear
from gptgrid.model.mask import layer_windows, number_documents, places_in_documents
from gptgrid.model.norm import make_norm
from gptgrid.model.parametrization import head_width, width_multiplier
from gptgrid.model.position import AttentionInputs, Positions

if TYPE_CHECKING:
    from gptgrid.config.models import Model


class Block(nn.Module):
    """Attention and feed-forward, each added to the residual stream."""

    def __init__(self, config: Model, window: int | None) -> None:
        super().__init__()
        self.pre_norm = config.norm_position == "pre"
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, window)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, inputs: AttentionInputs, cache: KVCache | None, layer: int) -> Tensor:
        """Map the residual stream x: (batch · time, d_model) to the next one."""
        if self.pre_norm:
            x = x + self.dropout(self.attention(self.attention_norm(x), inputs, cache, layer))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, inputs, cache, layer)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class GPT(nn.Module):
    """A decoder-only transformer."""

    def __init__(self, config: Model, vocab_size: int, eot: int | None) -> None:
        """Make the layers; `initialize` gives them their first weights.

        Args:
            config: a resolved entry of `models`.
            vocab_size: rows of the embedding, columns of the logits.
            eot: id of the end-of-text token, None where there is none.

        Raises:
            UserError: `document_mask` is on, and there is no end-of-text token.
        """
        super().__init__()
        if config.document_mask and eot is None:
            raise UserError(
                "document_mask keeps attention within documents, which begin at an end-of-text token, but "
                "this tokenizer has none: give the corpus its `eot`, or set document_mask to false"
            )
        self.config = config
        self.vocab_size = vocab_size
        self.eot = eot
        self.embedding = Embedding(config, vocab_size)
        self.positions = Positions(config)
        self.blocks = nn.ModuleList(Block(config, window) for window in layer_windows(config))
        if config.residual_mix:
            self.keep = nn.Parameter(torch.empty(config.n_layer))
            self.recall = nn.Parameter(torch.empty(config.n_layer))
        # After norms at the end of each sublayer, one more would do nothing.
        self.norm = make_norm(config) if config.norm_position == "pre" else nn.Identity()
        self.head = Linear(config.d_model, vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embedding.tokens.weight
        self.logit_scale = 1 / width_multiplier(config)

    def forward(
        self, tokens: Tensor, cache: KVCache | None = None, documents: Tensor | None = None
    ) -> Tensor:
        """Predict each next token.

        Args:
            tokens: (batch, time) int64; with a cache the ones that follow those already in it.
            cache: from `new_cache`; it grows by the tokens given. Where its sequences differ in length, each
                gets one.
            documents: (batch, time) numbers of the documents that the tokens are of, whatever `document_mask`
                says. The logits are then those of each document alone. It does not go with a cache.

        Returns:
            Logits (batch, time, vocab_size): fp32, in training in the type of the computation.

        Raises:
            ValueError: more tokens than the context holds.
        """
        return self.predict(self.read(tokens, cache, documents)).view(*tokens.shape, self.vocab_size)

    def read(self, tokens: Tensor, cache: KVCache | None = None, documents: Tensor | None = None) -> Tensor:
        """Return the residual stream after the last block: (batch · time, d_model); else as `forward`."""
        end = tokens.shape[1] + (max(cache.lengths) if cache else 0)
        if end > self.config.context:
            raise ValueError(f"{end} tokens are more than the context of {self.config.context}")
        start = cache.begin(tokens.shape[1]) if cache else 0
        # Embeddings stay fp32 where the weights inside the blocks are bf16.
        x = self.embedding(tokens, places(start, documents)).to(self.blocks[0].attention.qkv.weight.dtype)
        if documents is None:
            documents = self.documents(tokens, cache)
        inputs = self.positions.inputs(x, start, documents, end)
        # Products, norms and sums take all tokens as rows of one matrix; attention alone knows of time.
        x = embeddings = x.flatten(0, 1)  # (batch · time, d_model)
        for layer, block in enumerate(self.blocks):
            if self.config.residual_mix:
                x = self.keep[layer] * x + self.recall[layer] * embeddings
            x = block(x, inputs, cache, layer)
        return x

    def predict(self, x: Tensor) -> Tensor:
        """Return the logits (…, vocab_size) of the residual stream x: (…, d_model) after the last block."""
        x = self.norm(x)
        if self.logit_scale != 1:
            x = x * self.logit_scale  # before the product, as there are fewer of them than logits
        logits = logits_of(self.head, x, exact=not self.training)
        if self.config.logit_softcap is not None:
            logits = self.config.logit_softcap * torch.tanh(logits / self.config.logit_softcap)
        return logits

    def documents(self, tokens: Tensor, cache: KVCache | None) -> Tensor | None:
        """Return the documents' numbers of the cached tokens and these: (batch, start + time), or None."""
        if not self.config.document_mask:
            return None
        numbers = number_documents(tokens, self.eot)
        return cache.extend_documents(numbers) if cache else numbers

    def new_cache(self, batch: int = 1) -> KVCache:
        """Return an empty key-value cache for `batch` sequences, on the model's device and in its type."""
        weight = self.blocks[0].attention.qkv.weight
        size = batch * self.config.context * self.config.n_kv_head * head_width(self.config)
        kind = cpu_cache.CpuCache if cpu_cache.supports(weight, size) else KVCache
        return kind(self.config, batch, weight)


def places(start: int | Tensor, documents: Tensor | None) -> int | Tensor:
    """Return where tokens stand, for `Embedding`.

    Args:
        start: of the first one, or (batch,) of the only one of each sequence.
        documents: (batch, time) numbers of documents, each of which begins at place 0; None: all are one.
    """
    if documents is not None:
        return places_in_documents(documents)
    return start if isinstance(start, int) else start[:, None]
