"""The parts of the pipeline for people who build on them: a model, a tokenizer, a loss.

What the sections `models` and `tokenizers` of a configuration say is said here by keyword, with the same
defaults and the same errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional

from gptgrid.artifact.errors import UserError
from gptgrid.config import errors, models, tokenizers
from gptgrid.inference.cell import check_text, checked_ids, texts_of
from gptgrid.model.build import build
from gptgrid.model.decoding import check_whole
from gptgrid.model.initialize import initialize
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BytesCodec, CharCodec, write_codec
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.patterns import PATTERNS

if TYPE_CHECKING:
    from gptgrid.model.encoder import Encoder
    from gptgrid.model.gpt import GPT

LEARNED = ("bpe", "char", "bytes")
"""Kinds of tokenizers that `train_tokenizer` makes."""


def model(
    preset: str = "llama", vocab_size: int = 257, seed: int = 0, eot: int | None = None, **keys: Any
) -> GPT | Encoder:
    """Return a new model with its first weights, on the CPU and in training mode.

    `model(tokens)` takes ids (batch, time) int64, time at most `context`, and returns logits (batch, time,
    vocab_size).

    Args:
        preset: gpt2, llama, modern or encoder.
        vocab_size: of the tokenizer; 257 is that of bytes.
        seed: of the first weights.
        eot: id of the end-of-text token, which `document_mask` needs.
        keys: of an entry of `models`, such as n_layer=4, n_head=4, d_model=128, context=128; config/README.md
            describes all.

    Raises:
        UserError: there is no such key, a value is out of range, or values do not go together.
    """
    check_whole("vocab_size", vocab_size)
    if vocab_size < 1:
        raise UserError(f"vocab_size is {vocab_size}; it must be 1 at least: that of the tokenizer")
    module = build(checked(models.Model, "models", {"preset": preset, **keys}), vocab_size, eot)
    initialize(module, seed)
    return module


def loss(model: torch.nn.Module, ids: Tensor | list[int] | list[list[int]]) -> Tensor:
    """Return the mean cross-entropy of each token but the first, predicted from those before it, in nats.

    It is a scalar with gradients: `loss(model, ids).backward()`.

    Args:
        model: ids (batch, time) → logits (batch, time, vocab_size).
        ids: (time,) or (batch, time) int64 of 2 to context + 1 tokens.

    Raises:
        UserError: too few or too many tokens, or an id that is no whole number or beyond the vocabulary.
    """
    device = next(model.parameters()).device
    try:
        ids = torch.atleast_2d(torch.as_tensor(ids, device=device))
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"ids are no table of numbers: {error}") from None
    longest = model.config.context + 1
    if ids.ndim != 2 or not 2 <= ids.shape[1] <= longest or not len(ids):
        raise UserError(f"ids are {tuple(ids.shape)}; expected (time,) or (batch, time), time 2 to {longest}")
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise UserError(f"ids are {ids.dtype}; expected whole numbers")
    ids = ids.long()
    if ids.min() < 0 or ids.max() >= model.vocab_size:
        raise UserError(
            f"ids must lie in 0 to {model.vocab_size - 1}; found {int(ids.min())} to {int(ids.max())}"
        )
    logits = model(ids[:, :-1]).float()
    return functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


class Tokenizer:
    """A tokenizer: text to ids and back, lossless on every text."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.vocab_size: int = codec.vocab_size
        self.eot: int | None = codec.eot
        """Id of the end-of-text token, which begins every document; None where there is none."""
        self.special_tokens: dict[str, int] = codec.special_tokens
        """Name → id of tokens that stand for no text, the end of text among them."""

    def encode(self, text: str, marks: bool = False) -> list[int]:
        """Return the ids of a text; no special token is added.

        Names of special tokens in it are text; with `marks` they are these tokens.

        Raises:
            UserError: it is no text.
        """
        check_text("text", text)
        return self.codec.encode_marked(text) if marks else self.codec.encode(text)

    def encode_documents(self, texts: str | Iterable[str], marks: bool = False) -> list[int]:
        """Return the ids of documents one after the other, each behind an end-of-text token: what models are
        trained on. A text alone is one document.

        Raises:
            UserError: one is no text.
        """
        return self.codec.encode_stream(list(texts_of("texts", texts)), marks).tolist()

    def decode(self, ids: Iterable[int], special: bool = False) -> str:
        """Return the text of ids, with `special` the names of special tokens, too.

        Bytes that are no UTF-8 become U+FFFD.

        Raises:
            UserError: an id beyond the vocabulary.
        """
        return self.codec.decode(checked_ids(ids, self.vocab_size), special)

    def save(self, folder: str | Path) -> None:
        """Write codec.json, which `load_tokenizer` and the pipeline read, and tokenizer.json of the Hugging
        Face format where the kind has one."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_codec(self.codec, folder / "codec.json")
        exchange = to_tokenizer_json(self.codec)
        if exchange is not None:
            (folder / "tokenizer.json").write_text(exchange + "\n", encoding="utf-8")


def train_tokenizer(
    texts: str | Iterable[str],
    kind: Literal["bpe", "char", "bytes"] = "bpe",
    vocab_size: int = 512,
    pattern: str = "gpt4",
    special_tokens: Iterable[str] = (),
) -> Tokenizer:
    """Return a tokenizer learned from texts, the same that the workflow learns from them.

    Args:
        texts: a text, or several.
        kind: bpe: byte pair encoding; char: a token a character; bytes: a token a byte, nothing is learned.
        vocab_size: of bpe: 256 bytes, the merges, the end of text, and the special tokens. A text that has
            fewer pairs to merge gives a smaller one.
        pattern: of bpe: gpt2, gpt4, o200k or chinese: how text is cut into pieces that merges never cross.
        special_tokens: names of tokens beside the end of text that stand for no text, such as `<|user|>`.

    Raises:
        UserError: a value is out of range, or there is no text to learn from.
    """
    # What learns is imported where it is used: whoever loads a cell does not wait for it.
    from gptgrid.stages.tokenizer import make

    if kind not in LEARNED:
        raise UserError(f"kind is {kind!r}; learned are {', '.join(LEARNED)}; load_tokenizer reads others")
    entry = {"kind": kind, "special_tokens": list(special_tokens)}
    if kind == "bpe":
        entry |= {"vocab_size": vocab_size, "pattern": pattern}
    made = checked(tokenizers.Tokenizer, "tokenizers", entry)
    if made.kind == "bytes":
        return Tokenizer(BytesCodec(made.special_tokens))
    documents = not_empty([texts] if isinstance(texts, str) else texts)
    if made.kind == "char":
        return Tokenizer(CharCodec(make.learn_characters(documents), made.special_tokens))
    return Tokenizer(make.learn_bpe(documents, made.vocab_size, PATTERNS[made.pattern], made.special_tokens))


def not_empty(texts: Iterable[str]) -> Iterable[str]:
    """Return texts, at least one of which is not empty.

    Raises:
        UserError: all are, or one is no text; of those behind the first, as they are read.
    """
    texts = map(checked_text, texts)
    for text in texts:
        if text:
            return chain([text], texts)
    raise UserError("there is no text to learn from: give one of at least one character")


def checked_text(text: str) -> str:
    """Return a text.

    Raises:
        UserError: it is none.
    """
    check_text("texts", text)
    return text


def load_tokenizer(name: str | Path) -> Tokenizer:
    """Read a tokenizer.

    Args:
        name: the folder that `save` wrote, a codec.json, a tokenizer.json in the Hugging Face format, the
            name of one under data/tokenizers, a published one (gpt2, which is downloaded), or a cell.

    Raises:
        UserError: there is none, or it is damaged.
    """
    from gptgrid.inference.vocabulary import find_codec

    return Tokenizer(find_codec(str(name)))


def checked(kind: Any, section: str, entry: dict[str, Any]) -> Any:
    """Return an entry of a section of the configuration, with its defaults.

    Raises:
        UserError: it cannot be used; all that is wrong, in the words of the configuration.
    """
    try:
        return TypeAdapter(kind).validate_python(entry)
    except ValidationError as error:
        findings = [(errors.path_of((section,), finding), finding) for finding in error.errors()]
        raise UserError("\n".join(errors.describe(path, finding) for path, finding in findings)) from None
