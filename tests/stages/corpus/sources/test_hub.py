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
import yaml
from pyarrow import parquet
from servers import says, serve

from gptgrid.artifact.errors import UserError
from gptgrid.net import download
from gptgrid.stages.corpus.sources.hub import DataSet, fetch_data_set, read_rows

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


def config(
    name=None, path="org/data", revision=REVISION, max_bytes=None, sha256=None, **splits
) -> SimpleNamespace:
    return SimpleNamespace(
        path=path,
        name=name,
        revision=revision,
        splits=SimpleNamespace(**(splits or {"train": "train", "valid": "validation"})),
        sha256=SimpleNamespace(**(sha256 or {})),
        max_bytes=max_bytes,
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


def listing(repository: Path) -> bytes:
    """Return what the hub answers when it is asked for the files of a data set with their checksums."""

    def entry(path: Path) -> dict:
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        found = {"rfilename": path.relative_to(repository).as_posix(), "size": len(content), "blobId": blob}
        if path.suffix == ".parquet":
            found["blobId"] = "0" * 40  # the hub gives the id of git's pointer to the file
            sha256 = hashlib.sha256(content).hexdigest()
            found["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 9}
        return found

    paths = sorted(path for path in repository.rglob("*") if path.is_file())
    return json.dumps({"id": "org/data", "siblings": [entry(path) for path in paths]}).encode()


def listing_path(repository: Path) -> Path:
    """Return where a mirror has the copy of the listing."""
    return repository.parents[4] / "api" / "datasets" / "org" / "data" / "revision" / REVISION


@pytest.fixture
def mirror(repository, monkeypatch) -> Path:
    """A mirror without a copy of the listing."""
    monkeypatch.setenv("GPTGRID_MIRROR", str(repository.parents[5]))
    return repository


def open_mirror(mirror: Path, asked: SimpleNamespace) -> DataSet:
    """Fetch from a mirror whose copy of the listing is that of its files."""
    path = listing_path(mirror)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(listing(mirror))
    return fetch_data_set(asked, mirror.parents[6] / "downloads")


@pytest.fixture
def hub(repository, monkeypatch):
    """A hub; large files come from another host, as on the real one."""
    files = listing(repository)

    def answer(request) -> None:
        prefix = f"/datasets/org/data/resolve/{REVISION}/"
        path = request.path.split("?")[0]
        if path == f"/api/datasets/org/data/revision/{REVISION}":
            request.send(files, Content_Type="application/json")
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


def rows(data, part="train") -> list[str]:
    return [text for file in data.parts[part] for text in read_rows(file, "text")]


@pytest.mark.skipif(not WIKITEXT.is_dir(), reason="GPTGRID_MIRROR has no WikiText-2")
def test_wikitext_has_the_rows_that_its_card_gives(monkeypatch, tmp_path):
    monkeypatch.setenv("GPTGRID_MIRROR", str(MIRROR))
    pins = {
        f"wikitext-2-v1/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (WIKITEXT / "wikitext-2-v1").iterdir()
    }
    asked = config(
        "wikitext-2-v1",
        "Salesforce/wikitext",
        WIKITEXT.name,
        None,
        pins,
        train="train",
        valid="validation",
        test="test",
    )
    found = fetch_data_set(asked, tmp_path)
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
    near = open_mirror(mirror, config())
    assert hub.asked == []
    monkeypatch.delenv("GPTGRID_MIRROR")
    far = fetch_data_set(config(), tmp_path / "far")
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
    assert rows(open_mirror(mirror, config())) == ["one", "two"]


def test_empty_data_set(hub, tmp_path):
    hub.answers = [
        lambda request: request.send(b'{"id": "org/data", "siblings": []}', Content_Type="application/json")
    ]
    with pytest.raises(UserError, match="has no parquet, jsonl, json, csv, tsv or txt files"):
        fetch_data_set(config(), tmp_path)


def test_only_the_files_that_are_needed_are_fetched_and_kept(hub, tmp_path):
    for _ in range(2):
        fetch_data_set(config(), tmp_path)
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
    found = fetch_data_set(config("large", train="train", test="test"), tmp_path)
    assert rows(found) == ["b", "a"] and rows(found, "test") == ["t"]


def test_changed_file_is_refused(hub, repository, tmp_path, monkeypatch):
    first = fetch_data_set(config("large", train="train"), tmp_path / "a")
    listed = hub.answers[0]
    hub.answers = [
        lambda request: (
            request.send(b"text\nother\n") if request.path.endswith("train.csv") else listed(request)
        )
    ]
    with pytest.raises(UserError, match=r"train\.csv has git id .* was expected"):
        fetch_data_set(config("large", train="train"), tmp_path / "b")
    assert rows(first) == ["b", "a"]


def test_names_say_the_splits_without_a_card(mirror):
    (mirror / "README.md").unlink()
    (mirror / "small" / "validation.parquet").write_bytes(
        (mirror / "small" / "dev.jsonl.parquet").read_bytes()
    )
    assert rows(open_mirror(mirror, config("small"))) == ["one", "two"]
    with pytest.raises(UserError, match=r"no split 'test' at .*; it has train, validation; set `splits`"):
        open_mirror(mirror, config("small", train="train", test="test"))
    with pytest.raises(UserError, match="org/data has no configuration 'smal'; its folders: big, small"):
        open_mirror(mirror, config("smal"))


def test_of_two_forms_the_more_frequent_is_read_and_parquet_first(mirror):
    (mirror / "small" / "train-copy.csv").write_bytes(b"text\none\n")
    (mirror / "small" / "train-copy.txt").write_bytes(b"one\n")
    assert rows(open_mirror(mirror, config(train="train"))) == ["one", "two"]
    (mirror / "small" / "train-00000-of-00002.parquet").unlink()
    (mirror / "small" / "train-00001-of-00002.parquet").rename(mirror / "small" / "train-b.parquet")
    assert rows(open_mirror(mirror, config(train="train"))) == ["two"]
    (mirror / "small" / "dev.jsonl.parquet").unlink()
    assert rows(open_mirror(mirror, config(train="train"))) == ["two"]
    (mirror / "small" / "train-more.csv").write_bytes(b"text\ntwo\n")
    assert rows(open_mirror(mirror, config(train="train"))) == ["one", "two"]


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv"])
def test_listing_that_leads_outside(hub, tmp_path, name):
    listed = {"id": "org/data", "siblings": [{"rfilename": name, "size": 1, "blobId": "0" * 40}]}
    hub.answers = [lambda request: request.send(json.dumps(listed).encode(), Content_Type="application/json")]
    with pytest.raises(UserError, match=f"has a file {name}, which leads outside; do not trust it"):
        fetch_data_set(config(), tmp_path)


def test_packed_lines_and_text(mirror):
    (mirror / "README.md").unlink()
    (mirror / "new").mkdir()
    (mirror / "new" / "train.jsonl.gz").write_bytes(gzip.compress(FILES["small/dev.jsonl"]))
    assert rows(open_mirror(mirror, config("new", train="train"))) == ["v"]
    (mirror / "new" / "train.jsonl.gz").unlink()
    (mirror / "new" / "train.txt").write_bytes(b"one\n\ntwo\n")
    assert rows(open_mirror(mirror, config("new", train="train"))) == ["one", "", "two"]


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
        open_mirror(mirror, config(**asked))


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
        fetch_data_set(config(), tmp_path)
    assert "geheim" not in str(error.value)
    assert hub.asked[0][1]["authorization"] == "Bearer hf_geheim"


def test_token_stays_with_the_hub(hub, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    found = fetch_data_set(config(), tmp_path)
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
        fetch_data_set(config(), tmp_path)


def test_size_limit(hub, tmp_path):
    with pytest.raises(UserError, match="but the limit is 100"):
        fetch_data_set(config(max_bytes=100), tmp_path)


# ---------------------------------------------------------------------------------------- checksums

TRAIN = "small/train-00000-of-00002.parquet"


def edit(mirror: Path) -> None:
    """Put another text into a file of the mirror."""
    parquet.write_table(pa.table({"text": ["ONE"]}), mirror / TRAIN)


@pytest.fixture
def unreachable(monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def test_edited_file_of_a_mirror_is_refused_by_the_listing_of_the_mirror(mirror, unreachable, tmp_path):
    files = listing(mirror)
    listing_path(mirror).parent.mkdir(parents=True)
    listing_path(mirror).write_bytes(files)
    edit(mirror)
    with pytest.raises(UserError, match=rf"{TRAIN} has sha256 .* was expected, from {mirror}"):
        fetch_data_set(config(), tmp_path / "d")


def test_edited_file_of_a_mirror_is_refused_by_the_listing_of_the_hub(hub, mirror, tmp_path):
    assert rows(fetch_data_set(config(), tmp_path / "a")) == ["one", "two"]
    edit(mirror)
    with pytest.raises(UserError, match=rf"{TRAIN} has sha256 .* was expected, from {mirror}"):
        fetch_data_set(config(), tmp_path / "b")
    assert not [path for path, _ in hub.asked if "/resolve/" in path]


def test_edited_small_file_of_a_mirror_is_refused_by_its_git_id(mirror, unreachable, tmp_path):
    asked = config("large", train="train", test="test")
    assert rows(open_mirror(mirror, asked)) == ["b", "a"]
    (mirror / "big" / "train.csv").write_bytes(b"text\nA\n")
    with pytest.raises(UserError, match=r"big/train\.csv has git id .* was expected"):
        fetch_data_set(asked, tmp_path / "d")


def test_mirror_without_a_listing_must_be_pinned(mirror, unreachable, tmp_path):
    with pytest.raises(
        UserError, match=r"cannot be checked: the mirror has no copy .* org/data of the hub cannot be listed"
    ) as error:
        fetch_data_set(config(), tmp_path / "d")
    pins = yaml.safe_load(str(error.value).split("to the corpus:\n")[1])["sha256"]
    assert list(pins) == ["README.md", "small/dev.jsonl.parquet", TRAIN, TRAIN.replace("00000", "00001", 1)]
    pinned = config(sha256=pins)
    assert rows(fetch_data_set(pinned, tmp_path / "d")) == ["one", "two"]
    edit(mirror)
    with pytest.raises(UserError, match=rf"{TRAIN} has sha256 .* but {pins[TRAIN]} was expected"):
        fetch_data_set(pinned, tmp_path / "e")


def test_only_pinned_files_are_read_and_the_hub_is_not_asked_for_others(hub, tmp_path):
    name = "big/train.csv"
    pins = {name: hashlib.sha256(FILES[name]).hexdigest()}
    found = fetch_data_set(config("big", sha256=pins, train="train"), tmp_path)
    assert rows(found) == ["a"]
    assert [path for path, _ in hub.asked] == [f"/datasets/org/data/resolve/{REVISION}/{name}"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "is not the hub's listing"),
        (b'{"siblings": 7, "id": "x"}', "is not the hub's listing"),
        (b'{"id": "x", "siblings": [{"rfilename": "a.csv"}]}', "has no checksums; fetch https://huggingface.co/api"),
    ],
)  # fmt: skip
def test_unusable_listing_of_a_mirror(mirror, tmp_path, content, said):
    listing_path(mirror).parent.mkdir(parents=True)
    listing_path(mirror).write_bytes(content)
    with pytest.raises(UserError, match=said):
        fetch_data_set(config(), tmp_path)


def test_the_licence_comes_from_the_card(hub, tmp_path):
    assert fetch_data_set(config(), tmp_path).license == "mit"


def test_one_split_is_not_two(hub, tmp_path):
    with pytest.raises(UserError, match=r"small/train-00000-of-00002\.parquet is in train and in test too"):
        fetch_data_set(config(train="train", test="train"), tmp_path)
