"""A corpus job from a few keys; what is not given has its default."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job

SPLIT = {"valid": 0.1, "test": 0.1, "by": "document", "seed": 0}
CLEAN = {"normalize": "none", "dedupe": "none", "similarity": 0.8, "min_chars": 0, "max_chars": None}
COMMON = {"license": None, "private": False, "shards": 1, "document": "whole"}
FILES = {"encoding": "auto", "errors": "strict", "members": None, "format": None, "field": None}


@pytest.fixture
def make_job(tmp_path):
    """Return a function: keys of a corpora entry → Job; files are read and pinned."""

    def make(split=None, clean=None, files=None, **config) -> Job:
        folder, scratch = tmp_path / "artifact", tmp_path / "scratch"
        folder.mkdir(exist_ok=True)
        scratch.mkdir(exist_ok=True)
        raw = {}
        if config["source"] in ("files", "shards"):
            raw = {
                path: hashlib.sha256(Path(path).read_bytes()).hexdigest()
                for paths in files.values()
                for path in paths
            }
        slice_ = {**COMMON, **FILES, "max_bytes": None, "insecure": False, **config}
        slice_ |= {"split": {**SPLIT, **(split or {})}, "clean": {**CLEAN, **(clean or {})}, "files": files}
        return Job(namespace(slice_), {}, folder, scratch, SimpleNamespace(), raw)

    return make
