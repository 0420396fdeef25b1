"""Documents are normalized, and every drop is counted under its reason."""

from types import SimpleNamespace

import pytest

from gptgrid.corpus.clean import REASONS, clean


@pytest.mark.parametrize(
    ("settings", "kept", "drops"),
    [
        ({}, ["ab", "ｆoo", "e\u0301", "é", "ab", " c "], {"empty": 2}),
        ({"dedupe": "exact"}, ["ab", "ｆoo", "e\u0301", "é", " c "], {"empty": 2, "duplicate": 1}),
        ({"normalize": "NFC", "dedupe": "exact"}, ["ab", "ｆoo", "é", " c "], {"empty": 2, "duplicate": 2}),
        ({"normalize": "NFKC"}, ["ab", "foo", "é", "é", "ab", " c "], {"empty": 2}),
        (
            {"min_chars": 2, "dedupe": "exact"},
            ["ab", "ｆoo", "e\u0301", " c "],
            {"empty": 2, "min_chars": 1, "duplicate": 1},
        ),
    ],
)
def test_clean(settings, kept, drops):
    dropped = dict.fromkeys(REASONS, 0)
    settings = SimpleNamespace(**{"normalize": "none", "dedupe": "none", "min_chars": 0, **settings})
    documents = ["ab", "ｆoo", "e\u0301", "é", "", "ab", " \n\u3000", " c "]
    assert list(clean(documents, settings, dropped)) == kept
    assert dropped == {**dict.fromkeys(REASONS, 0), **drops}
