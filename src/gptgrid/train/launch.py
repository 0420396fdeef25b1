"""Starting the processes of one training with torchrun, and the program of each of them.

The program of the stage stays the one that locks, publishes and answers; the processes share the training.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from gptgrid.stage import Job, UserError, namespace
from gptgrid.train.interrupt import STOPPING

OUTCOME = "outcome.json"


def launch(job: Job) -> dict[str, Any]:
    """Train with `run.processes` processes; return the facts.

    Raises:
        SystemExit: a signal asked to stop and the state is saved, or a process failed.
        UserError: of a process.
    """
    told, outcome = job.scratch / "job.json", job.scratch / OUTCOME
    outcome.unlink(missing_ok=True)
    fields = {"inputs": {name: str(path) for name, path in job.inputs.items()}, "folder": str(job.folder)}
    fields |= {"scratch": str(job.scratch), "config": job.config, "run": job.run, "raw": job.raw}
    told.write_text(json.dumps(fields, default=vars), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(job.run.processes), "-m", "gptgrid.train.launch", str(told)]
    # torchrun itself would end on this signal, or end its processes before they have saved.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    process = subprocess.Popen(command, start_new_session=True)
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: asked.append(number)) for number in STOPPING
    }
    while process.poll() is None:
        if asked:
            os.killpg(process.pid, signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    for number, handler in before.items():
        signal.signal(number, handler)
    if asked:
        raise SystemExit(128 + asked[0])
    if not outcome.is_file():
        raise SystemExit(process.returncode or 1)
    result = json.loads(outcome.read_text(encoding="utf-8"))
    if "error" in result:
        raise UserError(result["error"])
    job.provenance.update(result["provenance"])
    job.timings.update(result["timings"])
    return result["facts"]


def work(told: Path) -> None:
    """Train as one of the processes that torchrun started; the first one writes what came of it."""
    fields = json.loads(told.read_text(encoding="utf-8"))
    job = Job(
        config=namespace(fields["config"]),
        inputs={name: Path(path) for name, path in fields["inputs"].items()},
        folder=Path(fields["folder"]),
        scratch=Path(fields["scratch"]),
        run=namespace(fields["run"]),
        raw=fields["raw"],
    )
    if os.environ["RANK"] != "0":
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 -- for as long as the process lives
        train(job)
        return
    # Processes whose launcher was killed work on; those of the next one wait for them.
    with FileLock(job.scratch / "ranks.lock"):
        result = train(job)
        result |= {"provenance": job.provenance, "timings": job.timings}
        (job.scratch / OUTCOME).write_text(json.dumps(result), encoding="utf-8")


def train(job: Job) -> dict[str, Any]:
    """Train to the end; return the facts, or the error of a user."""
    from gptgrid.train.deliverables import deliver
    from gptgrid.train.trainer import Trainer

    try:
        trainer = Trainer(job)
        trainer.run()
        return {"facts": deliver(trainer)}
    except UserError as error:
        return {"error": str(error)}
    except SystemExit:  # asked to stop; the state is saved, and the launcher knows
        return {}


if __name__ == "__main__":
    work(Path(sys.argv[1]))
