"""Trained cells for tests, as the `train` stage leaves them, without the training."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from gptgrid.artifact.identity import canonical
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.model.load import WEIGHTS
from gptgrid.tokens.codec import BytesCodec, Codec, write_codec
from gptgrid.tokens.shards import write_shard

SMALL = {"n_layer": 2, "n_head": 2, "d_model": 16, "context": 8, "init_std": 0.4}


def tiny(vocab_size: int, **switches: object) -> nn.Module:
    """Return a small model whose random weights prefer some tokens clearly."""
    module = build(Model(**{**SMALL, **switches}), vocab_size, eot=vocab_size - 1)
    initialize(module, 1)
    return module.eval()


def uniform(vocab_size: int, likely: int | None = None) -> nn.Module:
    """Return a model that finds all tokens equally likely, or always one of them."""
    module = tiny(vocab_size, preset="encoder")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        if likely is not None:
            module.head.bias[likely] = 50.0
    return module


def write_cell(
    folder: Path,
    module: nn.Module,
    codec: Codec | None = None,
    status: str = "finished",
    last: nn.Module | None = None,
) -> Path:
    """Write what generating and scoring need of a `train` folder; the codec is `bytes` if none is given.

    The last weights are those of `last`, or the best ones.
    """
    folder.mkdir(parents=True)
    for use, weights in (("best", module), ("last", last or module)):
        save_file(dict(weights.named_parameters()), folder / WEIGHTS[use])
    codec = codec or BytesCodec()
    recipe = {"model": module.config.complete(), "vocab_size": module.vocab_size, "eot": codec.eot}
    (folder / "config.json").write_text(canonical({**recipe, "training": {}, "seed": 1}) + "\n")
    write_codec(codec, folder / "codec.json")
    (folder / "manifest.json").write_text(json.dumps({"facts": {"status": status}}))
    return folder


def write_test_split(folder: Path, ids: list[int], vocab_size: int, **counts: int | None) -> Path:
    """Write the test shard of an encoded corpus with its manifest; the counts are bytes, words, newlines."""
    folder.mkdir(parents=True)
    write_shard(folder / "test-00000.bin", [np.array(ids)], vocab_size)
    facts = {"splits": {"test": {"tokens": len(ids), **counts}}}
    (folder / "manifest.json").write_text(json.dumps({"facts": facts}))
    return folder
