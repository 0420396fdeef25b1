"""Programs as a run starts them: killed and started again, several at once, with what they say and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from workshop import Workshop

from gptgrid.artifact.files import file_digest
from gptgrid.artifact.manifest import first_damage
from gptgrid.artifact.request import Request

PROGRAM = '''
"""Make words."""
import time
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.program import main

TRIES = {tries}


def build(job):
    with (job.scratch / "starts").open("a") as file:
        file.write("x")
    (job.folder / "part.txt").write_text("half")
    if (job.scratch / "starts").stat().st_size < TRIES:
        time.sleep(60)
    (job.folder / "part.txt").write_text("whole" if job.run.text is None else job.run.text)
    {more}
    return {{}}


main("corpus", lambda: build, __doc__)
'''
VIEW = Path("data/corpora/mine")


class Programs:
    """Programs that finish at their n-th start, and hang before."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    def write(self, tries: int = 1, more: str = "pass") -> Request:
        """Write the program and the request for it."""
        self.workshop.script.write_text(PROGRAM.format(tries=tries, more=more))
        request = self.workshop.request(run={"text": None})
        self.workshop.store.write_request(request)
        self.path = self.workshop.store.request_path("corpus", request.key)
        return request

    def start(self, *options: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(self.workshop.script), str(self.path), "--view", str(VIEW), *options],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_work(self) -> None:
        wait_for(lambda: list(self.workshop.store.root.glob("corpus/*.partial/artifact/part.txt")))


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def programs(workshop: Workshop) -> Programs:
    return Programs(workshop)


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_program_leaves_nothing_half_made_and_goes_on(
    programs: Programs, kill: signal.Signals
) -> None:
    request = programs.write(tries=2)
    process = programs.start()
    programs.wait_for_work()
    process.send_signal(kill)
    _, said = process.communicate(timeout=20)
    assert process.returncode != 0 and "Traceback" not in said
    assert programs.workshop.store.receipt("corpus", request.key) is None
    assert not VIEW.exists()
    assert programs.start().wait(20) == 0
    assert (VIEW / "part.txt").read_text() == "whole"
    assert (programs.workshop.folder(request) / "part.txt").samefile(VIEW / "part.txt")
    assert not list(programs.workshop.store.root.glob("corpus/*.partial"))


def test_several_processes_make_an_artifact_once(programs: Programs) -> None:
    programs.write(tries=2)
    first = programs.start()
    programs.wait_for_work()
    second, third = programs.start(), programs.start()
    assert "waiting: another process is making corpus" in second.stdout.readline()
    first.kill()
    said = []
    for process in (second, third):
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        said.append(out)
    assert sorted("made: corpus" in out for out in said) == [False, True]
    assert (VIEW / "part.txt").read_text() == "whole"


def test_messages_have_a_name_and_a_log(programs: Programs, tmp_path: Path) -> None:
    programs.write(more='print("two\\nlines")')
    out, _ = programs.start("--name", "corpora/mine", "--log", "logs/corpora/mine.log").communicate(
        timeout=20
    )
    lines = out.splitlines()
    assert lines[:2] == ["corpora/mine: two", "corpora/mine: lines"]
    assert lines[2].startswith("corpora/mine: made: corpus ")
    log = (tmp_path / "logs/corpora/mine.log").read_text().splitlines()
    assert log == [line.removeprefix("corpora/mine: ") for line in lines]


@pytest.mark.parametrize(
    ("more", "record", "code", "said"),
    [
        ('raise UserError("no words")', False, 1, "gptgrid: mine: no words\n"),
        ('raise UserError("no words")', True, 0, "gptgrid: mine: no words\n"),
        (
            'raise OSError(28, "No space left on device")',
            False,
            1,
            "the disk is full; make room, then the same",
        ),
        (
            'raise OSError(28, "No space left on device")',
            True,
            1,
            "the disk is full; make room, then the same",
        ),
        ('raise ValueError("broken")', False, 1, "ValueError: broken"),
        ('raise ValueError("broken")', True, 0, "ValueError: broken"),
    ],
)
def test_how_a_failure_ends(programs: Programs, more: str, record: bool, code: int, said: str) -> None:
    request = programs.write(more=more)
    process = programs.start("--name", "mine", *(["--record-failure"] if record else []))
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, said in errors) == (code, True), errors
    receipt = programs.workshop.store.receipt("corpus", request.key)
    assert (receipt is not None and receipt.failure is not None) == (code == 0)
    assert not VIEW.exists()


def test_made_again_with_other_bits_is_an_error(programs: Programs) -> None:
    request = programs.write()
    assert programs.start().wait(20) == 0
    before = file_digest(programs.workshop.folder(request) / "part.txt")
    process = programs.start("--again", "--record-failure")
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and "the same bits (1 file)" in out
    process = programs.start("--again", "--record-failure", "--run", '{"text": "other"}')
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "made again, and 1 of 1 file has other bits: part.txt. The store keeps the first" in errors
    assert file_digest(programs.workshop.folder(request) / "part.txt") == before
    assert first_damage(VIEW) is None


def test_a_request_for_another_stage_is_refused(programs: Programs) -> None:
    programs.write()
    other = programs.workshop.request(stage="encode")
    programs.workshop.store.write_request(other)
    programs.path = programs.workshop.store.request_path("encode", other.key)
    _, errors = programs.start().communicate(timeout=20)
    assert errors == "gptgrid: corpus: the request is for encode, not for corpus\n"
