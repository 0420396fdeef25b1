"""`auto` is the faster precision, and nothing else depends on the device."""

import pytest
import torch

from gptgrid.model.precision import LEAST_ACTIVATIONS, choose_precision


@pytest.fixture
def multiplies_bf16(monkeypatch):
    """A processor with instructions for bf16."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)


@pytest.mark.parametrize(
    ("activations", "chosen"), [(256 * 16, "fp32"), (256 * 32, "fp32"), (256 * 128, "bf16_weights")]
)
def test_auto_rounds_where_that_saves_time(activations, chosen, multiplies_bf16):
    assert choose_precision("auto", torch.device("cpu"), activations) == chosen
    assert choose_precision("bf16", torch.device("cpu"), activations) == "bf16"


def test_auto_is_fp32_without_instructions_for_bf16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_precision("auto", torch.device("cpu"), LEAST_ACTIVATIONS) == "fp32"
