"""Entries of `dialogues`: files are named in one way, and fields are those of the format."""

import pytest
from pydantic import TypeAdapter, ValidationError

from gptgrid.config.dialogues import (
    FIELDS,
    BuiltinDialogues,
    Dialogues,
    FieldName,
    FilesDialogues,
    UrlDialogues,
)
from gptgrid.stages.corpus.dialogues.formats import FORMATS
from gptgrid.stages.corpus.dialogues.records import ALIASES

SUM = "0" * 64
WEB = {"url": "https://host/a.jsonl", "sha256": SUM}


def read(**keys):
    return TypeAdapter(Dialogues).validate_python(keys)


def test_each_source_has_its_class():
    assert isinstance(read(source="builtin", name="tales"), BuiltinDialogues)
    assert isinstance(read(source="url", **WEB), UrlDialogues)
    assert isinstance(read(source="files", paths=["a.jsonl"]), FilesDialogues)


def test_files_on_the_web_may_be_one_or_several():
    entry = read(source="url", train=WEB, test=[WEB, {**WEB, "url": "https://host/b.jsonl"}], members=["a*"])
    assert {split: [file.url for file in files] for split, files in entry.files().items()} == {
        "train": ["https://host/a.jsonl"],
        "test": ["https://host/a.jsonl", "https://host/b.jsonl"],
    }
    assert entry.files()["train"][0].members == ["a*"]
    assert list(read(source="url", **WEB).files()) == ["all"]


def test_one_path_needs_no_list():
    assert read(source="files", paths="a.jsonl").files() == {"all": ["a.jsonl"]}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"source": "url", "url": WEB["url"]}, "`url` and `sha256` belong together"),
        ({"source": "url", "train": {"url": "http://host/a", "sha256": SUM}}, "is not an https:// address"),
        ({"source": "url", **WEB, "test": WEB}, "`valid` and `test` go with `train`, not with `url`"),
        ({"source": "files"}, "give either `paths` (to be cut into splits) or `train`"),
        ({"source": "files", "train": []}, "an empty list of files"),
        (
            {"source": "files", "paths": "a", "format": "question", "fields": {"role": "r"}},
            "fields: role: the format question has question, answer, system",
        ),
        ({"source": "files", "paths": "a", "fields": {"reply": "r"}}, "'messages', 'role'"),
        (
            {"source": "files", "paths": "a", "split": {"valid": 0.5, "test": 0.5}},
            "leave a share for training",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(keys, expected):
    with pytest.raises(ValidationError) as error:
        read(**keys)
    assert expected in str(error.value)


def test_the_formats_are_those_of_the_stage():
    assert set(FIELDS) == set(FORMATS)
    assert {field for fields in FIELDS.values() for field in fields} == set(FieldName.__args__)
    # Neither is a column that people name otherwise.
    assert set(FieldName.__args__) == set(ALIASES) - {"instances", "weight"}
