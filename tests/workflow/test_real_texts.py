"""Real texts in several languages, from their addresses to shards that give every document back."""

import os
from pathlib import Path

import pytest
from checkout import CONFIG, Checkout

from gptgrid.artifact.manifest import read_manifest
from gptgrid.text.documents import SPLITS, read_documents
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import open_shards

MIRROR = os.environ.get("GPTGRID_MIRROR")
GITHUB = "https://raw.githubusercontent.com/"
NOVELS = "tennessine/corpus/c5ce96aca36c6a3cb4da5f0ff7d2d5fa30c32aea/"
STORIES = "s-ajaykumar/smallGPT/b8b899265a5574abd2c19d8857039309184a357c/data/tiny_stories.txt"
CORPORA = {
    "verdict": {
        "url": f"{GITHUB}rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt",
        "sha256": "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f",
    },
    "shakespeare": {
        "url": f"{GITHUB}karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "sha256": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "document": "whole",
        "split": {"by": "position"},
    },
    "stories": {
        "url": GITHUB + STORIES,
        "sha256": "c56cfd24fb1c542b141a396184b822a4db3672abdb4c49c6aa843171c5e822a5",
        "clean": {"dedupe": "near"},
    },
    "red": {
        "url": f"{GITHUB}{NOVELS}红楼梦.txt",
        "sha256": "5eca888fb54188d644df70fa555dd3c9cbdd3a8d7b3034fb59f7a81e16f05dc7",
        "document": "line",
    },
    "kingdoms": {
        "url": f"{GITHUB}{NOVELS}三国演义.txt",
        "sha256": "48922aa73c07e0b9c6e23a9cf5cf61f1779dd33e11947a1eaac364f1c50f65c4",
        "document": "line",
        "shards": 3,
    },
    "wiki": {
        "source": "hub",
        "path": "Salesforce/wikitext",
        "name": "wikitext-2-v1",
        "revision": "b08601e04326c79dfdd32d625aee71d232d685c3",
        # The mirror's files have the rows of the hub's, not their bytes.
        "sha256": {
            "wikitext-2-v1/train-00000-of-00001.parquet": "c53969fb89c0beed0a0b812e31366a48ecb115467d77ce68c8d4606e6db4f43d",
            "wikitext-2-v1/validation-00000-of-00001.parquet": "11dcd6fe1c18ba4eb33dd62d73c6502301b622e149d2b57574fbc8e8f4d44c40",
            "wikitext-2-v1/test-00000-of-00001.parquet": "bffcc4dac475672caf7e07e4ab0fce98f376a9d2cd9ffe46faf4db5793890ee8",
        },
    },
}
CHINESE = ("red", "kingdoms")


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
def test_every_document_comes_back_from_its_shards(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    checkout.configure(
        {
            **CONFIG,
            "corpora": {name: {"source": "url", **keys} for name, keys in CORPORA.items()},
            "tokenizers": {
                "bpe": {"kind": "bpe", "vocab_size": 2000},
                "zh": {"kind": "bpe", "vocab_size": 2000, "pattern": "chinese", "memory": 50_000_000},
            },
            "grid": [
                {"corpus": [n for n in CORPORA if n not in CHINESE], "tokenizer": "bpe", "model": "gpt2"},
                {"corpus": [*CHINESE], "tokenizer": "zh", "model": "gpt2"},
            ],
        }
    )
    encoded = {name: f"{'zh' if name in CHINESE else 'bpe'}@{name}" for name in CORPORA}
    targets = [f"data/shards/{shards}/manifest.json" for shards in encoded.values()]
    checkout.run(*targets, GPTGRID_MIRROR=str(Path(MIRROR).resolve()))
    data = checkout.folder / "data"
    for name in CORPORA:
        tokenizer = "zh" if name in CHINESE else "bpe"
        codec = read_codec(data / f"tokenizers/{tokenizer}@{name}")
        facts = read_manifest(data / f"shards/{tokenizer}@{name}")["facts"]
        for split in SPLITS:
            shards = open_shards(data / f"shards/{tokenizer}@{name}", split)
            ids = shards[0 : len(shards)]
            documents = list(read_documents(data / f"corpora/{name}", split))
            assert codec.decode(ids.tolist()) == "".join(documents)
            assert int((ids == codec.eot).sum()) == len(documents) == facts["splits"][split]["documents"]
            assert facts["splits"][split]["bytes"] == len("".join(documents).encode())
        assert facts["about"]["by_script"]["test"]["Han" if name in CHINESE else "Latin"] > 2
    # Chinese takes more memory than it was given, so a share stands for the whole.
    assert read_manifest(data / "tokenizers/zh@red")["facts"]["about"]["trained_on"] < 1
    assert len(list((data / "shards/zh@kingdoms").glob("train-*.bin"))) == 3
