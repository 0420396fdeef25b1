"""Compilation happens where it pays."""

from types import SimpleNamespace

import pytest
from torch import nn

from gptgrid.train import compilation
from gptgrid.train.compilation import compile_if_it_pays

CUDA, CPU = (SimpleNamespace(type=kind) for kind in ("cuda", "cpu"))


@pytest.mark.parametrize(
    ("wanted", "device", "flops", "compiled"),
    [
        # A fifth of the seconds at 1e14 a second against a minute: 3e16 are 300 s.
        ("auto", CUDA, 2.9e16, False),
        ("auto", CUDA, 3.1e16, True),
        ("auto", CPU, 1e20, False),
        (True, CUDA, 1, True),
        (True, CPU, 1, True),
        (False, CUDA, 1e20, False),
    ],
)
def test_compiles_where_it_pays(wanted, device, flops, compiled, monkeypatch):
    module, made = nn.Linear(1, 1), object()
    monkeypatch.setattr(compilation.torch, "compile", lambda asked: made if asked is module else None)
    monkeypatch.setattr(compilation.torch, "get_num_threads", lambda: 1)
    expected = (made, True) if compiled else (module, False)
    assert compile_if_it_pays(module, wanted, device, flops) == expected
