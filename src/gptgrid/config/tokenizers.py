"""The section `tokenizers`: what cuts text into tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, field_validator, model_validator

from gptgrid.config.values import (
    Commit,
    HubName,
    Section,
    Sha256,
    Size,
)
from gptgrid.tokens.special import unfit

PATTERN_NAMES = {
    **dict.fromkeys(("gpt-2", "r50k", "r50k_base", "p50k", "p50k_base"), "gpt2"),
    **dict.fromkeys(("gpt-4", "cl100k", "cl100k_base", "llama3"), "gpt4"),
    **dict.fromkeys(("gpt-4o", "gpt4o", "o200k_base"), "o200k"),
}
"""What others call a pattern → its name."""


class OwnTokenizer(Section):
    """Keys of tokenizers that are made here."""

    special_tokens: list[Annotated[str, Field(min_length=1)]] = []
    """Names of tokens beside the end of text that stand for no text, such as `<|user|>` for chats. In texts
    that spell them they are text, unless the corpus says `marks: special`; of several, the longest counts."""

    @model_validator(mode="after")
    def each_name_fits_once(self) -> OwnTokenizer:
        names = ["<|endoftext|>", *self.special_tokens]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} is there twice (<|endoftext|> always is)")
        for name in self.special_tokens:
            if why := unfit(name, getattr(self, "pattern", None)):
                raise ValueError(f"special_tokens: {name!r} {why}; write it like <|user|>")
        return self


class BytesTokenizer(OwnTokenizer):
    """One token a byte: no vocabulary to train."""

    kind: Literal["bytes"]
    """`bytes`"""


class CharTokenizer(OwnTokenizer):
    """One token a character of the training text; other characters become their UTF-8 bytes."""

    kind: Literal["char"]
    """`char`"""
    train_on: str | None = None
    """The corpus whose characters count; default: the cell's own."""


class BpeTokenizer(OwnTokenizer):
    """Byte-level byte pair encoding, trained here."""

    kind: Literal["bpe"]
    """`bpe`"""
    vocab_size: Annotated[int, Field(ge=257, le=1_000_000)] = 512
    """256 bytes, the merges, the end-of-text token, and other special tokens."""
    pattern: Literal["gpt2", "gpt4", "o200k", "chinese"] = "gpt4"
    """How text is cut into pieces that merges never cross. `chinese` keeps letters apart from Chinese
    characters and bounds runs of these."""
    memory: Size = 350_000_000
    """About how many bytes counting pairs may take. Of a text that needs more, such as more than some 6 MB
    of Chinese, a share drawn by hash is trained on; the manifest says which."""
    train_on: str | None = None
    """The corpus to train on; default: the cell's own."""

    @field_validator("pattern", mode="before")
    @classmethod
    def has_its_name_here(cls, value: Any) -> Any:
        if isinstance(value, str) and (name := PATTERN_NAMES.get(value.lower())):
            raise ValueError(f"found {value!r}; did you mean {name!r}?")
        return value

    @model_validator(mode="after")
    def room_for_special_tokens(self) -> BpeTokenizer:
        if self.vocab_size < (least := 257 + len(self.special_tokens)):
            raise ValueError(f"vocab_size is {self.vocab_size}; bytes and special tokens alone are {least}")
        return self


class TiktokenTokenizer(Section):
    """A published vocabulary of tiktoken."""

    kind: Literal["tiktoken"]
    """`tiktoken`"""
    encoding: Literal["gpt2"] = "gpt2"
    """Which one."""

    @field_validator("encoding", mode="before")
    @classmethod
    def is_published_here(cls, value: Any) -> Any:
        if value in ("gpt-2", "GPT-2", "GPT2", "r50k_base"):
            raise ValueError(f"found {value!r}; did you mean 'gpt2'?")
        if value != "gpt2":
            raise ValueError(
                f"found {value!r}, expected 'gpt2'; for others take a tokenizer.json and `kind: huggingface`"
            )
        return value


class HuggingFaceTokenizer(Section):
    """A tokenizer.json, such as those of GPT-2, GPT-NeoX, Llama, Qwen or SmolLM; its ids are kept. One that
    does not give back every text is refused; Unicode normalization is left out (see `clean: normalize`)."""

    kind: Literal["huggingface"]
    """`huggingface`"""
    file: Annotated[str, Field(min_length=1)] | None = None
    """A tokenizer.json of your own."""
    path: HubName | None = None
    """In its place, a model of the Hugging Face hub, such as `HuggingFaceTB/SmolLM2-135M`."""
    revision: Commit | None = None
    """Of the model: the commit, 40 hex digits."""
    sha256: Sha256 | None = None
    """Of the model's tokenizer.json."""
    eot: Annotated[str, Field(min_length=1)] | None = None
    """Name of the end-of-text token; default: a usual one, such as `<|endoftext|>` or `</s>`."""

    @model_validator(mode="after")
    def one_place(self) -> HuggingFaceTokenizer:
        of_hub = (self.path, self.revision, self.sha256)
        if self.file is None and None in of_hub:
            raise ValueError("give a `file`, or `path`, `revision` and `sha256` of one on the hub")
        if self.file is not None and any(of_hub):
            raise ValueError("give either a `file`, or `path`, `revision` and `sha256`")
        return self


class IdsTokenizer(Section):
    """The identity, for corpora that bring token ids."""

    kind: Literal["ids"]
    """`ids`"""


Tokenizer = Annotated[
    BytesTokenizer | CharTokenizer | BpeTokenizer | TiktokenTokenizer | HuggingFaceTokenizer | IdsTokenizer,
    Discriminator("kind"),
]
