"""Trained cells for tests, as the `train` stage leaves them, without the training."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from gptgrid.artifact.identity import canonical
from gptgrid.artifact.job import Job
from gptgrid.config.models import Model
from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.model.load import WEIGHTS
from gptgrid.stages.corpus.preparing.leakage import measure_documents
from gptgrid.stages.encode.encode import mark_documents
from gptgrid.stages.encode.sizes import Sizes
from gptgrid.text.documents import Counts, DocumentWriter
from gptgrid.tokens.codec import BytesCodec, Codec, write_codec
from gptgrid.tokens.document_table import table_path
from gptgrid.tokens.shards import write_shard

SMALL = {"n_layer": 2, "n_head": 2, "d_model": 16, "context": 8, "init_std": 0.4}


def tiny(vocab_size: int, **switches: object) -> nn.Module:
    """Return a small model whose random weights prefer some tokens clearly."""
    module = build(Model(**{**SMALL, **switches}), vocab_size, eot=vocab_size - 1)
    initialize(module, 1)
    return module.eval()


def uniform(vocab_size: int, likely: int | None = None, **switches: object) -> nn.Module:
    """Return a model that finds all tokens equally likely, or always one of them."""
    module = tiny(vocab_size, preset="encoder", **switches)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        if likely is not None:
            module.head.bias[likely] = 50.0
    return module


def token_by_token(module, ids: list[int], context: int, stride: int) -> list[tuple[float, bool, int]]:
    """Return of each token but the first its nats, whether it is the likeliest, and from how many it is
    predicted: one window after the other, one token after the other."""
    found, begin = [], 0
    while len(found) < len(ids) - 1:
        end = min(begin + context, len(ids) - 1)
        with torch.no_grad():
            chances = module(torch.tensor([ids[begin:end]]))[0].double().log_softmax(-1)
        for place in range(len(found), end):
            own, target = chances[place - begin], ids[place + 1]
            found.append((-own[target].item(), int(own.argmax()) == target, place - begin + 1))
        begin += stride
    return found


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


def write_corpus(folder: Path, **splits: list) -> Path:
    """Write the documents of a corpus, texts or ids, with what its manifest says of sizes and of copies.

    Training and validation split are as the test split if they are not given.
    """
    folder.mkdir(parents=True)
    splits = {"train": splits["test"], "valid": splits["test"], **splits}
    for split, documents in splits.items():
        ids = not all(isinstance(document, str) for document in documents)
        with DocumentWriter(folder / f"{split}-00000.parquet", ids) as writer:
            for document in documents:
                writer.add(np.array(document, np.uint32) if ids else document)
    about = {"leakage": measure_documents(folder)}
    counts = {split: vars(counted(documents)) for split, documents in splits.items()}
    (folder / "manifest.json").write_text(json.dumps({"facts": {"about": about, "splits": counts}}))
    return folder


def counted(documents: list) -> Counts:
    """Return the size of a split; that of ids has no bytes or words."""
    if not all(isinstance(document, str) for document in documents):
        return Counts(len(documents), None, None, None, None, None)
    counts = Counts()
    for text in documents:
        counts.add(text)
    return counts


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


def evaluation_job(
    root: Path,
    module: nn.Module,
    documents: list,
    validation: list | None = None,
    codec: Codec | None = None,
    training: list | None = None,
    facts: dict[str, int] | None = None,
    status: str = "finished",
    last: nn.Module | None = None,
    windows: str = "permuted",
    **config: Any,
) -> Job:
    """Return the job of an evaluation in a folder of its own: a cell, encoded documents and their corpus.

    Args:
        root: that is made.
        module: of the cell.
        documents: of the test split, texts or ids.
        validation: documents of the validation split; those of the test if they are not given.
        codec: `bytes` if none is given.
        training: documents of the training split, likewise.
        facts: see `write_splits`.
        status: of the training.
        last: see `write_cell`.
        windows: of the training.
        config: keys of `evaluation`, and `use`.
    """
    codec = codec or BytesCodec()
    given = {"train": training, "valid": validation, "test": documents}
    splits = {split: documents if texts is None else texts for split, texts in given.items()}
    inputs = {
        "train": write_cell(root / "train", module, codec, status, last, windows),
        "shards": write_splits(root / "shards", codec, facts, **splits),
        "corpus": write_corpus(root / "corpus", **splits),
    }
    folder = root / "artifact"
    folder.mkdir()
    asked = {"stride": None, "precision": "fp32", "use": "best", "bytes": None, "contexts": []}
    asked |= {"checkpoints": "last", **config}
    run = SimpleNamespace(device="cpu", cells_per_gpu=1)
    return Job(SimpleNamespace(**asked), inputs, folder, root / "scratch", run)
