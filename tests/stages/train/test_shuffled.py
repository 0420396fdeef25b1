"""Every epoch has each document once, whole, in an order of its own."""

import numpy as np
import pytest

from gptgrid.stages.train.shuffled import ShuffledText
from gptgrid.tokens.shards import Shards

EOT = 99
DOCUMENTS = [[EOT, *range(10 * n, 10 * n + n)] for n in range(8)]


def text_of(shuffled: ShuffledText, epoch: int) -> list[int]:
    """Return the whole text of an epoch."""
    return shuffled.windows(np.array([0]), len(shuffled.shards), np.array([epoch]))[0].tolist()


def cut(text: list[int]) -> list[list[int]]:
    """Return the documents of a text."""
    starts = [place for place, token in enumerate(text) if token == EOT]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


@pytest.fixture(params=[1, 3])
def shards(request: pytest.FixtureRequest) -> Shards:
    return Shards(np.array_split(np.concatenate(DOCUMENTS), request.param))


def test_an_epoch_has_each_document_once_in_an_order_of_its_own(shards: Shards) -> None:
    shuffled = ShuffledText(shards, EOT, key=5)
    texts = [text_of(shuffled, epoch) for epoch in range(6)]
    for text in texts:
        assert sorted(cut(text)) == sorted(DOCUMENTS)
    assert len(set(map(tuple, texts))) == 6


def test_a_window_may_cross_documents_and_a_batch_epochs(shards: Shards) -> None:
    shuffled = ShuffledText(shards, EOT, key=5)
    texts = [text_of(shuffled, epoch) for epoch in range(3)]
    starts, epochs = np.array([3, 20, 0, 9, 3]), np.array([0, 0, 1, 2, 1])
    expected = [texts[epoch][start : start + 12] for start, epoch in zip(starts, epochs, strict=True)]
    assert shuffled.windows(starts, 12, epochs).tolist() == expected


def test_keys_have_orders_of_their_own(shards: Shards) -> None:
    assert text_of(ShuffledText(shards, EOT, key=5), 0) != text_of(ShuffledText(shards, EOT, key=6), 0)


def test_a_text_without_end_of_text_tokens_stays_as_it_is() -> None:
    text = [*range(20)]
    for eot in (None, EOT):
        assert text_of(ShuffledText(Shards([np.array(text)]), eot, key=5), 3) == text


def test_what_stands_before_the_first_document_is_one_too() -> None:
    found = text_of(ShuffledText(Shards([np.array([1, 2, EOT, 3, EOT, 4])]), EOT, key=5), 1)
    assert sorted(found) == sorted([1, 2, EOT, 3, EOT, 4])
    assert "1, 2" in str(found) and f"{EOT}, 3" in str(found)
