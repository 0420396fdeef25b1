"""The server as a program: how it begins, and how it ends."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from gptgrid.inference.serve.address import host_of
from gptgrid.inference.serve.app import Server
from gptgrid.inference.serve.engine import Engine

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell

RUNNING, WAITING = 8, 56
"""Answers that are computed at once, and those that wait for their turn; others are told to come back."""
LONGEST_END = 0.5
"""Seconds that answers under way may take to end."""


def serve(cells: Mapping[str, TrainedCell], taken: socket.socket, token: str | None) -> None:
    """Serve cells until a signal comes.

    Args:
        cells: name → cell.
        taken: the address, from `listen`.
        token: that clients must send; None asks for none.
    """
    engine = Engine(RUNNING, WAITING)
    # A page elsewhere whose name is made to lead here knows no token, but needs none on this machine.
    hosts = None if token else list(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", host_of(taken)]))
    config = uvicorn.Config(
        Server(cells, engine, token).app(hosts),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=LONGEST_END,
    )
    with suppress(KeyboardInterrupt):
        Program(config, engine).run(sockets=[taken])


class Program(uvicorn.Server):
    """A server that gives up what it computes when it is to end."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self.engine = engine

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, as a signal asks."""
        self.engine.closing = True
        super().handle_exit(sig, frame)
