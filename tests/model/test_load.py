"""A trained cell's folder is read back with the weights that are asked for."""

from pathlib import Path

import pytest
import torch
from cells import tiny, write_cell

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
