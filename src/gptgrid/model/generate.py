"""Continuing a text: one token after the other, with a cache of keys and values where the model has one.

Text never appears here: ids go in, ids come out.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gptgrid.artifact.errors import UserError

if TYPE_CHECKING:
    from gptgrid.config.experiment import Decoding

LARGEST = torch.finfo(torch.float64).max
SEEDS = range(-(2**63), 2**64)
"""What torch takes as a seed."""


def generate(
    module: nn.Module,
    prompt: list[int],
    decoding: Decoding,
    max_new_tokens: int,
    eot: int | None,
    seed: int,
    ignore_eos: bool = False,
) -> Iterator[int]:
    """Return an iterator of the ids that follow a prompt, up to the end-of-text token, which is not one.

    When the context is full, its older half is dropped and the rest read again: each token is predicted
    from at least half a context, at the price of one extra pass per half context.

    Args:
        module: a model in eval mode.
        prompt: ids, the end-of-text token in front; at least one.
        decoding: how to choose, see `select`; temperature 0 is greedy, top_k 0 and top_p 1 are off.
        max_new_tokens: how many ids at most.
        eot: the end-of-text id; None where there is none.
        seed: of the draws; the same on every device.
        ignore_eos: go on after the end-of-text token, which is then yielded like any other.

    Raises:
        UserError: a setting out of range, or a prompt that is empty or beyond the vocabulary.
    """
    check_settings(module, prompt, decoding, max_new_tokens, seed)
    return continued(module, prompt, decoding, max_new_tokens, eot, seed, ignore_eos)


def continued(
    module: nn.Module,
    prompt: list[int],
    decoding: Decoding,
    max_new_tokens: int,
    eot: int | None,
    seed: int,
    ignore_eos: bool,
) -> Iterator[int]:
    """Yield what `generate` promises; the settings are checked."""
    generator = torch.Generator().manual_seed(seed)
    reader = Reader(module, len(prompt))
    # The mark between documents is no text: a penalty on it would put off the end.
    ids, text = list(prompt), set(prompt) - {eot}
    for _ in range(max_new_tokens):
        chosen = select(reader.next_logits(ids), decoding, text, generator)
        if chosen == eot and not ignore_eos:
            return
        ids.append(chosen)
        text |= {chosen} - {eot}
        yield chosen


class Reader:
    """Gives a model the tokens that it has not seen yet."""

    def __init__(self, module: nn.Module, prompt_length: int) -> None:
        self.module = module
        self.context = module.config.context
        self.device = next(module.parameters()).device
        self.start = max(0, prompt_length - self.context)
        """Where in the ids the context begins."""
        self.cached = hasattr(module, "new_cache")
        self.cache = module.new_cache() if self.cached else None

    @torch.inference_mode()
    def next_logits(self, ids: list[int]) -> Tensor:
        """Return the logits (vocab_size,) after `ids`, as float32 on the CPU."""
        if len(ids) - self.start > self.context:
            self.start = len(ids) - max(1, self.context // 2)
            self.cache = self.module.new_cache() if self.cached else None
        if self.cached:
            unread = ids[self.start + self.cache.length :]
            logits = self.module(torch.tensor([unread], device=self.device), self.cache)
        else:
            logits = self.module(torch.tensor([ids[self.start :]], device=self.device))
        return logits[0, -1].float().cpu()  # of (batch, time, vocab_size)


def select(logits: Tensor, decoding: Decoding, text: set[int], generator: torch.Generator) -> int:
    """Choose the next id from its logits (vocab_size,) float32.

    In this order: the repetition penalty (Keskar et al. 2019: logits of ids in `text` are divided by it if
    positive, multiplied if negative), temperature, top-k, top-p (Holtzman et al. 2020: the likeliest ids
    that together reach p), one draw.
    """
    logits = logits.double()  # in which settings near 0 do not vanish
    if decoding.repetition_penalty != 1 and text:
        repeated = torch.tensor(sorted(text))
        before, penalty = logits[repeated], decoding.repetition_penalty
        penalized = torch.where(before > 0, before / penalty, before * penalty)
        logits = logits.index_put((repeated,), penalized.clamp(-LARGEST, LARGEST))
    if decoding.temperature == 0:
        return int(logits.argmax())
    ordered, order = torch.sort(logits, descending=True, stable=True)
    # Against the largest, so that no quotient but those of the unlikely ones becomes infinite.
    ordered = (ordered - ordered[0]) / decoding.temperature
    if decoding.top_k:
        ordered = ordered[: min(decoding.top_k, len(ordered))]
    probabilities = torch.softmax(ordered, dim=-1)
    if decoding.top_p < 1:
        likelier = probabilities.cumsum(-1) - probabilities  # probability of all ids before each
        probabilities = probabilities[likelier < decoding.top_p]
    return int(order[torch.multinomial(probabilities.float(), 1, generator=generator)])


def check_settings(
    module: nn.Module, prompt: list[int], decoding: Decoding, max_new_tokens: int, seed: int
) -> None:
    """Refuse settings that mean nothing."""
    if not 0 <= decoding.temperature < inf:
        raise UserError(f"temperature is {decoding.temperature}; 0 is greedy, above 0 draws")
    if decoding.top_k < 0:
        raise UserError(f"top_k is {decoding.top_k}; 0 is off, above 0 keeps that many tokens")
    if not 0 < decoding.top_p <= 1:
        raise UserError(f"top_p is {decoding.top_p}; it must lie above 0 and at most at 1, which is off")
    if not 0 < decoding.repetition_penalty < inf:
        raise UserError(f"repetition_penalty is {decoding.repetition_penalty}; it must be above 0, 1 is off")
    if max_new_tokens < 1:
        raise UserError(f"max_new_tokens is {max_new_tokens}; ask for one at least")
    if seed not in SEEDS:
        raise UserError(f"seed is {seed}; it must lie between -2^63 and 2^64 - 1")
    if not prompt:
        raise UserError("the prompt has no token; the end-of-text token begins a text")
    if min(prompt) < 0 or max(prompt) >= module.vocab_size:
        raise UserError(f"the prompt has ids outside the vocabulary of {module.vocab_size}")
