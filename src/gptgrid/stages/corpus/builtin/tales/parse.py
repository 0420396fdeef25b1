"""From the text of a tale back to the choices that made it."""

from typing import Literal

from gptgrid.stages.corpus.builtin.tales.choices import Walking, walk
from gptgrid.stages.corpus.builtin.tales.generate import Tale, tale


def parse(text: str, language: Literal["en", "zh", "both"] = "en") -> Tale:
    """Return what the generator would have to know to write a text: its bits, events, question and answer.

    Replays the generator along every branch that agrees with the text, to the end.

    Raises:
        ValueError: no choices, or more than one way to choose, lead to the text.
    """
    chooser = Walking(text)
    stories = list(walk(lambda _: tale(chooser, language), chooser))
    if len(stories) != 1:
        raise ValueError(f"{len(stories)} ways to tell this text, not one: {text[:60]!r}…")
    return stories[0]
