"""Two cells behind one server."""

from collections.abc import Iterator

import httpx
import pytest
import torch
from serving import served, trained

from gptgrid.inference.cell import TrainedCell


@pytest.fixture(scope="module")
def cells() -> dict[str, TrainedCell]:
    """Return two cells."""
    torch.set_num_threads(1)
    return {"one": trained(), "two": trained(0.6)}


@pytest.fixture(scope="module")
def url(cells) -> Iterator[str]:
    """Return the address of a server of both."""
    with served(cells) as address:
        yield address


@pytest.fixture
def post(url):
    """Return a function: send a body to an address."""

    def send(path: str, body: object = None, **options: object) -> httpx.Response:
        options = {"json": body} if body is not None else options
        return httpx.post(f"{url}{path}", timeout=30, **options)

    return send
