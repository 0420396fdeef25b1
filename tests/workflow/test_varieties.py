"""Corpora, windows, precisions and presets that the other tests leave out, through the whole workflow."""

import csv
import json
import shutil
from pathlib import Path

from checkout import CONFIG, Checkout

VARIETIES = {
    **CONFIG,
    "corpora": {
        "noise": {"source": "random", "vocab_size": 40, "tokens": 4000, "document_tokens": 50},
        "toy": {"source": "builtin", "document": "whole"},
    },
    "tokenizers": {"ids": {"kind": "ids"}, "char": {"kind": "char"}},
    "models": {
        "gpt2": CONFIG["models"]["gpt2"],
        "encoder": {"base": "gpt2", "preset": "encoder"},
        "alibi": {"base": "gpt2", "position": "alibi", "n_kv_head": 1, "qk_norm": True, "window": 8},
    },
    "training": {
        "base": {"steps": 3, "batch_tokens": 64, "micro_batch": 2},
        "bf16": {"base": "base", "precision": "bf16", "windows": "sliding", "stride": 4, "schedule": "wsd"},
        "fp16": {"base": "base", "precision": "fp16", "windows": "document", "schedule": "linear"},
        "drawn": {"base": "base", "tokens": 200, "windows": "random", "schedule": "constant", "use": "last"},
    },
    "grid": [
        {"corpus": "noise", "tokenizer": "ids", "model": "gpt2", "training": ["base", "bf16"]},
        {"corpus": "toy", "tokenizer": "char", "model": ["encoder", "alibi"], "training": "bf16"},
        {"corpus": "toy", "tokenizer": "char", "model": "gpt2", "training": ["fp16", "drawn"]},
    ],
}


def test_every_variety_ends_in_the_table(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    checkout.configure(VARIETIES)
    checkout.run()
    with (checkout.folder / "results/small/compare/summary.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["status"] != "reference"]
    assert len(rows) == 6
    assert all(float(row["test_loss"]) > 0 for row in rows)
    # Bare ids have no bytes; text has.
    assert [bool(row["bpb"]) for row in rows] == [False, False, True, True, True, True]
    # 200 tokens are rounded up to whole steps of 64.
    assert rows[-1]["train_tokens"] == "256"
    # Nothing can be learned from noise: ln 40 nats a token.
    assert abs(float(rows[0]["test_loss"]) - 3.689) < 0.1


def test_shards_of_several_jobs_train_like_ready_made_ones(tmp_path: Path) -> None:
    """A corpus in three parts, its shards taken as a corpus of ids: the same tokens, the same weights."""
    checkout = Checkout(tmp_path / "gptgrid")
    text = {**CONFIG, "corpora": {"toy": {"source": "builtin", "shards": 3}}}
    text |= {"tokenizers": {"char": {"kind": "char"}}, "grid": [{"model": "gpt2"}]}
    checkout.configure(text)
    checkout.run()
    shards = checkout.folder / "data/shards/char@toy"
    assert [path.name for path in sorted(shards.glob("train-*.bin"))] == [
        f"train-0000{i}.bin" for i in range(3)
    ]
    parts = list((checkout.folder / "results/.store/encode").glob("*/train-00000.bin"))
    assert len(parts) == 4 and any(path.samefile(shards / "train-00002.bin") for path in parts)

    ready = checkout.folder / "ready"
    ready.mkdir()
    for path in shards.glob("*.bin"):
        shutil.copy(path, ready)
    facts = json.loads((shards / "manifest.json").read_text())["facts"]
    files = {split: [f"ready/{split}-*.bin"] for split in ("train", "valid", "test")}
    corpus = {"source": "shards", "vocab_size": facts["vocab_size"], "eot": facts["eot"], **files}
    checkout.configure({**text, "corpora": {"ready": corpus}, "tokenizers": {"ids": {"kind": "ids"}}})
    checkout.run()
    cells = checkout.folder / "results/small/cells"
    weights = [path.read_bytes() for path in sorted(cells.glob("*/train/model.safetensors"))]
    assert len(weights) == 2 and weights[0] == weights[1]

    # One part is lost and is made again.
    checkout.configure(text)
    assert checkout.run() == {}
    lost = next(path for path in parts if path.samefile(shards / "train-00001.bin"))
    shutil.rmtree(lost.parent)
    checkout.run()
    assert checkout.made == {"encode": 1}
    assert lost.read_bytes() == (shards / "train-00001.bin").read_bytes()
