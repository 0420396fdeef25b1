"""What holds for every model, whatever its switches: causality, independent rows, an honest cache, no NaN."""

import itertools
from typing import get_args

import pytest
import torch
from models import CHOICES, CONTEXT, ENCODERS, GPTS, VOCAB, documents, make, named
from torch.nn import functional

from gptgrid.config.models import Model
from gptgrid.model import cpu_cache
from gptgrid.model.build import ARCHITECTURES
from gptgrid.model.embedding import ABSOLUTE_POSITIONS
from gptgrid.model.feedforward import ACTIVATIONS
from gptgrid.model.norm import NORMS
from gptgrid.model.position import RELATIVE_POSITIONS

gpts = pytest.mark.parametrize("switches", GPTS, ids=named)
all_models = pytest.mark.parametrize("switches", GPTS + ENCODERS, ids=named)


def test_any_two_settings_meet() -> None:
    for one, other in itertools.combinations(CHOICES.values(), 2):
        for a, b in itertools.product(one, other):
            assert any((a | b).items() <= switches.items() for switches in GPTS)


def test_every_choice_of_the_configuration_is_there() -> None:
    choices = {
        "preset": set(ARCHITECTURES),
        "norm": set(NORMS),
        "activation": set(ACTIVATIONS),
        "position": {*ABSOLUTE_POSITIONS, *RELATIVE_POSITIONS, "none"},
    }
    for key, names in choices.items():
        assert names == set(get_args(Model.model_fields[key].annotation)), key


@all_models
def test_no_token_sees_a_later_one(switches: dict) -> None:
    module, given = make(**switches), documents()
    before = module(given)
    for place in (0, 5, CONTEXT - 1):
        changed = given.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCAB
        after = module(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.allclose(after[:, place], before[:, place])


@all_models
def test_rows_and_padding_change_nothing(switches: dict) -> None:
    module, given = make(**switches), documents()
    before = module(given)
    padded = given.clone()
    padded[1, 7:] = 0
    after = module(padded)
    assert torch.equal(after[0], before[0])
    assert torch.equal(after[1, :7], before[1, :7])
    torch.testing.assert_close(module(given[1:, :7])[0], before[1, :7], rtol=1e-5, atol=1e-5)


@gpts
@pytest.mark.parametrize("pieces", [[1] * CONTEXT, [5, 1, 4, 2], [CONTEXT]], ids=str)
@pytest.mark.parametrize("plain", [False, True], ids=["in blocks", "plain"])
def test_cached_equals_uncached(
    monkeypatch: pytest.MonkeyPatch, switches: dict, pieces: list[int], plain: bool
) -> None:
    monkeypatch.setattr(cpu_cache, "BLOCK", 5)
    monkeypatch.setattr(cpu_cache, "supports", lambda like, tokens: not plain)
    module, given = make(**switches), documents()
    cache = module.new_cache(batch=2)
    parts = [module(piece, cache) for piece in given.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), module(given), rtol=1e-5, atol=1e-5)


@all_models
def test_no_nan_in_any_precision(switches: dict) -> None:
    module, given = make(**switches), documents()
    logits = module(given)
    functional.cross_entropy(logits.flatten(0, 1), given.flatten()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype), torch.no_grad():
            mixed = module(given)
        # Wrong masks would move logits, which are of size 1 to 10, by far more.
        assert (mixed - logits).abs().max() < 0.1 * logits.abs().max()
        low = make(**switches).to(dtype)(given)
        # Logits have three digits in training alone.
        assert low.dtype == mixed.dtype == torch.float32
        assert make(**switches).to(dtype).train()(given).dtype == dtype
        assert (low - logits).abs().max() < 0.1 * logits.abs().max()
