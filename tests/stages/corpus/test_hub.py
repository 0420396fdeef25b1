"""Data sets come from a mirror or from the hub with the same files, and nothing of them runs or leaks."""

import gzip
import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pyarrow as pa
import pytest
from pyarrow import parquet
from servers import says, serve

from gptgrid.artifact.errors import UserError
from gptgrid.net import download
from gptgrid.stages.corpus.sources.hub import open_hub, read_rows

REVISION = "0123456789" * 4
MIRROR = Path(os.environ.get("GPTGRID_MIRROR", "none"))
WIKITEXT = (
    MIRROR / "huggingface.co/datasets/Salesforce/wikitext/resolve/b08601e04326c79dfdd32d625aee71d232d685c3"
)
CARD = """---
license: mit
configs:
- config_name: small
  default: true
  data_files:
  - split: train
    path: small/train-*
  - split: validation
    path: [small/dev.jsonl]
- config_name: large
  data_dir: big
---
# Data
"""
FILES = {
    "small/dev.jsonl": b'{"text": "v"}\n',
    "small/run.py": b"raise SystemExit('it ran')",
    "big/test.csv": b"text\nt\n",
    "big/train.csv": b"text\na\n",
    "big/train 红#2.csv": b"text\nb\n",
    ".gitattributes": b"x",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(download, "sleep", lambda seconds: None)
    for name in ("GPTGRID_MIRROR", "GPTGRID_HEADERS", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def config(name=None, path="org/data", revision=REVISION, max_bytes=None, **splits) -> SimpleNamespace:
    splits = splits or {"train": "train", "valid": "validation"}
    return SimpleNamespace(
        path=path, name=name, revision=revision, splits=SimpleNamespace(**splits), max_bytes=max_bytes
    )


@pytest.fixture
def repository(tmp_path) -> Path:
    """A data set as it lies in a mirror; two training files."""
    folder = tmp_path / "mirror" / "huggingface.co" / "datasets" / "org" / "data" / "resolve" / REVISION
    for name, content in {**FILES, "README.md": CARD.encode()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for i, text in enumerate(("one", "two")):
        parquet.write_table(pa.table({"text": [text]}), folder / f"small/train-{i:05}-of-00002.parquet")
    (folder / "small" / "dev.jsonl").unlink()
    parquet.write_table(pa.table({"text": ["v"]}), folder / "small" / "dev.jsonl.parquet")
    (folder / "README.md").write_text(CARD.replace("dev.jsonl]", "dev.jsonl.parquet]"))
    return folder


@pytest.fixture
def mirror(repository, monkeypatch) -> Path:
    monkeypatch.setenv("GPTGRID_MIRROR", str(repository.parents[5]))
    return repository


@pytest.fixture
def hub(repository, monkeypatch):
    """A hub: its API lists two pages; large files come from another host, as on the real one."""
    names = sorted(
        path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()
    )

    def entry(name: str) -> dict:
        content = (repository / name).read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        found = {"type": "file", "path": name, "size": len(content), "oid": blob}
        if name.endswith(".parquet"):
            found["oid"] = "0" * 40  # the hub gives the id of git's pointer to the file
            found["lfs"] = {
                "oid": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "pointerSize": 9,
            }
        return found

    def answer(request) -> None:
        prefix = f"/datasets/org/data/resolve/{REVISION}/"
        path = request.path.split("?")[0]
        if path == f"/api/datasets/org/data/tree/{REVISION}":
            first = "cursor" not in request.path
            page = [entry(name) for name in (names[:3] if first else names[3:])]
            link = {"Link": f'<{server.url}{path}?cursor=x>; rel="next"'} if first else {}
            request.send(
                json.dumps([*page, {"type": "directory", "path": "small", "oid": "0" * 40}]).encode(),
                Content_Type="application/json",
                **link,
            )
        elif path.endswith(".parquet"):
            request.send(b"", 302, Location=f"{store.url}/{path.removeprefix(prefix)}?signature=geheim")
        else:
            request.send((repository / unquote(path.removeprefix(prefix))).read_bytes())

    with (
        serve(answer) as server,
        serve(
            lambda request: request.send((repository / request.path[1:].split("?")[0]).read_bytes())
        ) as store,
    ):
        server.store = store
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def rows(hub, part="train") -> list[str]:
    return [text for file in hub.parts[part] for text in read_rows(file, "text")]


@pytest.mark.skipif(not WIKITEXT.is_dir(), reason="GPTGRID_MIRROR has no WikiText-2")
def test_wikitext_has_the_rows_that_its_card_gives(monkeypatch):
    monkeypatch.setenv("GPTGRID_MIRROR", str(MIRROR))
    asked = config(
        "wikitext-2-v1", "Salesforce/wikitext", WIKITEXT.name, train="train", valid="validation", test="test"
    )
    found = open_hub(asked)
    texts = {part: rows(found, part) for part in found.parts}
    assert {part: len(lines) for part, lines in texts.items()} == {
        "train": 36_718,
        "valid": 3_760,
        "test": 4_358,
    }
    assert sum(bool(line.strip()) for line in texts["train"]) == 23_767
    assert sum(bool(line.strip()) for line in texts["valid"]) == 2_461
    assert (
        found.facts["files"][0]["sha256"]
        == hashlib.sha256(found.parts["train"][0].path.read_bytes()).hexdigest()
    )


def test_mirror_and_hub_give_the_same(mirror, hub, tmp_path, monkeypatch):
    near = open_hub(config(), tmp_path / "d")
    assert not (tmp_path / "d").exists() and hub.asked == []
    monkeypatch.delenv("GPTGRID_MIRROR")
    far = open_hub(config(), tmp_path / "d")
    assert near.facts == far.facts and far.facts["revision"] == REVISION
    assert [file["name"] for file in far.facts["files"]] == ["small/train-00000-of-00002.parquet", "small/train-00001-of-00002.parquet", "small/dev.jsonl.parquet"]  # fmt: skip
    assert rows(near) == rows(far) == ["one", "two"] and rows(far, "valid") == ["v"]
    file = near.facts["files"][0]
    content = (mirror / file["name"]).read_bytes()
    assert file == {
        "part": "train",
        "name": file["name"],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def test_mirror_may_be_a_relative_path(mirror, monkeypatch):
    monkeypatch.chdir(mirror)
    monkeypatch.setenv("GPTGRID_MIRROR", "../../../../../../../mirror")
    assert rows(open_hub(config())) == ["one", "two"]


def test_empty_data_set(hub, tmp_path):
    hub.answers = [lambda request: request.send(b"[]", Content_Type="application/json")]
    with pytest.raises(UserError, match="has no parquet, jsonl, json, csv, tsv or txt files"):
        open_hub(config(), tmp_path)


def test_only_the_files_that_are_needed_are_fetched_and_kept(hub, tmp_path):
    for _ in range(2):
        open_hub(config(), tmp_path)
    assert sorted(path for path, _ in hub.asked if "/resolve/" in path) == sorted(
        f"/datasets/org/data/resolve/{REVISION}/{name}"
        for name in (
            "README.md",
            "small/dev.jsonl.parquet",
            "small/train-00000-of-00002.parquet",
            "small/train-00001-of-00002.parquet",
        )
    )


def test_configuration_with_a_folder_and_small_files_of_git(hub, tmp_path):
    found = open_hub(config("large", train="train", test="test"), tmp_path)
    assert rows(found) == ["b", "a"] and rows(found, "test") == ["t"]


def test_changed_file_is_refused(hub, repository, tmp_path, monkeypatch):
    first = open_hub(config("large", train="train"), tmp_path / "a")
    listed = hub.answers[0]
    hub.answers = [
        lambda request: (
            request.send(b"text\nother\n") if request.path.endswith("train.csv") else listed(request)
        )
    ]
    with pytest.raises(UserError, match=r"train\.csv has git id .* was expected"):
        open_hub(config("large", train="train"), tmp_path / "b")
    assert rows(first) == ["b", "a"]


def test_names_say_the_splits_without_a_card(mirror):
    (mirror / "README.md").unlink()
    (mirror / "small" / "validation.parquet").write_bytes(
        (mirror / "small" / "dev.jsonl.parquet").read_bytes()
    )
    assert rows(open_hub(config("small"))) == ["one", "two"]
    with pytest.raises(UserError, match=r"no split 'test' at .*; it has train, validation; set `splits`"):
        open_hub(config("small", train="train", test="test"))
    with pytest.raises(UserError, match="org/data has no configuration 'smal'; its folders: big, small"):
        open_hub(config("smal"))


def test_of_two_forms_the_more_frequent_is_read_and_parquet_first(mirror):
    (mirror / "small" / "train-copy.csv").write_bytes(b"text\none\n")
    (mirror / "small" / "train-copy.txt").write_bytes(b"one\n")
    assert rows(open_hub(config(train="train"))) == ["one", "two"]
    (mirror / "small" / "train-00000-of-00002.parquet").unlink()
    (mirror / "small" / "train-00001-of-00002.parquet").rename(mirror / "small" / "train-b.parquet")
    assert rows(open_hub(config(train="train"))) == ["two"]
    (mirror / "small" / "dev.jsonl.parquet").unlink()
    assert rows(open_hub(config(train="train"))) == ["two"]
    (mirror / "small" / "train-more.csv").write_bytes(b"text\ntwo\n")
    assert rows(open_hub(config(train="train"))) == ["one", "two"]


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv"])
def test_listing_that_leads_outside(hub, tmp_path, name):
    listed = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40}]
    hub.answers = [lambda request: request.send(json.dumps(listed).encode(), Content_Type="application/json")]
    with pytest.raises(UserError, match=f"has a file {name}, which leads outside; mistrust it"):
        open_hub(config(), tmp_path)


def test_packed_lines_and_text(mirror):
    (mirror / "README.md").unlink()
    (mirror / "new").mkdir()
    (mirror / "new" / "train.jsonl.gz").write_bytes(gzip.compress(FILES["small/dev.jsonl"]))
    assert rows(open_hub(config("new", train="train"))) == ["v"]
    (mirror / "new" / "train.jsonl.gz").unlink()
    (mirror / "new" / "train.txt").write_bytes(b"one\n\ntwo\n")
    assert rows(open_hub(config("new", train="train"))) == ["one", "", "two"]


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        ({}, {"name": "medium"}, "org/data has the configurations small, large; set `name`"),
        ({}, {"train": "training"}, "no split 'training' at .*; it has train, validation; set `splits`"),
        ({"README.md": CARD.replace("default: true", "x: 1")}, {}, "configurations small, large; set `name`"),
        ({"README.md": CARD.replace("small/train-*", "../../../*")}, {}, "outside of the data set"),
        ({"README.md": CARD.replace("small/train-*", "/etc/hosts")}, {}, "outside of the data set"),
        ({"README.md": CARD.replace("small/train-*", "https://example.org/x.csv")}, {}, "outside of the data set"),
        ({"README.md": CARD.replace("small/train-*", "zip://x.csv::a.zip")}, {}, "outside of the data set"),
        ({"README.md": CARD.replace("data_dir: big", "data_dir: /etc")}, {"name": "large"}, "outside of the data set"),
        ({"README.md": "---\nconfigs: 7\n---\n"}, {}, "the card of org/data cannot be read"),
        ({"small/train-00000-of-00002.parquet": None}, {}, r"lacks small/train-00000-of-00002\.parquet; complete"),
        ({"big/train.csv": None, "big/train 红#2.csv": None, "big/test.csv": None, "big/run.py": "1"}, {"name": "large"}, "no script is ever run"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(mirror, change, asked, said):
    for name, content in change.items():
        (mirror / name).unlink() if content is None else (mirror / name).write_text(content)
    with pytest.raises(UserError, match=said):
        open_hub(config(**asked))


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (
            401,
            "RepoNotFound",
            "accept the conditions on https://huggingface.co/datasets/org/data, and set HF_TOKEN",
        ),
        (404, "RepoNotFound", "check `path`"),
        (403, "GatedRepo", "accept the conditions"),
        (404, "RevisionNotFound", f"has no revision {REVISION}"),
        (400, "", "cannot be listed"),
    ],
)
def test_what_the_hub_refuses(hub, tmp_path, monkeypatch, status, code, said):
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    hub.answers = [says(status, X_Error_Code=code)]
    with pytest.raises(UserError, match=said) as error:
        open_hub(config(), tmp_path)
    assert "geheim" not in str(error.value)
    assert hub.asked[0][1]["authorization"] == "Bearer hf_geheim"


def test_token_stays_with_the_hub(hub, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    found = open_hub(config(), tmp_path)
    sent = [{name.lower() for name in headers} for _, headers in hub.asked]
    assert all("authorization" in names for names in sent)
    assert not any("authorization" in map(str.lower, headers) for _, headers in hub.store.asked)
    assert "geheim" not in json.dumps(found.facts) + "".join(capfd.readouterr())


def test_unreachable_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=f"or set GPTGRID_MIRROR to a folder that has huggingface.co/.*{REVISION}"
    ):
        open_hub(config(), tmp_path)


def test_size_limit(hub, tmp_path):
    with pytest.raises(UserError, match="but the limit is 100"):
        open_hub(config(max_bytes=100), tmp_path)
