"""Where a server can be reached. Nothing here imports torch, so that a wrong address is told at once."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from contextlib import suppress

from gptgrid.artifact.errors import UserError


def listen(host: str, port: int, token: str | None) -> socket.socket:
    """Take an address, before anything takes long.

    Raises:
        UserError: it cannot be had, it can be reached from other machines and there is no token, or no client
            could send the token.
    """
    if token == "":
        raise UserError("the token is empty")
    if token and not re.fullmatch("[!-~]+", token):
        raise UserError("the token has a blank or a sign beyond ASCII, which clients cannot send")
    if token is None and not is_loopback(host):
        raise UserError(
            f"--host {host} lets other machines in: give a --token that they must send, or leave out --host"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        raise UserError(f"cannot listen at {host}, port {port}: {reason(error)}") from None
    return taken


def reason(error: OSError) -> str:
    """Say what is wrong with an address."""
    if error.errno == errno.EADDRINUSE:
        return "another program uses it; give another --port, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return "the system does not allow this port; take one from 1024 on"
    return error.strerror or str(error)


def is_loopback(host: str) -> bool:
    """Say whether an address is of this machine alone."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def host_of(taken: socket.socket) -> str:
    """Return the host of a server as URLs and requests name it."""
    host = taken.getsockname()[0]
    return f"[{host}]" if ":" in host else host


def url_of(taken: socket.socket) -> str:
    """Return the address of a server."""
    return f"http://{host_of(taken)}:{taken.getsockname()[1]}"
