"""What of a sample stands in the training text, against a slow version that tries everything."""

import random

import pytest

from gptgrid.stages.sample import copies
from gptgrid.stages.sample.copies import RUN, find_copies
from gptgrid.stages.sample.units import CHARACTERS, MIXED, WORDS

WORD = [
    "Once",
    "upon",
    "a",
    "time",
    "there",
    "was",
    "a",
    "girl",
    "who",
    "lived",
    "near",
    "the",
    "forest",
    "and",
    "had",
    "a",
    "lamp",
]


def slowly(documents: list[list[str]], sample: list[str]) -> tuple[int, int]:
    """Return how many runs of a sample stand in the documents, and the longest span that does."""
    copied, longest = 0, 0
    for start in range(len(sample)):
        for end in range(start + RUN, len(sample) + 1):
            there = any(
                units[place : place + end - start] == sample[start:end]
                for units in documents
                for place in range(len(units))
            )
            copied += there and end - start == RUN
            longest = max(longest, there * (end - start))
    return copied, longest


@pytest.mark.parametrize("unit", [WORDS, CHARACTERS])
@pytest.mark.parametrize("seed", range(3))
def test_as_a_slow_version_finds(unit, seed, monkeypatch):
    monkeypatch.setattr(copies, "PART", 300)  # several batches
    source = random.Random(seed)
    alphabet = ["aa", "b", "aab", "."] if unit is WORDS else list("ab")
    documents = [source.choices(alphabet, k=source.randrange(50)) for _ in range(15)]
    samples = [source.choices(alphabet, k=source.randrange(40)) for _ in range(8)]
    samples += [documents[7], documents[3][5:25] + samples[0] + documents[11][:12]]
    texts = [unit.join(units) for units in documents]
    found = find_copies(texts, [unit.split(unit.join(units)) for units in samples], unit)
    for sample, one in zip(samples, found, strict=True):
        assert (one.copied, one.longest) == slowly(documents, sample)
        assert one.runs == max(0, len(sample) - RUN + 1)
        assert one.span in unit.join(sample)
        if one.longest:
            assert len(unit.split(one.span)) == one.longest
            inside = unit.border.join(filter(None, (one.before, one.span, one.behind)))
            assert unit.border + inside + unit.border in unit.border + texts[one.document] + unit.border


def test_a_planted_copy_is_shown_with_its_place():
    documents = ["nothing of it", f"He said:\n\n{' '.join(WORD)}  and went\taway.", " ".join(WORD)]
    sample = ["Yes", *WORD[3:13], "No"]
    (found,) = find_copies(documents, [sample], WORDS)
    assert (found.runs, found.copied, found.longest, found.document) == (5, 3, 10, 1)
    assert found.share == 3 / 5
    assert found.before == "He said: Once upon a"
    assert found.span == " ".join(WORD[3:13])
    assert found.behind == "and had a lamp and went away."


@pytest.mark.parametrize("unit", [WORDS, CHARACTERS])
def test_a_long_document_is_read_in_parts_and_no_span_is_cut(unit, monkeypatch):
    monkeypatch.setattr("gptgrid.text.documents.PART", 100)
    monkeypatch.setattr(copies, "PART", 100)
    source = random.Random(1)
    units = [chr(source.randrange(0xAC00, 0xD700)) for _ in range(3000)]
    samples = [units[start : start + 170] for start in range(0, 2800, 37)]
    text = unit.join(units)
    pieces = [piece for _, piece in copies.stretches([text], unit, 169)]
    assert max(map(len, pieces)) <= 170 + 100
    for sample, found in zip(samples, find_copies([text], samples, unit), strict=True):
        assert (found.copied, found.longest, found.span) == (170 - RUN + 1, 170, unit.join(sample))


def test_a_copied_passage_of_a_mixed_text_has_its_blanks():
    english = " ".join(WORD)
    documents = [f"他说：{english}。今天天气很好，我们去公园散步。"]
    samples = [MIXED.split(text) for text in (f"Yes {english[5:-5]} No", "我今天天气很好，我们走")]
    first, second = find_copies(documents, samples, MIXED)
    assert (first.runs, first.copied, first.longest) == (10, 8, 15)
    assert (first.before, first.span) == ("他说：Once", english[5:-5])
    assert (second.runs, second.copied, second.longest) == (4, 2, 9)
    assert (second.span, second.behind) == ("今天天气很好，我们"[:9], "去公园散步。")


@pytest.mark.parametrize("text", ["今天天气很好我们去公园散步" * 60, "the fox " * 100, "the fox，今天" * 80])
def test_a_long_mixed_text_is_cut_between_units(text, monkeypatch):
    monkeypatch.setattr("gptgrid.text.documents.PART", 100)
    pieces = [list(piece) for _, piece in copies.stretches([text], MIXED, 0)]
    assert [unit for piece in pieces for unit in piece] == MIXED.split(text)
    assert max(map(len, pieces)) <= 110


def test_no_span_goes_on_in_another_document_or_sample():
    halves = [WORD[:9], WORD[9:]]
    texts = [" ".join(half) for half in halves]
    assert [found.longest for found in find_copies(texts, [WORD], WORDS)] == [9]
    assert [found.longest for found in find_copies([" ".join(WORD)], [halves[0], halves[1]], WORDS)] == [9, 8]


def test_a_word_is_no_part_of_another_word():
    text = " ".join(["a"] * 7)
    assert find_copies([f"{text} ab"], [["a"] * 8], WORDS)[0].copied == 0
    assert find_copies([f"ba {text}"], [["a"] * 8], WORDS)[0].copied == 0
    assert find_copies([f"{text} a"], [["a"] * 8], WORDS)[0].copied == 1


def test_a_text_with_the_mark_between_documents_is_read():
    texts = ["a b c d", "e f g h"]
    sample = WORDS.split("a b c d \0 e f g h")
    assert find_copies(texts, [sample], WORDS)[0].copied == 0
    assert find_copies(["a b c d\0e f g h"], [sample], WORDS)[0].copied == 1


def test_samples_too_short_for_a_run_have_no_share():
    found = find_copies(["a b c"], [["a"], []], WORDS)
    assert [(one.runs, one.share, one.longest) for one in found] == [(0, None, 0)] * 2
    assert find_copies([], [WORD], WORDS)[0].share == 0
