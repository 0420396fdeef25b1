"""PyTorch's own nn.TransformerEncoder as a language model: the teaching model, made causal by a mask.

Its layers keep no keys and values, so it generates without a cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from gptgrid.model.embedding import Embedding
from gptgrid.model.head import logits_of
from gptgrid.model.mask import attention_bias, places_in_documents

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

    def forward(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Predict each next token.

        Args:
            tokens: (batch, time) int64.
            documents: (batch, time) numbers of the documents that they are of: the logits are then those of
                each document alone. None: they are all one text.

        Returns:
            Logits (batch, time, vocab_size): fp32, in training in the type of the computation.

        Raises:
            ValueError: more tokens than the context holds.
        """
        time = tokens.shape[1]
        if time > self.config.context:
            raise ValueError(f"{time} tokens are more than the context of {self.config.context}")
        # Embeddings stay fp32 where the weights of the layers are bf16.
        place = 0 if documents is None else places_in_documents(documents)
        x = self.embedding(tokens, place).to(self.blocks[0].linear1.weight.dtype)  # (batch, time, d_model)
        # With the batch in front, PyTorch multiplies in steps that copy the weights for each token.
        x = x.transpose(0, 1).contiguous()  # (time, batch, d_model)
        bias = attention_bias(0, time, x.dtype, x.device, documents=documents)  # (batch or 1, 1, time, time)
        if documents is None:
            x = self.encoder(x, bias[0, 0], is_causal=True)
        else:
            x = self.encoder(x, bias.expand(-1, self.config.n_head, -1, -1).flatten(0, 1), is_causal=False)
        x = x.transpose(0, 1).contiguous()  # (batch, time, d_model)
        return logits_of(self.head, x, exact=not self.training)
