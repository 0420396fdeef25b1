"""Tales by number: document `i` of a seed depends on nothing but the two."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from gptgrid.corpus.tales.chinese import CHINESE
from gptgrid.corpus.tales.choices import Chooser, Drawing, Reading
from gptgrid.corpus.tales.english import ENGLISH
from gptgrid.corpus.tales.schemes import ROLES, tell
from gptgrid.corpus.tales.story import Story
from gptgrid.seeds import derive

LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


@dataclass(frozen=True)
class Tale:
    """A story that closes with a question and its answer."""

    text: str
    bits: float
    """-log2 of its probability among the tales of its language: what no model can go below."""
    language: str
    """`en` or `zh`."""
    question: str
    answer: str
    alternatives: tuple[str, ...]
    """Other answers of the same kind that the story suggests, all of them wrong."""


def tale(seed: int, index: int, language: str) -> Tale:
    """Return one tale in `en` or `zh`; others of the same seed do not matter."""
    return told(Drawing(derive(seed, f"tales/{language}", index)), language)


def told(chooser: Chooser, language: str) -> Tale:
    """Return the tale that a chooser's decisions make."""
    question, answer, alternatives = tell(Story(chooser, LANGUAGES[language], ROLES))
    return Tale(chooser.text, chooser.bits, language, question, answer, alternatives)


def generate(documents: int, seed: int, language: str = "en") -> Iterator[Tale]:
    """Yield the first `documents` tales of a seed.

    Args:
        documents: how many; more begin with the same ones.
        seed: which stream of tales.
        language: `en`, `zh`, or `both`: by turns, English first. Whose turn it is is no news, so the bits
            are those within the language.
    """
    turns = cycle(LANGUAGES if language == "both" else (language,))
    return (tale(seed, index, turn) for index, turn in enumerate(islice(turns, documents)))


def parse(text: str, language: str) -> tuple[Tale, Reading]:
    """Read a tale back from its text alone; also return the reader, which holds the decisions.

    Raises:
        ValueError: this is no tale, or not all of it is.
    """
    reader = Reading(text)
    found = told(reader, language)
    if reader.rest:
        raise ValueError(f"the tale ends before {reader.rest!r}")
    return found, reader


def tales(documents: int, seed: int, language: str = "en") -> Iterator[str]:
    """Yield the texts of the first `documents` tales of a seed, like `generate`."""
    return (found.text for found in generate(documents, seed, language))
