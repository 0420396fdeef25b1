"""Counting the documents of a split one by one, as they go by."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from gptgrid.text.documents import Counts, Document
from gptgrid.tokens.document_table import TEXT_COLUMNS, DocumentTable


class Sizes:
    """Grows by what it is asked to let through: documents, and the tokens that they become."""

    def __init__(self, eot: int | None, ids: bool) -> None:
        """Begin with no document.

        Args:
            eot: id of the end-of-text token, which begins every document.
            ids: whether the documents are bare ids.
        """
        self.eot, self.ids = eot, ids
        self.columns = {name: array("q") for name in TEXT_COLUMNS}
        self.starts, self.total = array("q"), 0
        """Where each document begins in the tokens of all, and how many those are."""

    def documents(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield documents, counted."""
        for document in documents:
            if not self.ids:
                counts = Counts()
                counts.add(document)
                for name in TEXT_COLUMNS:
                    self.columns[name].append(getattr(counts, name))
            yield document

    def tokens(self, arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield arrays of tokens, counted: of bare ids one document each, of texts some, or a part of one."""
        for ids in arrays:
            begins = np.zeros(1, dtype=np.int64) if self.ids else np.flatnonzero(ids == self.eot)
            self.starts.frombytes((self.total + begins).tobytes())
            self.total += len(ids)
            yield ids

    def table(self) -> DocumentTable:
        """Return what was counted."""
        tokens = np.diff(np.array(self.starts, dtype=np.int64), append=self.total)
        texts = {name: None if self.ids else np.array(column) for name, column in self.columns.items()}
        return DocumentTable({"tokens": tokens, **texts})
