"""Corpora, windows, precisions and presets that the other tests leave out, through the whole workflow."""

import csv
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
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(float(row["test_loss"]) > 0 for row in rows)
    # Bare ids have no bytes; text has.
    assert [bool(row["bpb"]) for row in rows] == [False, False, True, True, True, True]
    # 200 tokens are rounded up to whole steps of 64.
    assert rows[-1]["train_tokens"] == "256"
    # Nothing can be learned from noise: ln 40 nats a token.
    assert abs(float(rows[0]["test_loss"]) - 3.689) < 0.1
