"""Identity, store, lock and publication: nothing is lost, nothing half-made is ever seen as whole."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gptgrid.artifact import program
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.fingerprint import fingerprint
from gptgrid.artifact.identity import content_digest
from gptgrid.artifact.job import Job
from gptgrid.artifact.manifest import first_damage, read_manifest
from gptgrid.artifact.program import fulfil
from gptgrid.artifact.store import Store

SCRIPT = Path(__file__)


@pytest.fixture
def request_of(tmp_path: Path):
    """Return a maker of requests whose store and artifacts lie in the test's folder."""

    def make(**changes: object) -> dict:
        request = {
            "stage": "corpus",
            "artifact": str(tmp_path / "out"),
            "config": {"words": "hello"},
            "source": fingerprint(SCRIPT),
            "inputs": {},
            "raw": {},
            "run": {},
            "store": str(tmp_path / "store"),
        }
        return {**request, **changes}

    return make


class Builder:
    """A stage that writes its configuration to a file and counts how often it had to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, job: Job) -> dict:
        self.calls += 1
        (job.folder / "words.txt").write_text(job.config.words)
        job.provenance["note"] = self.calls
        return {"length": len(job.config.words)}


def test_numbered_files_of_an_earlier_artifact_go(request_of, tmp_path: Path) -> None:
    """They are none of those that Snakemake knows and deletes."""

    def build(job: Job) -> dict:
        for name in job.config.names:
            (job.folder / name).touch()
        return {}

    several = ["step-00000001.safetensors", "step-00000002.safetensors", "train-00000.bin", "train-00001.bin"]
    fulfil(request_of(config={"names": several}), build, SCRIPT)
    fulfil(request_of(config={"names": several[::2]}), build, SCRIPT)
    assert sorted(path.name for path in (tmp_path / "out").glob("*-*")) == several[::2]


def test_manifest_says_what_was_asked_and_made(request_of, tmp_path: Path) -> None:
    fulfil(request_of(), Builder(), SCRIPT)
    manifest = read_manifest(tmp_path / "out")
    assert list(manifest["outputs"]) == ["words.txt"]
    assert manifest["outputs"]["words.txt"]["bytes"] == 5
    assert manifest["facts"] == {"length": 5}
    assert (manifest["stage"], manifest["config"]) == ("corpus", {"words": "hello"})
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["note"] == 1
    assert {"time", "host", "python", "libraries", "commit", "peak_memory_mb"} <= provenance.keys()
    assert (tmp_path / "out" / "timing.csv").read_text().startswith("step,seconds\ntotal,")


def test_same_request_in_another_place_gives_the_same_manifest(request_of, tmp_path: Path) -> None:
    for name in ("a", "b"):
        fulfil(
            request_of(artifact=str(tmp_path / name), store=str(tmp_path / f"{name}-store")),
            Builder(),
            SCRIPT,
        )
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()


def test_finished_artifact_is_linked_not_made_again(request_of, tmp_path: Path) -> None:
    build = Builder()
    fulfil(request_of(), build, SCRIPT)
    shutil.rmtree(tmp_path / "out")
    fulfil(request_of(artifact=str(tmp_path / "other")), build, SCRIPT)
    assert build.calls == 1
    stored = next((tmp_path / "store" / "corpus").glob("*/words.txt"))
    assert stored.samefile(tmp_path / "other" / "words.txt")


def test_change_taken_back_is_a_link(request_of, tmp_path: Path) -> None:
    build = Builder()
    for words in ("hello", "world", "hello"):
        fulfil(request_of(config={"words": words}), build, SCRIPT)
    assert build.calls == 2
    assert (tmp_path / "out" / "words.txt").read_text() == "hello"


@pytest.mark.parametrize(
    "change", [{"config": {"words": "other"}}, {"stage": "encode"}, {"raw": {"a.txt": "0" * 64}}], ids=str
)
def test_identity_covers_everything_that_decides(request_of, tmp_path: Path, change: dict) -> None:
    fulfil(request_of(), Builder(), SCRIPT)
    before = read_manifest(tmp_path / "out")["identity"]
    fulfil(request_of(**change), Builder(), SCRIPT)
    assert read_manifest(tmp_path / "out")["identity"] != before


def test_run_settings_are_no_part_of_the_identity(request_of, tmp_path: Path) -> None:
    build = Builder()
    fulfil(request_of(), build, SCRIPT)
    fulfil(request_of(run={"workers": 3}), build, SCRIPT)
    assert build.calls == 1


def test_content_digest_ignores_how_an_artifact_came_about(request_of, tmp_path: Path) -> None:
    fulfil(request_of(), Builder(), SCRIPT)
    first = read_manifest(tmp_path / "out")
    fulfil(request_of(raw={"a.txt": "0" * 64}), Builder(), SCRIPT)
    second = read_manifest(tmp_path / "out")
    assert first["identity"] != second["identity"]
    assert content_digest(first) == content_digest(second)


def test_changed_source_stops_before_anything_is_made(request_of, tmp_path: Path) -> None:
    build = Builder()
    with pytest.raises(UserError, match="changed after the plan was made; run the same command again"):
        fulfil(request_of(source="0" * 64), build, SCRIPT)
    assert build.calls == 0
    assert not (tmp_path / "out").exists()


def test_failed_build_publishes_nothing_and_keeps_its_work(request_of, tmp_path: Path) -> None:
    def fail(job: Job) -> dict:
        (job.scratch / "checkpoint").write_text("step 1")
        raise UserError("no")

    def succeed(job: Job) -> dict:
        (job.folder / "words.txt").write_text((job.scratch / "checkpoint").read_text())
        return {}

    with pytest.raises(UserError):
        fulfil(request_of(), fail, SCRIPT)
    assert not (tmp_path / "out").exists()
    assert [path.suffix for path in (tmp_path / "store" / "corpus").iterdir() if path.is_dir()] == [
        ".partial"
    ]
    fulfil(request_of(), succeed, SCRIPT)
    assert (tmp_path / "out" / "words.txt").read_text() == "step 1"
    assert not list((tmp_path / "store" / "corpus").glob("*.partial"))


def test_damaged_entry_is_set_aside_and_made_again(request_of, tmp_path: Path, capsys) -> None:
    build = Builder()
    fulfil(request_of(), build, SCRIPT)
    stored = next((tmp_path / "store" / "corpus").glob("*/words.txt"))
    stored.write_text("HELLO")
    fulfil(request_of(), build, SCRIPT)
    assert build.calls == 2
    assert (tmp_path / "out" / "words.txt").read_text() == "hello"
    assert "set aside" in capsys.readouterr().out


def test_adopt_keeps_what_lies_outside_the_store(request_of, tmp_path: Path) -> None:
    build = Builder()
    fulfil(request_of(), build, SCRIPT)
    shutil.rmtree(tmp_path / "store")
    store = Store(tmp_path / "store")
    assert store.adopt(tmp_path / "out")
    fulfil(request_of(artifact=str(tmp_path / "other")), build, SCRIPT)
    assert build.calls == 1


def test_adopt_refuses_what_is_not_what_its_manifest_says(request_of, tmp_path: Path) -> None:
    fulfil(request_of(), Builder(), SCRIPT)
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "out" / "words.txt").write_text("jello")
    assert not Store(tmp_path / "store").adopt(tmp_path / "out")


def test_manifest_is_linked_last(request_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked: list[str] = []
    hardlink_to = Path.hardlink_to

    def spy(path: Path, target: Path) -> None:
        linked.append(path.name)
        hardlink_to(path, target)

    monkeypatch.setattr(Path, "hardlink_to", spy)
    fulfil(request_of(), Builder(), SCRIPT)
    assert linked[-1] == "manifest.json"
    assert len(linked) == 4


def test_copies_where_links_cannot_be_made(
    request_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    fulfil(request_of(), Builder(), SCRIPT)
    assert first_damage(tmp_path / "out", read_manifest(tmp_path / "out")) is None


def test_lines_are_labelled() -> None:
    stream = io.StringIO()
    labelled = program.Labelled(stream, "cell")
    print("one\ntwo", file=labelled)
    print("three", end="", file=labelled)
    assert stream.getvalue() == "cell: one\ncell: two\ncell: three"


def test_missing_manifest_of_an_input_is_named(request_of, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/manifest\.json is missing: .* run snakemake"):
        fulfil(request_of(inputs={"corpus": str(tmp_path / "nowhere")}), Builder(), SCRIPT)


SLOW_PROGRAM = """
import time
from pathlib import Path
from gptgrid.artifact.program import main

def build(job):
    with (job.scratch / "starts").open("a") as file:
        file.write("x")
    (job.folder / "part.txt").write_text("half")
    if (job.scratch / "starts").stat().st_size < {tries}:
        time.sleep(60)
    (job.folder / "part.txt").write_text("whole")
    return {{}}

main("corpus", build, None)
"""


def start(folder: Path, tries: int) -> subprocess.Popen:
    """Start a program that finishes at its `tries`-th start and hangs before."""
    program = folder / "slow.py"
    program.write_text(SLOW_PROGRAM.format(tries=tries))
    request = {
        "stage": "corpus",
        "artifact": str(folder / "out"),
        "config": {},
        "source": fingerprint(program),
        "inputs": {},
        "raw": {},
        "run": {},
        "store": str(folder / "store"),
    }
    (folder / "request.json").write_text(json.dumps(request))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, str(program), str(folder / "request.json")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_program_leaves_nothing_half_made_and_goes_on(tmp_path: Path, kill: signal.Signals) -> None:
    process = start(tmp_path, tries=2)
    wait_for(lambda: list(tmp_path.glob("store/corpus/*.partial/artifact/part.txt")))
    process.send_signal(kill)
    assert process.wait(10) != 0
    assert not (tmp_path / "out").exists()
    assert start(tmp_path, tries=2).wait(20) == 0
    assert (tmp_path / "out" / "part.txt").read_text() == "whole"


def test_two_processes_make_an_artifact_once(tmp_path: Path) -> None:
    first = start(tmp_path, tries=2)
    wait_for(lambda: list(tmp_path.glob("store/corpus/*.partial/artifact/part.txt")))
    second = start(tmp_path, tries=2)
    assert "waiting: another process" in second.stdout.readline()
    first.kill()
    assert second.wait(20) == 0
    assert (tmp_path / "out" / "part.txt").read_text() == "whole"
    third = start(tmp_path, tries=2)
    assert third.wait(20) == 0
    assert "restored: corpus" in third.stdout.read()
