"""Memory does not depend on how long documents are."""

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
@pytest.mark.parametrize(("document", "dedupe"), [("line", "near"), ("line", "exact"), ("whole", "exact")])
def test_a_long_document_takes_no_more_than_short_ones(document, dedupe, tmp_path, make_job):
    """Python, its libraries, and what is looked at in one go take some 130 to 180 MB."""
    assert peak_mb(tmp_path, make_job, 48_000_000, document, dedupe) < 230
