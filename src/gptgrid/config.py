"""What a user may write in a configuration file: every key, its default, its meaning, its check.

These classes are the only source of the configuration: the JSON schema and `config/README.md` are
generated from them. The stage programs never import this module. They receive the values of the keys
that they read, complete and checked, so that a new key here retrains nothing.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    TypeAdapter,
    model_validator,
)

BUDGETS = ("tokens", "epochs", "steps")


def read_count(value: Any) -> Any:
    """Turn `2M`, `1.5k` or `3G` (powers of 1000) into a whole number; leave the rest to the check."""
    if isinstance(value, str) and (match := re.fullmatch(r"([0-9.]+)\s*([kKMGB])", value.strip())):
        scale = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}[match[2]]
        return round(float(match[1]) * scale)
    return value


Count = Annotated[int, BeforeValidator(read_count), Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0)]
HubName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?$")]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Section(BaseModel):
    """A mapping of the configuration in which unknown keys are errors and docstrings document keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    def slice(self) -> dict[str, Any]:
        """Return the resolved values as plain data for a stage."""
        return self.model_dump(mode="json")


# ---------------------------------------------------------------------------------------- corpora


class Split(Section):
    """How a text without published splits is cut."""

    valid: Fraction = 0.1
    """Share of the text (or of the documents) for validation."""
    test: Fraction = 0.1
    """Share of the text (or of the documents) for the test."""
    by: Literal["document", "position"] = "document"
    """`document`: whole documents are drawn by seed. `position`: the text is cut in order: train, then
    valid, then test; the only way for a text that is one document."""
    seed: int = 0
    """Seed of the draw; the split does not depend on the seeds of the cells."""

    @model_validator(mode="after")
    def leave_something_to_train_on(self) -> Split:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test is {self.valid + self.test:g}; leave a share for training")
        if not self.valid or not self.test:
            raise ValueError("valid and test must both be above 0: ranking and figures need them")
        return self


class Clean(Section):
    """What happens to each document before the split."""

    normalize: Literal["none", "NFC", "NFKC"] = "none"
    """Unicode normalization form."""
    dedupe: Literal["none", "exact", "near"] = "none"
    """`exact` keeps the first of equal documents; `near` also drops those that are nearly equal to one that
    is kept (MinHash over runs of five words). Published test and validation texts keep theirs: copies of
    them are taken out of the training text."""
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.8
    """How alike documents are that count as nearly equal: the share of their runs of words in common."""
    min_chars: Annotated[int, Field(ge=0)] = 0
    """Documents with fewer characters are dropped."""
    max_chars: Count | None = None
    """Documents with more characters are dropped."""

    @model_validator(mode="after")
    def a_length_between(self) -> Clean:
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ValueError(f"max_chars is {self.max_chars}, below min_chars, which is {self.min_chars}")
        return self


class Reading(Section):
    """How texts stand in files. gz, zst, bz2, xz, zip and tar are known by their content."""

    members: Annotated[list[str], Field(min_length=1)] | None = None
    """Which files of an archive, as patterns such as `data/*.txt` (`*` crosses folders); default: all."""
    format: Literal["text", "parquet", "jsonl", "json", "csv", "tsv"] | None = None
    """What a file holds: `text`, or records of which one `field` is the text; default: by its ending, `text`
    where that says nothing."""
    field: Annotated[str, Field(min_length=1)] | None = None
    """The field of a record that is the text, `a.b` for a field in a field; in a csv or tsv without a header
    the number of the column, from 0, in quotes; default: `text`."""


class TextFiles(Reading):
    """How a corpus of files is read."""

    encoding: str = "auto"
    """Text encoding; `auto` reads byte order marks and UTF-8 and otherwise guesses, and says so."""
    errors: Literal["strict", "replace"] = "strict"
    """What happens to bytes that do not fit: `strict` is an error with their place, `replace` puts U+FFFD and
    counts them in the manifest."""
    max_bytes: Count | None = None
    """A file that is larger, or unpacks to more, is refused; default: any, and 100G unpacked."""


class Remote(Reading):
    """One file on the web, pinned."""

    url: str
    """Where it lies: an https address."""
    sha256: Sha256
    """What it must contain."""


class CommonCorpus(Section):
    """Keys of every corpus."""

    split: Split = Split()
    """How to cut off validation and test text where the source brings none."""
    shards: Size = 1
    """Files that the training split is cut into, of about the same length; each is encoded by a job of its
    own, on a cluster perhaps on a machine of its own."""
    license: str | None = None
    """The licence of the text, carried into the data card."""
    private: bool = False
    """Keep the text, examples of it and what models make of it out of the data card, the report and logs."""


class TextCorpus(CommonCorpus):
    """Keys of every corpus that has text."""

    document: Annotated[str, Field(min_length=1)] | None = None
    """What one document is: `whole` (a file), `line`, `blank-line` (paragraphs), `record` (of a table), or
    any other string: the delimiter between documents, for example `<|endoftext|>`. Default: `record` where
    there are records, `blank-line` in texts."""
    clean: Clean = Clean()
    """Preparation of the documents."""


class BuiltinCorpus(TextCorpus):
    """A corpus that comes with gptgrid."""

    source: Literal["builtin"]
    """`builtin`"""
    name: Literal["tales", "toy"]
    """`tales`: generated stories. `toy`: Chinese and English sentences. Default: the entry's name."""
    documents: Count | None = None
    """How many documents; default: 2000 for tales, all for toy."""
    seed: int = 0
    """Seed of the generator."""
    language: Literal["en", "zh", "both"] = "en"
    """Of tales; `both`: each is English or Chinese, with equal chances."""
    document: Literal["whole"] = "whole"
    """The generator's own documents."""

    @model_validator(mode="after")
    def tales_stay_as_they_are(self) -> BuiltinCorpus:
        if self.name == "tales" and self.clean.normalize == "NFKC":
            raise ValueError("NFKC changes the punctuation of tales, which would lose their probabilities")
        return self


class UrlCorpus(TextCorpus, TextFiles):
    """Files on the web. `GPTGRID_MIRROR` (a folder or an address) is tried first. Headers that a host needs
    come from the environment: `GPTGRID_HEADERS`, a JSON object of host → {header: value}."""

    source: Literal["url"]
    """`url`"""
    url: str | list[Remote] | None = None
    """One address (with `sha256`), or a list of `{url, sha256}`; cut into splits. An entry of a list may have
    its own `members`, `format` and `field`."""
    sha256: Sha256 | None = None
    """Of the one address."""
    train: list[Remote] | None = None
    """Published training files, in place of `url`."""
    valid: list[Remote] | None = None
    """Published validation files."""
    test: list[Remote] | None = None
    """Published test files."""
    insecure: bool = False
    """Allow `http://` and `file://` addresses, too; the checksum holds all the same."""

    @model_validator(mode="after")
    def one_way_to_name_files(self) -> UrlCorpus:
        if isinstance(self.url, str):
            if self.sha256 is None:
                raise ValueError("give the sha256 of the url, so that everybody trains on the same bytes")
        elif self.sha256 is not None:
            raise ValueError("sha256 belongs to a single url; in a list each entry has its own")
        check_split_sources(self.url, self.train, self.valid, self.test, "url")
        for files in self.files().values():
            for file in files:
                check_address(file.url, self.insecure)
        return self

    def files(self) -> dict[str, list[Remote]]:
        """Return split → files with their own or the corpus's reading; `all` is still to be cut."""
        single = [Remote(url=self.url, sha256=self.sha256)] if isinstance(self.url, str) else self.url
        shared = {key: getattr(self, key) for key in Reading.model_fields}
        return {
            split: [Remote.model_validate({**shared, **file.model_dump(exclude_none=True)}) for file in files]
            for split, files in named_files(single, self.train, self.valid, self.test).items()
        }


class HubCorpus(TextCorpus):
    """A data set of the Hugging Face hub: its parquet, jsonl, json, csv, tsv or txt files; no code of it is
    run. A `GPTGRID_MIRROR` folder that has it is read instead. `HF_TOKEN` opens what asks for a token."""

    source: Literal["hub"]
    """`hub`"""
    path: HubName
    """The data set, such as `Salesforce/wikitext`."""
    revision: Commit
    """The commit: 40 hex digits from the data set's history, so that everybody trains on the same bytes."""
    name: Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$")] | None = None
    """Its configuration, such as `wikitext-2-v1`; default: the only one, or that which its card says."""
    splits: Annotated[dict[Literal["train", "valid", "test"], str], Field(min_length=1)] = {
        "train": "train",
        "valid": "validation",
        "test": "test",
    }
    """train, valid, test → the hub's name of that split. Leave out what the data set lacks: it is cut off."""
    field: Annotated[str, Field(min_length=1)] = "text"
    """The field that is the text, `a.b` for a field in a field."""
    max_bytes: Count | None = None
    """A file that is larger, or unpacks to more, is refused; default: any, and 100G unpacked."""

    @model_validator(mode="after")
    def train_is_there(self) -> HubCorpus:
        if "train" not in self.splits:
            raise ValueError("`splits` has no train; give the hub's name of the training split")
        return self


class FilesCorpus(TextCorpus, TextFiles):
    """Your own text files."""

    source: Literal["files"]
    """`files`"""
    paths: list[str] | None = None
    """Files, folders or globs, relative to the folder that Snakemake runs in; cut into splits."""
    train: list[str] | None = None
    """Training files, in place of `paths`."""
    valid: list[str] | None = None
    """Validation files."""
    test: list[str] | None = None
    """Test files."""

    @model_validator(mode="after")
    def one_way_to_name_files(self) -> FilesCorpus:
        check_split_sources(self.paths, self.train, self.valid, self.test, "paths")
        return self

    def files(self) -> dict[str, list[str]]:
        """Return split → globs; the key `all` holds what is still to be cut."""
        return named_files(self.paths, self.train, self.valid, self.test)


class RandomCorpus(CommonCorpus):
    """Uniformly random token ids, to measure speed or to check that nothing can be learned."""

    source: Literal["random"]
    """`random`"""
    vocab_size: Count
    """Ids lie in [0, vocab_size)."""
    tokens: Count
    """How many ids in all splits together."""
    document_tokens: Count = 256
    """Ids in one document."""
    seed: int = 0
    """Seed of the draw."""


class ShardsCorpus(CommonCorpus):
    """Ready-made token shards with the header of llm.c, to train on without their text."""

    source: Literal["shards"]
    """`shards`"""
    paths: list[str] | None = None
    """Files or globs; cut into splits."""
    train: list[str] | None = None
    """Training shards, in place of `paths`."""
    valid: list[str] | None = None
    """Validation shards."""
    test: list[str] | None = None
    """Test shards."""
    vocab_size: Count
    """Size of the vocabulary that the ids are of: 50257 for GPT-2's."""
    eot: Annotated[int, Field(ge=0)] | None = None
    """The id that begins every document: 50256 for GPT-2's. Without one, a shard is one running text."""

    @model_validator(mode="after")
    def files_and_ids(self) -> ShardsCorpus:
        check_split_sources(self.paths, self.train, self.valid, self.test, "paths")
        if self.eot is not None and self.eot >= self.vocab_size:
            raise ValueError(f"eot is {self.eot}, which is no id of a vocabulary of {self.vocab_size}")
        return self

    def files(self) -> dict[str, list[str]]:
        """Return split → globs; the key `all` holds what is still to be cut."""
        return named_files(self.paths, self.train, self.valid, self.test)


def check_address(url: str, insecure: bool) -> None:
    """Accept an https address without a password; http and file addresses where the corpus allows them."""
    schemes = ("https://", "http://", "file://") if insecure else ("https://",)
    if re.match("[a-z]+://[^/]*@", url):
        raise ValueError(
            "an address with a user name or password; set GPTGRID_HEADERS in the environment instead"
        )
    if not url.startswith(schemes):
        raise ValueError(f"{url!r} is not an {' or '.join(schemes)} address; see the key `insecure`")


def check_split_sources(cut: Any, train: Any, valid: Any, test: Any, key: str) -> None:
    """Accept either files to cut, or training files with published splits beside them."""
    if (cut is None) == (train is None):
        raise ValueError(f"give either `{key}` (to be cut into splits) or `train` (and `valid`, `test`)")
    if cut is not None and (valid or test):
        raise ValueError(f"`valid` and `test` go with `train`, not with `{key}`")
    if any(files == [] for files in (cut, train, valid, test)):
        raise ValueError("an empty list of files")


def named_files(cut: Any, train: Any, valid: Any, test: Any) -> dict[str, Any]:
    """Return split → files for the splits that have some; `all` is still to be cut."""
    found = {"all": cut, "train": train, "valid": valid, "test": test}
    return {split: files for split, files in found.items() if files}


Corpus = Annotated[
    BuiltinCorpus | UrlCorpus | HubCorpus | FilesCorpus | RandomCorpus | ShardsCorpus,
    Discriminator("source"),
]

# ------------------------------------------------------------------------------------- tokenizers


class OwnTokenizer(Section):
    """Keys of tokenizers that are made here."""

    special_tokens: list[Annotated[str, Field(min_length=1)]] = []
    """Names of tokens beside the end of text that stand for no text, such as `<|user|>` for chats."""

    @model_validator(mode="after")
    def each_name_once(self) -> OwnTokenizer:
        names = ["<|endoftext|>", *self.special_tokens]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} is there twice (<|endoftext|> always is)")
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
    vocab_size: Annotated[Count, Field(ge=257, le=1_000_000)] = 512
    """256 bytes, the merges, the end-of-text token, and other special tokens."""
    pattern: Literal["gpt2", "gpt4", "o200k", "chinese"] = "gpt4"
    """How text is cut into pieces that merges never cross. `chinese` keeps letters apart from Chinese
    characters and bounds runs of these."""
    memory: Count = 350_000_000
    """About how many bytes counting pairs may take. Of a text that needs more, such as more than some 6 MB
    of Chinese, a share drawn by hash is trained on; the manifest says which."""
    train_on: str | None = None
    """The corpus to train on; default: the cell's own."""

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


class HuggingFaceTokenizer(Section):
    """A byte-level tokenizer.json, such as those of GPT-2, Llama 3, Qwen or SmolLM; its ids are kept."""

    kind: Literal["huggingface"]
    """`huggingface`"""
    file: str | None = None
    """A tokenizer.json of your own."""
    path: HubName | None = None
    """In its place, a model of the Hugging Face hub, such as `HuggingFaceTB/SmolLM2-135M`."""
    revision: Commit | None = None
    """Of the model: the commit, 40 hex digits."""
    sha256: Sha256 | None = None
    """Of the model's tokenizer.json."""
    eot: str | None = None
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

# ----------------------------------------------------------------------------------------- models

PRESETS: dict[str, dict[str, Any]] = {
    # Radford et al. 2019. The released weights were trained with `gelu_tanh`, an approximation of GELU for
    # speed; on a CPU it is three times as slow as the exact one.
    "gpt2": {
        "norm": "layernorm",
        "norm_position": "pre",
        "position": "learned",
        "activation": "gelu",
        "bias": True,
        "tie_embeddings": True,
    },
    # Touvron et al. 2023.
    "llama": {
        "norm": "rmsnorm",
        "norm_position": "pre",
        "position": "rope",
        "activation": "swiglu",
        "bias": False,
        "tie_embeddings": False,
    },
    # Llama with what benchmarks/RESULTS.md shows to pay: normalized queries and keys (Henry et al. 2020),
    # blocks that see the embeddings again, and blocks that begin as the identity.
    "modern": {
        "norm": "rmsnorm",
        "norm_position": "pre",
        "position": "rope",
        "activation": "swiglu",
        "qk_norm": True,
        "bias": False,
        "tie_embeddings": False,
        "residual_mix": True,
        "zero_init": True,
    },
    # torch.nn.TransformerEncoder with a causal mask, as in Vaswani et al. 2017.
    "encoder": {
        "norm": "layernorm",
        "norm_position": "post",
        "position": "learned",
        "activation": "relu",
        "bias": True,
        "tie_embeddings": False,
    },
}


class Model(Section):
    """An architecture. A preset sets the switches; a key beside it overrides the preset."""

    preset: Literal["gpt2", "llama", "modern", "encoder"] = "gpt2"
    """`gpt2`, `llama`, `modern`: a Llama with qk_norm, residual_mix and zero_init, the best that
    benchmarks/RESULTS.md has measured, above all with `optimizer: muon` and `zero_head: true`; or `encoder`:
    PyTorch's own nn.TransformerEncoder made causal."""
    n_layer: Size = 4
    """Transformer blocks."""
    n_head: Size = 4
    """Query heads in each block; must divide d_model."""
    n_kv_head: Size | None = None
    """Key and value heads (grouped-query attention); must divide n_head. Default: n_head."""
    d_model: Size = 128
    """Width of the residual stream."""
    d_ff: Size | None = None
    """Width inside the feed-forward network. Default: 4 d_model; for swiglu 8/3 d_model, rounded up to a
    multiple of 8."""
    context: Size = 128
    """Tokens that the model sees at once."""
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
    """Normalization layer."""
    norm_position: Literal["pre", "post"] = "pre"
    """Before each sublayer (with a final norm), or after each residual sum."""
    norm_eps: Positive = 1e-5
    """Added to the variance."""
    norm_gain: bool = True
    """A learned gain in each norm (and a bias, if `bias` says so); without it a norm has no weights."""
    position: Literal["learned", "sinusoidal", "rope", "alibi", "none"] = "learned"
    """How a token knows its place."""
    rope_theta: Positive = 10000.0
    """Base of the rotary frequencies."""
    activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "swiglu"] = "gelu"
    """Of the feed-forward network; swiglu is gated and has three matrices. On a CPU gelu_tanh takes three
    times as long as gelu."""
    qk_norm: bool = False
    """Normalize queries and keys of each head (RMS norm)."""
    tie_embeddings: bool = True
    """Use the token embedding as the output matrix."""
    bias: bool = True
    """Biases in linear layers and layer norms."""
    dropout: Fraction = 0.0
    """After embeddings, in attention, after each sublayer."""
    logit_softcap: Positive | None = None
    """Cap logits at ±c by c·tanh(x/c)."""
    window: Size | None = None
    """Attend to the last `window` tokens only (itself among them); default: all."""
    window_pattern: Annotated[str, Field(min_length=1)] | None = None
    """Which layers have the window, one letter a layer, repeated over all: `S` the window, `L` the whole
    context, such as `SSSL`. Default: the window in all layers."""
    document_mask: bool = False
    """Attend within the document only; the end-of-text token begins one."""
    residual_mix: bool = False
    """Each block begins with a·x + b·x₀ of the residual stream and the embeddings; its numbers a and b are
    learned, at first 1 and 0 (Jordan et al. 2024, modded-nanogpt)."""
    init_std: Positive = 0.02
    """Standard deviation of the initial weights; projections back into the residual stream are divided by
    √(2 n_layer)."""
    zero_init: bool = False
    """Start projections back into the residual stream at zero."""
    zero_head: bool = False
    """Start an output matrix of its own at zero. With `optimizer: muon` it pays in small models; with adamw
    it costs half a nat in short trainings."""
    parametrization: Literal["standard", "mup"] = "standard"
    """`mup`: initial weights, learning rates, attention scores and logits change with d_model so that a good
    learning rate stays good (maximal update parametrization for AdamW, Yang et al. 2022)."""
    base_width: Size = 128
    """The d_model at which mup is the standard parametrization."""
    base_n_head: Size | None = None
    """The n_head at base_width. Default: n_head, so that heads get wider with d_model, not more."""

    @model_validator(mode="before")
    @classmethod
    def start_from_preset(cls, data: Any) -> Any:
        if isinstance(data, dict):
            preset = data.get("preset", "gpt2")
            return {**PRESETS.get(preset, {}), **data} if isinstance(preset, str) else data
        return data

    @model_validator(mode="after")
    def complete(self) -> Model:
        if self.d_model % self.n_head:
            raise ValueError(
                f"n_head {self.n_head} does not divide d_model {self.d_model}; "
                f"heads that do: {divisors(self.d_model)}"
            )
        n_kv_head = self.n_kv_head or self.n_head
        if self.n_head % n_kv_head:
            raise ValueError(
                f"n_kv_head {n_kv_head} does not divide n_head {self.n_head}; "
                f"numbers that do: {divisors(self.n_head)}"
            )
        if self.position == "rope" and (self.d_model // self.n_head) % 2:
            raise ValueError(
                f"rope turns pairs, but a head is {self.d_model // self.n_head} wide (d_model / n_head)"
            )
        if self.window is not None and self.window > self.context:
            raise ValueError(f"window {self.window} is longer than context {self.context}")
        if self.window_pattern is not None:
            self.check_window_pattern()
        if self.preset == "encoder":
            self.refuse_what_encoder_lacks()
        gated_width = -(-8 * self.d_model // 3)
        d_ff = -(-gated_width // 8) * 8 if self.activation == "swiglu" else 4 * self.d_model
        # The class is frozen for everybody else; this fills in what depends on other keys.
        object.__setattr__(self, "n_kv_head", n_kv_head)
        object.__setattr__(self, "base_n_head", self.base_n_head or self.n_head)
        object.__setattr__(self, "d_ff", self.d_ff or d_ff)
        return self

    def check_window_pattern(self) -> None:
        if self.window is None:
            raise ValueError(f"window_pattern {self.window_pattern!r} needs a `window` for its letter S")
        if others := sorted(set(self.window_pattern) - set("SL")):
            raise ValueError(
                f"window_pattern {self.window_pattern!r} has {', '.join(map(repr, others))}; its letters "
                "are S (the window) and L (the whole context), such as SSSL"
            )

    def refuse_what_encoder_lacks(self) -> None:
        wanted = {
            "norm": ("layernorm",),
            "norm_gain": (True,),
            "position": ("learned", "sinusoidal", "none"),
            "activation": ("relu", "gelu"),
            "qk_norm": (False,),
            "logit_softcap": (None,),
            "window_pattern": (None,),
            "window": (None,),
            "document_mask": (False,),
            "residual_mix": (False,),
            "parametrization": ("standard",),
            "n_kv_head": (None, self.n_head),
        }
        for key, allowed in wanted.items():
            if (value := getattr(self, key)) not in allowed:
                raise ValueError(
                    f"{key} {value!r} is not in nn.TransformerEncoder, which has "
                    f"{', '.join(map(str, allowed))}; take preset gpt2, llama or modern for it"
                )


def divisors(number: int) -> str:
    """Return the divisors of a number up to 64 as text, for an error message."""
    return ", ".join(str(d) for d in range(1, min(number, 64) + 1) if number % d == 0)


# --------------------------------------------------------------------------------------- training


class Training(Section):
    """A training recipe. The budget is one of `tokens`, `epochs` and `steps`."""

    tokens: Count | None = None
    """Budget in tokens (`2M` is two million), rounded up to whole steps."""
    epochs: Positive | None = None
    """Budget in passes over the training split, rounded up to whole steps."""
    steps: Count | None = None
    """Budget in optimizer steps."""
    batch_tokens: Literal["auto"] | Count = 8192
    """Tokens of one optimizer step; a multiple of the model's context. `auto`: 0.58 · tokens^0.571 for a
    budget of so many tokens (Li et al. 2025, Step Law)."""
    micro_batch: Literal["auto"] | Size = "auto"
    """Windows in one forward pass; gradients add up over a batch. It changes last bits of the result."""
    windows: Literal["permuted", "sliding", "random", "document"] = "permuted"
    """`permuted`: disjoint windows in a new order each epoch. `sliding`: overlapping ones, `stride` apart.
    `random`: any offset. `document`: one document a row, cut or padded; padding is not scored."""
    stride: Size | None = None
    """Tokens between the starts of sliding windows. Default: half a context."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW (Loshchilov and Hutter 2019); or Muon (Jordan et al. 2024) for the matrices inside the blocks,
    with updates as large as AdamW's (Liu et al. 2025), and AdamW for the rest."""
    lr: Positive = 1e-3
    """Highest learning rate."""
    min_lr: NonNegative | None = None
    """Learning rate at the end of the schedule. Default: a tenth of lr."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    """Decay of AdamW's first and second moment."""
    eps: Positive = 1e-8
    """AdamW's denominator term."""
    momentum: Fraction = 0.95
    """Decay of Muon's momentum (Nesterov)."""
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "cosine"
    """After the warmup: stay, fall in a line, fall as half a cosine, or stay and fall in a line over the
    last `cooldown` of the steps (warmup-stable-decay)."""
    warmup: NonNegative = 0.05
    """Steps of linear warmup; below 1 a share of all steps."""
    cooldown: Fraction = 0.2
    """Share of the steps in which wsd falls."""
    weight_decay: Literal["auto"] | NonNegative = 0.1
    """For matrices and embeddings; never for biases and norms. `auto`: such that the weights remember
    1.084 · (tokens / parameters)^-0.527 of the training (Bergsma et al. 2025, Power Lines)."""
    grad_clip: NonNegative = 1.0
    """Largest norm of the gradient; 0 is off."""
    precision: Literal["auto", "fp32", "bf16", "bf16_weights", "fp16"] = "auto"
    """`bf16`, `fp16`: autocast, fp16 with a loss scaler. `bf16_weights`: the weights inside the blocks are
    bf16, too. `auto`: bf16_weights on a CPU that multiplies bf16 by itself, bf16 on such a GPU, else fp32.
    The weights that are updated and kept, moments and losses are fp32 in each."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Validate and keep a moving average of the weights with this decay, 0.999 say, in place of the last."""
    eval_every: Size | None = None
    """Steps between validations. Default: a tenth of the steps. The last step is always validated."""
    eval_tokens: Count | None = None
    """Tokens of the validation split to score each time, from its start. Default: all."""
    sample_every: Size | None = None
    """Steps between short greedy samples of the first prompt. Default: none."""
    patience: Size | None = None
    """Stop after so many validations in a row without a lower loss. Default: never."""
    log_checkpoints: bool = False
    """Keep the weights after 1, 2, 4, 8, … steps too, as `step-NNNNNNNN.safetensors`."""
    use: Literal["best", "last"] = "best"
    """Which weights the cell keeps: those of the lowest validation loss, or the last."""
    threads: Size = 1
    """CPU threads. Part of the recipe, as the order of sums depends on it."""
    continues: str | None = None
    """Go on from the finished state of this training, with the larger budget given here."""

    @model_validator(mode="after")
    def complete(self) -> Training:
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give one of tokens, epochs and steps as the budget; found {', '.join(given) or 'none'}"
            )
        min_lr = self.lr / 10 if self.min_lr is None else self.min_lr
        if min_lr > self.lr:
            raise ValueError(f"min_lr {min_lr:g} is above lr {self.lr:g}")
        object.__setattr__(self, "min_lr", min_lr)
        if self.batch_tokens == "auto" and self.steps is not None:
            raise ValueError("batch_tokens `auto` follows from a budget in tokens or epochs, not in steps")
        if self.batch_tokens == "auto" and self.continues is not None:
            raise ValueError("a training that continues another needs a number as batch_tokens, the other's")
        if self.stride is not None and self.windows != "sliding":
            raise ValueError(f"stride goes with `windows: sliding`, not {self.windows}")
        return self


# -------------------------------------------------------------------- evaluation, sampling, run


class Evaluation(Section):
    """How the test split is scored."""

    stride: Size | None = None
    """Tokens scored by each overlapping window; the others in it are context. Default: half a context."""
    precision: Literal["auto", "fp32"] = "auto"
    """`auto`: weights in bf16 where the device multiplies them faster, logits and losses in fp32, which moves
    bits per byte by less than 0.001. `fp32` is exact."""


class Decoding(Section):
    """How the next token is chosen."""

    temperature: NonNegative = 1.0
    """0 takes the likeliest token; below 1 sharper, above 1 flatter."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Draw among the k likeliest tokens; 0 is off."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Draw among the likeliest tokens that together have probability p; 1 is off."""
    repetition_penalty: Positive = 1.0
    """Make tokens that stand in the text already less likely (Keskar et al. 2019); 1 is off."""


class Sampling(Section):
    """What every cell is asked to continue."""

    prompts: Annotated[list[str], Field(min_length=1)] = ["Once upon a time"]
    """Texts to continue. An empty one starts a document."""
    max_new_tokens: Size = 100
    """Tokens at most; generation stops at the end of text."""
    ignore_eos: bool = False
    """Go on after the end-of-text token."""
    seed: int = 0
    """Seed of the draws."""
    decodings: Annotated[dict[str, Decoding], Field(min_length=1)] = {
        "greedy": Decoding(temperature=0),
        "nucleus": Decoding(temperature=0.8, top_p=0.95),
    }
    """Name → how to decode."""


class Run(Section):
    """How, not what: none of these keys is part of an identity or retrains anything. All but `device`,
    `processes` and `compile` leave every bit as it is."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes cuda, then mps, then cpu."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read training data ahead; the bits are the same for any number."""
    checkpoint_every: Positive = 60.0
    """Seconds between checkpoints of a running training."""
    log_every: Positive = 5.0
    """Seconds between lines of progress."""
    processes: Size = 1
    """Processes (torchrun) that share each training, each with its own GPU or `threads`. Last bits depend on
    their number; with dropout and `micro_batch: auto`, what is dropped does, too."""
    cells_per_gpu: Size = 1
    """Programs that may compute on one GPU at the same time: small cells do not fill it."""
    compile: Literal["auto"] | bool = "auto"
    """torch.compile; `auto`: on a GPU, where the training is long enough to pay for it."""
    cuda_graphs: bool = False
    """Launch all kernels of a pass at once, on a GPU: for models so small that it waits for them. The bits
    stay the same. It serves trainings without dropout and document_mask whose `micro_batch` is the whole
    batch; others go on without."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass in place of keeping them: less memory, the same bits."""
    store: str = "results/.store"
    """Where finished artifacts lie; `GPTGRID_STORE` overrides it."""

    @model_validator(mode="after")
    def check(self) -> Run:
        if self.processes > 1 and self.cells_per_gpu > 1:
            # Two processes of a cell could come to lie on one GPU, which nccl refuses.
            raise ValueError(
                "processes is for cells that need several GPUs, cells_per_gpu for those that fill none; set "
                "one of them to 1"
            )
        return self


# ------------------------------------------------------------------------------------------- grid


class Experiment(Section):
    """A whole configuration file."""

    sections: ClassVar[dict[str, TypeAdapter]] = {
        "corpora": TypeAdapter(Corpus),
        "tokenizers": TypeAdapter(Tokenizer),
        "models": TypeAdapter(Model),
        "training": TypeAdapter(Training),
    }

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "default"
    """Name of the folder under results/."""
    corpora: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → text. Every entry of every section may start from another by `base: NAME`."""
    tokenizers: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → tokenizer."""
    models: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → architecture."""
    training: Annotated[dict[str, Any], Field(min_length=1)]
    """Name → training recipe."""
    evaluation: Evaluation = Evaluation()
    """How the test split is scored."""
    sampling: Sampling = Sampling()
    """What every cell is asked to continue."""
    grid: Annotated[list[dict[str, Any]], Field(min_length=1)]
    """Blocks whose union is the grid. A block is the cross product of its lists: `corpus`, `tokenizer`,
    `model`, `training`, `seed`, and overrides such as `model.n_layer: [2, 4]`. Lists named in `zip` advance
    together; cells that match an entry of `exclude` are left out."""
    quick: dict[str, Any] = {}
    """What `--config quick=true` changes; results go to <experiment>-quick."""
    run: Run = Run()
    """How, not what: never part of an identity."""
