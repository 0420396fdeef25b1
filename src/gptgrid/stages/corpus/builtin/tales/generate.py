"""The corpus `tales`: children's stories in English or Chinese that end in a question with one right answer.

Who is who, what belongs to whom, where things were left, who speaks in which way and how the day began: a
story keeps to all of it, and comes back to it later. The text of a story shows every choice that made it, so
its exact probability is known: on average over tales no model can need fewer bits than that takes. On the few
of a split one may, by chance.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from gptgrid.artifact.variants import Variants
from gptgrid.seeds import derive
from gptgrid.stages.corpus.builtin.tales.chinese import CHINESE
from gptgrid.stages.corpus.builtin.tales.choices import Chooser, Drawing
from gptgrid.stages.corpus.builtin.tales.english import ENGLISH
from gptgrid.stages.corpus.builtin.tales.language import Language
from gptgrid.stages.corpus.builtin.tales.questions import ask
from gptgrid.stages.corpus.builtin.tales.scenes import begin, begin_again, close
from gptgrid.stages.corpus.builtin.tales.schemes import SCHEMES, SHORT
from gptgrid.stages.corpus.builtin.tales.story import Event, Story
from gptgrid.stages.corpus.builtin.tales.world import Character

LANGUAGES = Variants({"en": (ENGLISH,), "zh": (CHINESE,), "both": (ENGLISH, CHINESE)})
"""The key `language` of the configuration → languages that a tale may be in."""


@dataclass(frozen=True)
class Tale:
    """One document."""

    text: str
    """The story, and in a last paragraph the question and its answer."""
    bits: float
    """-log2 of the probability of the document."""
    language: str
    """`en` or `zh`."""
    question: str
    answer: str
    """The end of the text, as it stands there."""
    alternatives: tuple[str, ...]
    """Wrong answers that the story suggests, put like the right one."""
    distance: int
    """Words (en) or characters (zh) from where the story last says the answer to the answer."""
    events: tuple[Event, ...] = field(compare=False)
    """What happens in the story, in order."""


def generator_bpb(documents: Iterable[Tale]) -> float:
    """Return the bits per byte that the generator itself needs; on average no model needs fewer."""
    bits, size = 0.0, 0
    for document in documents:
        bits += document.bits
        size += len(document.text.encode())
    return bits / size


def tales(documents: int, seed: int, language: Literal["en", "zh", "both"] = "en") -> Iterator[Tale]:
    """Yield the first `documents` tales of a seed: 60 to 400 words, or 90 to 650 Chinese characters each."""
    return (tale(Drawing(derive(seed, "tales", index)), language) for index in range(documents))


def plot(story: Story, a: Character) -> None:
    """Tell one day or two, with a scheme for each."""
    scheme = story.decide("scheme", SCHEMES, (1,) * len(SCHEMES))
    scheme(story, a)
    if story.length <= story.language.day and not story.decide("one_day", (True, False), (1, 1)):
        begin_again(story)
        others = [other for other in SHORT if other is not scheme]
        story.decide("scheme", others, (1,) * len(others))(story, a)


def tale(chooser: Chooser, language: Literal["en", "zh", "both"] = "en") -> Tale:
    """Return the document that a chooser decides on."""
    options: tuple[Language, ...] = LANGUAGES[language]
    story = Story(chooser, chooser.choose("language", options, (1,) * len(options)))
    plot(story, begin(story))
    close(story)
    ending = ask(story)
    return Tale(
        text="".join(story.pieces),
        bits=chooser.bits,
        language=story.language.code,
        question=ending.question,
        answer=ending.answer,
        alternatives=ending.alternatives,
        distance=ending.distance,
        events=tuple(story.events),
    )
