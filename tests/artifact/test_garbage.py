"""Pruning takes what nobody uses, and nothing that anybody uses, also while programs are at work."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from workshop import Workshop, write_words

from gptgrid.artifact import garbage as pruning
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.garbage import delete, delete_old_requests, entries, garbage
from gptgrid.artifact.identity import digest
from gptgrid.artifact.manifest import first_damage
from gptgrid.artifact.roots import DAY, Root, register

VIEW = Path("data/corpora/mine")


def use(workshop: Workshop, experiment: str, *requests, checkout: str | None = None) -> None:
    """Leave the root of a run that has ended."""
    root = workshop.root(experiment, *requests)
    if checkout:
        root = Root(**{**vars(root), "checkout": checkout})
    register(workshop.store, root).release()


def age(workshop: Workshop) -> None:
    for path in workshop.store.root.glob("roots/*.json"):
        values = json.loads(path.read_text())
        path.write_text(json.dumps({**values, "time": values["time"] - 2 * DAY}))


def prune(workshop: Workshop, unfinished: bool = False) -> list[str]:
    """Delete what may go; return the folders without their identities, and the stage of artifacts."""
    done = delete(workshop.store, garbage(workshop.store, unfinished))
    return sorted(item.folder.name[64:] or item.folder.parent.name for item in done)


def there(workshop: Workshop, request) -> bool:
    receipt = workshop.store.receipt(request.stage, request.key)
    return (
        receipt is not None and first_damage(workshop.store.folder(request.stage, receipt.identity)) is None
    )


def chain(workshop: Workshop, words: str) -> list:
    """Make a corpus and its shards; return the requests."""
    corpus = workshop.request(words)
    shards = workshop.request(words, stage="encode", made_from={"corpus": corpus})
    workshop.make(corpus)
    workshop.make(shards)
    return [corpus, shards]


def test_two_experiments_and_two_checkouts_share_a_store(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, two, three = (chain(workshop, words) for words in ("one", "two", "three"))
    use(workshop, "small", *one)
    use(workshop, "large", *two)
    use(workshop, "small", *three, checkout=str(tmp_path / "other"))
    unused = workshop.request("four")
    workshop.make(unused)
    age(workshop)
    assert prune(workshop) == ["corpus"]
    assert all(there(workshop, request) for request in (*one, *two, *three))
    assert workshop.store.receipt("corpus", unused.key) is None
    (tmp_path / "other").rmdir()
    assert prune(workshop) == ["corpus", "encode"]
    use(workshop, "small", *two)
    age(workshop)
    assert prune(workshop) == ["corpus", "encode"]
    assert all(there(workshop, request) for request in two)
    assert prune(workshop) == []


def test_what_a_run_uses_stays_though_its_configuration_changed_meanwhile(workshop: Workshop) -> None:
    one, two = chain(workshop, "one"), chain(workshop, "two")
    lock = register(workshop.store, workshop.root("small", *one))
    age(workshop)
    use(workshop, "small", *two)
    assert prune(workshop) == []
    lock.release()
    assert prune(workshop) == ["corpus", "encode"]
    assert not there(workshop, one[0]) and there(workshop, two[0])


def test_what_a_folder_shows_stays(workshop: Workshop) -> None:
    """Also that of a folder that no run knows any more."""
    request = workshop.request()
    workshop.make(request, view=VIEW)
    assert prune(workshop) == []
    for path in VIEW.iterdir():
        path.unlink()
    assert prune(workshop) == ["corpus"]


def test_what_is_shown_on_another_disk_stays_by_its_root(workshop: Workshop, monkeypatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    used, unused = workshop.request("used"), workshop.request("unused")
    workshop.make(used, view=VIEW)
    workshop.make(unused)
    use(workshop, "small", used)
    age(workshop)
    assert (workshop.folder(used) / "manifest.json").stat().st_nlink == 1
    assert prune(workshop) == ["corpus"]
    assert there(workshop, used)


def test_an_artifact_of_two_keys_stays_while_one_of_them_is_used(workshop: Workshop) -> None:
    licences = [workshop.request(slice={"licence": name}) for name in ("MIT", "CC0")]
    shards = [workshop.request(stage="encode", made_from={"corpus": corpus}) for corpus in licences]
    for request in (*licences, *shards):
        workshop.make(request)
    use(workshop, "small", licences[0], shards[0])
    assert prune(workshop) == ["corpus"]
    assert there(workshop, shards[0]) and there(workshop, shards[1])


def test_what_is_left_of_kills_and_damage_goes(workshop: Workshop) -> None:
    def begin(job):
        raise UserError("killed")

    request, other = workshop.request(), workshop.request("other")
    identity = workshop.make(request).identity
    use(workshop, "small", request, other)
    with pytest.raises(UserError):
        workshop.make(other, begin)
    for suffix in ("damaged-1", "again", "adopt", "trash-2"):
        (workshop.store.root / "corpus" / f"{identity}.{suffix}").mkdir()
    assert prune(workshop) == [".adopt", ".again", ".damaged-1", ".trash-2"]
    assert prune(workshop, unfinished=True) == [".partial"]
    assert there(workshop, request)
    assert sorted(path.suffix for path in (workshop.store.root / "corpus").iterdir() if path.is_dir()) == [""]


def test_what_a_program_is_at_work_on_stays(workshop: Workshop) -> None:
    def build(job):
        assert prune(workshop, unfinished=True) == []
        return write_words(job)

    request = workshop.request()
    workshop.make(request, build)
    with workshop.store.lock("corpus", workshop.folder(request).name):
        assert prune(workshop) == []
    assert prune(workshop) == ["corpus"]


def test_what_is_used_in_the_meantime_stays(workshop: Workshop) -> None:
    """A run began after the list of what may go was shown to a person."""
    request = workshop.request()
    workshop.make(request)
    items = garbage(workshop.store)
    assert [item.why for item in items] == ["no experiment uses it"]
    assert items[0].bytes == sum(path.stat().st_size for path in workshop.folder(request).iterdir())
    use(workshop, "small", request)
    assert delete(workshop.store, items) == []
    assert there(workshop, request)


def test_requests_and_further_attempts_go_with_their_roots(workshop: Workshop) -> None:
    used, old = workshop.request("used"), workshop.request("old")
    for request in (used, old):
        workshop.store.write_request(request)
        workshop.make(request, receipt=workshop.store.receipt_path("corpus", request.key, attempt=1))
    use(workshop, "small", used)
    assert delete_old_requests(workshop.store) == 2
    assert workshop.store.request("corpus", used.key) == used
    assert workshop.store.request("corpus", old.key) is None
    kept = {path.name for path in workshop.store.root.glob("keys/corpus/*")}
    assert kept == {f"{used.key}.json", f"{used.key}.retry-1.json", f"{old.key}.json"}


def test_other_files_in_the_store_are_left_alone(workshop: Workshop) -> None:
    request = workshop.request()
    workshop.make(request)
    (workshop.store.root / "corpus" / "mine").mkdir()
    (workshop.store.root / "notes.txt").write_text("mine")
    folder = workshop.folder(request)
    copy = folder.with_name(digest("another name"))
    folder.rename(copy)  # not what its name says
    assert list(entries(workshop.store)) == []
    assert prune(workshop) == []
    assert copy.is_dir() and (workshop.store.root / "corpus" / "mine").is_dir()


def test_a_store_that_can_only_be_read_can_be_looked_at(workshop: Workshop, monkeypatch) -> None:
    used, unused = workshop.request("used"), workshop.request("unused")
    for request in (used, unused):
        workshop.make(request)
    use(workshop, "small", used)

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(workshop.store.root))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert [item.folder for item in garbage(workshop.store)] == [workshop.folder(unused)]
    with pytest.raises(UserError, match=r"the store .* cannot be written"):
        delete(workshop.store, garbage(workshop.store))


# ---------------------------------------------------------------------------- beside programs at work


def test_what_a_program_takes_up_while_a_store_is_pruned_stays(workshop: Workshop, monkeypatch) -> None:
    """A program finds an artifact that nobody used, right after it was looked up who uses what."""
    request = workshop.request()
    first = workshop.make(request)
    workshop.store.receipt_path("corpus", request.key).unlink()
    items = garbage(workshop.store)
    assert len(items) == 1
    use(workshop, "small", request)
    identities_in_use = pruning.identities_in_use
    programs = []

    def look_up(store):
        used = identities_in_use(store)
        programs.append(threading.Thread(target=workshop.make, args=(request,)))
        programs[-1].start()
        time.sleep(0.5)
        return used

    monkeypatch.setattr(pruning, "identities_in_use", look_up)
    delete(workshop.store, items)
    for program in programs:
        program.join()
    assert workshop.store.receipt("corpus", request.key).identity == first.identity
    assert there(workshop, request)


PRUNE = """
from pathlib import Path
from gptgrid.artifact.garbage import delete, delete_old_requests, garbage
from gptgrid.artifact.store import Store

store = Store(Path("store"))
print(flush=True)
while True:
    delete(store, garbage(store))
    delete_old_requests(store)
"""


def test_pruning_in_a_loop_breaks_no_program(workshop: Workshop) -> None:
    """Each run begins with another experiment's leavings, which it takes up while they are pruned."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    loop = subprocess.Popen([sys.executable, "-c", PRUNE], env=environment, stdout=subprocess.PIPE)
    loop.stdout.readline()
    try:
        for turn in range(25):
            corpora = [workshop.request("same", slice={"words": "same", "turn": turn})]
            shards = [
                workshop.request("same", stage="encode", made_from={"corpus": made}) for made in corpora
            ]
            lock = register(workshop.store, workshop.root(f"turn {turn % 2}", *corpora, *shards))
            for request in (*corpora, *shards):
                workshop.make(request, view=Path("data") / request.stage)
                assert there(workshop, request)
            age(workshop)
            assert there(workshop, shards[0])
            for path in Path("data").rglob("*.*"):
                path.unlink()
            lock.release()
        assert loop.poll() is None
    finally:
        loop.kill()
