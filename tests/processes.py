"""Processes that share a training, without the seconds that torchrun takes: forked where torch is imported."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from gptgrid.artifact.job import Job
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer.launch import train
from gptgrid.trainer.task import Task

CONTEXT = multiprocessing.get_context("forkserver")
# torch imports the latter when the first optimizer is made.
CONTEXT.set_forkserver_preload(["processes", "gptgrid.stages.train.make", "torch._dynamo"])


def train_together(
    job: Job, size: int, stop_at: int | None = None, task: Callable[[Job], Task] = Pretraining
) -> None:
    """Train with so many processes to the end; or ask the last of them to stop right after a step."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    group = [
        CONTEXT.Process(target=work, args=(job, rank, size, port, stop_at, task)) for rank in range(size)
    ]
    for process in group:
        process.start()
    for process in group:
        process.join(60)
        assert process.exitcode == 0


def work(job: Job, rank: int, size: int, port: int, stop_at: int | None, task: Callable[[Job], Task]) -> None:
    """Train as one of the processes, as torchrun would have it."""
    place = {"RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    os.environ.update({key: str(value) for key, value in place.items()})
    if stop_at and rank == size - 1:
        ask_to_stop(stop_at)
    with suppress(SystemExit):
        train(job, task)


def ask_to_stop(step: int) -> None:
    """Let a signal come after the processes exchanged what they know in a step."""
    from torch import Tensor

    from gptgrid.trainer.learner import Learner

    update = Learner.update

    def update_and_signal(learner: Learner, updates: int) -> Tensor:
        grad_norm = update(learner, updates)
        if updates + 1 == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return grad_norm

    Learner.update = update_and_signal
