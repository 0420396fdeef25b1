"""A store in a folder of a test's own, and programs of a few lines that fill it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gptgrid.artifact.fingerprint import fingerprint
from gptgrid.artifact.job import Job
from gptgrid.artifact.program import Program
from gptgrid.artifact.receipt import Receipt
from gptgrid.artifact.request import Request
from gptgrid.artifact.roots import Root, root_of
from gptgrid.artifact.store import Store


class Workshop:
    """Makes requests, and runs the programs that fulfil them in this process."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.script = folder / "script.py"
        self.script.write_text("X = 1\n")

    def request(
        self, words: str = "hello", stage: str = "corpus", made_from: dict | None = None, **changes: Any
    ) -> Request:
        """Return a request for a text, made from what other requests ask for (name → request)."""
        return Request(
            **{
                "stage": stage,
                "config": {"words": words},
                "slice": {"words": words},
                "source": fingerprint(self.script),
                "variants": [],
                "inputs": {name: (asked.stage, asked.key) for name, asked in (made_from or {}).items()},
                "raw": {},
                "run": {},
                **changes,
            }
        )

    def make(self, request: Request, build: Callable | None = None, **options: Any) -> Receipt | None:
        """Run the program that a request asks for; return its receipt."""
        Program(request, self.store, lambda: build or write_words, self.script, **options).run()
        return self.store.receipt(request.stage, request.key)

    def folder(self, request: Request) -> Path:
        """Return where what a request asked for lies."""
        receipt = self.store.receipt(request.stage, request.key)
        return self.store.folder(receipt.stage, receipt.identity)

    def root(self, experiment: str, *requests: Request) -> Root:
        """Return the root of an experiment that uses some artifacts."""
        keys: dict[str, dict[str, str]] = {}
        for request in requests:
            keys.setdefault(request.stage, {})[request.key] = ""
        return root_of(experiment, keys)


class Builder:
    """A stage that writes its words to a file and counts how often it had to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, job: Job) -> dict[str, Any]:
        self.calls += 1
        job.provenance["note"] = self.calls
        return write_words(job)


def write_words(job: Job) -> dict[str, Any]:
    """Write each word to a file of its own."""
    for word in job.config.words.split():
        (job.folder / f"{word}.txt").write_text(word)
    return {"length": len(job.config.words)}


def rewrite(path: Path, content: str | bytes) -> None:
    """Replace a read-only file without touching what else is linked to it."""
    path.unlink()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
