"""Products by oneDNN are those of torch, with their gradients, and are taken where they pay."""

import pytest
import torch
from torch import Tensor

from gptgrid.config.models import Model
from gptgrid.model import linear as products
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.model.linear import Linear, OneDNNLinear, linear

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN")
LAYOUTS = {
    "by rows": lambda x: x,
    "by columns": lambda x: x.t().contiguous().t(),
    "a part": lambda x: torch.cat((x, x), dim=1)[:, : x.shape[1]],
    "repeated": lambda x: x[:1, :1].expand_as(x),
}


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oneDNN make every product that it can."""
    monkeypatch.setattr(products, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(products, "mkl_is_slow", lambda: True)


@pytest.mark.parametrize("of_x", LAYOUTS)
@pytest.mark.parametrize("of_grad", LAYOUTS)
@pytest.mark.parametrize(("rows", "wide", "out"), [(1, 5, 3), (7, 5, 3), (64, 33, 17), (3, 1, 2)])
def test_values_and_gradients_are_those_of_float64(
    rows: int, wide: int, out: int, of_x: str, of_grad: str
) -> None:
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int, layout: str = "by rows") -> Tensor:
        return LAYOUTS[layout](torch.randn(*shape, generator=generator))

    given = [random(rows, wide, layout=of_x), random(out, wide), random(out)]
    grad = random(rows, out, layout=of_grad)
    ours = [tensor.detach().requires_grad_() for tensor in given]
    made = OneDNNLinear.apply(*ours)
    made.backward(grad)
    theirs = [tensor.double().detach().requires_grad_() for tensor in given]
    expected = torch.nn.functional.linear(*theirs)
    expected.backward(grad.double())
    torch.testing.assert_close(made.double(), expected, rtol=1e-5, atol=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad.double(), other.grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", ["gpt2", "llama", "modern"])
def test_a_model_learns_the_same(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = build(Model(preset=preset, n_layer=2, d_model=32, n_head=2, context=16), 40, 39)
    initialize(module, 1)
    tokens = torch.randint(40, (3, 16), generator=torch.Generator().manual_seed(1))
    made: list[Tensor] = []
    product = products.product
    monkeypatch.setattr(products, "product", lambda *given: made.append(product(*given)) or made[-1])
    monkeypatch.setattr(products, "LEAST_PRODUCTS", 0)

    def gradients(slow: bool) -> list[Tensor]:
        monkeypatch.setattr(products, "mkl_is_slow", lambda: slow)
        made.clear()
        module.zero_grad()
        module(tokens).logsumexp(-1).square().mean().backward()
        # In each of two blocks four matrices and the output matrix: forward, and for both gradients.
        assert len(made) == slow * 3 * (2 * 4 + 1)
        return [parameter.grad.clone() for parameter in module.parameters()]

    expected, found = gradients(slow=False), gradients(slow=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(gradients(slow=True), found, rtol=0, atol=0)


@pytest.mark.usefixtures("everywhere")
def test_is_taken_for_rows_of_fp32_alone() -> None:
    layer, rows = Linear(4, 3), torch.randn(2, 4)
    assert layer(rows).grad_fn.name() == "OneDNNLinearBackward"
    assert layer(rows[None]).grad_fn.name() != "OneDNNLinearBackward"
    assert linear(rows.bfloat16(), layer.weight.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(rows).dtype == torch.bfloat16


@pytest.mark.usefixtures("everywhere")
def test_a_second_derivative_is_refused() -> None:
    layer, rows = Linear(4, 3), torch.randn(2, 4, requires_grad=True)
    (grad,) = torch.autograd.grad(layer(rows).square().sum(), rows, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_a_compiled_model_is_one_graph() -> None:
    layer, rows = Linear(512, 512), torch.randn(64, 512)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(rows), layer(rows), rtol=1e-4, atol=1e-5)


def test_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "mkl_is_slow", lambda: True)
    weight = torch.empty(64, 128)
    assert products.pays(torch.empty(1024, 128), weight)
    assert not products.pays(torch.empty(1023, 128), weight)
    monkeypatch.setattr(products, "mkl_is_slow", lambda: False)
    assert not products.pays(torch.empty(1024, 128), weight)
