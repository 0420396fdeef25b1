"""The table of documents: what is counted for which, and what is said where it cannot be read."""

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.tokens.document_scores import (
    by_document,
    read_document_scores,
    scores_path,
    targets_by_document,
    write_document_scores,
)


@pytest.mark.parametrize(
    ("starts", "targets", "expected"),
    [
        ([0], 4, [4]),
        ([0, 3, 6], 8, [3, 3, 2]),
        ([0, 3, 6], 6, [3, 3, 0]),  # the last document is an end-of-text token
        ([0, 3, 3, 5], 7, [3, 0, 2, 2]),  # bare ids without one may be none
        ([0, 5, 8, 8], 7, [5, 2, 0, 0]),
    ],
)
def test_tokens_are_counted_for_the_document_before_them(starts, targets, expected):
    starts, nats = np.array(starts), np.arange(1.0, targets + 1)
    assert targets_by_document(starts, targets).tolist() == expected
    ends = np.cumsum(expected)
    sums = [nats[end - size : end].sum() for end, size in zip(ends, expected, strict=True)]
    assert by_document(nats, starts).tolist() == sums


def test_what_is_written_is_read_and_the_same_bytes_again(tmp_path):
    counts = {"document": [0, 4], "tokens": [3, 2], "bytes": None}
    columns = {**counts, "nats_sliding": np.array([0.1, 1 / 3])}
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        write_document_scores(folder, {"valid": {**columns, "document": [1, 2]}, "test": columns})
    assert scores_path(folders[0]).read_bytes() == scores_path(folders[1]).read_bytes()
    found = read_document_scores(folders[0], [*columns])["test"]
    assert found["document"].tolist() == [0, 4] and found["nats_sliding"].tolist() == [0.1, 1 / 3]
    assert np.isnan(found["bytes"]).all()
    assert read_document_scores(folders[0], ["document"])["valid"]["document"].tolist() == [1, 2]


def test_what_cannot_be_read_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"documents.parquet is missing: an older source .* run snakemake"):
        read_document_scores(tmp_path, ["tokens"])["test"]
    write_document_scores(tmp_path, {"test": {"document": [0], "tokens": [1]}})
    with pytest.raises(UserError, match="has no column nats_sliding; run snakemake"):
        read_document_scores(tmp_path, ["tokens", "nats_sliding"])["test"]
    scores_path(tmp_path).write_bytes(b"PAR1")
    with pytest.raises(UserError, match="is damaged"):
        read_document_scores(tmp_path, ["tokens"])["test"]
