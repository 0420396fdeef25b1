"""The section `evaluation.tasks`: items of JSON lines that a model answers by what it finds likely."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gptgrid.config.corpora import check_address
from gptgrid.config.values import Section, Sha256


class Task(Section):
    """Items that a model answers by how likely it finds texts. Each is a JSON object on a line of its own, in
    UTF-8. Results stand in evaluation.json and, as `task_NAME`, in the tables."""

    source: Literal["url", "files"]
    """`url`: a file on the web. `files`: your own."""
    format: Literal["minimal-pairs", "choice", "cloze"]
    """`minimal-pairs`: `sentence_good` must be likelier than `sentence_bad`. `choice`: after `prompt`, the
    text `answer` must be likelier than each text of the list `wrong`; told once more per byte of the answers,
    so that long ones are not at a disadvantage. `cloze`: after `prompt`, greedy decoding must give exactly
    the text `answer`; its perplexity is told, too."""
    url: str | None = None
    """With `source: url`: an https address. Its query identifies nothing and is kept out of the store."""
    sha256: Sha256 | None = None
    """What the file of the address must contain."""
    paths: Annotated[list[str], Field(min_length=1)] | None = None
    """With `source: files`: files, folders or globs, as in a corpus."""
    members: Annotated[list[str], Field(min_length=1)] | None = None
    """Which files of an archive: a pattern such as `data/*.jsonl` (`*` crosses folders), or several; default:
    all."""
    group: Annotated[str, Field(min_length=1)] | None = None
    """Field of the items that says which of them are alike, such as those of one phenomenon: each group has
    a result of its own, and the interval of the whole is that of a sample of groups. Default: `UID` where the
    items have it; else each item stands for itself."""
    before: str | None = None
    """What stands before each sentence of a pair, or between prompt and answer. Default: before a sentence a
    blank, with which results agree with those of lm-eval; between prompt and answer nothing, where it is an
    error if the two would become one word."""

    @field_validator("members", "paths", mode="before")
    @classmethod
    def one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def one_way_to_name_files(self) -> Task:
        if self.source == "url":
            if self.url is None or self.sha256 is None or self.paths is not None:
                raise ValueError("`source: url` takes `url` and `sha256`, and no `paths`")
            check_address(self.url, insecure=False)
        elif self.paths is None or self.url is not None or self.sha256 is not None:
            raise ValueError("`source: files` takes `paths`, and neither `url` nor `sha256`")
        return self
