"""Generation draws as asked, stops where it should, and its cache changes nothing."""

from types import SimpleNamespace

import pytest
import torch

from gptgrid.artifact.errors import UserError
from gptgrid.config.experiment import Decoding
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.generate import Reader, generate, select
from gptgrid.model.initialize import initialize

VOCAB, EOT = 29, 28


def make(**switches: object) -> torch.nn.Module:
    config = Model(**{"n_layer": 2, "n_head": 2, "d_model": 32, "context": 8, "init_std": 0.3, **switches})
    module = build(config, VOCAB, EOT)
    initialize(module, 3)
    return module.eval()


def continued(
    module: torch.nn.Module, count: int = 40, seed: int = 0, prompt: tuple = (EOT, 1), **decoding
) -> list[int]:
    return list(generate(module, list(prompt), Decoding(**decoding), count, EOT, seed, ignore_eos=True))


@pytest.mark.parametrize(
    "switches",
    [
        *({"position": position} for position in ("learned", "sinusoidal", "rope", "alibi", "none")),
        {"preset": "llama", "window": 3, "window_pattern": "SL", "document_mask": True},
    ],
    ids=str,
)
def test_cached_equals_uncached_far_beyond_the_context(switches: dict) -> None:
    module = make(**switches)
    ids = [EOT, 1]
    with_cache = Reader(module, len(ids))
    without = Reader(module, len(ids))
    without.cached = False
    for _ in range(30):
        logits = with_cache.next_logits(ids)
        torch.testing.assert_close(logits, without.next_logits(ids), rtol=1e-4, atol=1e-4)
        ids.append(EOT if len(ids) % 7 == 0 else int(logits.argmax()))


def test_greedy_takes_the_likeliest_of_a_plain_loop() -> None:
    module, ids = make(), [EOT, 1]
    for _ in range(6):
        ids.append(int(module(torch.tensor([ids]))[0, -1].argmax()))
    assert continued(module, 6, temperature=0) == ids[2:]


def test_same_seed_same_text_and_another_seed_another() -> None:
    module = make()
    assert continued(module, seed=1) == continued(module, seed=1)
    assert continued(module, seed=1) != continued(module, seed=2)


def test_encoder_generates_without_a_cache() -> None:
    ids = continued(make(preset="encoder"))
    assert len(ids) == 40
    assert all(0 <= i < VOCAB for i in ids)


def test_stops_at_the_end_of_text_unless_told_not_to() -> None:
    module = make()
    with torch.no_grad():
        module.head.weight.zero_()
    first = continued(module, 3, temperature=0)[0]  # all logits are equal: the first id
    assert list(generate(module, [1], Decoding(temperature=0), 9, first, 0)) == []
    assert len(list(generate(module, [1], Decoding(temperature=0), 9, first, 0, ignore_eos=True))) == 9


def test_a_prompt_longer_than_the_context_is_read_from_its_end() -> None:
    module = make()
    long = [i % VOCAB for i in range(20)]
    assert continued(module, 1, prompt=tuple(long), temperature=0) == continued(
        module, 1, prompt=tuple(long[-8:]), temperature=0
    )


def frequencies(logits: torch.Tensor, draws: int = 4000, seen: tuple = (), **decoding) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    chosen = [select(logits, Decoding(**decoding), set(seen), generator) for _ in range(draws)]
    return torch.bincount(torch.tensor(chosen), minlength=len(logits)) / draws


@pytest.mark.parametrize(
    "decoding",
    [
        {},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.7},
        {"top_p": 0.01},
        {"temperature": 1.5, "top_k": 5, "top_p": 0.8, "repetition_penalty": 1.4},
    ],
)
def test_draws_have_the_probabilities_of_transformers(decoding: dict) -> None:
    from transformers import (
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    logits = torch.tensor([2.0, -1.0, 0.5, 1.9, 0.0, -3.0, 1.0])
    seen = [0, 1, 5]
    scores = logits[None]
    if "repetition_penalty" in decoding:
        scores = RepetitionPenaltyLogitsProcessor(decoding["repetition_penalty"])(
            torch.tensor([seen]), scores
        )
    scores = TemperatureLogitsWarper(decoding.get("temperature", 1.0))(None, scores)
    if "top_k" in decoding:
        scores = TopKLogitsWarper(decoding["top_k"])(None, scores)
    if "top_p" in decoding:
        scores = TopPLogitsWarper(decoding["top_p"])(None, scores)
    expected = scores[0].softmax(-1)
    frequency = frequencies(logits, seen=tuple(seen), **decoding)
    torch.testing.assert_close(frequency, expected, rtol=0, atol=0.03)
    assert ((frequency > 0) <= (expected > 0)).all()


@pytest.mark.parametrize("penalty", [1.3, 2.0])
@pytest.mark.parametrize("cached", [True, False])
def test_the_penalty_counts_text_and_not_the_mark_between_documents(penalty: float, cached: bool) -> None:
    """Against a loop that reads everything again for each token, with the processor of transformers."""
    from transformers import RepetitionPenaltyLogitsProcessor

    module = make(context=64) if cached else make(context=64, preset="encoder")
    with torch.no_grad():  # often, but not always, the likeliest
        module.head.bias = torch.nn.Parameter(torch.zeros(VOCAB))
        module.head.bias[EOT] = 1.5
    ids, ends = [EOT, 1, EOT, 2], 0
    for _ in range(40):
        logits = module(torch.tensor([ids]))[0, -1:].detach()
        text = torch.tensor([[index for index in ids if index != EOT]])
        ids.append(int(RepetitionPenaltyLogitsProcessor(penalty)(text, logits).argmax()))
        ends += ids[-1] == EOT
    found = continued(module, 40, prompt=(EOT, 1, EOT, 2), temperature=0, repetition_penalty=penalty)
    assert found == ids[4:]
    assert ends > 1


def test_a_penalty_without_text_changes_nothing() -> None:
    module = make()
    plain = continued(module, 1, prompt=(EOT,), temperature=0)
    assert continued(module, 1, prompt=(EOT,), temperature=0, repetition_penalty=1e9) == plain


TINY, HUGE = (5e-324, 1e-39, 1e-7), (1e39, 1e308)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("temperature", value) for value in (*TINY, *HUGE)),
        *(("top_p", value) for value in TINY),
        *(("repetition_penalty", value) for value in (*TINY, *HUGE)),
        ("top_k", VOCAB + 1),
        ("top_k", 10**30),
    ],
)
@pytest.mark.parametrize("rest", [{}, {"temperature": 0}], ids=["drawn", "greedy"])
def test_settings_at_their_edges_give_text(key: str, value: float, rest: dict) -> None:
    assert len(continued(make(), 12, **{**rest, key: value})) == 12


@pytest.mark.parametrize(
    "edge", [{"temperature": TINY[0]}, {"temperature": 1e-39}, {"top_p": TINY[0]}, {"top_k": 1}]
)
def test_the_narrowest_draw_is_the_greedy_one(edge: dict) -> None:
    module = make()
    assert continued(module, **edge) == continued(module, temperature=0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"repetition_penalty": float("nan")}, "repetition_penalty is nan"),
        ({"repetition_penalty": float("inf")}, "repetition_penalty is inf"),
        ({"top_k": -1}, "top_k is -1"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict, expected: str) -> None:
    decoding = SimpleNamespace(**{**Decoding().model_dump(), **changes})
    with pytest.raises(UserError, match=expected):
        generate(make(), [1], decoding, 5, EOT, 0)


@pytest.mark.parametrize("count", [0, -1])
def test_no_tokens_at_all_are_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"max_new_tokens is {count}; ask for one at least"):
        generate(make(), [1], Decoding(), count, EOT, 0)


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**63, 2**64 - 1])
def test_every_seed_of_torch_draws(seed: int) -> None:
    assert len(continued(make(), 3, seed=seed)) == 3


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_a_seed_beyond_those_of_torch_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"seed is {seed}; it must lie between"):
        generate(make(), [1], Decoding(), 5, EOT, seed)


@pytest.mark.parametrize("prompt", [[], [VOCAB], [-1]])
def test_prompts_outside_the_vocabulary_are_refused(prompt: list[int]) -> None:
    with pytest.raises(UserError, match="prompt"):
        generate(make(), prompt, Decoding(), 5, EOT, 0)
