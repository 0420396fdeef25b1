"""Documents between reading and splitting: the texts on the disk, a few numbers about each in memory."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gptgrid.stages.corpus.preparing.split import Sizes, key_of
from gptgrid.text.documents import Document, DocumentWriter, read_file


@dataclass(frozen=True)
class Pool:
    """The documents of one part of a source, in order."""

    path: Path
    sizes: Sizes

    @classmethod
    def fill(cls, path: Path, documents: Iterable[Document], secret: bytes, ids: bool) -> "Pool":
        """Write documents to a file and note what a split is decided from."""
        keys, lengths = array("Q"), array("q")
        with DocumentWriter(path, ids) as writer:
            for document in documents:
                keys.append(key_of(document, secret))
                lengths.append(len(document))
                writer.add(document)
        return cls(path, Sizes(np.array(keys, dtype=np.uint64), np.array(lengths, dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.sizes.keys)

    def __iter__(self) -> Iterator[Document]:
        return iter(read_file(self.path))
