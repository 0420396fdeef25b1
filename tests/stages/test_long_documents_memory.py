"""Tokenizer and encoding of one long document take no more memory than those of short ones."""

import subprocess
import sys

import pytest

PROGRAM = """
import json, re, sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from gptgrid.artifact.job import Job
from gptgrid.stages.encode.encode import encode
from gptgrid.stages.tokenizer.make import make_tokenizer
from gptgrid.text.documents import SPLITS, Counts, DocumentWriter, stream_file

folder, kind = Path(sys.argv[1]), sys.argv[2]
sizes = {}
for split in SPLITS:
    path = folder / f"{split}-00000.parquet"
    with DocumentWriter(path) as writer:
        if split == "train":
            writer.add_long(chain((f"word {i} of many. " for i in range(2_500_000)), ["😀"]))
        else:
            writer.add("word 1 of many.")
    counts = Counts()
    for text in stream_file(path):
        counts.add(text)
    sizes[split] = vars(counts)
(folder / "manifest.json").write_text(json.dumps({"facts": {"splits": sizes}}))
keys = {"vocab_size": 300, "pattern": "gpt4", "memory": 10**9, "special_tokens": ["<|u|>"], "marks": "special"}
make_tokenizer(Job(SimpleNamespace(kind=kind, **keys), {"corpus": folder}, folder, folder))
asked = SimpleNamespace(shard=None, splits=None, private=False, marks="special")
(folder / "shards").mkdir()
encode(Job(asked, {"corpus": folder, "tokenizer": folder}, folder / "shards", folder))
# Not ru_maxrss: of a process that another has started, that counts the other's memory, too.
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["bytes", "char", "bpe"])
def test_a_long_document_takes_no_more_than_short_ones(kind, tmp_path):
    """Python, its libraries, and what is looked at in one go take some 190 MB, and the text has 54."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), kind], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 240
