"""Views show what the store has, and leave alone what a person put beside it."""

from pathlib import Path

import pytest
from workshop import Workshop, rewrite

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import Remembered, file_digest
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, first_damage
from gptgrid.artifact.view import claim_views, link_view, remove_view, shows, view_lock

VIEW = Path("results/small/cells/tales/train")
OURS = {MANIFEST, *VOLATILE}


def names(view: Path = VIEW) -> set[str]:
    return {path.name for path in view.iterdir()}


def showing(workshop: Workshop, request) -> bool:
    receipt = workshop.store.receipt(request.stage, request.key)
    return shows(workshop.store, receipt, VIEW, Remembered("digests.json", file_digest))


def link(workshop: Workshop, request) -> None:
    receipt = workshop.store.receipt(request.stage, request.key)
    link_view(workshop.store, receipt.stage, receipt.identity, VIEW)


@pytest.fixture
def shown(workshop: Workshop) -> Workshop:
    """A view that shows two files, with a person's own beside them."""
    workshop.make(workshop.request("one two"), view=VIEW)
    (VIEW / "notes.txt").write_text("mine")
    return workshop


def test_what_is_shown_is_the_store_s_own(shown: Workshop) -> None:
    request = shown.request("one two")
    assert names() == {"one.txt", "two.txt", "notes.txt", *OURS}
    for name in names() - {"notes.txt"}:
        assert (VIEW / name).samefile(shown.folder(request) / name)
    assert showing(shown, request)


def test_fewer_files_replace_more(shown: Workshop) -> None:
    shown.make(shown.request("two"), view=VIEW)
    assert names() == {"two.txt", "notes.txt", *OURS}
    assert first_damage(VIEW) is None


def test_the_manifest_comes_last(shown: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that was half linked is not taken for an artifact."""
    hardlink_to = Path.hardlink_to

    def killed(path: Path, target: Path) -> None:
        if target.name == "three.txt":
            raise KeyboardInterrupt
        hardlink_to(path, target)

    monkeypatch.setattr(Path, "hardlink_to", killed)
    with pytest.raises(KeyboardInterrupt):
        shown.make(shown.request("two three"), view=VIEW)
    assert not (VIEW / MANIFEST).exists()
    monkeypatch.undo()
    shown.make(shown.request("one two"), view=VIEW)
    assert showing(shown, shown.request("one two"))


@pytest.mark.parametrize("damage", ["bytes", "gone", "longer"])
@pytest.mark.parametrize("file", ["one.txt", MANIFEST, VOLATILE[0]])
def test_a_damaged_copy_is_seen_and_replaced(shown: Workshop, damage: str, file: str) -> None:
    request, path = shown.request("one two"), VIEW / file
    content = path.read_bytes()
    path.unlink()
    if damage == "bytes":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "longer":
        path.write_bytes(content + b"x")
    assert not showing(shown, request)
    link(shown, request)
    assert showing(shown, request)
    assert path.read_bytes() == content


def test_a_copy_with_the_same_bytes_shows_the_artifact(shown: Workshop) -> None:
    for name in names():
        rewrite(VIEW / name, (VIEW / name).read_bytes())
    assert showing(shown, shown.request("one two"))


def test_a_stale_view_goes_and_a_person_s_file_stays(shown: Workshop) -> None:
    remove_view(shown.store, VIEW)
    assert names() == {"notes.txt"}


def test_empty_folders_go_with_a_stale_view(shown: Workshop) -> None:
    (VIEW / "notes.txt").unlink()
    remove_view(shown.store, VIEW)
    assert not Path("results/small/cells").exists()
    assert Path("results/small").is_dir()


def test_a_stale_view_that_the_store_lacks_goes_into_it_first(shown: Workshop, tmp_path: Path) -> None:
    """Results that were copied here without their store."""
    request = shown.request("one two")
    folder = shown.folder(request)
    folder.rename(tmp_path / "elsewhere")
    remove_view(shown.store, VIEW)
    assert names() == {"notes.txt"}
    assert first_damage(folder) is None
    assert (folder / "provenance.json").is_file()


@pytest.mark.parametrize(("file", "left"), [("one.txt", True), (MANIFEST, False)])
def test_a_damaged_stale_view_is_not_thrown_away(
    shown: Workshop, tmp_path: Path, file: str, left: bool
) -> None:
    """Its files are the last there are; without a manifest nobody takes them for an artifact."""
    shown.folder(shown.request("one two")).rename(tmp_path / "elsewhere")
    rewrite(VIEW / file, "")
    remove_view(shown.store, VIEW)
    assert {"one.txt", "two.txt", "notes.txt"} <= names()
    assert (VIEW / MANIFEST).exists() == left


def test_a_program_of_an_earlier_run_leaves_a_view_to_the_newest(workshop: Workshop) -> None:
    """Two runs in one folder, with the same names for other things: the one that began last decides."""
    early, late = workshop.request(words="early"), workshop.request(words="late")
    with view_lock():
        claim_views({str(VIEW): late.key})
    workshop.make(late, view=VIEW)
    workshop.make(early, view=VIEW)
    assert (VIEW / "late.txt").is_file() and not (VIEW / "early.txt").exists()
    assert workshop.folder(early).is_dir()


@pytest.mark.parametrize("place", ["results", "results/small/cells", str(VIEW)])
@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_a_file_where_a_folder_is_to_be_is_named(workshop: Workshop, place: str, kind: str) -> None:
    request = workshop.request("one")
    workshop.make(request)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text("mine") if kind == "file" else Path(place).symlink_to("nowhere")
    said = f"{place} is no folder, but results are to be seen there; move it away"
    with pytest.raises(UserError, match=said):
        link(workshop, request)
    with view_lock(), pytest.raises(UserError, match=said):
        claim_views({str(VIEW): request.key})


def test_a_folder_where_a_file_is_to_be_is_named(workshop: Workshop) -> None:
    request = workshop.request("one")
    workshop.make(request)
    (VIEW / "one.txt" / "mine").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"train/one\.txt is a folder, but a file with results is to be there"
    ):
        link(workshop, request)
    assert (VIEW / "one.txt" / "mine").is_dir()
