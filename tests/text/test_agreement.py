"""How near texts come to others."""

import pytest
from sacrebleu.metrics import CHRF

from gptgrid.text.agreement import chrf


def test_chrf_is_that_of_sacrebleu_over_all_texts():
    texts, truths = ["the fox went home", "狐狸回家了"], ["the fox goes home", "狐狸回家了"]
    found, signature = chrf(texts, truths)
    metric = CHRF()
    assert found == metric.corpus_score(texts, [truths]).score and signature == str(metric.get_signature())
    assert 40 < found < 60


def test_blanks_do_not_count():
    assert chrf(["a  lamp"], ["a lamp"])[0] == pytest.approx(100)
    assert chrf([""], ["a lamp"])[0] == 0
