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
from gptgrid.stages.encode.encode import mark_documents
from gptgrid.stages.encode.sizes import Sizes
from gptgrid.tokens.codec import BytesCodec, Codec, write_codec
from gptgrid.tokens.document_table import table_path
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
    windows: str = "permuted",
) -> Path:
    """Write what generating and scoring need of a `train` folder; the codec is `bytes` if none is given.

    The last weights are those of `last`, or the best ones.
    """
    folder.mkdir(parents=True)
    for use, weights in (("best", module), ("last", last or module)):
        save_file(dict(weights.named_parameters()), folder / WEIGHTS[use])
    codec = codec or BytesCodec()
    recipe = {"model": module.config.complete(), "vocab_size": module.vocab_size, "eot": codec.eot}
    recipe |= {"training": {"windows": windows}, "seed": 1}
    (folder / "config.json").write_text(canonical(recipe) + "\n")
    write_codec(codec, folder / "codec.json")
    (folder / "manifest.json").write_text(json.dumps({"facts": {"status": status}}))
    return folder


def write_splits(folder: Path, codec: Codec, facts: dict[str, int] | None = None, **splits: list) -> Path:
    """Write the shards of an encoded corpus with tables and manifest; splits have documents, texts or ids.

    Args:
        folder: that is made.
        codec: the tokenizer.
        facts: what the manifest says of each split in place of the truth.
        splits: name → documents; training and validation split are as the test split if they are not given.
    """
    folder.mkdir(parents=True)
    if "test" in splits:
        splits = {"train": splits["test"], "valid": splits["test"], **splits}
    counts = {}
    for split, documents in splits.items():
        sizes = Sizes(codec.eot, codec.kind == "ids")
        documents = list(sizes.documents(documents))
        if codec.kind == "ids":
            arrays = list(mark_documents(map(np.array, documents), codec.eot))
        else:
            arrays = [codec.encode_stream(documents)]
        write_shard(folder / f"{split}-00000.bin", sizes.tokens(arrays), codec.vocab_size)
        sizes.table().write(table_path(folder, split))
        counts[split] = {**sizes.table().totals, **(facts or {})}
    (folder / "manifest.json").write_text(json.dumps({"facts": {"splits": counts}}))
    return folder
