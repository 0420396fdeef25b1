"""The section `dialogues`: where conversations come from, how they are read and split."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, field_validator, model_validator

from gptgrid.config.corpora import (
    Encoded,
    Packed,
    Remote,
    RemoteFile,
    Shares,
    SplitFiles,
    check_address,
    check_split_sources,
    named_files,
)
from gptgrid.config.values import Fraction, Section, Sha256, Size

FIELDS = {
    "messages": ("messages", "role", "content", "system"),
    "instruction": ("instruction", "input", "output", "system"),
    "question": ("question", "answer", "system"),
    "kdconv": ("messages", "message", "system"),
}
"""Format → the fields of its records that may have other names."""
FieldName = Literal[
    *("messages", "role", "content", "message", "instruction", "input", "output"),
    *("question", "answer", "system"),
]


class DialogueSplit(Shares):
    """How many dialogues are drawn for validation and test where the source brings none. Those that ask the
    same stay together."""

    valid: Fraction = 0.05
    """Share of the dialogues for validation."""
    test: Fraction = 0.1
    """Share of the dialogues for the test."""


class CommonDialogues(Section):
    """Keys of all dialogues."""

    split: DialogueSplit = DialogueSplit()
    """How many to cut off for validation and test where the source brings none."""
    system: Annotated[str, Field(min_length=1)] | None = None
    """A system message that is put in front of dialogues that have none."""
    license: str | None = None
    """The licence of the texts, carried into the data card."""
    private: bool = False
    """Keep the texts, and what models make of them, out of the data card, the report and logs."""


class BuiltinDialogues(CommonDialogues):
    """Dialogues that come with gptgrid."""

    source: Literal["builtin"]
    """`builtin`"""
    name: Literal["tales"] = "tales"
    """`tales`: questions about short passages in the words of the tales, each with one right answer."""
    documents: Size = 2000
    """How many dialogues."""
    seed: int = 0
    """Seed of the generator."""
    language: Literal["en", "zh", "both"] = "en"
    """`both`: each is English or Chinese, with equal chances."""
    told: Annotated[list[Annotated[int, Field(ge=1, le=3)]], Field(min_length=1)] = [1, 2, 3]
    """Of how many people a passage tells where nothing changes; each of these numbers is as likely. One
    leaves nothing to choose from; the more there are, the more must be told apart."""
    format: Literal["messages"] = "messages"
    """The generator's own dialogues."""


class DialogueFiles(CommonDialogues, Encoded, Packed):
    """Keys of all dialogues in files: JSON lines, JSON (a list of records, or an object of lists) or parquet.
    The ending of a name says which; other endings are read as JSON."""

    format: Literal["auto", "messages", "instruction", "question", "kdconv"] = "auto"
    """`messages`: a list of `{role, content}`, also with `from` and `value` as in ShareGPT. `instruction`:
    `instruction`, `input` and `output`. `question`: `question` and `answer`, also `prompt` and `completion`,
    or `query` and `response`. `kdconv`: messages without a role, whose two sides take turns. `auto`: what the
    first record of each file is, by its fields; the log says which. Log and data card name the fields that
    are not read. A dialogue of `messages` with an answer whose `weight` is 0 is left out, and counted."""
    fields: dict[FieldName, Annotated[str, Field(min_length=1)]] = {}
    """Field of the format → its name in the files, as in `{question: Q, answer: A}`; `a.b` for a field in a
    field."""

    @model_validator(mode="after")
    def fields_of_the_format(self) -> DialogueFiles:
        if self.format != "auto" and (others := set(self.fields) - set(FIELDS[self.format])):
            raise ValueError(
                f"fields: {', '.join(sorted(others))}: the format {self.format} has "
                f"{', '.join(FIELDS[self.format])}"
            )
        return self


class UrlDialogues(DialogueFiles):
    """Files on the web. `GPTGRID_MIRROR` (a folder or an address) is tried first. Headers that a host needs
    come from the environment, as for corpora."""

    source: Literal["url"]
    """`url`"""
    url: str | None = None
    """One address (with `sha256`), cut into splits."""
    sha256: Sha256 | None = None
    """Of the one address."""
    train: list[RemoteFile] | None = None
    """Published training dialogues, in place of `url`: `{url, sha256}`, or a list of them."""
    valid: list[RemoteFile] | None = None
    """Published validation dialogues."""
    test: list[RemoteFile] | None = None
    """Published test dialogues."""
    insecure: bool = False
    """Allow `http://` and `file://` addresses, too; the checksum holds all the same."""

    @field_validator("train", "valid", "test", mode="before")
    @classmethod
    def one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @model_validator(mode="after")
    def one_way_to_name_files(self) -> UrlDialogues:
        if (self.url is None) != (self.sha256 is None):
            raise ValueError("`url` and `sha256` belong together, so that everybody trains on the same bytes")
        check_split_sources(self.url, self.train, self.valid, self.test, "url")
        for files in self.files().values():
            for file in files:
                check_address(file.url, self.insecure)
        return self

    def files(self) -> dict[str, list[Remote]]:
        """Return split → files with what is read of them; `all` is still to be cut."""
        single = None if self.url is None else [RemoteFile(url=self.url, sha256=self.sha256)]
        return {
            split: [Remote(url=file.url, sha256=file.sha256, members=self.members) for file in files]
            for split, files in named_files(single, self.train, self.valid, self.test).items()
        }


class FilesDialogues(SplitFiles, DialogueFiles):
    """Your own files."""

    source: Literal["files"]
    """`files`"""


Dialogues = Annotated[BuiltinDialogues | UrlDialogues | FilesDialogues, Discriminator("source")]
