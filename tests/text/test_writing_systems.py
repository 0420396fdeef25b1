"""Which characters are of scripts that put no blanks between words."""

import pytest

from gptgrid.text.writing_systems import SPACELESS, count_spaceless


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat, 3 times.", 0),
        ("Été à Ωμέγα, Привет, שלום, مرحبا, नमस्ते, 안녕 하세요", 0),
        ("天地玄黄。", 4),
        ("これはペンです", 7),
        ("สวัสดี", 6),
        ("ສະບາຍດີ", 7),
        ("សួស្តី", 6),
        ("မြန်မာ", 6),
        ("བོད་ཡིག", 7),
        ("𠀀😀\U0010ffff", 1),
    ],
)
def test_characters_without_blanks_are_counted(text, expected):
    assert count_spaceless(text) == expected == len(SPACELESS.findall(text))
