"""The plots. Each tells one tale from its beginning to the end of its plot, in whatever language."""

from collections.abc import Callable

from gptgrid.corpus.tales.choices import zipf
from gptgrid.corpus.tales.story import Story

OUTDOORS = ("count", "stranger", "rest", "cloud")
INDOORS = ("sing", "eat", "bell", "weather", "mood")
"""Small events, of which a tale has each once at most; those of `INDOORS` can happen anywhere."""


ROLES: dict[str, str | tuple[str, ...]] = {
    **dict.fromkeys(("a", "b", "c"), "person"),
    **dict.fromkeys(("home", "left", "where", "shop", "away"), "place"),
    **dict.fromkeys(("place0", "place1", "place2", "place3"), "place"),
    **dict.fromkeys(("thing", "mine", "yours", "x", "y", "z"), "thing"),
    **dict.fromkeys(("spot_b", "spot_c", "empty", "before", "after"), "spot"),
    **dict.fromkeys(("mood", "other_mood"), "mood"),
    **dict.fromkeys(("cause", "other_cause"), "cause"),
    **dict.fromkeys(("number", "times", "count"), "number"),
    **{kind: kind for kind in ("weather", "animals", "song", "food", "stranger", "tree", "shape")},
    "giver": ("a", "b"),
    "first": ("b", "c"),
}
"""Role → the kind of who or what plays it, or those other roles of which it is one."""


def tell(story: Story) -> tuple[str, str, tuple[str, ...]]:
    """Tell a tale; return the closing question, its answer, and other answers that the tale suggests."""
    begin(story)
    scheme = story.chooser.choose("scheme", list(SCHEMES), zipf(len(SCHEMES)), story.events_open)
    SCHEMES[scheme](story)
    end(story)
    return story.close()


def begin(story: Story) -> None:
    """Introduce two friends, the weather, and how each of them feels and why."""
    for event in ("begin", "sky", "friend", "feel"):
        story.tell(event)
    if story.branch("friend feels", ("friend feels", None), [1, 1]):
        story.ask("why other", "who felt", "who felt other")
    story.ask("why", "home")
    story.asides = [aside for aside in OUTDOORS + INDOORS if aside in story.language.wordings]
    story.paragraph()


def end(story: Story) -> None:
    """Take up the weather and the moods again."""
    story.paragraph()
    story.tell("evening")
    story.tell("better")
    if "other_mood" in story.cast:
        story.tell("friend better")


def go_inside(story: Story) -> None:
    """Let only such small events follow as can happen in a house."""
    story.asides = [aside for aside in story.asides if aside in INDOORS]


def lose(story: Story) -> None:
    """Something is laid down at one of several places, missed at home, and found there."""
    story.tell("lose")
    story.world.take(story["a"], story["thing"])
    for leg in range(4):
        role = f"place{leg}"
        if leg > 1 and "left" in story.cast:
            if not story.branch("go on", (f"go {leg}", None), [1, 1]):
                break
        else:
            story.tell(f"go {leg}")
        story.pause()
        visit(story, role, last=leg == 3)
    story.paragraph()
    go_inside(story)
    story.tell("missed")
    story.pause()
    story.tell("search")
    story.world.take(story["a"], story["thing"])
    story.tell("found")
    story.ask("left", "first place", "lost", "helped")


def visit(story: Story, role: str, last: bool) -> None:
    """Do something at a place: leave the thing there, or only look around."""
    if "left" in story.cast:
        story.tell("look")
    elif last or story.branch("visit", ("keep", "leave"), [1, 1]) == "leave":
        if last:
            story.tell("leave")
        story.cast["left"] = story[role]
        story.world.put(story["a"], story["thing"], story["left"])


def swap(story: Story) -> None:
    """Two friends swap what they have; one of them gives away what he or she got."""
    world = story.world
    story.tell("swap")
    world.take(story["a"], story["mine"])
    story.tell("friend has")
    world.take(story["b"], story["yours"])
    story.tell("meet")
    story.pause()
    story.tell("exchange")
    world.give(story["a"], story["mine"], story["b"])
    world.give(story["b"], story["yours"], story["a"])
    story.pause()
    story.paragraph()
    story.tell("comes")
    story.tell("gives")
    has = {who: thing for thing, who in world.holder.items()}
    story.cast["given"] = has[story["giver"]]
    world.give(story["giver"], story["given"], story["c"])
    story.tell("given")
    story.pause()
    for role in ("mine", "yours"):
        story.cast[f"has_{role}"] = world.holder[story[role]]
    story.ask("has mine", "has yours", "first owner", "where met", "gave")


def hide(story: Story) -> None:
    """Hide and seek: two hide, one looks for them, and finds each where the tale said."""
    for event in ("hide", "counts", "hides b", "hides c"):
        story.tell(event)
    go_inside(story)
    story.pause()
    story.paragraph()
    story.branch("empty", ("empty", None), [1, 1])
    story.tell("finds first")
    spots = {story["b"]: story["spot_b"], story["c"]: story["spot_c"]}
    (story.cast["second"],) = spots.keys() - {story["first"]}
    story.cast["first_spot"], story.cast["second_spot"] = spots[story["first"]], spots[story["second"]]
    story.tell("there first")
    story.pause()
    story.tell("finds second")
    story.ask("found first", "found last", "spot b", "spot c", "counted to")


def wish(story: Story) -> None:
    """Two friends each wish for something; the shop has more, and each gets what he or she wished for."""
    for event in ("wish", "wish b", "wish c"):
        story.tell(event)
    story.paragraph()
    story.tell("shop")
    story.pause()
    story.tell("sees")
    story.tell("buys")
    for role in ("x", "y"):
        story.world.take(story["a"], story[role])
    story.pause()
    story.paragraph()
    story.tell("gift b")
    story.world.give(story["a"], story["x"], story["b"])
    story.tell("gift c")
    story.world.give(story["a"], story["y"], story["c"])
    story.ask("got b", "got c", "stayed", "where bought")


def move(story: Story) -> None:
    """Something is put in one spot and moved to another while its owner is away."""
    story.tell("move")
    story.world.take(story["a"], story["thing"])
    story.tell("puts")
    story.world.put(story["a"], story["thing"], story["before"])
    story.tell("leaves")
    story.pause()
    story.paragraph()
    story.tell("moves")
    story.world.take(story["c"], story["thing"])
    story.world.put(story["c"], story["thing"], story["after"])
    story.tell("returns")
    go_inside(story)
    story.pause()
    story.tell("looks before")
    story.tell("told")
    story.world.take(story["a"], story["thing"])
    story.ask("before", "after", "mover", "away")


SCHEMES: dict[str, Callable[[Story], None]] = {
    "lose": lose,
    "swap": swap,
    "hide": hide,
    "wish": wish,
    "move": move,
}
