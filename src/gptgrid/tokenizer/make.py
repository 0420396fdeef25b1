"""Making a tokenizer: learned from the training split of a corpus, or a published vocabulary.

What a codec does with text is defined in gptgrid.tokens.codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rustbpe
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from gptgrid.download import fetch
from gptgrid.stage import Job, UserError
from gptgrid.text import read_documents
from gptgrid.tokens.codec import PATTERNS, BpeCodec, BytesCodec, CharCodec, Codec, IdsCodec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json

PUBLISHED = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
GPT2_FILES = {
    # The sums that tiktoken pins (tiktoken_ext/openai_public.py).
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}
MEASURED = 4_000_000
"""Characters of each split that the compression figures are measured on, from its start."""


def make_tokenizer(job: Job) -> dict[str, Any]:
    """Write codec.json, and tokenizer.json where the kind has one; return the facts."""
    with job.timing("make"):
        codec = make_codec(job)
    write_codec(codec, job.folder / "codec.json")
    exchange = to_tokenizer_json(codec)
    if exchange is not None:
        (job.folder / "tokenizer.json").write_text(exchange + "\n", encoding="utf-8")
    facts = {"kind": codec.kind, "vocab_size": codec.vocab_size, "eot": codec.eot}
    if "corpus" in job.inputs and codec.kind != "ids":
        with job.timing("measure"):
            facts["compression"] = {
                split: compression(codec, read_documents(job.inputs["corpus"], split))
                for split in ("train", "valid", "test")
            }
    return facts


def make_codec(job: Job) -> Codec:
    """Return the codec that the configuration asks for."""
    config = job.config
    match config.kind:
        case "bytes":
            return BytesCodec()
        case "char":
            return learn_characters(read_documents(job.inputs["corpus"], "train"))
        case "bpe":
            return learn_merges(config, read_documents(job.inputs["corpus"], "train"))
        case "tiktoken":
            return fetch_gpt2()
    return IdsCodec(job.manifest("corpus")["facts"]["vocab_size"])


def learn_characters(documents: Iterable[str]) -> CharCodec:
    """Return a codec of the characters in some documents, in the order of Unicode."""
    characters: set[str] = set()
    for text in documents:
        characters.update(text)
    return CharCodec("".join(sorted(characters)))


def learn_merges(config: SimpleNamespace, documents: Iterable[str]) -> BpeCodec:
    """Return a byte pair encoding of at most `vocab_size` tokens, the end of text among them.

    rustbpe does the counting: it streams, and was two to three times as fast as the trainer of Hugging
    Face's tokenizers on less memory. Small texts run out of pairs before the vocabulary is full.
    """
    pattern = PATTERNS[config.pattern]
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(iter(documents), config.vocab_size - 1, pattern=pattern)
    ranks = sorted(trainer.get_mergeable_ranks(), key=lambda entry: entry[1])
    codec = BpeCodec("bpe", pattern, [bytes(piece) for piece, _ in ranks])
    if codec.vocab_size < config.vocab_size:
        print(f"the text has no more pairs to merge: {codec.vocab_size} tokens, not {config.vocab_size}")
    return codec


def fetch_gpt2() -> BpeCodec:
    """Return GPT-2's published vocabulary."""
    vocab, encoder = (fetch(PUBLISHED + name, sha256) for name, sha256 in GPT2_FILES.items())
    ranks = data_gym_to_mergeable_bpe_ranks(as_path(vocab), as_path(encoder))
    ordered = sorted(ranks, key=ranks.__getitem__)
    if len(ordered) != 50256:
        raise UserError(f"{vocab} and {encoder} give {len(ordered)} tokens, not 50256; delete both")
    return BpeCodec("tiktoken", PATTERNS["gpt2"], ordered)


def as_path(path: Path) -> str:
    """Return a path as tiktoken's reader wants it."""
    return str(path.resolve())


def compression(codec: Codec, documents: Iterator[str]) -> dict[str, Any]:
    """Return bytes, tokens (without end-of-text) and their ratio over the start of a split."""
    size = tokens = characters = 0
    for text in documents:
        size += len(text.encode())
        tokens += len(codec.encode_array(text))
        characters += len(text)
        if characters >= MEASURED:
            break
    return {"bytes": size, "tokens": tokens, "bytes_per_token": size / tokens}
