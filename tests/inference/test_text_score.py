"""Texts are scored in pieces as they are in one, and the worst places are found."""

import math
import random

import numpy as np
import pytest
import torch
from cells import tiny, uniform
from small_codecs import CODECS

from gptgrid.artifact.errors import UserError
from gptgrid.inference import text_score
from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.text_score import encode, score_text, together, windows_in_order
from gptgrid.model.score import windows
from gptgrid.tokens.codec import BytesCodec, IdsCodec

TEXT = "The fox and the hens. 天地玄黄🪲, said the fox; <|u|>and the others!\n" * 20


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("kind", CODECS)
def test_the_score_is_that_of_the_whole_text_to_the_bit(monkeypatch, kind):
    monkeypatch.setattr(text_score, "PART", 50)
    codec = CODECS[kind]
    cell = TrainedCell(tiny(codec.vocab_size, preset="llama"), codec)
    for text in (TEXT, TEXT[:130], "x"):
        for size in (1, 7, 2000):
            assert score_text(cell, pieces_of(text, size)).score == cell.score(text)


def test_marks_are_read_as_in_the_corpus_of_the_cell_and_never_cut(monkeypatch):
    monkeypatch.setattr(text_score, "PART", 20)
    codec = BytesCodec(["<|u|>", "<|u|>and"])
    text = "ab<|u|>and<|u|>" * 30
    for marks in (False, True):
        expected = codec.begin(text, marks)
        for size in (1, 2, 3, 64):
            found = np.concatenate(list(encode(codec, pieces_of(text, size), marks)))
            assert found.tolist() == expected
    cell = TrainedCell(tiny(259), codec, {"marks": "special"})
    found = score_text(cell, [text])
    assert found.score == cell.score(text) and found.score.bytes == len(text)
    assert all(text.encode()[place.offset :].startswith(place.text.encode()) for place in found.worst)


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_windows_come_as_from_a_list_of_all(stride):
    for targets in (*range(1, 30), 100):
        for rows in (1, 3, 50):
            expected, found = windows(targets, 8, stride, rows), windows_in_order(targets, 8, stride, rows)
            for one, other in zip(expected, found, strict=True):
                assert one.starts.tolist() == other.starts.tolist()
                assert one.lengths.tolist() == other.lengths.tolist() and one.skipped == other.skipped


def test_nats_are_added_up_block_by_block(monkeypatch):
    monkeypatch.setattr(text_score, "BLOCK", 100)
    cell = TrainedCell(tiny(257), BytesCodec())
    found, expected = score_text(cell, [TEXT], worst=3), cell.score(TEXT)
    assert found.score.nats == pytest.approx(expected.nats, rel=1e-12)
    assert (found.score.tokens, found.score.bytes) == (expected.tokens, expected.bytes)


@pytest.mark.parametrize("kind", CODECS)
def test_the_worst_place_is_where_the_nats_are(monkeypatch, kind):
    monkeypatch.setattr(text_score, "BLOCK", 300)
    codec = CODECS[kind]
    module = uniform(codec.vocab_size)
    with torch.no_grad():
        for index in codec.encode("xx" * 30):
            module.head.bias[index] = -30.0  # the model expects anything but x
    text = f"{'the fens, a dof in a hole. ' * 40}{'x' * 150}{' a fine hen, and the foal' * 40}天"
    found = score_text(TrainedCell(module, codec), [text], worst=4)
    best = found.worst[0]
    assert set(best.text) == {"x"} or (kind == "huggingface" and "x" in best.text)
    for place in found.worst:
        assert text.encode()[place.offset : place.offset + place.bytes].decode() == place.text
        assert 50 <= place.bytes < 150 and place.bpb == place.nats / math.log(2) / place.bytes
    assert [place.bpb for place in found.worst] == sorted((place.bpb for place in found.worst), reverse=True)


@pytest.mark.parametrize("kind", CODECS)
def test_passages_are_the_whole_text_wherever_blocks_end(monkeypatch, kind):
    text = "".join(random.Random(1).choices("a天🪲é fox", k=1100))
    cell = TrainedCell(tiny(CODECS[kind].vocab_size), CODECS[kind])
    whole = score_text(cell, [text], worst=1000)
    ordered = sorted(whole.worst, key=lambda place: place.offset)
    said = "".join(place.text for place in ordered)
    assert text.startswith(said) and len(text.encode()) - len(said.encode()) < 50
    assert all(90 < place.bytes < 110 for place in ordered[:-1])
    if len(said) == len(text):
        assert sum(place.nats for place in ordered) == pytest.approx(whole.score.nats)
    for block in (1, 90, 300):
        monkeypatch.setattr(text_score, "BLOCK", block)
        found = score_text(cell, [text], worst=1000).worst
        assert [(place.offset, place.text) for place in found] == [
            (place.offset, place.text) for place in whole.worst
        ]
        assert [place.nats for place in found] == pytest.approx([place.nats for place in whole.worst])


def test_a_rest_is_no_place_unless_it_is_all():
    cell = TrainedCell(tiny(257), BytesCodec())
    assert [place.bytes for place in score_text(cell, ["x" * 120]).worst] == [100]
    assert sorted(place.bytes for place in score_text(cell, ["x" * 160]).worst) == [60, 100]
    assert [place.text for place in score_text(cell, ["天"]).worst] == ["天"]
    assert score_text(cell, ["x" * 160], worst=0).worst == ()


def test_bare_ids_are_never_cut_within_a_number(monkeypatch):
    monkeypatch.setattr(text_score, "PART", 3)
    cell = TrainedCell(tiny(120), IdsCodec(120))
    text = " ".join(str(number % 113) for number in range(100))
    for size in (1, 5):
        found = score_text(cell, pieces_of(text, size))
        assert found.score == cell.score(text) and found.worst == ()


def test_several_texts_together():
    cell = TrainedCell(tiny(257), BytesCodec())
    one, two = cell.score("The cat"), cell.score("天地")
    both = together([one, two])
    assert (both.nats, both.tokens, both.bytes) == (one.nats + two.nats, 13, 13)
    assert both.bpb == pytest.approx(both.nats / math.log(2) / 13)


def test_a_text_with_nothing_in_it_is_refused():
    for pieces in ([], [""]):
        with pytest.raises(UserError, match="no token to score"):
            score_text(TrainedCell(tiny(257), BytesCodec()), pieces)


def test_weights_that_give_no_probabilities_give_no_figures():
    module = tiny(257)
    with torch.no_grad():
        module.norm.weight.fill_(float("nan"))
    cell = TrainedCell(module, BytesCodec())
    for scored in (cell.score, lambda text: score_text(cell, [text])):
        with pytest.raises(UserError, match="its nats are nan: the weights of this cell give no prob"):
            scored(TEXT)
