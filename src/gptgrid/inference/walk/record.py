"""One forward pass with everything written down: what each part of a model read, and what it gave.

Nothing here is computed beside the model. Hooks on its parts note their inputs and outputs, and
`gptgrid.inference.attention` notes what attention computes inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.inference.attention import Attended, recording
from gptgrid.model.encoder import Encoder


@dataclass(frozen=True)
class Anatomy:
    """Names of the parts of a block, which differ between GPT and nn.TransformerEncoder."""

    attention_norm: str
    attention: str
    qkv: str | None
    """The matrix of queries, keys and values, where it is a module of its own."""
    feed_forward_norm: str
    up: str
    down: str
    final_norm: str
    """Of the model, not of the block."""


GPT_ANATOMY = Anatomy(
    attention_norm="attention_norm",
    attention="attention",
    qkv="attention.qkv",
    feed_forward_norm="feed_forward_norm",
    up="feed_forward.up",
    down="feed_forward.down",
    final_norm="norm",
)
ENCODER_ANATOMY = Anatomy(
    attention_norm="norm1",
    attention="self_attn",
    qkv=None,
    feed_forward_norm="norm2",
    up="linear1",
    down="linear2",
    final_norm="encoder.norm",
)


@dataclass(frozen=True)
class BlockRecord:
    """A block of a forward pass. All tensors but `attended` are (time, width)."""

    pre_norm: bool
    """Whether each norm stands before its sublayer, not after the sum."""
    input: Tensor
    """The residual stream that the block reads, where `residual_mix` is on after the mix."""
    attention_norm: tuple[Tensor, Tensor]
    """What the norm read and gave."""
    qkv: Tensor | None
    """Queries, keys and values one beside the other, not yet normalized or rotated; None in an encoder."""
    attended: Attended
    attention: Tensor
    """What attention adds to the residual stream."""
    feed_forward_norm: tuple[Tensor, Tensor]
    up: Tensor
    """(time, d_ff), twice as wide where the activation has a gate: gate, then value."""
    hidden: Tensor
    """(time, d_ff) after the activation."""
    feed_forward: Tensor
    """What the feed-forward network adds to the residual stream."""
    output: Tensor

    @property
    def between(self) -> Tensor:
        """Return the residual stream between the sublayers: the block's input plus attention."""
        return (self.feed_forward_norm if self.pre_norm else self.attention_norm)[0]


@dataclass(frozen=True)
class Recording:
    """A forward pass over one text."""

    ids: list[int]
    token_rows: Tensor
    """(time, d_model): rows of the embedding matrix."""
    embedded: Tensor
    """(time, d_model): the same with positions that are added, if the model adds some."""
    blocks: list[BlockRecord]
    final: Tensor
    """(time, d_model): after the last norm, if there is one."""
    logits: Tensor
    """(time, vocab_size): what the model returned."""
    losses: Tensor
    """(time - 1,): -ln of the probability of each next token, in nats."""
    loss: Tensor
    """Their mean; a scalar, with its gradient where gradients are on."""


def record(module: nn.Module, ids: list[int]) -> Recording:
    """Run a model over token ids and return all that it computed.

    Args:
        module: from gptgrid.model.build or gptgrid.model.load, in eval mode.
        ids: 2 tokens at least, as many as the context at most.
    """
    anatomy = ENCODER_ANATOMY if isinstance(module, Encoder) else GPT_ANATOMY
    tokens = torch.tensor([ids], device=next(module.parameters()).device)
    with noting(module) as seen, recording(module) as attended:
        logits = module(tokens)[0]
    targets = tokens[0, 1:]
    losses = functional.cross_entropy(logits[:-1].float(), targets, reduction="none")
    prefix = "encoder.layers" if isinstance(module, Encoder) else "blocks"
    blocks = [
        block_record(
            seen, f"{prefix}.{layer}", anatomy, module.config.norm_position == "pre", attended[layer]
        )
        for layer in range(len(module.blocks))
    ]
    token_rows, embedded = seen["embedding.tokens"][1], seen["embedding"][1]
    final = seen[anatomy.final_norm][1] if anatomy.final_norm in seen else blocks[-1].output
    loss = functional.cross_entropy(logits[:-1].float(), targets)
    return Recording(list(ids), token_rows, embedded, blocks, final, logits, losses, loss)


def block_record(
    seen: dict[str, tuple[Tensor, Tensor]], name: str, anatomy: Anatomy, pre_norm: bool, attended: Attended
) -> BlockRecord:
    """Return what was noted of one block."""

    def of(part: str) -> tuple[Tensor, Tensor]:
        return seen[f"{name}.{part}"]

    return BlockRecord(
        pre_norm=pre_norm,
        input=seen[name][0],
        attention_norm=of(anatomy.attention_norm),
        qkv=of(anatomy.qkv)[1] if anatomy.qkv else None,
        attended=attended,
        attention=of(anatomy.attention)[1],
        feed_forward_norm=of(anatomy.feed_forward_norm),
        up=of(anatomy.up)[1],
        hidden=of(anatomy.down)[0],
        feed_forward=of(anatomy.down)[1],
        output=seen[name][1],
    )


@contextmanager
def noting(module: nn.Module) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """Within this context, a forward pass of one text notes of each part by its name its input and output."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    with ExitStack() as stack:
        for name, part in module.named_modules():

            def note(part: nn.Module, inputs: tuple, output: Any, name: str = name) -> None:
                seen[name] = (as_rows(inputs), as_rows(output))

            stack.callback(part.register_forward_hook(note).remove)
        yield seen


def as_rows(value: Any) -> Tensor:
    """Return (time, width) of one text, whatever the order of its axes; of several values the first one."""
    tensor = value[0] if isinstance(value, tuple) else value
    return tensor.reshape(-1, tensor.shape[-1])
