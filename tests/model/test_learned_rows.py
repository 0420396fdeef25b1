"""Some rows of the embedding and of the output matrix learn, and the others stay."""

import pytest
import torch
from models import make, tokens

from gptgrid.model.learned_rows import learn_rows, settle_rows


@pytest.mark.parametrize("tied", [True, False])
def test_only_their_rows_learn(tied):
    module = make(tie_embeddings=tied).requires_grad_(False)
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    expected = module(tokens())
    ids = sorted(set(tokens().flatten().tolist()))[2:4]
    learn_rows(module, ids[::-1])
    assert torch.equal(module(tokens()), expected)
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert [parameter.shape for parameter in learning] == [(2, 32)] * (1 if tied else 2)
    module(tokens()).square().mean().backward()
    with torch.no_grad():
        for parameter in learning:
            assert parameter.grad.any()
            parameter -= parameter.grad
    expected = module(tokens())
    settle_rows(module)
    assert torch.equal(module(tokens()), expected) and not torch.equal(
        expected, make(tie_embeddings=tied)(tokens())
    )
    after = module.state_dict()
    assert after.keys() == before.keys()
    for name, weight in after.items():
        changed = (weight != before[name]).reshape(len(weight), -1).any(dim=1).nonzero().flatten().tolist()
        assert changed == (ids if name in ("embedding.tokens.weight", "head.weight") else [])
    assert (module.head.weight is module.embedding.tokens.weight) == tied
