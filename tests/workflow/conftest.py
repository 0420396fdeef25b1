"""Checkouts to run Snakemake in; everything is made once a session."""

import os
import subprocess
from pathlib import Path

import pytest
from checkout import Checkout
from filelock import FileLock


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which everything was made. Copy it before changing anything."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "finished"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            making = Checkout(shared / "making")
            making.run("--cores", "2")
            making.folder.rename(folder)
    return Checkout.there(folder)


@pytest.fixture
def checkout(finished: Checkout, tmp_path: Path) -> Checkout:
    """A finished checkout of a test's own, with the store beside it (hard links kept)."""
    folder = tmp_path / "gptgrid"
    subprocess.run(["cp", "-a", finished.folder, folder], check=True)
    return Checkout.there(folder)
