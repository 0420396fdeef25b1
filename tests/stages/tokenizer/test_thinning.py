"""Training text is thinned only where memory asks for it, and as much as it asks."""

import random

import pytest

from gptgrid.stages.tokenizer import thinning
from gptgrid.stages.tokenizer.thinning import PER_BYTE, affordable_share, bytes_of_pieces, thinned
from gptgrid.text.documents import write_documents
from gptgrid.tokens.patterns import PATTERNS


def chinese(seed, number):
    """Return documents in which nearly every piece is new."""
    source = random.Random(seed)
    return ["".join(chr(source.randrange(0x4E00, 0x4FFF)) for _ in range(6)) + "。" for _ in range(number)]


def english(seed, number):
    """Return documents of few words."""
    source = random.Random(seed)
    return [" ".join(source.choices(["cat", "dog", "cow", "owl"], k=8)) for _ in range(number)]


@pytest.fixture(autouse=True)
def short_samples(monkeypatch):
    monkeypatch.setattr(thinning, "SHORTEST", 500)


@pytest.mark.parametrize(("make", "thin"), [(chinese, True), (english, False)])
def test_what_is_kept_fits_into_the_memory(tmp_path, make, thin):
    texts = make(0, 20_000)
    write_documents(tmp_path / "train-00000.parquet", texts)
    size = sum(len(text.encode()) for text in texts)
    memory = size * PER_BYTE // 10
    share = affordable_share(tmp_path, size, PATTERNS["gpt4"], memory)
    kept = list(thinned(texts, share))
    assert (share < 1) == thin
    if thin:
        assert 0.7 * memory < bytes_of_pieces(kept, PATTERNS["gpt4"])[0] * PER_BYTE < 1.3 * memory
    else:
        assert kept == texts


def test_rare_words_among_frequent_ones_are_foreseen(tmp_path):
    """A sample of them looks as if the vocabulary were nearly complete."""
    texts = [f"{one} {other}" for one, other in zip(english(0, 9000), chinese(0, 9000), strict=True)]
    write_documents(tmp_path / "train-00000.parquet", texts)
    memory = bytes_of_pieces(texts, PATTERNS["gpt4"])[0] * PER_BYTE // 4
    share = affordable_share(tmp_path, sum(len(text.encode()) for text in texts), PATTERNS["gpt4"], memory)
    kept = list(thinned(texts, share))
    assert 0.7 * memory < bytes_of_pieces(kept, PATTERNS["gpt4"])[0] * PER_BYTE < 1.1 * memory


def test_a_small_text_is_not_looked_at(tmp_path):
    assert affordable_share(tmp_path / "not there", 100, PATTERNS["gpt4"], 100 * PER_BYTE) == 1


def test_the_draw_is_by_content_and_fair():
    texts = chinese(1, 4000)
    kept = list(thinned(texts, 0.25))
    assert len(kept) == pytest.approx(1000, abs=120)
    assert set(thinned(texts[::-1], 0.25)) == set(kept)
    assert set(kept) < set(thinned(texts, 0.5))
