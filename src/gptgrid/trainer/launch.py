"""From a job to a trained model: in this process, or in several that torchrun starts.

The program of the stage stays the one that locks, publishes and answers; the processes share the training.
They are asked to stop by a pipe that closes: signals would have to pass torchrun, which gives each process a
session of its own, and a launcher that is killed sends none.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from filelock import FileLock

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.files import write_text
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job, SourceCheck, peak_memory_mb
from gptgrid.artifact.program import Labelled
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.interrupt import Interrupts
from gptgrid.trainer.task import Task
from gptgrid.trainer.trainer import Trainer

OUTCOME = "outcome.json"
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")


def make(job: Job, task: Callable[[Job], Task], module: str) -> dict[str, Any]:
    """Train with as many processes as `run.processes` says; return the facts.

    Args:
        job: of a stage.
        task: what reads its data.
        module: name of the module that `work`s as one of several processes.

    Raises:
        SystemExit: a signal asked to stop and the state is saved, or a process failed.
        UserError: something that a person can mend.
    """
    return launch(job, module) if job.run.processes > 1 else train(job, task)


def train(job: Job, task: Callable[[Job], Task]) -> dict[str, Any]:
    """Train to the end; return the facts. Of several processes, the first one delivers and has facts.

    Raises:
        SystemExit: a signal asked to stop and the state is saved.
        UserError: something that a person can mend.
    """
    with job.timing("load"):
        trainer = Trainer(task(job))
    with job.timing("train"):
        trainer.run()
    with job.timing("write"):
        return deliver(trainer) if trainer.ranks.rank == 0 else {}


def launch(job: Job, module: str) -> dict[str, Any]:
    """Train with `run.processes` processes; return the facts.

    Args:
        job: of a stage.
        module: see `make`.

    Raises:
        SystemExit: a signal asked to stop and the state is saved, or a process failed.
        UserError: of a process.
    """
    job_file, outcome = job.scratch / "job.json", job.scratch / OUTCOME
    outcome.unlink(missing_ok=True)
    fields = {"inputs": {name: str(path) for name, path in job.inputs.items()}, "folder": str(job.folder)}
    fields |= {"scratch": str(job.scratch), "config": job.config, "run": job.run, "raw": job.raw}
    fields["source"] = job.source
    fields["label"] = getattr(sys.stdout, "label", None)
    job_file.write_text(json.dumps(fields, default=vars), encoding="utf-8")
    command = [*TORCHRUN, "--nproc-per-node", str(job.run.processes), "-m", module, str(job_file)]
    with Interrupts() as interrupts:
        # In a session of its own, torchrun hears no Ctrl-C and cannot end the processes before they save.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        while process.poll() is None:
            if interrupts.received:
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
        process.stdin.close()
    if outcome.is_file():
        result = json.loads(outcome.read_text(encoding="utf-8"))
        if "error" in result:
            raise UserError(result["error"])
        job.provenance.update(result["provenance"])
        job.timings.update(result["timings"])
        return result["facts"]
    raise SystemExit(128 + interrupts.received if interrupts.received else process.returncode or 1)


def work(job_file: Path, task: Callable[[Job], Task]) -> None:
    """Train as one of the processes that torchrun started; write what came of it, if anything did.

    Args:
        task: see `make`.
        job_file: JSON of the fields of a job, and the label of its lines.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    Thread(target=stop_with_the_launcher, daemon=True).start()
    fields = json.loads(job_file.read_text(encoding="utf-8"))
    job = Job(
        config=namespace(fields["config"]),
        inputs={name: Path(path) for name, path in fields["inputs"].items()},
        folder=Path(fields["folder"]),
        scratch=Path(fields["scratch"]),
        run=namespace(fields["run"]),
        raw=fields["raw"],
        source=SourceCheck(**fields["source"]) if fields["source"] else None,
    )
    first = os.environ["RANK"] == "0"
    if fields["label"]:
        sys.stdout = Labelled(sys.stdout, fields["label"])
    if not first:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 -- for as long as the process lives
    # Processes whose launcher was killed may not have saved yet; those of the next one wait for them.
    with FileLock(job.scratch / "ranks.lock") if first else nullcontext():
        try:
            if job.source:
                job.source.check()  # of what this process imported, later than the launcher
            facts = train(job, task)
            job.provenance.setdefault("peak_memory_mb", peak_memory_mb())  # the launcher's says nothing
            result = {"facts": facts, "provenance": job.provenance, "timings": job.timings}
        except UserError as error:
            result = {"error": str(error)}
        except SystemExit:  # asked to stop; the state is saved, and the launcher knows
            return
        # Memory may run out in one process alone, and the others then fail of its silence.
        if first or "error" in result:
            write_text(job.scratch / OUTCOME, json.dumps(result))


def stop_with_the_launcher() -> None:
    """Ask this process to stop when the pipe from the launcher closes, however that comes about."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    while True:  # until it is listened to: outside the training loop the signal is ignored
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.1)
