"""Counts of a text, and where its words cannot be counted."""

import pytest

from gptgrid.text.documents import Counts, why_no_words

ENGLISH = "The cat sat on the mat, and the dog ate it all. "


def counts_of(text: str) -> dict:
    counts = Counts()
    counts.add(text)
    return vars(counts)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH * 20,
        ENGLISH * 20 + "猫",
        "Hyvää huomenta kaikille. " * 5,
        # All letters of this table are Chinese, and blanks separate its words all the same.
        "日期 单价 数量\n" + "2024-01-03 12.50 7\n" * 40,
    ],
)
def test_blanks_separate_words(text):
    assert why_no_words(counts_of(text)) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "天地玄黄，宇宙洪荒。\n" * 9,
            "73% of the characters are of scripts that put no blanks between words",
        ),
        (ENGLISH * 20 + "猫が好きです。" * 5, "3% of the characters are of scripts"),
        ("INFO 2024-01-03 12:00:01,123 com.foo.Bar - 用户登录成功\n" * 9, "12% of the characters"),
        ("สวัสดีครับ ทุกคน\n" * 9, "of the characters are of scripts"),
        ("MKVLAAGIVGLLLAQWERTYMKVLAAGIVGLL\n" * 9, "33 characters stand between two blanks on average"),
    ],
)
def test_blanks_do_not_separate_words(text, reason):
    assert reason in why_no_words(counts_of(text))


def test_bare_ids_have_no_words_at_all():
    assert why_no_words(dict.fromkeys(vars(Counts()))) is None
