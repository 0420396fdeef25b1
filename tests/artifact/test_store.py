"""The store: whole artifacts, readable by others, never half-written."""

import os
import shutil
from pathlib import Path

import pytest
from workshop import Builder, Workshop, rewrite

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import Remembered, file_digest
from gptgrid.artifact.manifest import MANIFEST, first_damage, sound_manifest
from gptgrid.artifact.store import Store

VIEW = Path("data/corpora/mine")


def digests() -> Remembered:
    return Remembered("digests.json", file_digest)


@pytest.fixture
def cross_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views lie on another disk than the store."""

    def refuse(path: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.fixture
def read_only(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A store that holds an artifact and cannot be written any more."""
    workshop.make(workshop.request())
    make_folder, write, lock = Path.mkdir, Path.write_text, os.open

    def refuse(path: Path) -> None:
        if Path(path).is_relative_to(workshop.store.root):
            raise PermissionError(13, "Permission denied", str(path))

    def mkdir(path: Path, *arguments: object, **options: object) -> None:
        if not path.is_dir():
            refuse(path)
        make_folder(path, *arguments, **options)

    def write_text(path: Path, *arguments: object, **options: object) -> int:
        refuse(path)
        return write(path, *arguments, **options)

    def open_file(path: object, flags: int, *arguments: object, **options: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            refuse(path)
        return lock(path, flags, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.setattr(os, "open", open_file)
    return workshop


def test_a_read_only_store_says_what_is_missing(read_only: Workshop) -> None:
    expected = (
        r"the store .*store cannot be written \(Permission denied: .*\).* set GPTGRID_STORE to a folder of"
    )
    with pytest.raises(UserError, match=expected):
        read_only.make(read_only.request("world"))


def test_a_read_only_store_can_be_read(read_only: Workshop) -> None:
    receipt = read_only.store.receipt("corpus", read_only.request().key)
    assert read_only.store.is_whole(receipt, digests())


@pytest.mark.usefixtures("cross_device")
def test_copies_where_links_cannot_be_made(workshop: Workshop) -> None:
    request = workshop.request()
    workshop.make(request, view=VIEW)
    assert first_damage(VIEW) is None
    assert not (VIEW / "hello.txt").samefile(workshop.folder(request) / "hello.txt")
    assert {path.name for path in VIEW.iterdir()} == {
        path.name for path in workshop.folder(request).iterdir()
    }


def test_other_errors_of_links_are_errors(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    request = workshop.request()
    with pytest.raises(OSError, match="No space left"):
        workshop.make(request, view=VIEW)
    assert workshop.store.receipt("corpus", request.key) is None


# ------------------------------------------------------------------------------------------ whole


def test_a_copied_store_is_whole(workshop: Workshop, tmp_path: Path) -> None:
    """Other inodes and dates, the same bytes."""
    request = workshop.request()
    receipt = workshop.make(request)
    shutil.copytree(workshop.store.root, tmp_path / "copy", copy_function=shutil.copyfile)
    assert Store(tmp_path / "copy").is_whole(receipt, digests())


@pytest.mark.parametrize("file", ["hello.txt", MANIFEST])
@pytest.mark.parametrize("damage", ["bytes", "gone"])
def test_what_changed_is_not_whole(workshop: Workshop, file: str, damage: str) -> None:
    request = workshop.request()
    receipt = workshop.make(request)
    path = workshop.folder(request) / file
    assert workshop.store.is_whole(receipt, digests())
    if damage == "gone":
        path.unlink()
    else:
        rewrite(path, path.read_text().replace("e", "E"))
    assert not workshop.store.is_whole(receipt, digests())


def test_a_flipped_bit_with_its_dates_kept_is_found_by_who_reads_it(workshop: Workshop) -> None:
    """Only the time of the last change tells, and only whoever hashes the file sees it."""
    request = workshop.request()
    receipt = workshop.make(request)
    path = workshop.folder(request) / "hello.txt"
    before = path.stat()
    path.chmod(0o644)
    path.write_text("hallo")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "hello.txt does not have the sha256 of its manifest" in workshop.store.damage(receipt)


def test_touching_is_no_damage(workshop: Workshop) -> None:
    request = workshop.request()
    receipt = workshop.make(request)
    for seconds in (0, 4_000_000_000):
        for path in workshop.folder(request).iterdir():
            os.utime(path, (seconds, seconds))
        assert workshop.store.is_whole(receipt, digests())


@pytest.mark.parametrize("key", ["stage", "identity", "config", "inputs", "outputs", "facts", "checksum"])
def test_a_manifest_that_was_edited_is_not_sound(workshop: Workshop, key: str) -> None:
    import json

    request = workshop.request()
    workshop.make(request)
    path = workshop.folder(request) / MANIFEST
    manifest = json.loads(path.read_text())
    assert sound_manifest(path.parent) == manifest
    for changed in ({**manifest, key: "other"}, {name: v for name, v in manifest.items() if name != key}):
        rewrite(path, json.dumps(changed))
        assert sound_manifest(path.parent) is None


# ---------------------------------------------------------------------------------------- adopting


def test_what_lies_outside_is_adopted_if_it_is_whole(workshop: Workshop) -> None:
    build, request = Builder(), workshop.request()
    first = workshop.make(request, build, view=VIEW)
    shutil.rmtree(workshop.store.root)
    assert workshop.store.adopt(VIEW)
    assert not workshop.store.adopt(VIEW)
    assert workshop.make(request, build).identity == first.identity
    assert build.calls == 1
    assert (workshop.folder(request) / "provenance.json").is_file()


@pytest.mark.parametrize("file", ["hello.txt", MANIFEST])
def test_what_is_not_what_its_manifest_says_is_not_adopted(workshop: Workshop, file: str) -> None:
    workshop.make(workshop.request(), view=VIEW)
    shutil.rmtree(workshop.store.root)
    rewrite(VIEW / file, (VIEW / file).read_text().replace("e", "E"))
    assert not workshop.store.adopt(VIEW)
    assert not list(workshop.store.root.glob("corpus/*"))


def test_a_table_is_never_adopted(workshop: Workshop) -> None:
    """It shows how fast things were made: those that are here may be others, with another speed."""
    trained = workshop.request(stage="train")
    table = workshop.request(stage="compare", made_from={"train": trained})
    workshop.make(trained)
    workshop.make(table, view=VIEW)
    shutil.rmtree(workshop.folder(table))
    assert not workshop.store.adopt(VIEW)


def test_tables_go_when_what_they_show_is_made_again(workshop: Workshop) -> None:
    trained = workshop.request(stage="train")
    table = workshop.request(stage="compare", made_from={"train": trained})
    workshop.make(trained)
    workshop.make(table)
    shutil.rmtree(workshop.folder(trained))
    workshop.make(trained)
    assert not workshop.folder(table).exists()


def test_a_folder_that_holds_another_artifact_is_damaged(workshop: Workshop) -> None:
    """Two folders that changed places: each is whole by its own manifest."""
    receipts = [workshop.make(workshop.request(words=words)) for words in ("one", "two")]
    one, two = (workshop.store.folder("corpus", receipt.identity) for receipt in receipts)
    one.rename(one.with_name("aside"))
    two.rename(one)
    one.with_name("aside").rename(two)
    assert "holds another artifact" in workshop.store.damage(receipts[0])


def test_a_file_that_is_nobodys_is_damage(workshop: Workshop) -> None:
    receipt = workshop.make(workshop.request())
    folder = workshop.store.folder("corpus", receipt.identity)
    (folder / "train-00001.parquet").write_text("more")
    assert "is no part of the artifact" in workshop.store.damage(receipt)


def test_a_receipt_under_another_key_does_not_count(workshop: Workshop) -> None:
    requests = [workshop.request(words=words) for words in ("one", "two")]
    for request in requests:
        workshop.make(request)
    first, second = (workshop.store.receipt_path("corpus", request.key) for request in requests)
    shutil.copy(first, second)
    assert workshop.store.receipt("corpus", requests[1].key) is None


def test_what_somebody_is_making_is_not_waited_for(workshop: Workshop) -> None:
    """Whoever adopts may hold up others: it takes what it can."""
    receipt = workshop.make(workshop.request(), view=VIEW)
    shutil.rmtree(workshop.store.root)
    with workshop.store.lock("corpus", receipt.identity):
        assert not workshop.store.adopt(VIEW)
