"""The server: which address does what, who may ask, and how an answer gets to the client."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gptgrid.artifact.errors import UserError
from gptgrid.inference.reading import reading_of
from gptgrid.inference.serve.answer import Talk, Work, answer
from gptgrid.inference.serve.engine import Engine, GoneError, Job
from gptgrid.inference.serve.errors import RequestError
from gptgrid.inference.serve.forms import ChatForm, CompletionForm, Form
from gptgrid.inference.serve.hosts import Hosts
from gptgrid.inference.serve.protocol import (
    MOST_CHOICES,
    MOST_TOKENS,
    ChatRequest,
    CompletionRequest,
    Settings,
    parse,
)

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell

MOST_BYTES = 2**20
"""Of the body of a request."""
PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
"""Path → file beside this one, and its type."""
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""A page that can load nothing from elsewhere, and cannot be put into another one."""
Asked = TypeVar("Asked", bound=Settings)


class Server:
    """What the handlers share."""

    def __init__(self, cells: Mapping[str, TrainedCell], engine: Engine, token: str | None = None) -> None:
        """Make a server.

        Args:
            cells: name → cell.
            engine: computes.
            token: that clients must send; None asks for none.
        """
        self.cells, self.engine, self.token = cells, engine, token
        self.created = int(time.time())

    def app(self, hosts: list[str] | None) -> Starlette:
        """Return the application.

        Args:
            hosts: names by which it may be addressed; None lets it be addressed by any.
        """
        routes = [
            *(Route(path, page(*file)) for path, file in PAGE.items()),
            Route("/v1/models", self.guarded(self.models)),
            Route("/v1/models/{name:path}", self.guarded(self.model)),
            Route("/v1/completions", self.guarded(self.completions), methods=["POST"]),
            Route("/v1/chat/completions", self.guarded(self.chat), methods=["POST"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[] if hosts is None else [Middleware(Hosts, hosts=hosts)],
            exception_handlers={
                RequestError: refuse,
                UserError: refuse,
                404: not_there,
                405: wrong_method,
                500: fail,
            },
        )

    def guarded(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that asks for the token first."""

        async def guarded(request: Request) -> Response:
            expected = f"Bearer {self.token}".encode()
            given = request.headers.get("authorization", "").encode()
            if self.token is not None and not secrets.compare_digest(given, expected):
                message = "send the token of this server, as Authorization: Bearer TOKEN"
                raise RequestError(401, message, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
            return await handler(request)

        return guarded

    async def models(self, request: Request) -> Response:
        """List the cells."""
        return JSONResponse({"object": "list", "data": [self.described(name) for name in self.cells]})

    async def model(self, request: Request) -> Response:
        """Describe a cell."""
        name, _ = self.cell(request.path_params["name"])
        return JSONResponse(self.described(name))

    def described(self, name: str) -> dict[str, Any]:
        """Return what is said of a cell; `max_model_len`, its context, is a key of vLLM."""
        return {
            "id": name,
            "object": "model",
            "created": self.created,
            "owned_by": "gptgrid",
            "max_model_len": self.cells[name].context,
        }

    def cell(self, name: str | None) -> tuple[str, TrainedCell]:
        """Return the cell of a name, or the first one.

        Raises:
            RequestError: there is none.
        """
        if name is None:
            name = next(iter(self.cells))
        if name not in self.cells:
            message = f"there is no model {name[:200]!r}; there are {', '.join(self.cells)}"
            raise RequestError(404, message, "model_not_found", "model")
        return name, self.cells[name]

    async def completions(self, request: Request) -> Response:
        """Continue prompts."""
        asked = await read(request, CompletionRequest)
        name, cell = self.cell(asked.model)
        work = Work(
            cell=cell,
            prompts=asked.prompts(),
            n=asked.n,
            decoding=asked.decoding(),
            max_new_tokens=asked.max_tokens,
            seed=seed_of(asked),
            ignore_eos=asked.ignore_eos,
            alternatives=asked.logprobs,
            echo=asked.echo,
            truncate=asked.truncate_prompt_tokens,
            marks=cell.marks,
        )
        return self.answer(work, asked, CompletionForm(name, asked.logprobs is not None))

    async def chat(self, request: Request) -> Response:
        """Answer a conversation."""
        asked = await read(request, ChatRequest)
        name, cell = self.cell(asked.model)
        reading, decoding = reading_of(cell), asked.decoding()
        work = Work(
            cell=cell,
            prompts=[Talk(reading, [message.said() for message in asked.messages])],
            n=asked.n,
            decoding=replace(decoding, stop=(*decoding.stop, *reading.stop)),
            max_new_tokens=asked.max_completion_tokens or asked.max_tokens or cell.context,
            seed=seed_of(asked),
            ignore_eos=asked.ignore_eos,
            alternatives=asked.top_logprobs if asked.logprobs else None,
            echo=False,
            # A conversation grows: its oldest part is left out.
            truncate=-1 if asked.truncate_prompt_tokens is None else asked.truncate_prompt_tokens,
            marks=reading.marks,
            ends=reading.ends,
            begins=reading.begins,
        )
        return self.answer(work, asked, ChatForm(name, asked.logprobs))

    def answer(self, work: Work, asked: Settings, form: Form) -> Response:
        """Return the answer to come.

        Raises:
            RequestError: it is too much at once, or too many wait.
        """
        choices = len(work.prompts) * work.n * work.decoding.beams
        if choices > MOST_CHOICES:
            raise RequestError(400, f"prompts × n × beams is {choices}; {MOST_CHOICES} are the most at once")
        total = choices * work.max_new_tokens
        if total > MOST_TOKENS:
            message = f"{total} tokens are asked for; {MOST_TOKENS} are the most at once"
            raise RequestError(400, message, param="max_tokens")
        return Answer(self.engine.submit(lambda: answer(work)), asked, form)


class Answer(Response):
    """An answer that is being computed. When the client goes away, so does the computation."""

    def __init__(self, job: Job, asked: Settings, form: Form) -> None:
        self.job, self.asked, self.form = job, asked, form
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(self.watch(receive))
        try:
            with suppress(GoneError):
                items = aiter(self.job)
                counts = await anext(items)
                if self.asked.stream:
                    # An error that comes before the first text still has a status.
                    first = await anext(items)
                    events = self.events(counts, first, items)
                    headers = {"Cache-Control": "no-cache"}
                    response = StreamingResponse(events, headers=headers, media_type="text/event-stream")
                else:
                    response = JSONResponse(self.form.whole(counts, [delta async for delta in items]))
                await response(scope, receive, send)
        finally:
            watching.cancel()
            self.job.cancel()

    async def watch(self, receive: Receive) -> None:
        """End the computation when the client goes away."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.job.cancel()

    async def events(self, counts: Any, first: Any, items: AsyncIterator[Any]) -> AsyncIterator[str]:
        """Yield the answer as server-sent events."""
        generated, begun = 0, set()
        try:
            delta = first
            while delta is not None:
                yield event(self.form.chunk(delta, delta.row not in begun))
                begun.add(delta.row)
                generated += delta.generated
                delta = await anext(items, None)
        except (RequestError, UserError) as error:
            yield event(error_of(error).body())
            return
        if self.asked.stream_options.include_usage:
            yield event(self.form.last(counts, generated))
        yield "data: [DONE]\n\n"


async def read(request: Request, kind: type[Asked]) -> Asked:
    """Read the body of a request, as far as it may reach.

    Raises:
        RequestError: it is too long, or not what was expected.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        # A form on any web page can send other types here.
        raise RequestError(415, "send JSON, with the header Content-Type: application/json")
    too_long = RequestError(
        413, f"the body is longer than {MOST_BYTES:,} bytes", headers={"Connection": "close"}
    )
    if int(request.headers.get("content-length", 0)) > MOST_BYTES:
        raise too_long
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise too_long
    except ClientDisconnect:
        raise RequestError(400, "the body ends too early") from None
    return parse(kind, bytes(body))


def seed_of(asked: Settings) -> int:
    """Return the seed of a request, or any."""
    return secrets.randbits(63) if asked.seed is None else asked.seed


def event(data: dict[str, Any]) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def error_of(error: Exception) -> RequestError:
    """Return what a client is told of an error."""
    if isinstance(error, RequestError):
        return error
    return RequestError(400, str(error))


async def refuse(request: Request, error: Exception) -> Response:
    """Answer with an error."""
    return error_of(error).response()


async def not_there(request: Request, error: HTTPException) -> Response:
    """Answer where nothing is."""
    *paths, last = (route.path for route in request.app.routes if re.fullmatch("/v1/[a-z/]+", route.path))
    message = f"there is no {request.url.path[:200]} here; there are {', '.join(paths)} and {last}"
    return RequestError(404, message, "unknown_url").response()


async def wrong_method(request: Request, error: HTTPException) -> Response:
    """Answer where something is, but cannot be asked so."""
    allowed = sorted(error.headers["Allow"].split(", "))
    message = f"{request.url.path} cannot be asked by {request.method}; use {' or '.join(allowed)}"
    return RequestError(405, message, headers={"Allow": ", ".join(allowed)}).response()


async def fail(request: Request, error: Exception) -> Response:
    """Answer where the server is wrong; what happened stands in its log."""
    return RequestError(500, "an error of the server; its log says more").response()


def page(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that sends a file of the page."""
    content = files("gptgrid.inference.serve").joinpath(name).read_bytes()

    async def send(request: Request) -> Response:
        return Response(content, headers=PAGE_HEADERS, media_type=media_type)

    return send
