"""Training text is thinned only where memory asks for it, and as much as it asks."""

import random
import sys
import tracemalloc

import pytest
import regex

from gptgrid.stages.tokenizer import thinning
from gptgrid.stages.tokenizer.thinning import (
    PER_BYTE,
    SPAN,
    Draw,
    affordable_share,
    bytes_of_pieces,
    sample,
    training_spans,
)
from gptgrid.text import rows
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


def size_of(texts):
    return sum(len(text.encode()) for text in texts)


def thinned(texts, share):
    return Draw(training_spans([[text] for text in texts], size_of(texts), share), share)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch):
    monkeypatch.setattr(thinning, "SHORTEST", 500)


@pytest.mark.parametrize("whole", [False, True], ids=["lines", "one document"])
@pytest.mark.parametrize(("make", "thin"), [(chinese, True), (english, False)])
def test_what_is_kept_fits_into_the_memory(tmp_path, make, thin, whole):
    texts = make(0, 20_000)
    texts = ["".join(texts)] if whole else texts
    write_documents(tmp_path / "train-00000.parquet", texts)
    memory = size_of(texts) * PER_BYTE // 10
    share = affordable_share(tmp_path, size_of(texts), PATTERNS["gpt4"], memory)
    drawn = thinned(texts, share)
    kept = list(drawn)
    assert (share < 1) == thin
    assert drawn.bytes == size_of(kept)
    if thin:
        assert 0.7 * memory < bytes_of_pieces(kept, PATTERNS["gpt4"])[0] * PER_BYTE < 1.3 * memory
        assert drawn.bytes / size_of(texts) == pytest.approx(share, rel=0.3)
    else:
        assert "".join(kept) == "".join(texts)


def test_rare_words_among_frequent_ones_are_foreseen(tmp_path):
    """A sample of them looks as if the vocabulary were nearly complete."""
    texts = [f"{one} {other}" for one, other in zip(english(0, 9000), chinese(0, 9000), strict=True)]
    write_documents(tmp_path / "train-00000.parquet", texts)
    memory = bytes_of_pieces(texts, PATTERNS["gpt4"])[0] * PER_BYTE // 4
    share = affordable_share(tmp_path, size_of(texts), PATTERNS["gpt4"], memory)
    kept = list(thinned(texts, share))
    assert 0.7 * memory < bytes_of_pieces(kept, PATTERNS["gpt4"])[0] * PER_BYTE < 1.1 * memory


def test_a_sample_of_one_document_holds_it_once(tmp_path):
    text = "".join(english(0, 100_000))
    path = tmp_path / "train-00000.parquet"
    write_documents(path, [text])
    tracemalloc.start()
    texts = sample([path], 500)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts == [text[place * len(text) // 16 :][:500] for place in range(16)]
    assert peak < 1.2 * sys.getsizeof(text)


def test_a_small_text_is_not_looked_at(tmp_path):
    assert affordable_share(tmp_path / "not there", 100, PATTERNS["gpt4"], 100 * PER_BYTE) == 1


def test_the_draw_is_by_content_and_fair():
    texts = chinese(1, 4000)
    kept = list(thinned(texts, 0.25))
    assert len(kept) == pytest.approx(1000, abs=120)
    assert set(thinned(texts[::-1], 0.25)) == set(kept)
    assert set(kept) < set(thinned(texts, 0.5))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.67])
@pytest.mark.parametrize(
    "text",
    [
        "".join(chinese(2, 30_000)),
        " ".join(english(2, 20_000)),
        "".join(chinese(2, 30_000)).replace("。", ""),
        "".join(random.Random(2).choices("abcdef", k=500_000)),
    ],
    ids=["Chinese", "English", "without punctuation", "one word"],
)
def test_one_document_is_thinned_as_many_short_ones(text, share):
    drawn = thinned([text], share)
    assert list(drawn)
    assert drawn.bytes == pytest.approx(share * len(text.encode()), rel=0.5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_spans_have_the_pieces_of_the_text(pattern):
    texts = [" ".join(english(3, 3000)), "".join(chinese(3, 3000)), "short, and don't!", "\n\n"]
    cut = regex.compile(PATTERNS[pattern], regex.VERSION1)
    found = list(training_spans([[text] for text in texts], size_of(texts), 1))
    assert len(found) > 10 and max(map(len, found)) < 2 * SPAN
    assert [piece for text in found for piece in cut.findall(text)] == [
        piece for text in texts for piece in cut.findall(text)
    ]


def test_no_word_is_cut_where_all_of_a_small_text_is_taken():
    texts = ["of understanding, and 天地", "a" * 3 * SPAN]
    assert list(training_spans([[text] for text in texts], size_of(texts), 1)) == texts


def test_the_share_of_a_document_does_not_depend_on_its_rows(monkeypatch, tmp_path):
    """Parts of it that repeat others, as a book that comes twice, are met at the same places."""
    [text] = ["".join(chinese(0, 3000))]
    text = (text + "".join(english(0, 500))) * 3
    shares = []
    for length in (2**22, 4000):
        monkeypatch.setattr(rows, "LENGTH", length)
        monkeypatch.setattr(rows, "ROW_LENGTH", length)
        write_documents(tmp_path / "train-00000.parquet", [text])
        shares.append(affordable_share(tmp_path, size_of([text]), PATTERNS["gpt4"], 10**6))
    assert shares[0] == shares[1] < 1


def test_a_long_document_weighs_in_a_sample_what_its_length_is(monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "LENGTH", 1000)
    monkeypatch.setattr(rows, "ROW_LENGTH", 100)
    write_documents(tmp_path / "train-00000.parquet", ["a" * 1000] * 8 + ["b" * 8000])
    assert [text[0] for text in sample([tmp_path / "train-00000.parquet"], 10)] == ["a"] * 8 + ["b"] * 8
