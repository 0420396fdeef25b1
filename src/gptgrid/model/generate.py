"""Continuing texts: one token after the other, with a cache of keys and values where the model has one.

Text never appears here: ids go in, ids come out. What a token is chosen by is in `decoding.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from gptgrid.artifact.errors import UserError
from gptgrid.model.decoding import Decoding, History, check_whole, choose
from gptgrid.model.packed import packed

SEEDS = range(-(2**63), 2**64)
"""What torch takes as a seed."""


@dataclass(frozen=True)
class Token:
    """A token that continues a text."""

    id: int
    logprob: float
    """ln of the model's own probability, before any setting of the decoding."""
    alternatives: tuple[tuple[int, float], ...] = ()
    """The likeliest ids with their `logprob`, as many as were asked for."""


class Rows:
    """Texts that are continued side by side, each as if it were alone."""

    def __init__(
        self,
        module: nn.Module,
        prompts: Sequence[list[int]],
        decoding: Decoding,
        ends: Set[int],
        seeds: Sequence[int],
        alternatives: int = 0,
    ) -> None:
        """Begin; the settings are checked (`check`).

        Args:
            module: a model in eval mode.
            prompts: ids, the end-of-text token in front; at least one each.
            decoding: how to choose.
            ends: ids at which a text ends, the end of text among them; penalties spare them.
            seeds: of the draws, one for each text; the same on every device.
            alternatives: how many of the likeliest tokens to name.
        """
        self.decoding, self.alternatives = decoding, alternatives
        self.rows = list(range(len(prompts)))
        """Numbers of the texts that go on."""
        self.reader = Reader(module, prompts)
        self.histories = [History(decoding, prompt, ends) for prompt in prompts]
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    @torch.inference_mode()
    def advance(self) -> list[tuple[int, Token]]:
        """Return the next token of each text that goes on, with the text's number."""
        logits = self.reader.next_logits()
        chosen = choose(logits, self.decoding, self.histories, self.generators)
        self.reader.append(chosen)
        for history, index in zip(self.histories, chosen, strict=True):
            history.add(index)
        return list(zip(self.rows, describe(logits, chosen, self.alternatives), strict=True))

    def end(self, rows: Collection[int]) -> None:
        """Let texts leave."""
        if not rows:
            return
        kept = [place for place, row in enumerate(self.rows) if row not in rows]
        self.reader.keep(kept)
        self.rows, self.histories, self.generators = (
            [values[place] for place in kept] for values in (self.rows, self.histories, self.generators)
        )


def describe(logits: Tensor, chosen: list[int], alternatives: int) -> list[Token]:
    """Return the tokens that were chosen by logits (text, vocabulary)."""
    logprobs = logits.log_softmax(dim=-1)
    own = [float(row[index]) for row, index in zip(logprobs.numpy(), chosen, strict=True)]
    if not alternatives:
        return [Token(*parts) for parts in zip(chosen, own, strict=True)]
    best = logprobs.topk(min(alternatives, logits.shape[-1]))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    others = [tuple(zip(*pair, strict=True)) for pair in pairs]
    return [Token(*parts) for parts in zip(chosen, own, others, strict=True)]


class Reader:
    """Gives a model texts, as far as its context reaches.

    When the context of a text is full, its older half is dropped and the rest read again: each token is
    predicted from at least half a context, at the price of one extra pass per half context.
    """

    def __init__(self, module: nn.Module, texts: Sequence[list[int]]) -> None:
        """Begin with the ids of texts, at least one each."""
        self.context = module.config.context
        self.device = next(module.parameters()).device
        self.texts = [list(ids) for ids in texts]
        self.starts = [max(0, len(ids) - self.context) for ids in texts]
        """Where in the ids of each text its context begins."""
        self.cached = hasattr(module, "new_cache")
        self.module = packed(module) if self.cached else module
        self.cache = module.new_cache(len(texts)) if self.cached else None

    @torch.inference_mode()
    def next_logits(self) -> Tensor:
        """Return the logits (text, vocabulary) of what follows each text, as float32 on the CPU.

        Raises:
            UserError: they are no numbers.
        """
        if self.cached:
            self.catch_up()
            last = torch.tensor([ids[-1:] for ids in self.texts], device=self.device)
            logits = self.module(last, self.cache)[:, 0]
        else:
            windows = [ids[start:] for ids, start in zip(self.texts, self.starts, strict=True)]
            last = torch.tensor([len(window) - 1 for window in windows], device=self.device)
            logits = self.module(self.batch(windows))[torch.arange(len(last)), last]
        logits = logits.float().cpu()
        if not logits.sum().isfinite():  # as soon as one of them is not
            raise UserError(
                "the model's predictions are no numbers: its training diverged; take other weights"
            )
        return logits

    def catch_up(self) -> None:
        """Let the model read all but the last token of the texts of which it has not."""
        texts = enumerate(zip(self.texts, self.starts, self.cache.lengths, strict=True))
        behind = [row for row, (ids, start, length) in texts if len(ids) - start - 1 != length]
        if not behind:
            return
        earlier = [self.texts[row][self.starts[row] : -1] for row in behind]
        lengths = [len(ids) for ids in earlier]
        everything = len(behind) == len(self.texts)
        cache = self.cache if everything else self.cache.empty(len(behind))
        cache.lengths = [0] * len(behind)
        if any(earlier):
            self.module.read(self.batch(earlier), cache)
        if everything:
            cache.lengths = lengths
        else:
            self.cache.replace(behind, cache, lengths)

    def batch(self, texts: list[list[int]]) -> Tensor:
        """Return texts as one tensor (text, time); what fills up the shorter ones stands behind them."""
        return pad_sequence(list(map(torch.tensor, texts)), batch_first=True).to(self.device)

    def append(self, ids: Sequence[int]) -> None:
        """Add the next id of each text."""
        for row, index in enumerate(ids):
            self.texts[row].append(index)
            if len(self.texts[row]) - self.starts[row] > self.context:
                self.starts[row] = len(self.texts[row]) - max(1, self.context // 2)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts, in this order; one may stand there several times."""
        if list(rows) == list(range(len(self.texts))):
            return
        self.texts = [list(self.texts[row]) for row in rows]
        self.starts = [self.starts[row] for row in rows]
        if self.cached:
            self.cache.keep(list(rows))


def check(
    module: nn.Module,
    prompts: Sequence[list[int]],
    decoding: Decoding,
    max_new_tokens: int,
    seeds: Sequence[int],
) -> None:
    """Refuse what cannot be continued.

    Raises:
        UserError: a setting out of range, or a prompt that is empty or beyond the vocabulary.
    """
    decoding.check()
    check_whole("max_new_tokens", max_new_tokens)
    if max_new_tokens < 1:
        raise UserError(f"max_new_tokens is {max_new_tokens}; ask for one at least")
    for seed in seeds:
        check_whole("seed", seed)
        if seed not in SEEDS:
            raise UserError(f"seed is {seed}; it must lie between -2^63 and 2^64 - 1")
    for prompt in prompts:
        if not prompt:
            raise UserError("the prompt has no token; the end-of-text token begins a text")
        if min(prompt) < 0 or max(prompt) >= module.vocab_size:
            raise UserError(f"the prompt has ids outside the vocabulary of {module.vocab_size}")
