"""Children's stories in English, told by a small grammar.

Names, traits, moods, weather, places and possessions stay as they were introduced, and come back later: who
shouts keeps shouting, and what was left at the pond is found at the pond. Small events in between vary how
long something must be remembered. A question about the story with one right answer closes it.

A story is decided by `(seed, index)` alone. The grammar aims at what a small model can learn and at what
tells models apart, not at literature.
"""

from collections.abc import Iterator

from gptgrid.corpus.events import close
from gptgrid.corpus.schemes import SCHEMES
from gptgrid.corpus.story import Story
from gptgrid.seeds import derive


def tales(documents: int, seed: int) -> Iterator[str]:
    """Yield the first `documents` stories of a seed, 60 to 250 words each."""
    return (tale(seed, index) for index in range(documents))


def tale(seed: int, index: int) -> str:
    """Return one story; others of the same seed do not matter."""
    story = Story(derive(seed, "tales", index))
    story.choose(SCHEMES)(story)
    close(story)
    return story.text()
