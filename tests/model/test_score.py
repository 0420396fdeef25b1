"""Scoring gives what the obvious loop gives, and every token once."""

import numpy as np
import pytest
import torch
from cells import tiny, token_by_token, uniform

from gptgrid.model import score as scoring
from gptgrid.model.score import cross_entropy, default_stride, likeliest, score, windows
from gptgrid.tokens.shards import Shards, open_shards, write_shard

VOCAB, CONTEXT = 23, 8
MODULES = {preset: tiny(VOCAB, preset=preset) for preset in ("gpt2", "llama", "modern", "encoder")}


def ids(length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(VOCAB, size=length)


def shards(length: int) -> Shards:
    return Shards([ids(length).astype(np.uint16)])


def obvious(module: torch.nn.Module, tokens: np.ndarray, context: int, stride: int) -> list[float]:
    """Return the nats of all tokens but the first."""
    return [nats for nats, _, _ in token_by_token(module, tokens.tolist(), context, stride)]


@pytest.mark.parametrize("stride", [1, 3, 4, 7, 8])
@pytest.mark.parametrize("length", [2, 5, 8, 9, 10, 12, 13, 16, 17, 41])
def test_the_obvious_loop_agrees(length, stride):
    for module in MODULES.values():
        expected = obvious(module, ids(length), CONTEXT, stride)
        nats = score(module, shards(length), CONTEXT, stride, batch_rows=3).nats
        assert nats.dtype == np.float64
        np.testing.assert_allclose(nats, expected, atol=2e-5)


def test_stride_one_is_token_by_token():
    tokens, module, total = ids(30), MODULES["gpt2"], 0.0
    for place in range(1, len(tokens)):
        seen = torch.tensor(tokens[None, max(0, place - CONTEXT) : place])
        with torch.no_grad():
            total -= module(seen)[0, -1].double().log_softmax(-1)[tokens[place]].item()
    assert score(module, shards(30), CONTEXT, 1).nats.sum() == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_every_target_once_in_order_within_the_context(context):
    for stride in range(1, context + 1):
        for targets in range(1, 40):
            scored = []
            for batch in windows(targets, context, stride, rows=3):
                assert 1 <= len(batch.starts) <= 3 and batch.lengths.max() <= context
                scored += batch.scored.tolist()
            assert scored == list(range(targets))


def test_overlap_gives_context():
    for batch in windows(100, 8, 2, rows=4):
        assert batch.skipped == (0 if batch.starts[0] == 0 else 6) and (batch.lengths > batch.skipped).all()


PARTS = [[0], [0, 1], [0, 3, 4, 30], [0, 40], [0, 39], [0, 5, 6, 7, 8, 9, 20, 29, 40], list(range(41))]


@pytest.mark.parametrize("starts", PARTS, ids=str)
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_parts_are_scored_as_if_each_stood_alone_with_the_beginning_of_the_next(starts, stride):
    text, spans = ids(41), list(zip(starts, [*starts[1:], 40], strict=True))
    for module in MODULES.values():
        expected = [
            nat for start, end in spans for nat in obvious(module, text[start : end + 1], CONTEXT, stride)
        ]
        for rows in (1, 3, 64):
            nats = score(module, shards(41), CONTEXT, stride, rows, np.array(starts)).nats
            np.testing.assert_allclose(nats, expected, atol=2e-5)


def test_short_parts_go_through_the_model_together_and_padding_is_little():
    sizes = np.random.default_rng(1).integers(1, 30, size=500)
    starts = np.cumsum(sizes) - sizes
    batches = list(windows(int(sizes.sum()), 8, 4, rows=16, starts=starts))
    computed = sum(len(batch.starts) * int(batch.lengths.max()) for batch in batches)
    assert all(len(batch.starts) * batch.lengths.max() <= 16 * 8 for batch in batches)
    assert computed < 1.02 * sum(int(batch.lengths.sum()) for batch in batches)
    assert len(batches) < 1.1 * computed / (16 * 8)


def test_a_document_mask_does_not_mind_what_pads():
    module = tiny(VOCAB, document_mask=True)
    text = ids(60)
    starts = np.unique([0, *np.flatnonzero(text == VOCAB - 1)])
    alone = np.concatenate(
        [
            score(module, Shards([text[start : end + 1]]), CONTEXT, CONTEXT).nats
            for start, end in zip(starts, [*starts[1:], 59], strict=True)
            if end > start
        ]
    )
    np.testing.assert_allclose(score(module, shards(60), CONTEXT, CONTEXT, 64, starts).nats, alone, atol=2e-5)


def test_a_uniform_model_scores_the_logarithm_of_the_vocabulary():
    np.testing.assert_allclose(score(uniform(VOCAB), shards(20), CONTEXT, 4).nats, np.log(VOCAB), rtol=1e-7)


def test_same_bits_again_and_nearly_the_same_for_other_batches():
    module, text = MODULES["llama"], shards(300)
    nats = score(module, text, CONTEXT, 4).nats
    assert nats.tobytes() == score(module, text, CONTEXT, 4).nats.tobytes()
    np.testing.assert_allclose(nats, score(module, text, CONTEXT, 4, batch_rows=1).nats, atol=2e-5)


def test_dropout_is_off_inside_and_as_before_outside():
    module = tiny(VOCAB, dropout=0.5)
    quiet = score(module, shards(40), CONTEXT, 4).nats
    module.train()
    np.testing.assert_array_equal(score(module, shards(40), CONTEXT, 4).nats, quiet)
    assert module.training


def test_reads_from_several_files_in_bounded_batches(tmp_path, monkeypatch):
    for number, part in enumerate(np.array_split(ids(200), 3)):
        write_shard(tmp_path / f"test-0000{number}.bin", [part], VOCAB)
    text, batch_rows = open_shards(tmp_path, "test"), []
    gather = text.windows
    monkeypatch.setattr(
        text, "windows", lambda starts, length: batch_rows.append(len(starts)) or gather(starts, length)
    )
    monkeypatch.setattr(scoring, "BATCH_TOKENS", 4 * CONTEXT)
    nats = score(MODULES["gpt2"], text, CONTEXT, 4).nats
    assert max(batch_rows) == 4
    np.testing.assert_allclose(nats, score(MODULES["gpt2"], shards(200), CONTEXT, 4).nats, atol=2e-5)
    monkeypatch.setattr(scoring, "BATCH_LOGITS", 2 * CONTEXT * VOCAB)
    batch_rows.clear()
    score(MODULES["gpt2"], text, CONTEXT, 4)
    assert max(batch_rows) == 2


@pytest.mark.parametrize("starts", [[0], [0, 3, 4, 30]], ids=str)
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_what_is_known_of_each_token_is_what_the_obvious_loop_sees(starts, stride):
    text, spans, hits = ids(41), list(zip(starts, [*starts[1:], 40], strict=True)), 0
    for module in MODULES.values():
        rows = [
            row
            for start, end in spans
            for row in token_by_token(module, text[start : end + 1].tolist(), CONTEXT, stride)
        ]
        scores = score(module, shards(41), CONTEXT, stride, 3, np.array(starts))
        nats, right, seen = map(list, zip(*rows, strict=True))
        np.testing.assert_allclose(scores.nats, nats, atol=2e-5)
        assert (scores.right.tolist(), scores.seen.tolist()) == (right, seen)
        hits += sum(right)
        assert scores.targets.tolist() == text[1:].tolist() and (scores.times == 1).all()
    assert 0 < hits < 40 * len(MODULES)


def test_of_equally_likely_tokens_the_first_is_the_likeliest():
    logits = torch.tensor([[2.0, 2.0, 1.0], [1.0, 2.0, 2.0], [3.0, 3.0, 3.0], [0.0, 5.0, 1.0]])[None]
    for target, expected in enumerate([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]]):
        targets = torch.full((1, 4), target)
        right = likeliest(logits, targets, cross_entropy(logits, targets))
        assert right.tolist() == [[bool(value) for value in expected]]


def test_without_numbers_nothing_is_likeliest():
    logits, targets = torch.full((1, 3, 5), torch.nan), torch.zeros(1, 3, dtype=torch.int64)
    assert not likeliest(logits, targets, cross_entropy(logits, targets)).any()


@pytest.mark.parametrize("stride", [0, -1, CONTEXT + 1])
def test_a_stride_out_of_range_is_refused(stride):
    with pytest.raises(ValueError, match=f"stride {stride} is not between 1 and the context 8"):
        score(MODULES["gpt2"], shards(20), CONTEXT, stride)


@pytest.mark.parametrize("length", [0, 1])
def test_less_than_two_tokens_are_refused(length):
    with pytest.raises(ValueError, match="scoring needs two"):
        score(MODULES["gpt2"], shards(length), CONTEXT, 4)


def test_the_default_stride_is_half_a_context_and_at_least_one():
    assert [default_stride(context) for context in (1, 2, 9, 128)] == [1, 1, 4, 64]
