"""A trained cell's folder is read back with the weights that are asked for."""

from pathlib import Path

import pytest
import torch
from cells import tiny, write_cell
from safetensors.torch import load_file, save_file

from gptgrid.artifact.errors import UserError
from gptgrid.model.load import load_model

TOKENS = torch.arange(6)[None]


def test_best_or_last_weights(tmp_path: Path) -> None:
    best, last = tiny(257), tiny(257, init_std=0.1)
    folder = write_cell(tmp_path / "train", best, last=last)
    assert torch.equal(load_model(folder)(TOKENS), best(TOKENS))
    assert torch.equal(load_model(folder, use="best")(TOKENS), best(TOKENS))
    assert torch.equal(load_model(folder, use="last")(TOKENS), last(TOKENS))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    folder = write_cell(tmp_path / "train", tiny(257))
    (folder / "last.safetensors").unlink()
    with pytest.raises(UserError, match=r"last\.safetensors cannot be read"):
        load_model(folder, use="last")


def test_what_differs_from_the_model_is_said(tmp_path: Path) -> None:
    folder = write_cell(tmp_path / "train", tiny(257, preset="llama", tie_embeddings=False))
    weights = load_file(folder / "model.safetensors")
    name = "embedding.tokens.weight"
    others = {
        f"it has no {name}": {key: value for key, value in weights.items() if key != name},
        "the model has no spare.weight, which it has": {**weights, "spare.weight": torch.zeros(2)},
        rf"its {name} is 3 × 2, that of the model 257 × 16": {**weights, name: torch.zeros(3, 2)},
    }
    for said, tensors in others.items():
        save_file(tensors, folder / "model.safetensors")
        with pytest.raises(
            UserError, match=rf"model\.safetensors is of another model than config\.json: {said}"
        ):
            load_model(folder)
    weights = load_file(write_cell(tmp_path / "tied", tiny(257, tie_embeddings=True)) / "model.safetensors")
    del weights[name]
    save_file(weights, tmp_path / "tied" / "model.safetensors")
    with pytest.raises(UserError, match=f"it has no {name}"):
        load_model(tmp_path / "tied")
