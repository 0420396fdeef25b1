"""By which names a server is addressed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gptgrid.inference.serve.errors import RequestError


class Hosts:
    """Answers only requests to certain hosts.

    The owner of a page elsewhere can make its name lead to this machine, and so let it ask as if it were
    ours; the name that it asks for gives it away.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("host", "")
        if re.sub(r"[.]?(:[0-9]*)?$", "", given).lower() in self.hosts:
            return await self.app(scope, receive, send)
        names = ", ".join(self.hosts)
        error = RequestError(400, f"the header Host is {given[:200]!r}; this server is addressed as {names}")
        await error.response()(scope, receive, send)
