"""The section `corpora`: where text comes from, how it is read, cleaned and split."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, field_validator, model_validator

from gptgrid.config.values import (
    Commit,
    Fraction,
    HubName,
    Neutral,
    Section,
    Sha256,
    Size,
)
from gptgrid.net.address import public


class Shares(Section):
    """How much is cut off for validation and test."""

    valid: Fraction = 0.1
    """Share of the text for validation."""
    test: Fraction = 0.1
    """Share of the text for the test."""
    seed: int = 0
    """Seed of the draw; the split does not depend on the seeds of the cells."""

    @model_validator(mode="before")
    @classmethod
    def train_is_the_rest(cls, data: Any) -> Any:
        if isinstance(data, dict) and "train" in data:
            raise ValueError("`train` is what valid and test leave over; leave that key out")
        return data

    @model_validator(mode="after")
    def leave_something_to_train_on(self) -> Shares:
        if self.valid + self.test >= 1:
            raise ValueError(f"valid + test is {self.valid + self.test:g}; leave a share for training")
        if not self.valid or not self.test:
            raise ValueError("valid and test must both be above 0: ranking and figures need them")
        return self


class Split(Shares):
    """How a text without published splits is cut."""

    by: Literal["document", "position"] = "document"
    """`document`: whole documents are drawn by seed; where a draw of few, or of very unlike ones, would miss
    the shares, those that fit are taken. `position`: the text is cut in order: train, then valid, then test;
    the only way for a text that is one document."""


class Clean(Section):
    """What happens to each document before the split."""

    normalize: Literal["none", "NFC", "NFKC"] = "none"
    """Unicode normalization form."""
    dedupe: Literal["none", "exact", "near"] = "none"
    """`exact` keeps the first of equal documents; `near` also drops those that are nearly equal to one that
    is kept (MinHash over runs of five words or signs; case, blanks and marks of sentences do not count;
    shorter ones must be the same). Published test and validation texts keep theirs: copies of them are taken
    out of the training text."""
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.8
    """How alike documents are that count as nearly equal: the share of their runs of words in common."""
    min_chars: Annotated[int, Field(ge=0)] = 0
    """Documents with fewer characters are dropped."""
    max_chars: Size | None = None
    """Documents with more characters are dropped."""

    @model_validator(mode="after")
    def a_length_between(self) -> Clean:
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ValueError(f"max_chars is {self.max_chars}, below min_chars, which is {self.min_chars}")
        return self


class Packed(Section):
    """What is read of packed files. gz, zst, bz2, xz, zip and tar are known by their content."""

    members: Annotated[list[str], Field(min_length=1)] | None = None
    """Which files of an archive, as patterns such as `data/*.txt` (`*` crosses folders); default: all."""


class Reading(Packed):
    """How texts stand in files. gz, zst, bz2, xz, zip and tar are known by their content."""

    format: Literal["text", "parquet", "jsonl", "json", "csv", "tsv"] | None = None
    """What a file holds: `text`, or records of which one `field` is the text; default: by its ending, `text`
    where that says nothing. A csv may have semicolons, tabs or bars in place of commas. In a tsv, quotes
    around fields are taken off if all of them are as programs write them, and are text otherwise; the log
    says which."""
    field: Annotated[str, Field(min_length=1)] | None = None
    """The field of a record that is the text, `a.b` for a field in a field; in a csv or tsv without a header
    the number of the column, from 0, in quotes; default: `text`."""


class Encoded(Section):
    """How the bytes of files become text."""

    encoding: str = "auto"
    """Text encoding; `auto` looks at each file: byte order marks, UTF-8, and otherwise a guess, which the log
    and the data card name: UTF-16 and UTF-32, GB18030, Big5, Shift-JIS, EUC-JP, EUC-KR, ISO-2022, the code
    pages of Windows, KOI8, ISO 8859, and some of DOS and old Macs. A few characters beyond ASCII
    in English are read as cp1252 where they fit, which is a caution. Where two fit equally well, or nothing
    fits, it asks for this key; so it does where parts of a file are in different encodings."""
    errors: Literal["strict", "replace"] = "strict"
    """What happens to bytes that do not fit: `strict` is an error with their place. `replace` puts U+FFFD,
    counts them in the manifest and gives a caution; a text that would lose many letters is refused."""
    max_bytes: Size | None = None
    """A file that is larger, or unpacks to more, is refused; default: any, and 100G unpacked."""


class TextFiles(Encoded, Reading):
    """How a corpus of files is read."""


class RemoteFile(Section):
    """One file on the web, pinned."""

    url: str
    """Where it lies: an https address. Its query, which may be a signature, identifies nothing, and is kept
    out of the store, cards and logs."""
    sha256: Sha256
    """What it must contain."""


class Remote(RemoteFile, Reading):
    """One file on the web, pinned."""


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
    """Keep the text, examples of it, tokens learned from it and what models make of it out of the data card,
    the report and logs, also of other corpora whose tokenizer was trained on it."""


KINDS_OF_DOCUMENTS = {
    **{kind: kind for kind in ("whole", "line", "blank-line", "record")},
    **{
        **dict.fromkeys(("file", "text", "document"), "whole"),
        **dict.fromkeys(("newline", "new-line"), "line"),
        **dict.fromkeys(("blankline", "empty-line", "paragraph"), "blank-line"),
        **dict.fromkeys(("row", "object"), "record"),
    },
}
"""What a person may call a kind of document → its name."""


class TextCorpus(CommonCorpus):
    """Keys of every corpus that has text."""

    document: Annotated[str, Field(min_length=1)] | None = None
    """What one document is: `whole` (a file), `line`, `blank-line` (paragraphs), `record` (of a table), or
    any other string: the delimiter between documents, which is taken out, for example `<|endoftext|>`. A word
    that stands on a line of its own is given with its line ends, in double quotes: `"\\nline\\n"`; the start
    and the end of a file count as line ends there. Default: `record` where there are records, `blank-line` in
    texts."""
    clean: Clean = Clean()
    """Preparation of the documents."""
    marks: Annotated[Literal["text", "special"], Neutral("text")] = "text"
    """What the names of a tokenizer's `special_tokens` are in these documents: `text` like any other, or,
    with `special`, the tokens that they name, as in chats with `<|user|>`; then the prompts of `sampling` are
    read so, too. The name of the end of text is text even so: that token begins documents. Figures per byte
    divide by the bytes of the documents as they stand, with those of the names."""

    @field_validator("document")
    @classmethod
    def is_no_misspelt_kind(cls, value: str | None) -> str | None:
        if value is None or value in KINDS_OF_DOCUMENTS.values():
            return value
        if re.search(r"\\n(?![a-z])", value):
            raise ValueError(f'found a backslash and an n; YAML reads line ends in double quotes: "{value}"')
        if value == value.strip() and re.fullmatch("[A-Za-z _-]+", value):
            word = re.sub("[ _-]+", "-", value.lower()).removesuffix("s")
            near = difflib.get_close_matches(word, KINDS_OF_DOCUMENTS, 1, 0.8)
            itself = f'for the word itself give its line ends, too, in double quotes: "\\n{value}\\n"'
            if near:
                kind = KINDS_OF_DOCUMENTS[near[0]]
                raise ValueError(
                    f"found {value!r}, which would be a delimiter; did you mean {kind!r}? ({itself})"
                )
            if value.islower():
                kinds = ", ".join(dict.fromkeys(KINDS_OF_DOCUMENTS.values()))
                raise ValueError(
                    f"found {value!r}, a word that would be taken out of the text wherever it stands; give "
                    f"one of {kinds}, or {itself}"
                )
        return value


class BuiltinCorpus(TextCorpus):
    """A corpus that comes with gptgrid."""

    source: Literal["builtin"]
    """`builtin`"""
    name: Literal["tales", "toy"]
    """`tales`: generated stories. `toy`: Chinese and English sentences. Default: the entry's name."""
    documents: Size | None = None
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
    run. A file that a `GPTGRID_MIRROR` folder has is taken from there. Every file is checked against the
    checksum in the hub's listing, which a mirror may have a copy of
    (`huggingface.co/api/datasets/<path>/revision/<revision>`, as that address with `?blobs=true` gives it).
    `HF_TOKEN` opens what asks for a token."""

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
    sha256: Annotated[dict[str, Sha256], Neutral({})] = {}
    """Files of the data set that may be read → what they must contain, in place of the hub's listing; for a
    mirror that has no copy of it. A message gives them."""
    max_bytes: Size | None = None
    """A file that is larger, or unpacks to more, is refused; default: any, and 100G unpacked."""

    @model_validator(mode="after")
    def train_is_there(self) -> HubCorpus:
        if "train" not in self.splits:
            raise ValueError("`splits` has no train; give the hub's name of the training split")
        return self


class SplitFiles(Section):
    """Your own files, cut into splits or given for each."""

    source: str
    """What the kind of entry is called, in front of its files."""
    paths: list[str] | None = None
    """Files, folders or globs, relative to the folder that Snakemake runs in; cut into splits. Hidden and
    empty files, copies that editors make, and what is no file are left out of folders and globs, and
    counted."""
    train: list[str] | None = None
    """Training files, in place of `paths`."""
    valid: list[str] | None = None
    """Validation files."""
    test: list[str] | None = None
    """Test files."""

    @field_validator("paths", "train", "valid", "test", mode="before")
    @classmethod
    def one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def one_way_to_name_files(self) -> Self:
        check_split_sources(self.paths, self.train, self.valid, self.test, "paths")
        return self

    def files(self) -> dict[str, list[str]]:
        """Return split → globs; the key `all` holds what is still to be cut."""
        return named_files(self.paths, self.train, self.valid, self.test)


class FilesCorpus(SplitFiles, TextCorpus, TextFiles):
    """Your own text files."""

    source: Literal["files"]
    """`files`"""


class RandomCorpus(CommonCorpus):
    """Uniformly random token ids, to measure speed or to check that nothing can be learned."""

    source: Literal["random"]
    """`random`"""
    vocab_size: Size
    """Ids lie in [0, vocab_size)."""
    tokens: Size
    """How many ids in all splits together."""
    document_tokens: Size = 256
    """Ids in one document."""
    seed: int = 0
    """Seed of the draw."""


class ShardsCorpus(SplitFiles, CommonCorpus):
    """Ready-made token shards with the header of llm.c, to train on without their text."""

    source: Literal["shards"]
    """`shards`"""
    vocab_size: Size
    """Size of the vocabulary that the ids are of: 50257 for GPT-2's."""
    eot: Annotated[int, Field(ge=0)] | None = None
    """The id that stands before every document, or behind it: 50256 for GPT-2's. The last document of a shard
    goes on in the next one. Without such an id, a shard is one running text."""

    @model_validator(mode="after")
    def eot_is_an_id(self) -> ShardsCorpus:
        if self.eot is not None and self.eot >= self.vocab_size:
            raise ValueError(f"eot is {self.eot}, which is no id of a vocabulary of {self.vocab_size}")
        return self


def check_address(url: str, insecure: bool) -> None:
    """Accept an https address without a password; http and file addresses where the corpus allows them."""
    schemes = ("https://", "http://", "file://") if insecure else ("https://",)
    if re.match("[a-z]*:?//[^/?#]*@", url, re.IGNORECASE):
        raise ValueError(
            "an address with a user name or password; set GPTGRID_HEADERS in the environment instead"
        )
    if not url.startswith(schemes):
        raise ValueError(f"{public(url)!r} is not an {' or '.join(schemes)} address; see the key `insecure`")


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
    given = {"all": cut, "train": train, "valid": valid, "test": test}
    return {split: files for split, files in given.items() if files}


Corpus = Annotated[
    BuiltinCorpus | UrlCorpus | HubCorpus | FilesCorpus | RandomCorpus | ShardsCorpus,
    Discriminator("source"),
]
