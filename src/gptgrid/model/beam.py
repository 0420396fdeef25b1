"""Beam search: the likeliest text that is found while so many beginnings of texts are kept at a time.

Nothing is drawn. A text's score is the sum of its log probabilities over its number of tokens to the power
of the length penalty, as in transformers (there with `early_stopping="never"`): the search ends once no
beginning can become better than the best text that has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from gptgrid.model.decoding import Decoding, History, adjust
from gptgrid.model.generate import Reader, Token, describe


@dataclass
class Beam:
    """A beginning of a text."""

    score: float
    """Sum of the log probabilities, as changed by the penalty on repetitions."""
    tokens: list[Token]


@torch.inference_mode()
def search(
    module: nn.Module,
    prompt: list[int],
    decoding: Decoding,
    limit: int,
    spared: Set[int],
    ends: Callable[[list[Token]], bool],
    alternatives: int = 0,
) -> list[Token]:
    """Return the best continuation of a prompt, its last token among it even if that is the end of text.

    Args:
        module: a model in eval mode.
        prompt: ids, at least one.
        decoding: beams, length_penalty, repetition_penalty, no_repeat_ngram.
        limit: tokens at most.
        spared: ids that penalties spare: those at which a text ends.
        ends: whether a continuation ends with its last token.
        alternatives: how many of the likeliest tokens to name.
    """
    reader = Reader(module, [prompt])
    beams, best, best_score = [Beam(0.0, [])], [], -torch.inf
    for length in range(1, limit + 1):
        logits = reader.next_logits()
        logprobs = logits.double().log_softmax(dim=-1).numpy()
        histories = [History(decoding, prompt + [t.id for t in beam.tokens], spared) for beam in beams]
        changed = [adjust(row, decoding, history) for row, history in zip(logprobs, histories, strict=True)]
        scores = torch.from_numpy(np.stack(changed)) + torch.tensor([[beam.score] for beam in beams])
        # Twice as many as go on, as half of them may end.
        found = scores.flatten().topk(min(2 * decoding.beams, scores.numel()))
        kept = []
        for rank, (score, place) in enumerate(
            zip(found.values.tolist(), found.indices.tolist(), strict=True)
        ):
            origin, index = divmod(place, scores.shape[1])
            (token,) = describe(logits[origin : origin + 1], [index], alternatives)
            tokens = [*beams[origin].tokens, token]
            if not (length == limit or ends(tokens)):
                kept.append((origin, Beam(score, tokens)))
            elif rank < decoding.beams and score / length**decoding.length_penalty > best_score:
                best, best_score = tokens, score / length**decoding.length_penalty
        kept = kept[: decoding.beams]
        longest = limit if decoding.length_penalty > 0 else length
        if not kept or kept[0][1].score / longest**decoding.length_penalty <= best_score:
            break
        beams = [beam for _, beam in kept]
        reader.keep([origin for origin, _ in kept])
        reader.append([beam.tokens[-1].id for beam in beams])
    return best
