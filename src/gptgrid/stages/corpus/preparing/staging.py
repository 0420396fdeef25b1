"""Documents between reading and splitting: the texts on the disk, a few numbers about each in memory.

A split can only be decided when all documents are known.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gptgrid.stages.corpus.preparing.split import Sizes, hash_document
from gptgrid.text.documents import Document, DocumentWriter, stream_file


@dataclass(frozen=True)
class StagedDocuments:
    """The documents of one part of a source, in order."""

    path: Path
    sizes: Sizes

    @classmethod
    def write(cls, path: Path, documents: Iterable[Document], key: bytes, ids: bool) -> "StagedDocuments":
        """Write documents to a file and note what a split is decided from.

        Args:
            path: a scratch file.
            documents: those to keep.
            key: of the hash that draws the split.
            ids: whether they are token ids.
        """
        with DocumentWriter(path, ids) as writer:
            sizes = add_all(writer, documents, key)
        return cls(path, sizes)

    def __len__(self) -> int:
        return len(self.sizes.hashes)

    def __iter__(self) -> Iterator[Document]:
        return iter(stream_file(self.path))


def add_all(writer: DocumentWriter, documents: Iterable[Document], key: bytes) -> Sizes:
    """Write documents and return their sizes; the last one is not held while its file is closed."""
    hashes, lengths = array("Q"), array("q")
    for document in documents:
        hashes.append(hash_document(document, key))
        lengths.append(len(document))
        writer.add(document)
    return Sizes(np.array(hashes, dtype=np.uint64), np.array(lengths, dtype=np.int64))
