"""A workshop for each test."""

from pathlib import Path

import pytest
from workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A workshop in the current folder, whose programs do not wait for receipts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gptgrid.artifact.store.PATIENCE", 0.0)
    return Workshop(tmp_path)
