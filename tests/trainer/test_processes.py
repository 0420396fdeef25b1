"""Several processes train as one would, stop together, and go on to the same bits."""

import csv
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from processes import train_together

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.fingerprint import fingerprint
from gptgrid.artifact.job import Job, SourceCheck
from gptgrid.stages.train.launch import MODULE
from gptgrid.trainer import checkpoint
from gptgrid.trainer import launch as launcher
from gptgrid.trainer.launch import launch
from gptgrid.trainer.memory import micro_batch_rows
from gptgrid.trainer.ranks import Ranks

# Five windows in micro-batches of one: unequal shares, and none for a sixth process.
MODEL = {"dropout": 0.1}
TRAINING = {"batch_tokens": 80, "micro_batch": 1, "steps": 20, "eval_every": 7, "ema": 0.9, "sample_every": 9}


@pytest.fixture
def together(make_job):
    """Return a function that trains with so many processes and returns the folder of the deliverables."""

    def run(name: str, size: int, stop_at: int | None = None) -> Path:
        job = make_job(name, MODEL, TRAINING)
        train_together(job, size, stop_at)
        return job.folder

    return run


def nearly_the_same(a: Path, b: Path) -> bool:
    """Say whether two trainings have the same numbers in all rows, but for the last bits of sums."""
    return rows(a) == [pytest.approx(row, rel=1e-5, abs=1e-6) for row in rows(b)]


def rows(folder: Path) -> list[list[float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [[float(value or -1) for value in row.values()] for row in csv.DictReader(file)]


def test_two_processes_stop_together_and_go_on_to_the_same_bits(together, train, make_job, same_files):
    straight = together("straight", 2)
    assert nearly_the_same(straight, train("alone", model=MODEL, training=TRAINING))
    together("broken", 2, stop_at=15)
    state = make_job("broken").scratch / "state.pt"
    assert checkpoint.read(state)["step"] == 16  # they learn of it in the next step, and all make that one
    other = make_job("other").scratch / "state.pt"
    other.write_bytes(state.read_bytes())
    same_files(straight, together("broken", 2))
    assert nearly_the_same(together("other", 6), straight)


def test_auto_micro_batches_give_each_process_its_share(make_job):
    model = make_job().config.model
    assert [micro_batch_rows(model, 257, "auto", 12, size) for size in (1, 2, 5, 20)] == [12, 6, 3, 1]


# ------------------------------------------------------------------------------------ torchrun

LAUNCHER = (
    "import pickle, sys; from gptgrid.stages.train.make import make; make(pickle.load(sys.stdin.buffer))"
)


def wait_for_step(job: Job, step: int) -> None:
    """Wait until a training has saved a step."""
    path = job.scratch / "state.pt"
    deadline = time.monotonic() + 60
    while not path.is_file() or checkpoint.read(path)["step"] < step:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_launched_killed_and_continued(together, make_job, same_files, capfd):
    straight = together("straight", 2)
    job = make_job("launched", MODEL, TRAINING, {"processes": 2, "checkpoint_every": 1e-9})

    # Killed: its processes stop by themselves, and those of the next launcher wait until they have.
    killed = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE)
    killed.stdin.write(pickle.dumps(job))
    killed.stdin.close()
    wait_for_step(job, 2)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL

    facts = launch(job, MODULE)
    assert (facts["steps"], job.provenance["processes"]) == (TRAINING["steps"], 2)
    assert job.provenance["peak_memory_mb"] > 100  # of a process that trains
    same_files(straight, job.folder)
    said = capfd.readouterr().out
    assert "saved after step" in said and "continues at step" in said


def stand_in(monkeypatch, script: str) -> None:
    """Let a script stand for torchrun and its processes; its last argument is the file with the job."""
    begin = "import json, os, pathlib, sys; folder = pathlib.Path(sys.argv[-1]).parent; "
    monkeypatch.setattr(launcher, "TORCHRUN", (sys.executable, "-c", begin + script))


def test_the_launcher_stops_its_processes_and_waits_until_they_saved(make_job, monkeypatch):
    stand_in(monkeypatch, "os.kill(os.getppid(), 15); sys.stdin.read(); (folder / 'saved').touch()")
    job, handler = make_job(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        launch(job, MODULE)
    assert stopped.value.code == 128 + signal.SIGTERM and signal.getsignal(signal.SIGTERM) == handler
    assert (job.scratch / "saved").is_file()


def test_errors_of_the_processes_reach_the_user(make_job, monkeypatch):
    stand_in(monkeypatch, """(folder / "outcome.json").write_text(json.dumps({"error": "lower it"}))""")
    with pytest.raises(UserError, match="lower it"):
        launch(make_job(), MODULE)
    stand_in(monkeypatch, "sys.exit(7)")
    with pytest.raises(SystemExit, match="7"):
        launch(make_job(), MODULE)


def test_each_process_can_tell_its_error(make_job, monkeypatch):
    """Memory may run out in any of them, not in the first alone."""
    stand_in(monkeypatch, "")
    job = make_job(training={"batch_tokens": 65}, run={"processes": 2})
    with pytest.raises(SystemExit):
        launch(job, MODULE)  # writes the job for the processes
    place = {"RANK": "1", "WORLD_SIZE": "1"}
    command = [sys.executable, "-m", MODULE, str(job.scratch / "job.json")]
    subprocess.run(command, env={**os.environ, **place}, stdin=subprocess.PIPE, check=True)
    assert "batch_tokens 65 is not a multiple" in (job.scratch / "outcome.json").read_text()


def test_processes_refuse_a_source_that_changed_before_they_imported_it(make_job, monkeypatch, tmp_path):
    """torchrun's processes import it anew, seconds after the program checked what it imported itself."""
    script = tmp_path / "program.py"
    script.write_text("steps = 1")
    job = make_job()
    job.source = SourceCheck(str(script), ["adamw"], fingerprint(script, ["adamw"]))
    begin = "os.environ['RANK'] = '0'; os.execv(sys.executable, [sys.executable, *sys.argv[3:]])"
    stand_in(monkeypatch, begin)
    assert launch(job, MODULE)["steps"] == 12
    stand_in(monkeypatch, f"pathlib.Path({str(script)!r}).write_text('steps = 2'); {begin}")
    with pytest.raises(
        UserError, match=r"the source of program\.py, .* changed .* run the same command again"
    ):
        launch(job, MODULE)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr("gptgrid.trainer.ranks.find_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=r"run\.processes is 3, but torch finds 2 GPUs"):
        Ranks().check_gpus("auto")
