"""The parts that every tale shares: how it begins and ends, and the small events on the way."""

from collections.abc import Callable

from gptgrid.stages.corpus.builtin.tales.story import Story
from gptgrid.stages.corpus.builtin.tales.world import Character, Place

OUTSIDE = ("does", "counts", "eats", "meets", "weather")
INSIDE = ("hears", "eats", "strikes", "remembers")
ONCE = ("weather", "strikes")
"""Small events: what can happen where, and what happens only once a day or once a story."""


def begin(story: Story) -> Character:
    """Introduce the main character, the weather, and perhaps a mood."""
    a = story.character()
    story.tell("opening", a=a)
    story.tell("morning", weather=story.pick("weather", story.language.weathers))
    feel(story, a)
    return a


def begin_again(story: Story) -> None:
    """Let a second day follow, with another weather."""
    story.paragraph()
    story.tell("next_day")
    story.used.discard(("weather", None))
    story.tell("morning", weather=story.pick("weather", story.language.weathers))


def feel(story: Story, who: Character) -> None:
    """Perhaps somebody is in a mood, for a reason."""
    if story.decide("moody", (True, False), (3, 1)):
        mood = story.pick("mood", story.language.moods)
        story.tell("feels", who=who, mood=mood)
        story.fact("felt", mood, who=who)
        story.fact("why", mood, who=who, mood=mood)


def befriend(story: Story, a: Character, event: str = "friend") -> Character:
    """Introduce a friend, who has moods too."""
    b = story.character()
    story.tell(event, a=a, b=b)
    feel(story, b)
    return b


def close(story: Story) -> None:
    """Take up the weather and a mood again, and end."""
    story.paragraph()
    story.tell("evening", weather=story.world.weather)
    if moods := story.world.mood:
        who = story.choose("cheered", list(moods), (1,) * len(moods))
        story.tell("cheered", who=who, mood=moods[who])
        story.fact("felt", moods[who], who=who)
    if story.decide("dreams", (True, False), (1, 1)):
        who = story.choose("dreamer", list(story.world.at))
        story.tell("dreams", who=who, dream=story.choose("dream", story.language.phrases["dream"]))


def pause(story: Story, who: Character, events: tuple[str, ...] = OUTSIDE) -> None:
    """Tell at most three small events, none of them twice about the same character, some never twice."""
    for stop in (2, 4, 8):
        fresh = [(event, None) if event in ONCE else (event, who) for event in events]
        fresh = [new for new in fresh if new not in story.used]
        new = story.decide("event", (None, *fresh), (stop, *[1] * len(fresh)))
        if new is None:
            return
        story.used.add(new)
        SMALL[new[0]](story, who)


def outing(story: Story, who: Character) -> Place:
    """Let somebody go to one to four places, and return the last."""
    number = 0
    while number < 1 or (number < 4 and story.decide("onward", (True, False), (3, 2))):
        place = story.pick("place", story.language.places)
        go(story, who, place)
        pause(story, who)
        number += 1
    return place


def go(story: Story, who: Character, place: Place) -> None:
    """Let somebody go somewhere, from home or from somewhere else."""
    story.tell("goes/out" if story.world.at[who] is None else "goes", who=who, place=place)


def counts(story: Story, who: Character) -> None:
    """Somebody counts something."""
    amount = story.amount((3, 2, 4, 5, 7, 6, 8, 9), story.pick("seen", story.language.seen))
    story.tell("counts", who=who, amount=amount)
    story.fact("counted", amount.number, who=who, item=amount.item)


def eats(story: Story, who: Character) -> None:
    """Somebody eats something."""
    food = story.pick("food", story.language.foods)
    story.tell("eats", who=who, food=food)
    story.fact("eaten", food, who=who)


def phrase(event: str) -> Callable[[Story, Character], None]:
    """Return a small event that is told with one of the phrases of its kind."""

    def tell(story: Story, who: Character) -> None:
        story.tell(event, who=who, what=story.pick(event, story.language.phrases[event]))

    return tell


def weather(story: Story, who: Character) -> None:
    """The weather is what it was."""
    story.tell("weather", who=who, weather=story.world.weather)


def strikes(story: Story, who: Character) -> None:
    """The clock strikes."""
    story.tell("strikes", number=story.choose("number", story.language.numbers))


SMALL = {
    "counts": counts,
    "eats": eats,
    "does": phrase("does"),
    "meets": phrase("meets"),
    "hears": phrase("hears"),
    "strikes": strikes,
    "remembers": phrase("remembers"),
    "weather": weather,
}
