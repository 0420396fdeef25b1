"""Checkouts to run Snakemake in; everything is made once a session."""

import subprocess
from pathlib import Path

import pytest
from checkout import Checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which everything was made. Copy it before changing anything."""
    checkout = Checkout(tmp_path_factory.mktemp("finished") / "gptgrid")
    checkout.run("--cores", "2")
    return checkout


@pytest.fixture
def checkout(finished: Checkout, tmp_path: Path) -> Checkout:
    """A finished checkout of a test's own, with the store beside it (hard links kept)."""
    folder = tmp_path / "gptgrid"
    subprocess.run(["cp", "-a", finished.folder, folder], check=True)
    own = object.__new__(Checkout)
    own.folder = folder
    return own
