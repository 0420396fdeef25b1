"""The parts that every tale shares: how it begins and ends, and the small events on the way."""

from collections.abc import Callable

from gptgrid.corpus import words
from gptgrid.corpus.story import Character, Story


def begin(story: Story) -> Character:
    """Introduce the main character, who is `{a}` from now on, the weather and the mood."""
    a = story.cast["a"] = story.character()
    story.say(
        "Once upon a time there was {a.a}.",
        "Once upon a time, in a small village, there lived {a.a}.",
        "Long ago there was {a.a}.",
        "At the edge of a forest lived {a.a}.",
    )
    story.say(story.weather.morning)
    story.say(
        "{a} was {mood}.", "{a} felt {mood} that day.", "{a} had been {mood} all week.", mood=story.mood
    )
    return a


def close(story: Story) -> None:
    """Take up weather and mood again, and end."""
    story.paragraph()
    story.say(story.weather.evening)
    story.say(
        "{a} was not {mood} any more.",
        "And {a}, who had been {mood}, smiled.",
        "Who could still be {mood} after such a day?",
        mood=story.mood,
    )
    if story.choose((True, False)):
        story.say("That night {a} dreamed of {dream}.", dream=story.choose(words.DREAMS))


def pause(story: Story, who: Character, events: tuple[Callable[[Story, Character], None], ...]) -> None:
    """Tell some of the small events that the story has not had yet, or none."""
    while (fresh := [event for event in events if event not in story.used]) and story.choose((True, False)):
        event = story.choose(fresh)
        story.used.add(event)
        event(story, who)


def count_things(story: Story, who: Character) -> None:
    """Somebody counts things on the way."""
    seen, number = story.choose(words.SEEN), story.choose(words.NUMBERS)
    story.say("On the way {who} counted {number} {seen}.", who=who, number=number, seen=seen)
    story.fact("How many {seen} did {who} count?", number, who=who, seen=seen)


def meet_stranger(story: Story, who: Character) -> None:
    """A stranger asks somebody the way."""
    stranger = story.choose(words.STRANGERS)
    story.say(
        "{stranger} asked {who} the way.",
        "{stranger}, who was lost, asked {who} the way.",
        stranger=stranger,
        who=who,
    )
    story.fact("Who asked {who} the way?", stranger, who=who)


def notice_weather(story: Story, who: Character) -> None:
    """The weather is as it was."""
    story.say(story.weather.later)


def stumble(story: Story, who: Character) -> None:
    """Somebody stumbles."""
    story.say(
        "{who} stumbled over {what}.", who=who, what=story.choose(("a root", "a stone", "a rake", "a rope"))
    )


def eat(story: Story, who: Character) -> None:
    """Somebody eats something."""
    food = story.choose(words.FOODS)
    story.say("{who} was hungry and ate {food}.", "Soon {who} had eaten {food}.", who=who, food=food)
    story.fact("What did {who} eat?", food, who=who)


def hear_clock(story: Story, who: Character) -> None:
    """The clock strikes."""
    number = story.choose(words.NUMBERS)
    story.say("Just then the clock struck {number}.", number=number)
    story.fact("How many times did the clock strike?", number)


def hear_noise(story: Story, who: Character) -> None:
    """The house makes a noise."""
    story.say("Somewhere a {what} creaked.", what=story.choose(("door", "chair", "window", "stair")))


OUTSIDE = (count_things, meet_stranger, notice_weather, stumble, eat)
INSIDE = (hear_clock, hear_noise, eat)
