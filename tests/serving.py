"""Trained cells behind a real server on this machine."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from cells import tiny

from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.serve.app import Server
from gptgrid.inference.serve.engine import Engine
from gptgrid.tokens.codec import BytesCodec

CONTEXT = 48


def trained(init_std: float = 0.4, context: int = CONTEXT) -> TrainedCell:
    """Return a cell of bytes with random weights."""
    return TrainedCell(tiny(257, context=context, init_std=init_std), BytesCodec())


@contextmanager
def served(
    cells: dict[str, TrainedCell], token: str | None = None, running: int = 4, waiting: int = 60
) -> Iterator[str]:
    """Serve cells in a thread; yield the address."""
    engine = Engine(running, waiting)
    app = Server(cells, engine, token).app(["127.0.0.1", "localhost", "[::1]"])
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        thread = threading.Thread(target=server.run, args=([taken],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        server.engine = engine
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            engine.closing = True
            server.should_exit = True
            thread.join()
