"""The text alone gives the choices back."""

import pytest

from gptgrid.seeds import derive
from gptgrid.stages.corpus.builtin.tales.choices import WINDOW, Drawing, named
from gptgrid.stages.corpus.builtin.tales.generate import tale, tales
from gptgrid.stages.corpus.builtin.tales.parse import parse


@pytest.mark.parametrize(("language", "documents"), [("en", 150), ("zh", 150), ("both", 40)])
def test_text_gives_bits_and_all_else_back(language, documents):
    for told in tales(documents, 3, language):
        assert parse(told.text, language) == told


class Even(Drawing):
    """Draws every option equally often, so that rare ones come up; keeps what must be named."""

    def __init__(self, seed):
        super().__init__(seed)
        self.position, self.shown = 0, []

    def index(self, name, options, sums, fits):
        index = int(self.random() * len(options))
        if fits is named:
            self.shown.append((name, str(options[index]), self.position))
        return index

    def said(self, piece):
        self.position += len(piece)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rare_stories_can_be_parsed_and_name_within_the_window_what_was_chosen(language):
    for index in range(400):
        chooser = Even(derive(4, "even", index))
        told = tale(chooser, language)
        for name, option, position in chooser.shown:
            assert option in told.text[position : position + WINDOW], (name, option, told.text)
        if index < 60:
            assert parse(told.text, language) == told


def test_what_the_generator_cannot_have_written():
    told = next(tales(1, 0))
    for text in (
        told.text.removesuffix(told.answer) + told.alternatives[0],
        told.text.replace(" was ", " is ", 1),
        told.text + " ",
        told.text[:-1],
        "",
    ):
        with pytest.raises(ValueError, match="0 ways to tell this text"):
            parse(text)
    with pytest.raises(ValueError, match="0 ways"):
        parse(told.text, "zh")
