"""Memory does not depend on how long documents are, but for a few copies of the longest."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib, json, re, sys
from pathlib import Path
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.prepare import prepare

folder, config = Path(sys.argv[1]), json.loads(sys.argv[2])
(path,) = config["files"]["all"]
for name in ("artifact", "scratch"):
    (folder / name).mkdir(exist_ok=True)
raw = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest()}
prepare(Job(namespace(config), {}, folder / "artifact", folder / "scratch", raw=raw))
# Not ru_maxrss: of a process that another has started, that counts the other's memory, too.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def peak_mb(folder, make_job, size, document, dedupe):
    """Return the memory that a corpus takes, nearly all of which is one document, in a process of its own."""
    path = folder / "text.txt"
    words = ". ".join(f"word {i} of many" for i in range(size // 19))
    path.write_text(words + "".join(f"\nshort {i}" for i in range(20)))
    keys = {"document": document, "encoding": "utf-8", "clean": {"dedupe": dedupe}}
    keys["split"] = {"by": "position" if document == "whole" else "document"}
    config = make_job(source="files", files={"all": [str(path)]}, **keys).config
    text = json.dumps(config, default=vars)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), text], capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("document", "dedupe", "size", "base", "copies"),
    [
        ("line", "near", 24_000_000, 260, 6),
        ("line", "exact", 48_000_000, 140, 4),
        ("whole", "exact", 48_000_000, 140, 3),
    ],
)
def test_a_long_document_is_held_a_few_times(document, dedupe, size, base, copies, tmp_path, make_job):
    """Words, shingles and grams of it once took sixteen times its size.

    `base` MB take Python, its libraries, and what is looked at in one go.
    """
    assert peak_mb(tmp_path, make_job, size, document, dedupe) < base + copies * size / 2**20
