"""The files of a split, and what is counted while they are written."""

from array import array
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.text.documents import Counts, Document, DocumentWriter


class SplitFiles:
    """`<split>-NNNNN.parquet`: one file, or several of about the same length."""

    def __init__(self, stack: ExitStack, folder: Path, split: str, ids: bool) -> None:
        """Prepare to write; the stack closes the files."""
        self.stack, self.folder, self.split, self.ids = stack, folder, split, ids
        self.total, self.shards = 0, 1
        self.written = 0
        self.counted = Counts()
        self.lengths = array("q")
        """Characters, or ids, of each document."""
        self.files: list[DocumentWriter] = []

    def set_shards(self, shards: int, total: int) -> None:
        """Cut the split into files, between documents; `total` is the length of all of them."""
        self.shards, self.total = shards, total

    def add(self, document: Document) -> None:
        """Write a document behind the others."""
        if not self.files or self.written * self.shards >= self.total * len(self.files) > 0:
            path = self.folder / f"{self.split}-{len(self.files):05d}.parquet"
            self.files.append(self.stack.enter_context(DocumentWriter(path, self.ids)))
        self.files[-1].add(document)
        self.written += len(document)
        self.lengths.append(len(document))
        if not self.ids:
            self.counted.add(document)

    def check_shards(self) -> None:
        """Raise a UserError if there are fewer files than the configuration asks for."""
        if len(self.files) < self.shards:
            raise UserError(
                f"the {self.split} split has {len(self.lengths):,} documents, which fill {len(self.files)} "
                f"shards, not {self.shards}; lower `shards`, or cut the text finer"
            )

    @property
    def size(self) -> int:
        """Bytes, or ids, of the split."""
        return self.written if self.ids else self.counted.bytes

    def counts(self) -> dict[str, int | None]:
        """Return the size of the split; for token ids, what has no meaning is None."""
        if self.ids:
            return {**dict.fromkeys(vars(self.counted)), "documents": len(self.lengths)}
        return vars(self.counted)

    def quantiles(self) -> list[int]:
        """Return the length of the shortest document, of those at 5, 25, 50, 75, 95 %, and of the longest."""
        ranked = np.sort(np.frombuffer(self.lengths, dtype=np.int64))
        places = [round(share * (len(ranked) - 1)) for share in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)]
        return ranked[places].tolist()
