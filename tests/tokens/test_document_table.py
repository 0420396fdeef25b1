"""A part of a split is the same whole documents for every tokenizer, and not its beginning."""

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.document_table import TEXT_COLUMNS, DocumentTable, read_document_table, table_path


def table(sizes: list[int] | np.ndarray, tokens: list[int] | None = None) -> DocumentTable:
    """Return the table of documents of so many bytes."""
    sizes = np.array(sizes, dtype=np.int64)
    return DocumentTable(
        {"tokens": sizes + 1 if tokens is None else np.array(tokens), **dict.fromkeys(TEXT_COLUMNS, sizes)}
    )


def test_a_part_has_as_many_bytes_as_asked_and_no_document_more():
    documents = table(np.random.default_rng(0).integers(0, 50, size=400))
    total = documents.totals["bytes"]
    for least in (1, 10, 500, 4000, total - 1, total, total + 1):
        numbers = documents.draw(least, "key")
        sizes = documents.take(numbers).counts["bytes"]
        assert (np.diff(numbers) > 0).all() and sizes.sum() >= min(least, total)
        assert len(numbers) == len(documents) or min(sizes.sum() - size for size in sizes) < least
    assert documents.draw(None, "key").tolist() == list(range(400))


def test_a_larger_part_has_the_documents_of_a_smaller_one_and_is_spread_over_the_split():
    documents = table([10] * 1000)
    small, large = (set(documents.draw(least, "key").tolist()) for least in (500, 2000))
    assert len(small) == 50 and small < large
    assert [len([n for n in large if n // 250 == part]) for part in range(4)] == pytest.approx(
        [50] * 4, abs=12
    )
    # Whatever their tokens are.
    assert table([10] * 1000, tokens=[3] * 1000).draw(500, "key").tolist() == sorted(small)


def test_a_document_longer_than_the_limit_is_whole():
    assert table([10**6]).draw(5, "key").tolist() == [0]


def test_bare_ids_have_no_bytes():
    documents = DocumentTable({"tokens": np.array([3, 4]), **dict.fromkeys(TEXT_COLUMNS)})
    assert documents.draw(None, "key").tolist() == [0, 1]
    with pytest.raises(
        UserError, match="key is 5, but this corpus brings bare ids, which have no bytes; leave key out"
    ):
        documents.draw(5, "key")


def test_the_disk_keeps_it_and_the_same_table_gives_the_same_bytes(tmp_path):
    folder = tmp_path / "n_layer=4"  # no column of a table
    folder.mkdir()
    texts, ids = table([5, 0, 7]), DocumentTable({"tokens": np.array([3]), **dict.fromkeys(TEXT_COLUMNS)})
    for documents in (texts, ids):
        found = []
        for split in ("valid", "test"):
            documents.write(table_path(folder, split))
            read = read_document_table(folder, split, documents.totals)
            assert read.totals == documents.totals and read.starts.tolist() == documents.starts.tolist()
            found.append(table_path(folder, split).read_bytes())
        assert found[0] == found[1]
    with pytest.raises(
        UserError, match=r"valid-documents.parquet: the documents have 3 tokens together, but the split has 9"
    ):
        read_document_table(folder, "valid", {"tokens": 9})
