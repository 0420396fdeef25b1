"""`auto` is the faster precision, and nothing else depends on the device."""

import pytest
import torch
from models import ENCODERS, make

from gptgrid.artifact.errors import UserError
from gptgrid.model import precision
from gptgrid.model.precision import LEAST_ACTIVATIONS, choose_precision, round_for_prediction


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


@pytest.mark.parametrize("switches", [{}, {"preset": "llama", "tie_embeddings": True}, ENCODERS[0]], ids=str)
def test_what_predicts_is_rounded_inside_the_blocks_alone(switches, monkeypatch):
    """On a machine without bf16 instructions, too: there the choice alone is another."""
    module = make(**switches)
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    assert round_for_prediction(module, "fp32") == "fp32"
    assert all(torch.equal(weight, before[name]) for name, weight in module.state_dict().items())
    monkeypatch.setattr(precision, "choose_precision", lambda *_: "bf16_weights")
    assert round_for_prediction(module, "auto") == "bf16_weights"
    for name, weight in module.named_parameters():
        exact = name.startswith(("embedding.", "head."))
        assert torch.equal(weight, before[name] if exact else before[name].bfloat16())


def test_another_precision_is_refused():
    with pytest.raises(UserError, match=r"^precision is 'bf16'; expected fp32 or auto$"):
        round_for_prediction(make(), "bf16")


def test_auto_is_fp32_without_instructions_for_bf16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_precision("auto", torch.device("cpu"), LEAST_ACTIVATIONS) == "fp32"
