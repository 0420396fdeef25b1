"""Where documents come from: what is built in, files on the web, a user's own files, random ids.

A source gives documents as they stand there, for all splits together (`all`) or for published splits. What
is dropped, and how `all` is cut, is decided later.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.corpus.documents import cut
from gptgrid.corpus.encoding import decode
from gptgrid.corpus.noise import noise
from gptgrid.corpus.split import Document
from gptgrid.corpus.tales import tales
from gptgrid.corpus.toy import SENTENCES
from gptgrid.download import fetch
from gptgrid.stage import Job, UserError

OWN_LICENSE = "MIT"
"""Of the corpora that come with gptgrid."""


@dataclass
class Source:
    """What was read."""

    parts: dict[str, list[Document]]
    """`all`, `train`, `valid`, `test` → documents."""
    facts: dict[str, Any]
    """For the manifest: what was read."""
    license: str | None = None
    """Of the text, where it is known."""


def read(job: Job) -> Source:
    """Read the source that the configuration names.

    Raises:
        UserError: a file is missing, has changed, is empty, or is not a text in its encoding.
    """
    config = job.config
    if config.source == "builtin":
        facts = {"name": config.name, "seed": config.seed}
        return Source({"all": builtin(config)}, facts, OWN_LICENSE)
    if config.source == "random":
        ids = noise(config.vocab_size, config.tokens, config.document_tokens, config.seed)
        return Source({"all": ids}, {"name": "random", "seed": config.seed})
    parts, records = {}, []
    for part, files in vars(config.files).items():
        parts[part] = []
        for name, data in read_files(files, job):
            text, encoding = decode(data, config.encoding, name)
            if not text.strip():
                raise UserError(f"{name} is empty; take it out of the corpus, or put text in it")
            parts[part] += cut(text, config.document)
            sha256 = hashlib.sha256(data).hexdigest()
            records.append({"part": part, "name": name, "sha256": sha256, "bytes": len(data), **encoding})
    return Source(parts, {"files": records})


def builtin(config: SimpleNamespace) -> list[str]:
    """Return the documents of a corpus that comes with gptgrid."""
    if config.name == "tales":
        return list(tales(config.documents, config.seed, config.language))
    if config.documents and config.documents > len(SENTENCES):
        raise UserError(
            f"toy has {len(SENTENCES)} documents, not {config.documents}; lower `documents`, or leave it out"
        )
    return list(SENTENCES[: config.documents])


def read_files(files: list[str | SimpleNamespace], job: Job) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of paths, or of pinned files on the web."""
    for file in files:
        if isinstance(file, str):
            yield file, read_own(file, job.raw[file])
        else:
            print(f"reading {file.url}", flush=True)
            yield file.url, fetch(file.url, file.sha256).read_bytes()


def read_own(path: str, sha256: str) -> bytes:
    """Return the bytes of a user's file, which must be those that the plan saw."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); mend `paths`, or the file") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{path} changed after the plan was made; run the same command again")
    return data
