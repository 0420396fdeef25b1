"""One answer of a web server: addresses and redirects are checked, credentials go only where they belong.

Proxies and certificates come from the variables that httpx reads: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY,
NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR. Credentials come from `HF_TOKEN` and `GPTGRID_HEADERS`, a JSON object
of host → {header: value}; no message contains them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from gptgrid.artifact.errors import UserError
from gptgrid.net.address import public

HUB = "https://huggingface.co"
TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as stalled."""
REDIRECTS = 10
LONGEST_PAUSE = 600.0
"""Seconds; a server that asks for a longer pause is asked again after this one."""
TEMPORARY = {408, 425, 429, 500, 502, 503, 504}
"""Statuses after which another attempt may succeed."""


class RefusalError(Exception):
    """This address does not give the file, and will not when it is asked again."""


class InterruptionError(Exception):
    """A failure that may pass.

    Attributes:
        pause: seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


@contextmanager
def get(url: str, headers: dict[str, str], schemes: Collection[str]) -> Iterator[httpx.Response]:
    """Open the answer to a GET, after redirects; its body is not read yet and comes as it is sent.

    Args:
        url: the address.
        headers: of the request, beside the credentials for its host.
        schemes: which of `https` and `http` are allowed, also after redirects.

    Raises:
        RefusalError: the server has no such file, or says no, or a redirect leads where none may.
        InterruptionError: the connection failed, or the server asks for patience.
        UserError: the address, or a variable of the environment, cannot be used.
    """
    first = address = check(url, schemes)
    own = {**credentials(first), **headers, "Accept-Encoding": "identity"}
    try:
        with make_client() as client:
            for _ in range(REDIRECTS):
                sent = own if origin(address) == origin(first) else {**headers, "Accept-Encoding": "identity"}
                with client.stream("GET", address, headers=sent) as answer:
                    if not answer.has_redirect_location:
                        judge(answer)
                        yield answer
                        return
                    address = redirected(address, answer.headers["location"], schemes)
            raise RefusalError(f"it redirects more than {REDIRECTS} times")
    except httpx.TransportError as error:
        raise failure(error) from None


def check(url: str, schemes: Collection[str]) -> httpx.URL:
    """Return the address, if it may be used.

    Raises:
        UserError: it has another scheme, no host, or a password.
    """
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise UserError("an address cannot be read; write it as https://host/path") from None
    if address.userinfo:
        raise UserError(
            f"the address on {address.host} contains a user name or password, which would end in manifests "
            "and logs; take it out, and set GPTGRID_HEADERS in the environment"
        )
    if address.scheme not in schemes or (address.scheme != "file" and not address.host):
        allowed = " or ".join(f"{scheme}://" for scheme in schemes)
        raise UserError(f"{public(url)} is not an {allowed} address; see the key `insecure` of the corpus")
    return address


def redirected(address: httpx.URL, location: str, schemes: Collection[str]) -> httpx.URL:
    """Return where an answer leads, if one may go there."""
    target = address.join(location)
    allowed = {"https"} if address.scheme == "https" else {"https", "http"} & set(schemes)
    if target.scheme not in allowed:
        raise RefusalError(
            f"it redirects from {address.scheme} to {target.scheme} on {target.host}, which is refused"
        )
    if target.userinfo:
        raise RefusalError(f"it redirects to an address on {target.host} with a user name, which is refused")
    return target


def make_client() -> httpx.Client:
    """Return a client with the proxies and certificates that the environment names."""
    try:
        return httpx.Client(timeout=TIMEOUT, headers={"User-Agent": "gptgrid"})
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        raise UserError(
            f"the network cannot be set up ({type(error).__name__}); check HTTPS_PROXY, HTTP_PROXY, "
            "ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        ) from None


# ------------------------------------------------------------------------------------ credentials


def hub_endpoint() -> str:
    """Return where the Hugging Face hub is asked: `HF_ENDPOINT`, or the hub itself."""
    return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")


def hub_token() -> str | None:
    """Return `HF_TOKEN`."""
    return checked("HF_TOKEN", os.environ.get("HF_TOKEN", "").strip()) or None


def credentials(address: httpx.URL) -> dict[str, str]:
    """Return the headers that the environment has for the host of an address."""
    headers = {}
    if (token := hub_token()) and origin(address) in (HUB, hub_endpoint()):
        headers["Authorization"] = f"Bearer {token}"
    shape = "GPTGRID_HEADERS is not a JSON object of host → {header: value}; see config/README.md"
    try:
        hosts = json.loads(os.environ.get("GPTGRID_HEADERS") or "{}")
        own = hosts.get(address.netloc.decode(), {})
        headers |= {name: checked(f"GPTGRID_HEADERS, {name}", value) for name, value in own.items()}
    except (ValueError, AttributeError, TypeError):
        raise UserError(shape) from None
    return headers


def checked(name: str, value: str) -> str:
    """Return the value of a header, which must be printable ASCII; the message does not contain it."""
    if not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", value):
        raise UserError(
            f"{name} contains characters that no header can have, or blanks at an end; set it again"
        )
    return value


def origin(address: httpx.URL) -> str:
    """Return scheme, host and port."""
    return f"{address.scheme}://{address.netloc.decode()}"


# --------------------------------------------------------------------------------------- failures


def judge(answer: httpx.Response) -> None:
    """Raise unless the answer has content; 416, the end of a range, is the caller's."""
    status = answer.status_code
    if status in (200, 206, 416):
        return
    message = f"the server answered {status} {answer.reason_phrase}".rstrip()
    if status in TEMPORARY:
        raise InterruptionError(message, pause_asked(answer.headers.get("retry-after", "")))
    if status in (401, 403):
        hub = origin(answer.url) in (HUB, hub_endpoint())
        message += (
            "; set HF_TOKEN to a token that may read it, and accept the conditions on its page"
            if hub
            else "; if it needs credentials, set GPTGRID_HEADERS, or an address that is signed anew"
        )
    raise RefusalError(message)


def pause_asked(header: str) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    if header.strip().isdigit():
        return min(float(header), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def failure(error: httpx.TransportError) -> Exception:
    """Return what to raise for an error of the connection."""
    message = str(error) or type(error).__name__
    if isinstance(error, httpx.LocalProtocolError):  # its text may contain what was to be sent
        return RefusalError("the request cannot be sent; check GPTGRID_HEADERS")
    if isinstance(error, httpx.ReadTimeout):
        return InterruptionError(f"nothing came for {TIMEOUT:g} s")
    if "in location header" in message:
        return RefusalError("it redirects to an address that cannot be read")
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return RefusalError(
            "its certificate is not trusted; set SSL_CERT_FILE if it is your organization's own"
        )
    return InterruptionError(public(message))
