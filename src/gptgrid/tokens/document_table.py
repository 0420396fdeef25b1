"""The documents of an encoded split, counted one by one: `<split>-documents.parquet` beside its shards.

With it a part of a split can be scored that is the same text for every tokenizer: whole documents.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gptgrid.artifact.errors import UserError
from gptgrid.seeds import spread
from gptgrid.text.documents import Counts
from gptgrid.tokens.shards import Shards, open_shards

TEXT_COLUMNS = tuple(field.name for field in fields(Counts) if field.name != "documents")
"""What a text has whatever its tokenizer: bytes, words and the like; null for a corpus of bare ids."""
COLUMNS = ("tokens", *TEXT_COLUMNS)
SCHEMA = pa.schema([(name, pa.int64()) for name in COLUMNS])


@dataclass(frozen=True)
class DocumentTable:
    """Documents in order; the tokens of each begin with its end-of-text token, where there is one."""

    counts: dict[str, np.ndarray | None]
    """Column → one number a document: (documents,) int64; None where they have no such number."""

    def __len__(self) -> int:
        return len(self.counts["tokens"])

    @property
    def starts(self) -> np.ndarray:
        """Return where each document begins in the tokens of all: (documents,) int64."""
        return np.cumsum(self.counts["tokens"]) - self.counts["tokens"]

    @property
    def totals(self) -> dict[str, int | None]:
        """Return `documents`, and the sum of each column."""
        sums = {name: None if column is None else int(column.sum()) for name, column in self.counts.items()}
        return {"documents": len(self), **sums}

    def take(self, numbers: np.ndarray) -> DocumentTable:
        """Return the table of some documents."""
        return DocumentTable(
            {name: None if column is None else column[numbers] for name, column in self.counts.items()}
        )

    def check(self, expected: dict[str, int | None], where: object) -> None:
        """Refuse a table that does not add up to what is known of its split.

        Raises:
            UserError: a sum differs.
        """
        for name, total in self.totals.items():
            if name in expected and expected[name] != total:
                raise UserError(
                    f"{where}: the documents have {total} {name} together, but the split has "
                    f"{expected[name]}; delete the folder and run snakemake again"
                )

    def draw(self, least_bytes: int | None, key: str) -> np.ndarray:
        """Return the numbers of whole documents that have at least so many bytes together, in order.

        Which ones depends on their numbers alone: they are spread over the split.

        Args:
            least_bytes: of the text; None takes all documents, more bytes than there are likewise.
            key: of the configuration that sets it, for the message.

        Raises:
            UserError: a part is asked for, and the corpus has no bytes.
        """
        numbers = np.arange(len(self))
        if least_bytes is None:
            return numbers
        if self.counts["bytes"] is None:
            raise UserError(
                f"{key} is {least_bytes}, but this corpus brings bare ids, which have no bytes; leave {key} "
                "out, so that the whole split is scored"
            )
        order = spread(len(self))
        needed = np.searchsorted(self.counts["bytes"][order].cumsum(), least_bytes) + 1
        return np.sort(order[:needed])

    def write(self, path: Path) -> None:
        """Write the table; the same one gives the same bytes."""
        table = pa.table([pa.array(self.column(name), pa.int64()) for name in COLUMNS], schema=SCHEMA)
        pq.write_table(table, path, compression="zstd")

    def column(self, name: str) -> np.ndarray | list[None]:
        """Return a column as the file has it."""
        column = self.counts[name]
        return [None] * len(self) if column is None else column


def table_path(folder: Path, split: str) -> Path:
    """Return where the table of a split lies in the folder of its shards."""
    return folder / f"{split}-documents.parquet"


def read_document_table(folder: Path, split: str, expected: dict[str, int | None]) -> DocumentTable:
    """Return the documents of an encoded split.

    Args:
        folder: the encoded corpus.
        split: valid or test; the training split has no table.
        expected: the sums that its manifest has: documents, tokens, bytes, …

    Raises:
        UserError: the table is missing or damaged, or its sums differ.
    """
    path = table_path(folder, split)
    try:
        with pq.ParquetFile(path) as file:
            columns = {name: file.read([name]).column(name) for name in COLUMNS}
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: an older source encoded this corpus; run snakemake, which makes it again"
        ) from None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path} is damaged ({error}); delete the folder and run snakemake again") from None
    documents = DocumentTable(
        {name: None if column.null_count else column.to_numpy() for name, column in columns.items()}
    )
    documents.check(expected, path)
    return documents


@dataclass(frozen=True)
class ScoredText:
    """Whole documents of a split, one after the other: all of them, or those that were drawn."""

    tokens: Shards
    documents: DocumentTable
    numbers: np.ndarray
    """Of the documents in their split: (documents,) int64."""
    split: dict[str, int | None]
    """Sums over the whole split."""

    @property
    def totals(self) -> dict[str, int | None]:
        """Return `documents`, and the sum of each column, over what is scored."""
        return self.documents.totals

    @property
    def digest(self) -> str:
        """The sha256 of which documents are scored and how large they are, whatever the tokenizer: figures
        on other documents do not compare."""
        sizes = [self.documents.counts[name] for name in TEXT_COLUMNS]
        if sizes[0] is None:
            sizes = [self.documents.counts["tokens"]]
        return hashlib.sha256(np.stack([self.numbers, *sizes]).astype("<i8").tobytes()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return how much is scored, of how much, and the digest."""
        counts = {name: self.totals[name] for name in ("documents", "bytes", "words", "newlines")}
        of = {f"{name}_of_split": self.split[name] for name in ("documents", "bytes")}
        return {**counts, **of, "text_digest": self.digest}


def open_scored_text(
    folder: Path, split: str, expected: dict[str, int | None], least_bytes: int | None, key: str
) -> ScoredText:
    """Open what is scored of an encoded split.

    Args:
        folder: the encoded corpus.
        split: valid or test.
        expected: what the corpus' manifest says of the split.
        least_bytes: see `DocumentTable.draw`.
        key: of the configuration that sets it.

    Raises:
        UserError: the folder is damaged, there are no two tokens, or a part is asked for of bare ids.
    """
    shards = open_shards(folder, split)
    table = read_document_table(folder, split, expected)
    numbers = table.draw(least_bytes, key)
    tokens = len(shards)
    if tokens != table.totals["tokens"]:
        raise UserError(
            f"the {split} shards hold {tokens} tokens, but their manifest says {table.totals['tokens']}; "
            "delete the folder and run snakemake again"
        )
    if len(numbers) < len(table):
        spans = zip(table.starts[numbers], table.counts["tokens"][numbers], strict=True)
        shards = Shards([np.concatenate([shards[start : start + n].astype(np.uint32) for start, n in spans])])
    if len(shards) < 2:
        raise UserError(
            f"the {split} split has {len(shards)} tokens, and the first is never scored; use a larger "
            f"corpus, or a larger share for {split}"
        )
    return ScoredText(shards, table.take(numbers), numbers, table.totals)
