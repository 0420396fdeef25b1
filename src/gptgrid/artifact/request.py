"""A request: what a stage program is asked to make. It is named by its key and never changes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gptgrid.artifact.identity import digest, key_of


@dataclass(frozen=True)
class Request:
    """What decides an artifact before anything runs."""

    stage: str
    config: dict[str, Any]
    """All values of the configuration that the stage reads."""
    slice: dict[str, Any]
    """Those of them that decide: a new key at its neutral value is left out."""
    source: str
    """Fingerprint of the program."""
    variants: list[str]
    """Names in the configuration that are entries of tables of variants; the fingerprint depends on them."""
    inputs: dict[str, tuple[str, str]]
    """Name → stage and key of the artifact."""
    raw: dict[str, str]
    """A user's own file → sha256."""
    run: dict[str, Any]
    """The section `run` of the configuration that asked first: how, never what, and no part of the key."""
    threads: int = 1
    """Cores that the program uses."""
    partial: bool = False
    """Whether it is made from the rest where some inputs could not be made, as overviews always are."""

    @property
    def key(self) -> str:
        """Return the key of the artifact."""
        keys = {name: key for name, (_, key) in self.inputs.items()}
        return key_of(self.stage, self.slice, self.source, {**keys, **self.raw})

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain data, with a checksum."""
        values = {**asdict(self), "inputs": {name: list(made) for name, made in self.inputs.items()}}
        return {**values, "checksum": digest(values)}

    @classmethod
    def from_json(cls, values: Any) -> Request | None:
        """Return a request from plain data; None if that is not what was written."""
        if not isinstance(values, dict) or "checksum" not in values:
            return None
        rest = {name: value for name, value in values.items() if name != "checksum"}
        if values["checksum"] != digest(rest):
            return None
        return cls(**{**rest, "inputs": {name: tuple(made) for name, made in rest["inputs"].items()}})
