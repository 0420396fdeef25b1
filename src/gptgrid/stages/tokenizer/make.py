"""Making a tokenizer: learned from the training split of a corpus, or a published vocabulary.

What a codec does with text is defined in gptgrid.tokens.codec.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import rustbpe
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT
from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.net.download import fetch
from gptgrid.net.http import HUB
from gptgrid.stages.tokenizer.thinning import Draw, affordable_share, training_spans
from gptgrid.text.documents import SPLITS, first_characters, stream_documents
from gptgrid.text.long_text import Text, pieces_of
from gptgrid.tokens.base import END_OF_TEXT, Codec, any_of, replaced_in_pieces
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import GPT2, PATTERNS

GPT2_FOLDER = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
GPT2_FILES = {
    # The sums that tiktoken pins (tiktoken_ext/openai_public.py).
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}
MEASURED = 4_000_000
"""Characters of each split that the compression figures are measured on, from its start."""
PART = 2**18
"""Characters that are encoded at once."""
TEXTS = 2**10
"""Documents, or parts of a long one, that are counted at once; by itself the library would take 8,192."""


def make_tokenizer(job: Job) -> dict[str, Any]:
    """Write codec.json, and tokenizer.json where the kind has one; return the facts."""
    about: dict[str, Any] = {}
    with job.timing("make"):
        codec = MAKERS[job.config.kind](job, about)
    write_codec(codec, job.folder / "codec.json")
    exchange = to_tokenizer_json(codec)
    if exchange is not None:
        (job.folder / "tokenizer.json").write_text(exchange + "\n", encoding="utf-8")
    if "corpus" in job.inputs and codec.kind != "ids":
        with job.timing("measure"):
            marks = job.config.marks == "special"
            about["compression"] = {
                split: compression(codec, stream_documents(job.inputs["corpus"], split), marks)
                for split in SPLITS
            }
    return {"kind": codec.kind, "vocab_size": codec.vocab_size, "eot": codec.eot, ABOUT: about}


def make_bytes(job: Job, about: dict[str, Any]) -> Codec:
    """Return the codec of bytes, which learns nothing."""
    return BytesCodec(job.config.special_tokens)


def make_char(job: Job, about: dict[str, Any]) -> Codec:
    """Return the codec of the characters of the training split."""
    characters = learn_characters(chain.from_iterable(training_texts(job)))
    return CharCodec(characters, job.config.special_tokens)


def make_bpe(job: Job, about: dict[str, Any]) -> Codec:
    """Return a byte pair encoding of the training split; note in `about` on how much of it.

    Raises:
        UserError: the memory takes nothing of the text.
    """
    config = job.config
    size = job.manifest("corpus")["facts"]["splits"]["train"]["bytes"]
    pattern = PATTERNS[config.pattern]
    share = affordable_share(job.inputs["corpus"], size, pattern, config.memory)
    drawn = Draw(training_spans(training_texts(job), size, share), share)
    codec = learn_bpe(drawn, config.vocab_size, pattern, config.special_tokens)
    if not drawn.bytes:
        raise UserError(
            f"`memory` of {config.memory:,} bytes takes nothing of {size:,} bytes of text; raise it"
        )
    about["trained_on"], about["trained_on_bytes"] = drawn.bytes / size, drawn.bytes
    if share < 1:
        print(
            f"trained on {drawn.bytes / size:.1%} of the text ({drawn.bytes:,} bytes), as all of it would "
            f"take more memory than {config.memory / 1e6:,.0f} MB; raise `memory` for more",
            flush=True,
        )
    return codec


def make_ids(job: Job, about: dict[str, Any]) -> Codec:
    """Return the identity on the ids that a corpus brings."""
    facts = job.manifest("corpus")["facts"]
    return IdsCodec(facts["vocab_size"], facts.get("eot"))


def training_texts(job: Job) -> Iterator[Iterable[str]]:
    """Yield the documents of the training split, in pieces; where names of special tokens are marks, what
    stands between these.
    """
    documents = map(pieces_of, stream_documents(job.inputs["corpus"], "train"))
    if job.config.marks != "special":
        yield from documents
        return
    marks = job.config.special_tokens
    # Marks that begin with the end of text are longer; that itself stays text.
    names, ids = any_of([END_OF_TEXT, *marks]), dict.fromkeys(marks, 0)
    for pieces in documents:
        parts = replaced_in_pieces(pieces, names, ids)
        runs = groupby(parts, key=lambda part: isinstance(part, str))
        yield from (run for is_text, run in runs if is_text)


def learn_characters(pieces: Iterable[str]) -> str:
    """Return the characters of some texts, or pieces of texts, in the order of Unicode."""
    characters: set[str] = set()
    for piece in pieces:
        characters.update(piece)
    return "".join(sorted(characters))


def learn_bpe(
    documents: Iterable[str], vocab_size: int, pattern: str, special: Sequence[str] = ()
) -> BpeCodec:
    """Return a byte pair encoding learned from some documents; say so if its vocabulary is smaller than asked
    for.

    Args:
        documents: texts.
        vocab_size: the bytes, the merges, the end of text, and the special tokens.
        pattern: how text is cut into pieces.
        special: names of special tokens beside the end of text.
    """
    ranks = learn_merges(documents, vocab_size - 1 - len(special), pattern)
    codec = BpeCodec("bpe", pattern, ranks, special)
    if codec.vocab_size < vocab_size:
        print(f"the text has no more pairs to merge: {codec.vocab_size} tokens, not {vocab_size}", flush=True)
    return codec


def learn_merges(documents: Iterable[str], tokens: int, pattern: str) -> list[bytes]:
    """Return at most so many tokens by byte pair encoding: the 256 bytes, then the merges.

    rustbpe does the counting: it streams, and was two to three times as fast as the trainer of Hugging
    Face's tokenizers on less memory. Small texts run out of pairs before the vocabulary is full.
    """
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(iter(documents), tokens, TEXTS, pattern)
    ranks = sorted(trainer.get_mergeable_ranks(), key=lambda entry: entry[1])
    return [bytes(piece) for piece, _ in ranks]


def read_huggingface(job: Job, about: dict[str, Any]) -> Codec:
    """Return the tokenizer in a user's tokenizer.json, or in one of the Hugging Face hub."""
    config = job.config
    if config.file is None:
        url = f"{HUB}/{config.path}/resolve/{config.revision}/tokenizer.json"
        name, path = url, fetch(url, config.sha256)
    else:
        name, path = config.file, job.own_file(config.file)
    try:
        return HuggingFaceCodec(json.loads(path.read_text(encoding="utf-8")), config.eot)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{name} is not a tokenizer.json ({error!r}); take another file") from None
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def fetch_published(job: Job, about: dict[str, Any]) -> Codec:
    """Return the published vocabulary that the configuration names."""
    return PUBLISHED[job.config.encoding]()


def fetch_gpt2() -> BpeCodec:
    """Return GPT-2's published vocabulary."""
    vocab, encoder = (fetch(GPT2_FOLDER + name, sha256) for name, sha256 in GPT2_FILES.items())
    ranks = data_gym_to_mergeable_bpe_ranks(as_path(vocab), as_path(encoder))
    ordered = sorted(ranks, key=ranks.__getitem__)
    if len(ordered) != 50256:
        raise UserError(f"{vocab} and {encoder} give {len(ordered)} tokens, not 50256; delete both")
    return BpeCodec("tiktoken", GPT2, ordered)


def as_path(path: Path) -> str:
    """Return a path as tiktoken's reader wants it."""
    return str(path.resolve())


def compression(codec: Codec, documents: Iterable[Text], marks: bool) -> dict[str, Any]:
    """Return bytes, tokens (without end-of-text) and their ratio over the start of a split."""
    size = tokens = 0
    for text in first_characters(documents, MEASURED):
        size += len(text.encode())
        tokens += sum(len(codec.ids_of_part(part)) for part in codec.parts([text], PART, marks))
    return {"bytes": size, "tokens": tokens, "bytes_per_token": size / max(1, tokens)}


PUBLISHED: Variants[Callable[[], Codec]] = Variants({"gpt2": fetch_gpt2})
"""The key `encoding` of the configuration → function that fetches that vocabulary of tiktoken."""

MAKERS: Variants[Callable[[Job, dict[str, Any]], Codec]] = Variants(
    {
        "bytes": make_bytes,
        "char": make_char,
        "bpe": make_bpe,
        "tiktoken": fetch_published,
        "huggingface": read_huggingface,
        "ids": make_ids,
    }
)
"""The key `kind` of the configuration → function that makes the codec, and notes in `about` how."""
