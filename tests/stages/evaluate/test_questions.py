"""A question is answered right if its answer is the likeliest, however long the text before it is."""

import json
import math

import numpy as np
import pytest
import torch
from cells import uniform
from torch import nn
from torch.nn import functional

from gptgrid.stages.evaluate.questions import CHUNK, ask, credit, nats_of
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


def write_questions(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_right_answers_are_counted(tmp_path):
    rows = [
        {"prompt": "aaab Who? ", "answer": "a.", "wrong": ["x.", "y."]},
        {"prompt": "aaab Who? ", "answer": "z.", "wrong": ["a."]},
    ]
    result = ask(Copier(), BytesCodec(), write_questions(tmp_path / "questions.jsonl", rows), 64)
    assert result == {"asked": 2, "right": 0.5, "chance": (1 / 3 + 1 / 2) / 2, "reason": None}


def test_a_model_that_prefers_nothing_is_right_as_often_as_chance(tmp_path):
    """The right answer stands first: the first of equals is not the likeliest."""
    rows = [{"prompt": "Who? ", "answer": "ab.", "wrong": ["cd.", "ef."]}] * 4
    rows += [{"prompt": "Who? ", "answer": "ab.", "wrong": ["cd."]}] * 4
    result = ask(uniform(257), BytesCodec(), write_questions(tmp_path / "questions.jsonl", rows), 64)
    assert np.isclose(result["right"], result["chance"])


@pytest.mark.parametrize(
    ("nats", "expected"),
    [
        ([1.0, 2.0, 3.0], 1.0),
        ([2.0, 1.0, 3.0], 0.0),
        ([1.0, 1.0 + 1e-7, 3.0], 0.5),
        ([2.0, 1.0, 1.0], 0.0),
        ([0.0, 0.0, 0.0, 0.0], 0.25),
        ([math.nan, 1.0], 0.0),
        ([1.0, math.nan], 0.0),
        ([math.inf, math.inf], 0.0),
        ([1.0, math.inf], 0.0),
        ([-math.inf, 1.0], 0.0),
    ],
)
def test_credit(nats, expected):
    assert credit(np.array(nats)) == expected


def test_all_questions_are_asked(tmp_path):
    easy = {"prompt": "aaab Who? ", "answer": "a.", "wrong": ["x."]}
    hard = {"prompt": "aaab Who? ", "answer": "x.", "wrong": ["a."]}
    path = write_questions(tmp_path / "questions.jsonl", [easy] * CHUNK + [hard] * 2 * CHUNK)
    result = ask(Copier(), BytesCodec(), path, 64)
    assert result["asked"] == 3 * CHUNK and np.isclose(result["right"], 1 / 3)


def test_an_answer_that_does_not_fit_into_the_context_is_not_judged_by_its_end(tmp_path):
    rows = [{"prompt": "Who? ", "answer": "it was the fox.", "wrong": ["an owl was the fox."]}]
    path = write_questions(tmp_path / "questions.jsonl", rows)
    assert ask(Copier(), BytesCodec(), path, 19)["right"] is not None
    result = ask(Copier(), BytesCodec(), path, 18)
    assert (result["right"], result["chance"]) == (None, 0.5)
    assert result["reason"] == "an answer has 19 tokens, more than the context of 18 lets a model see"
