"""With a document mask, a text of many documents is read as each of them alone."""

import itertools
from pathlib import Path

import pytest
import torch
from cells import tiny, write_cell
from models import CONTEXT, ENCODERS, EOT, VOCAB, documents, make, named, tokens
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.config.models import Model
from gptgrid.model import flex
from gptgrid.model.build import build
from gptgrid.model.load import load_model
from gptgrid.model.mask import number_documents, places_in_documents

RELATIVE = [
    {"preset": "llama"},
    {"preset": "llama", "n_kv_head": 2, "window": 3, "window_pattern": "SL"},
    {"preset": "gpt2", "position": "none"},
    {"preset": "gpt2", "position": "alibi", "window": 4, "norm_position": "post"},
    {"preset": "gpt2", "position": "alibi", "qk_norm": True, "parametrization": "mup", "base_width": 16},
]
"""Models to which a text says the same wherever it stands."""
MANY = (64, 1024)
"""Rows and tokens of a pass with many scores."""
relative = pytest.mark.parametrize("switches", RELATIVE, ids=named)


def alone(module: nn.Module, text: torch.Tensor) -> torch.Tensor:
    """Return the logits of each document read alone: (time, vocab_size)."""
    starts = [0, *(place for place in range(1, len(text)) if text[place] == EOT), len(text)]
    pieces = [text[begin:end] for begin, end in itertools.pairwise(starts)]
    return torch.cat([module(piece[None])[0] for piece in pieces])


@relative
@pytest.mark.parametrize("pieces", [None, [1] * CONTEXT, [4, 1, 5, 2]], ids=str)
def test_each_document_is_read_as_if_alone(switches: dict, pieces: list[int] | None) -> None:
    module, given = make(**switches, document_mask=True), documents()
    expected = torch.stack([alone(module, text) for text in given])
    if pieces is None:
        logits = module(given)
    else:
        cache = module.new_cache(batch=2)
        logits = torch.cat([module(piece, cache) for piece in given.split(pieces, dim=1)], dim=1)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    without = make(**switches)(given)
    assert not torch.allclose(without, expected, rtol=1e-2, atol=1e-2)


def test_long_texts_have_stretches_in_which_nothing_is_seen() -> None:
    module = make(preset="llama", n_layer=1, context=1100, window=5, document_mask=True)
    text = tokens(batch=1, time=1100)
    text[0, [0, 600, 601, 1090]] = EOT
    torch.testing.assert_close(module(text)[0], alone(module, text[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("switches", [{}, *RELATIVE], ids=named)
def test_an_end_of_text_changes_its_own_document_only(switches: dict) -> None:
    module, given = make(**switches, document_mask=True), documents()[1:]
    before = module(given)  # ends at 3, 4 and 9
    for place, change, until in ((1, 7, 3), (6, EOT, 9), (4, 7, 9), (10, EOT, CONTEXT)):
        changed = given.clone()
        changed[0, place] = change
        same = (module(changed)[0] == before[0]).all(-1)
        assert same[:place].all()
        assert not same[place:until].any()
        assert same[until:].all()


@pytest.mark.parametrize("switches", [RELATIVE[1], {"preset": "gpt2", "qk_norm": True}], ids=named)
@pytest.mark.filterwarnings("ignore:flex_attention called without")  # compiled on a GPU only
def test_both_kernels_compute_the_same(switches: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    module, given = make(**switches, document_mask=True), documents()
    used: list[torch.Tensor] = []

    def attend(*given: object) -> torch.Tensor:
        used.append(kernel(*given))
        return used[-1]

    kernel = flex.attend
    monkeypatch.setattr(flex, "attend", attend)
    with torch.no_grad():
        expected = module(given)
        assert not used
        monkeypatch.setattr(flex, "supports", lambda *_: True)
        torch.testing.assert_close(module(given), expected, rtol=1e-5, atol=1e-5)
        assert len(used) == 2


@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_queries_and_keys_of_a_norm_under_autocast_meet_values_of_less_precision() -> None:
    queries, values = torch.randn(1, 2, 4, 16), torch.randn(1, 2, 4, 16, dtype=torch.bfloat16)
    mask = flex.block_mask(torch.zeros(1, 4, dtype=torch.long), None)
    assert flex.attend(queries, queries, values, mask, 0.25).dtype == torch.bfloat16


def test_the_kernel_of_gpus_serves_training_without_dropout_and_alibi() -> None:
    gpu = torch.device("cuda")
    assert flex.supports(Model(), True, gpu, *MANY)
    assert not flex.supports(Model(), False, gpu, *MANY)
    assert not flex.supports(Model(), True, torch.device("cpu"), *MANY)
    for lacking in ({"dropout": 0.1}, {"position": "alibi"}, {"n_head": 16}):
        assert not flex.supports(Model(**lacking), True, gpu, *MANY)


def test_blocks_pay_where_scores_are_many() -> None:
    gpu, time = torch.device("cuda"), 256
    rows = flex.LEAST_SCORES // (4 * time**2)
    assert flex.supports(Model(n_head=4), True, gpu, rows, time)
    assert not flex.supports(Model(n_head=4), True, gpu, rows - 1, time)
    assert not flex.supports(Model(n_head=2), True, gpu, rows, time)


def test_a_vocabulary_without_an_end_of_text_is_refused() -> None:
    assert build(Model(), VOCAB).eot is None
    with pytest.raises(UserError, match=r"document_mask .* has none: give the corpus its `eot`"):
        build(Model(document_mask=True), VOCAB)


def test_a_trained_cell_knows_where_documents_begin(tmp_path: Path) -> None:
    module = tiny(257, document_mask=True)
    text = torch.tensor([[256, 5, 6, 256, 7, 8]])
    loaded = load_model(write_cell(tmp_path / "train", module))
    assert loaded.eot == 256
    assert torch.equal(loaded(text), module(text))


GIVEN = [
    *({"preset": "gpt2", "position": kind} for kind in ("learned", "sinusoidal", "rope", "alibi", "none")),
    {"preset": "llama", "n_kv_head": 2, "window": 3, "window_pattern": "SL", "document_mask": True},
    {"preset": "modern", "residual_mix": True},
    *ENCODERS,
]
"""Models of every kind of position."""


@pytest.mark.parametrize("switches", GIVEN, ids=named)
def test_given_documents_are_read_as_if_alone(switches: dict) -> None:
    module, given = make(**switches), documents()
    expected = torch.stack([alone(module, text) for text in given])
    logits = module(given, documents=number_documents(given, EOT))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(make(**{**switches, "document_mask": False})(given), expected, atol=1e-2)


def test_numbers_of_documents_need_not_follow_each_other() -> None:
    numbers = torch.tensor([[7, 7, 2, 2, 2, 0], [0, 0, 0, 0, 0, 0], [5, 6, 7, 8, 8, 8]])
    expected = [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 1, 2]]
    assert places_in_documents(numbers).tolist() == expected
