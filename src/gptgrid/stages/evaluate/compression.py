"""What `xz` needs for the test text of a corpus after its training text: references.json, in bits per byte.

It is the difference of two sizes, of the training text with the test text behind it and of the training text
alone. A zero byte ends each document, as the end-of-text token does for a model; no figure counts it as text.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from gptgrid.artifact.job import Job
from gptgrid.text.documents import read_documents
from gptgrid.tokens.document_table import DocumentTable

TRAINING = 2**23
"""Bytes of the training text, from its start, that are read at most: some ten seconds, twice."""
SMALLEST, LARGEST = 2**12, 2**26
"""Bytes in which repetitions are looked for: the least that the format has, and those of `xz -9`, which take
about 700 MB of memory."""
END = b"\0"


def compress(job: Job) -> dict[str, Any]:
    """Write references.json; return bits per byte as a fact.

    Raises:
        UserError: the corpus is no finished one.
    """
    corpus = job.inputs["corpus"]
    sizes = np.array([len(text.encode()) for text in read_documents(corpus, "test")], dtype=np.int64)
    documents = DocumentTable({"tokens": sizes, "bytes": sizes})
    drawn = documents.draw(job.config.bytes, "evaluation.bytes")
    scored, chosen = int(sizes[drawn].sum()), set(drawn.tolist())
    training = list(first_bytes(ended(read_documents(corpus, "train")), TRAINING))
    test = (text for number, text in enumerate(read_documents(corpus, "test")) if number in chosen)
    read = sum(map(len, training))
    dictionary = min(max(read + scored + len(drawn), SMALLEST), LARGEST)
    with job.timing("training"):
        before = compressed_size(training, dictionary)
    with job.timing("training and test"):
        added = compressed_size(chain(training, ended(test)), dictionary) - before
    counts = job.manifest("corpus")["facts"]["splits"]["train"]
    whole = counts["bytes"] + counts["documents"]
    behind = f"the first {read:,} of {whole:,} training bytes" if read < whole else "the training text"
    definition = (
        f"What LZMA2 at level 9, with a dictionary of {dictionary:,} bytes, needs for the test text behind "
        f"{behind}, less what it needs for the latter alone."
    )
    figures = {
        "documents": len(drawn),
        "documents_of_split": len(documents),
        "bytes": scored,
        "bpb": 8 * added / scored if scored else None,
    }
    (job.folder / "references.json").write_text(
        json.dumps({"xz": {"definition": definition, "test": figures}}, indent=1) + "\n", encoding="utf-8"
    )
    return {"xz": figures["bpb"]}


def ended(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield documents, each with what ends it."""
    for text in texts:
        yield text.encode() + END


def first_bytes(parts: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Yield parts until they have so many bytes together; the last one is cut."""
    for part in parts:
        yield part[:length]
        length -= len(part)
        if length <= 0:
            return


def compressed_size(parts: Iterable[bytes], dictionary: int) -> int:
    """Return the bytes that parts take together, without header and checksum.

    Args:
        parts: one after the other.
        dictionary: bytes in which repetitions are looked for.
    """
    level = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}
    compressor = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[level])
    return sum(len(compressor.compress(part)) for part in parts) + len(compressor.flush())
