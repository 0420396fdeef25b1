"""The walk in a terminal: narrow, aligned, without colours in a pipe."""

import io

import pytest
from cells import tiny
from rich.cells import cell_len
from small_codecs import CODECS

from gptgrid.inference.cell import TrainedCell
from gptgrid.inference.walk.show import make_console, number_text, show_steps, wrapped
from gptgrid.inference.walk.steps import walk_cell
from gptgrid.inference.walk.words import read_words


def printed(text: str, language: str, **switches: object) -> list[str]:
    codec = CODECS["char"]
    module = tiny(codec.vocab_size, context=64, n_head=4, **switches).requires_grad_(False)
    cell = TrainedCell(
        module, codec, {"model": {"context": 64}, "vocab_size": module.vocab_size, "training": {}}
    )
    told = walk_cell(cell, text, read_words(language), "all", "all", backward=True)
    file = io.StringIO()
    show_steps(make_console(file), told.walk, told.steps)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("preset", ["gpt2", "modern", "encoder"])
def test_lines_fit(preset, language):
    lines = printed("The 狐 and the hen, 学习 \x1b[31m" + "x" * 50, language, preset=preset)
    assert max(map(cell_len, lines)) <= 100
    assert not any("\x1b" in line for line in lines)
    assert not any("�" in line for line in lines)


def test_columns_of_chinese_stand_in_line():
    lines = printed("狐 and", "en")
    start = next(place for place, line in enumerate(lines) if line.endswith("Embedding"))
    rows = [line for line in lines[start : start + 12] if line.startswith("  ")][1:]
    ends = {cell_len(line[: line.index("…")]) for line in rows}
    assert len(rows) == 6
    assert len(ends) == 1


def test_lines_break_at_blanks_and_between_chinese_characters():
    assert wrapped("one two three", 8) == "one two\nthree"
    assert wrapped("一二三四，五六", 6) == "一二三\n四，五\n六"
    assert wrapped("一二三，四", 6) == "一二\n三，四"
    assert wrapped("共 16 个", 100) == "共 16 个"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (0.0, "0.000"),
        (-1.5, "−1.500"),
        (4e-5, "4e−05"),
        (12345.6, "1.23e+04"),
        (float("-inf"), "−∞"),
    ],
)
def test_numbers_are_short(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(("columns", "width"), [(None, 100), ("30", 60), ("80", 80), ("200", 100)])
def test_lines_are_as_wide_as_the_terminal(monkeypatch, columns, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    assert make_console(io.StringIO()).width == width
