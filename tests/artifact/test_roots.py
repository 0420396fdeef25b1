"""Who uses what of a store: checkouts and experiments that are there, and runs that go on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workshop import Workshop

from gptgrid.artifact.roots import DAY, Root, counting_roots, is_held, register, root_of


def experiments(workshop: Workshop) -> list[tuple[str, list[str]]]:
    """Return the roots that count: experiment, keys of the corpora that it uses."""
    return sorted(
        (root.experiment, sorted(root.keys.get("corpus", {}))) for root in counting_roots(workshop.store)
    )


def age(workshop: Workshop, seconds: float = 2 * DAY) -> None:
    """Make all roots older."""
    for path in workshop.store.root.glob("roots/*.json"):
        values = json.loads(path.read_text())
        path.write_text(json.dumps({**values, "time": values["time"] - seconds}))


def write(workshop: Workshop, root: Root) -> None:
    """Leave the root of a run that has ended."""
    lock = register(workshop.store, root)
    if lock:
        lock.release()


def of_keys(experiment: str, *keys: str) -> Root:
    return root_of(experiment, {"corpus": dict.fromkeys(keys, "")})


def test_the_newest_root_of_each_experiment_and_checkout_counts(workshop: Workshop, tmp_path: Path) -> None:
    elsewhere = Root(**{**vars(of_keys("small", "c")), "checkout": str(tmp_path)})
    (tmp_path / "other").mkdir()
    elsewhere = Root(**{**vars(elsewhere), "checkout": str(tmp_path / "other")})
    for root in (of_keys("small", "a"), of_keys("large", "b"), elsewhere):
        write(workshop, root)
        age(workshop)
    write(workshop, of_keys("small", "d"))
    age(workshop)
    assert experiments(workshop) == [("large", ["b"]), ("small", ["c"]), ("small", ["d"])]


def test_all_roots_of_the_last_day_count(workshop: Workshop) -> None:
    """A run whose Snakemake was killed may have programs that still work."""
    write(workshop, of_keys("small", "a"))
    write(workshop, of_keys("small", "b"))
    assert experiments(workshop) == [("small", ["a"]), ("small", ["b"])]
    age(workshop)
    assert experiments(workshop) == [("small", ["b"])]


def test_the_same_run_again_leaves_one_root(workshop: Workshop) -> None:
    for _ in range(2):
        write(workshop, of_keys("small", "a"))
    assert len(list(workshop.store.root.glob("roots/*.json"))) == 1


def test_a_run_that_goes_on_counts_whatever_comes_after(workshop: Workshop) -> None:
    lock = register(workshop.store, of_keys("small", "a"))
    age(workshop)
    write(workshop, of_keys("small", "b"))
    assert experiments(workshop) == [("small", ["a"]), ("small", ["b"])]
    lock.release()
    assert experiments(workshop) == [("small", ["b"])]


def test_two_runs_of_the_same_keys(workshop: Workshop) -> None:
    first = register(workshop.store, of_keys("small", "a"))
    assert register(workshop.store, of_keys("small", "a")) is None
    first.release()


def test_the_lock_of_a_killed_run_is_free(workshop: Workshop) -> None:
    program = (
        "import sys; from pathlib import Path; from gptgrid.artifact.roots import register, root_of\n"
        "from gptgrid.artifact.store import Store\n"
        "lock = register(Store(Path('store')), root_of('small', {}))\n"
        "print(lock.lock_file, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    path = Path(process.stdout.readline().strip())
    assert is_held(path)
    process.kill()
    process.wait()
    assert not is_held(path)


def test_a_checkout_that_was_deleted_uses_nothing(workshop: Workshop, tmp_path: Path) -> None:
    gone = Root(**{**vars(of_keys("small", "a")), "checkout": str(tmp_path / "gone")})
    write(workshop, gone)
    assert experiments(workshop) == []
    # Whether a folder of another machine is there, nobody here can tell.
    write(workshop, Root(**{**vars(gone), "host": "elsewhere"}))
    assert experiments(workshop) == [("small", ["a"])]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checkout": "a"}', "null"])
def test_a_damaged_root_is_none(workshop: Workshop, text: str) -> None:
    write(workshop, of_keys("small", "a"))
    (workshop.store.root / "roots" / "damaged.json").write_text(text)
    assert experiments(workshop) == [("small", ["a"])]


def test_in_a_store_of_others_a_run_leaves_no_root(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert register(workshop.store, of_keys("small", "a")) is None


def test_what_nobody_can_tell_counts(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may only read a store cannot try its locks."""
    write(workshop, of_keys("small", "a"))
    age(workshop)
    write(workshop, of_keys("small", "b"))

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert experiments(workshop) == [("small", ["a"]), ("small", ["b"])]


def test_looking_at_locks_keeps_no_run_from_taking_its_own(workshop: Workshop) -> None:
    """Whoever prunes holds a lock for a moment to see whether it is free."""
    root = of_keys("small", "a")
    write(workshop, root)
    program = (
        "from pathlib import Path; from gptgrid.artifact.roots import is_held\n"
        f"path = Path('store/roots/{root.name}.lock')\n"
        "print(flush=True)\n"
        "while True: is_held(path)"
    )
    looking = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    looking.stdout.readline()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            lock = register(workshop.store, root)
            assert lock is not None
            lock.release()
    finally:
        looking.kill()
