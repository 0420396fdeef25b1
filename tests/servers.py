"""A real web server on this machine whose answers a test scripts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; an answer is a function that is called with it."""

    def do_GET(self) -> None:
        server: Server = self.server.owner
        server.asked.append((self.path, dict(self.headers)))
        answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        answer(self)

    def send(self, content: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Send a whole answer; `length` is what the header says."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


class Server:
    """What was asked for, and the answers to come; the last answer is given again and again."""

    def __init__(self, port: int) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: list[Answer] = []
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"


@contextmanager
def serve(*answers: Answer) -> Iterator[Server]:
    """Run a server."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    http.daemon_threads = True
    http.owner = server = Server(http.server_port)
    server.answers = list(answers)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def whole(content: bytes, **headers: str) -> Answer:
    """Return the answer of a server that knows no ranges."""
    return lambda request: request.send(content, **headers)


def ranged(content: bytes, upto: int | None = None, tag: str = '"one"') -> Answer:
    """Return the answer of a server that knows ranges, and breaks off at byte `upto` of the file."""

    def answer(request: Request) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked and request.headers.get("If-Range", tag) == tag else 0
        if start >= len(content):
            request.send(b"", 416, Content_Range=f"bytes */{len(content)}")
            return
        status = 206 if start else 200
        headers = {"ETag": tag, "Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        request.send(content[start:upto], status, len(content) - start, **headers)

    return answer


def says(status: int, **headers: str) -> Answer:
    """Return an answer without content."""
    return lambda request: request.send(b"", status, **headers)
