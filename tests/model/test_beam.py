"""Beam search finds what trying all texts finds, and what transformers finds."""

from itertools import product
from pathlib import Path

import pytest
import torch
from models import EOT, VOCAB, make, named

from gptgrid.artifact.errors import UserError
from gptgrid.config.models import Model
from gptgrid.model.beam import search
from gptgrid.model.build import build
from gptgrid.model.decoding import Decoding
from gptgrid.model.huggingface import read_weights
from gptgrid.model.initialize import initialize

END, FEW, LIMIT = 3, 4, 4
"""The end of text, the tokens, and the longest text of a vocabulary that can be tried out."""


def found(module: torch.nn.Module, prompt: list[int], decoding: Decoding, limit: int, eot: int) -> list[int]:
    tokens = search(module, prompt, decoding, limit, {eot}, lambda tokens: tokens[-1].id == eot)
    return [token.id for token in tokens]


def tiny(seed: int, context: int = 12, **switches: object) -> torch.nn.Module:
    sizes = {"n_layer": 1, "n_head": 2, "d_model": 16, "context": context, "init_std": 0.6}
    module = build(Model(**{**sizes, **switches}), FEW, END)
    initialize(module, seed)
    return module.eval()


@torch.inference_mode()
def exhaustive(module: torch.nn.Module, prompt: list[int], penalty: float) -> list[int]:
    """Return the best of all texts that end, or are as long as may be."""
    best, best_score = [], -torch.inf
    texts = [
        [*words, *end]
        for length in range(LIMIT + 1)
        for words in product(range(END), repeat=length)
        for end in ([], [END])
        if (length == LIMIT and not end) or (length < LIMIT and end)
    ]
    for text in texts:
        logprobs = module(torch.tensor([prompt + text]))[0].double().log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(text) - 1)
        score = sum(float(logprobs[place, index]) for place, index in zip(places, text, strict=True))
        if score / len(text) ** penalty > best_score:
            best, best_score = text, score / len(text) ** penalty
    return best


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.7, 1.0, 3.0])
def test_wide_beams_find_the_best_of_all_texts(penalty: float) -> None:
    lengths = set()
    for seed in range(8):
        module, prompt = tiny(seed), [END, seed % END]
        expected = exhaustive(module, prompt, penalty)
        decoding = Decoding(beams=FEW**LIMIT, length_penalty=penalty)
        assert found(module, prompt, decoding, LIMIT, END) == expected
        lengths.add(len(expected))
    assert penalty in (-1.0, 3.0) or len(lengths) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"beams": 2},
        {"beams": 4, "length_penalty": 0.0},
        {"beams": 4, "length_penalty": 2.0},
        {"beams": 3, "repetition_penalty": 1.5},
        {"beams": 3, "no_repeat_ngram": 2},
    ],
    ids=str,
)
def test_finds_what_transformers_finds(settings: dict, tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 32, "vocab_size": VOCAB}
    ends = {"bos_token_id": None, "eos_token_id": EOT, "pad_token_id": EOT}
    theirs = GPT2LMHeadModel(GPT2Config(**sizes, **ends, initializer_range=0.4)).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    config = Model(huggingface=str(tmp_path))
    ours = build(config, VOCAB, EOT)
    weights = read_weights(tmp_path.glob("*.safetensors"), config, VOCAB)
    ours.load_state_dict({**weights, "head.weight": weights["embedding.tokens.weight"]})
    decoding, different = Decoding(**settings), 0
    for first in range(8):
        # The end of text is text to their penalties: so it stands in no prompt.
        prompt = torch.tensor([[first, first + 1, first]])
        text = theirs.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=12,
            do_sample=False,
            num_beams=decoding.beams,
            length_penalty=decoding.length_penalty,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram,
            early_stopping="never",
        )[0, 3:].tolist()
        if EOT in text:
            text = text[: text.index(EOT) + 1]
        assert found(ours.eval(), prompt[0].tolist(), decoding, 12, EOT) == text
        different += text != found(ours, prompt[0].tolist(), Decoding(beams=1), 12, EOT)
    assert different


@pytest.mark.parametrize("switches", [{}, {"preset": "llama", "window": 3}, {"preset": "encoder"}], ids=named)
def test_beams_go_on_past_the_context(switches: dict) -> None:
    """One beam is the greedy way, and the same with a cache and without."""
    module = make(**switches)
    ids = found(module, [EOT, 1], Decoding(beams=4), 40, -1)
    assert len(ids) == 40
    module.requires_grad_(False)
    assert found(module, [EOT, 1], Decoding(beams=4), 40, -1) == ids


def test_the_same_search_twice_gives_the_same() -> None:
    module, decoding = make(), Decoding(beams=5)
    assert found(module, [EOT, 1], decoding, 15, EOT) == found(module, [EOT, 1], decoding, 15, EOT)


def test_logits_that_are_no_numbers_are_refused() -> None:
    module = make()
    with torch.no_grad():
        module.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="the model's predictions are no numbers"):
        found(module, [EOT, 1], Decoding(beams=2), 5, EOT)
