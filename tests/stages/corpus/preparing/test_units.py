"""Only what a reader would not miss is left out of what is compared."""

import pytest

from gptgrid.stages.corpus.preparing.units import units


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes, sir.", "yes sir!"),
        ("“Where is he?”", '"Where is he"'),
        ("‘Tis done…", "'tis done..."),
        ("床前明月光，", "床前明月光。"),
        ("你好，世界！", "你好 世界"),
        ("Ｃafé\n", "cafe\u0301"),
        ("exam\u00adple \u200b", "Example"),
        ("नमस्ते।", "नमस्ते"),
    ],
)
def test_case_blanks_and_marks_of_sentences_do_not_count(one, other):
    assert "".join(units(one)) == "".join(units(other)) != ""


@pytest.mark.parametrize(
    "texts",
    [
        ["5-3", "5*3", "5+3", "5/3", "5.3", "53"],
        ["-5", "5", "+5"],
        ["x = 1", "x == 1", "x != 1", "x + 1", "(x)-1", "x!=1", "x=1"],
        ["***", "---", "!!!", "...", "?", "“”", "。", "，", "\u200b"],
        ["😀", "😂😂", "😀😀", "OK"],
        ["don't", "dont"],
    ],
)
def test_other_signs_count(texts):
    assert len({tuple(units(text)) for text in texts}) == len(texts)
    assert all(units(text) for text in texts)
