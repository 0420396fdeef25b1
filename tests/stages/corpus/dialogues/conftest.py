"""Files with records, or keys of a `dialogues` entry, as prepared dialogues."""

import hashlib
import json
from types import SimpleNamespace

import pytest

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.config.dialogues import FilesDialogues
from gptgrid.stages.corpus.make import make
from gptgrid.text.dialogues import read_dialogues


@pytest.fixture
def prepared(tmp_path):
    """Return a function: content of files (bytes, or a list of records for JSON lines) → what is made of it.

    A file stands alone, or is given as part → name → content. The result has `train`, `valid` and `test`, each
    as lists of (role, content), `facts`, `about`, `card` and `folder`.
    """

    def prepare(content, name="mine.jsonl", **keys) -> SimpleNamespace:
        parts = content if isinstance(content, dict) else {"all": {name: content}}
        files, raw = {}, {}
        for part, contents in parts.items():
            for file, data in contents.items():
                path = tmp_path / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data if isinstance(data, bytes) else lines(*data))
                raw[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
                files.setdefault(part, []).append(str(path))
        entry = FilesDialogues(source="files", paths=["x"], **keys).complete()
        return made({**entry, "dialogues": entry["format"], "files": files}, tmp_path, raw)

    return prepare


def made(config, folder, raw=None) -> SimpleNamespace:
    """Return what a job with such a configuration makes."""
    artifact = folder / "artifact"
    artifact.mkdir(exist_ok=True)
    facts = make(Job(namespace(config), {}, artifact, folder, raw=raw or {}))
    splits = {
        split: [[(message.role, message.content) for message in messages] for messages in found]
        for split in ("train", "valid", "test")
        for found in [read_dialogues(artifact, split)]
    }
    card = (artifact / "card.md").read_text()
    return SimpleNamespace(**splits, facts=facts, about=facts["about"], card=card, folder=artifact)


def lines(*records) -> bytes:
    """Return records as JSON lines."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


@pytest.fixture
def built_in(tmp_path):
    """Return a function: the configuration of a job without files of its own → what is made of it."""
    return lambda config: made(config, tmp_path)
