"""PyTorch's own nn.TransformerEncoder as a language model: the teaching model, made causal by a mask.

Its layers keep no keys and values, so it generates without a cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from gptgrid.model.embedding import Embedding
from gptgrid.model.head import logits_of
from gptgrid.model.mask import attention_bias

if TYPE_CHECKING:
    from gptgrid.config.models import Model


class Encoder(nn.Module):
    """Embeddings, nn.TransformerEncoder with a causal mask, and an output matrix."""

    def __init__(self, config: Model, vocab_size: int, eot: int | None = None) -> None:
        """Make the layers; `initialize` gives them their first weights.

        Args:
            config: a resolved entry of `models` with the preset `encoder`.
            vocab_size: rows of the embedding, columns of the logits.
            eot: id of the end-of-text token; unused, as this model reads all documents as one text.
        """
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.embedding = Embedding(config, vocab_size)
        pre_norm = config.norm_position == "pre"
        layer = nn.TransformerEncoderLayer(
            config.d_model,
            config.n_head,
            config.d_ff,
            config.dropout,
            config.activation,
            config.norm_eps,
            norm_first=pre_norm,
            bias=config.bias,
        )
        final = nn.LayerNorm(config.d_model, config.norm_eps, bias=config.bias) if pre_norm else None
        # Nested tensors serve padded batches, which there are none of.
        self.encoder = nn.TransformerEncoder(layer, config.n_layer, final, enable_nested_tensor=False)
        self.head = nn.Linear(config.d_model, vocab_size, bias=config.bias and not config.tie_embeddings)
        if config.tie_embeddings:
            self.head.weight = self.embedding.tokens.weight

    @property
    def blocks(self) -> nn.ModuleList:
        """Return the transformer blocks, under the name that they have in a GPT."""
        return self.encoder.layers

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict each next token: (batch, time) int64 → logits (batch, time, vocab_size).

        The logits are fp32 but in training.

        Raises:
            ValueError: more tokens than the context holds.
        """
        time = tokens.shape[1]
        if time > self.config.context:
            raise ValueError(f"{time} tokens are more than the context of {self.config.context}")
        # Embeddings stay fp32 where the weights of the layers are bf16.
        x = self.embedding(tokens).to(self.blocks[0].linear1.weight.dtype)  # (batch, time, d_model)
        # With the batch in front, PyTorch multiplies in steps that copy the weights for each token.
        x = x.transpose(0, 1).contiguous()  # (time, batch, d_model)
        causal = attention_bias(0, time, x.dtype, x.device)[0, 0]  # (time, time)
        x = self.encoder(x, causal, is_causal=True)
        x = x.transpose(0, 1).contiguous()  # (batch, time, d_model)
        return logits_of(self.head, x, exact=not self.training)
