"""Each source gives its documents, says what it read, and says clearly what is wrong with a file."""

import hashlib

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.builtin.toy import PAIRS, SENTENCES
from gptgrid.stages.corpus.sources import url
from gptgrid.stages.corpus.sources.table import SOURCES
from gptgrid.tokens.shards import write_shard


def open_source(job):
    return SOURCES[job.config.source](job)


def test_toy_is_bilingual_and_without_copies(make_job):
    source = open_source(make_job(source="builtin", name="toy", documents=None, seed=0))
    assert list(source.parts["all"]) == list(SENTENCES) and 2 * len(SENTENCES) >= 400
    assert len({text for pair in PAIRS for text in pair}) == 2 * len(PAIRS)
    for chinese, english in PAIRS:
        assert english.isascii() and all(not "a" <= letter.lower() <= "z" for letter in chinese)


@pytest.mark.parametrize("name", ["toy", "tales"])
def test_builtin_has_the_number_of_documents_asked_for(make_job, name):
    source = open_source(make_job(source="builtin", name=name, documents=7, seed=3, language="en"))
    assert len(list(source.parts["all"])) == 7 and source.license == "MIT"


def test_toy_does_not_pretend_to_be_larger(make_job):
    with pytest.raises(UserError, match="lower `documents`"):
        open_source(make_job(source="builtin", name="toy", documents=10_000, seed=0))


def test_random_ids(make_job):
    job = make_job(source="random", vocab_size=50, tokens=1030, document_tokens=100, seed=5)
    documents = open_source(job).parts["all"]
    assert [len(ids) for ids in documents] == [100] * 10 + [30]
    ids = np.concatenate(documents)
    assert ids.dtype == np.uint32 and set(ids.tolist()) == set(range(50))
    assert np.array_equal(ids, np.concatenate(open_source(job).parts["all"]))


@pytest.mark.parametrize("before", [True, False])
def test_documents_of_shards_go_on_in_the_next_file(make_job, tmp_path, before):
    """The halves were two documents, which could fall into different splits."""
    texts = [[9, 1, 2, 9, 3], [4, 9], [5, 5], [9, 6]] if before else [[1, 2, 9, 3], [4, 9, 5, 5], [9], [6, 9]]
    for number, ids in enumerate(texts):
        write_shard(tmp_path / f"{number}.bin", [np.array(ids)], 10)
    files = {"all": [str(tmp_path / f"{number}.bin") for number in range(len(texts))]}
    source = open_source(make_job(source="shards", vocab_size=10, eot=9, files=files))
    assert [ids.tolist() for ids in source.parts["all"]] == [[1, 2], [3, 4], [5, 5], [6]]
    assert len(source.facts["files"]) == 4
    source = open_source(make_job(source="shards", vocab_size=10, eot=None, files=files))
    assert [ids.tolist() for ids in source.parts["all"]] == texts


def test_files_of_published_splits(make_job, tmp_path):
    for name in ("a", "b", "v"):
        (tmp_path / name).write_bytes(f"{name} one\r\n{name} two\r\n".encode())
    files = {"train": [str(tmp_path / "a"), str(tmp_path / "b")], "valid": [str(tmp_path / "v")]}
    source = open_source(make_job(source="files", document="line", files=files))
    texts = {part: list(documents) for part, documents in source.parts.items()}
    assert texts == {"train": ["a one", "a two", "b one", "b two"], "valid": ["v one", "v two"]}
    assert source.facts["files"][2] == {
        "part": "valid",
        "name": str(tmp_path / "v"),
        "sha256": hashlib.sha256((tmp_path / "v").read_bytes()).hexdigest(),
        "bytes": 14,
        "formats": {"text": 1},
        "encodings": {"utf-8": 1},
        "guessed": 0,
        "marks": 0,
        "line_ends": {"CRLF": 2},
        "replaced": 0,
    }


def test_url_is_fetched_by_its_checksum(make_job, tmp_path, monkeypatch):
    (tmp_path / "got").write_text("one\n\ntwo\n")
    monkeypatch.setattr(
        url,
        "fetch",
        lambda url, sha256, **how: tmp_path / "got" if (url, sha256) == ("https://x/y", "ab") else None,
    )
    files = {"all": [{"url": "https://x/y", "sha256": "ab", "members": None, "format": None, "field": None}]}
    source = open_source(make_job(source="url", document="blank-line", files=files))
    assert list(source.parts["all"]) == ["one", "two"]
    assert source.facts["files"][0]["name"] == "https://x/y"


def entry(name, sha256, members=None, field=None):
    return {"url": f"https://x/{name}", "sha256": sha256, "members": members, "format": None, "field": field}


@pytest.mark.parametrize(
    ("train", "test", "refused"),
    [
        (entry("a", "1"), entry("a", "2"), False),
        (entry("a", "1"), entry("b", "1"), True),
        (entry("a", "1", members=["train/*"]), entry("a", "1", members=["test/*"]), False),
        (entry("a", "1", members=["train/*", "all"]), entry("a", "1", members=["test/*", "all"]), True),
        (entry("a", "1"), entry("a", "1", members=["test/*"]), True),
        (entry("a", "1", field="en"), entry("a", "1", field="de"), False),
    ],
)
def test_a_file_is_in_one_split_and_an_archive_may_be_in_several(make_job, train, test, refused):
    job = make_job(source="url", document="line", files={"train": [train], "test": [test]})
    if refused:
        with pytest.raises(UserError, match=r"in train and.* in test too: figures on test would not be"):
            open_source(job)
    else:
        open_source(job)


def test_an_address_that_is_listed_twice_is_refused(make_job):
    job = make_job(source="url", document="line", files={"train": [entry("a", "1"), entry("a", "1")]})
    with pytest.raises(UserError, match="https://x/a is in train twice; leave one"):
        open_source(job)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"text", b"other", "changed after the plan was made"),
        (b"text", None, "cannot be read"),
        (b"", b"", "is empty"),
        (b" \n", b" \n", "is empty"),
    ],
)
def test_bad_files_are_named(make_job, tmp_path, before, after, said):
    path = tmp_path / "mine.txt"
    path.write_bytes(before)
    job = make_job(source="files", files={"all": [str(path)]})
    path.unlink() if after is None else path.write_bytes(after)
    with pytest.raises(UserError, match=f"mine.txt {said}"):
        list(open_source(job).parts["all"])
