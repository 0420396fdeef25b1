"""A question is answered right if its answer is the likeliest, however long the text before it is."""

import json

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gptgrid.stages.evaluate.questions import ask, nats_of
from gptgrid.tokens.codec import BytesCodec


class Copier(nn.Module):
    """Expects each byte that it has seen, the more the more often; it sees all of its input."""

    vocab_size = 257

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, tokens):
        return self.scale * functional.one_hot(tokens, 257).cumsum(1).float()


def slow(module, texts, common, context):
    """Score one text at a time, token by token."""
    first = max(0, max(map(len, texts)) - context - 1)
    result = []
    for ids in texts:
        nats = 0.0
        for place in range(common, len(ids)):
            logits = module(torch.tensor([ids[first:place]]))[0, -1].detach()
            nats -= float(torch.log_softmax(logits.double(), 0)[ids[place]])
        result.append(nats)
    return result


def test_nats_are_those_of_one_text_at_a_time():
    module = Copier()
    one = [[256, *b"abcabcab", *end] for end in (b"c", b"cx", b"dxyz")]
    other = [[256, *b"ab", *end] for end in (b"a", b"b")]
    for context in (4, 6, 50):
        result = nats_of(module, [one, other], context)
        for nats, (texts, common) in zip(result, ((one, 9), (other, 3)), strict=True):
            assert np.allclose(nats, slow(module, texts, common, context), rtol=1e-5)


def test_questions_are_read_several_at_once(monkeypatch):
    module = Copier()
    questions = [[[256, *b"ab" * length, *end] for end in (b"a", b"bc")] for length in (1, 5, 2, 9, 3)]
    alone = [next(nats_of(module, [texts], 64)) for texts in questions]
    for most in (1, 60, 1000):
        monkeypatch.setattr("gptgrid.model.score.BATCH_TOKENS", most)
        assert np.allclose(list(nats_of(module, questions, 64)), alone)


def test_right_answers_are_counted(tmp_path):
    rows = [
        {"prompt": "aaab Who? ", "answer": "a.", "wrong": ["x.", "y."]},
        {"prompt": "aaab Who? ", "answer": "z.", "wrong": ["a."]},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = ask(Copier(), BytesCodec(), path, 64)
    assert result == {"asked": 2, "right": 0.5, "chance": (1 / 3 + 1 / 2) / 2}
