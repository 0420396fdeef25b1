"""The plots of the tales. Each tells what happens to a main character on one day.

What a story has to remember comes back in two ways: later sentences say it again, and cost a reader who
remembers nothing; or they only hint at it, and the closing question may ask for it.
"""

from collections.abc import Iterator

from gptgrid.stages.corpus.builtin.tales.scenes import INSIDE, befriend, feel, go, outing, pause
from gptgrid.stages.corpus.builtin.tales.story import Story
from gptgrid.stages.corpus.builtin.tales.world import Character, Item, Place, Spot, Thing


def lost(story: Story, a: Character) -> None:
    """Something is put down at one of several places, missed at home, and found there."""
    thing = story.thing()
    story.tell("owns", who=a, thing=thing)
    story.paragraph()
    left = journey(story, a, thing)
    story.paragraph()
    story.tell("returns", who=a)
    story.tell("misses", who=a, thing=thing)
    b = befriend(story, a)
    story.tell("asks", who=b)
    said = story.decide("recall", ("recalls", "recalls/silently"), (1, 1))
    story.tell(said, who=a, place=left)
    if said == "recalls":
        story.fact("left", left, who=a, thing=thing)
    story.tell("both_go_back", a=a, b=b, thing=thing, place=left)


def journey(story: Story, a: Character, thing: Thing) -> Place:
    """Let somebody go to two to five places, and return the one where something stays behind."""
    left = None
    for number in (1, 2, 3, 4, 5):
        place = story.pick("place", story.language.places)
        go(story, a, place)
        if left is None and (number == 5 or story.decide("here", (True, False), (1, 1))):
            left = place
            story.tell("puts", who=a, thing=thing, where=left)
            story.fact("left", left, who=a, thing=thing)
        pause(story, a)
        if left and 1 < number < 5 and story.decide("home", (True, False), (1, 1)):
            break
    return left


def wish(story: Story, a: Character) -> None:
    """Somebody is ill and wishes for something; a friend fetches it, and is held up on the way."""
    b = befriend(story, a)
    thing = story.thing()
    story.tell("wishes", a=a, who=b, thing=thing)
    story.fact("wished", thing, who=b)
    story.tell("promises", who=a, to=b)
    story.paragraph()
    halfway = outing(story, a)
    c = story.character()
    story.tell("comes", who=c, place=halfway)
    story.tell("invites", who=c)
    story.tell("declines", who=a, b=b)
    story.fact("invited", c, who=a)
    goal = story.pick("place", story.language.places)
    go(story, a, goal)
    pause(story, a)
    row = [story.thing(), story.thing()]
    row.insert(story.decide("row", (0, 1, 2), (1, 1, 1)), thing)
    x, y, z = row
    story.tell("lie", who=a, x=x, y=y, z=z, where=goal)
    recall = story.decide("recall", ("takes", "takes/silently"), (1, 1))
    story.tell(recall, who=a, thing=thing)
    if recall == "takes":
        story.fact("wished", thing, who=b)
    story.fact("found", goal, who=a)
    story.paragraph()
    story.tell("returns", who=a)
    pause(story, a, INSIDE)
    story.tell("gives/wish", giver=a, to=b, thing=thing)


def hands(story: Story, a: Character) -> None:
    """Two friends swap what they have, and more hands follow."""
    mine = story.thing()
    story.tell("owns", who=a, thing=mine)
    b = befriend(story, a)
    yours = story.thing()
    story.tell("owns", who=b, thing=yours)
    story.fact("first", a, thing=mine)
    story.fact("first", b, thing=yours)
    story.paragraph()
    place = outing(story, a)
    story.tell("waits", who=b, place=place)
    story.fact("met", place, a=a, b=b)
    story.tell("offers_swap", who=a)
    story.tell("agrees", who=b)
    story.tell("swaps", a=a, b=b, mine=mine, yours=yours)
    pause(story, b)
    c = story.character()
    story.tell("comes", who=c, place=place)
    story.tell("has_nothing", who=c)
    hand_on(story, (a, b, c), (mine, yours))
    story.paragraph()
    story.tell("all_return")
    thing = story.choose("carried", (mine, yours), (1, 1))
    story.tell("carries", who=story.world.held[thing], thing=thing)
    story.fact("last", story.world.held[thing], thing=thing)


def hand_on(story: Story, people: tuple[Character, ...], things: tuple[Thing, ...]) -> None:
    """Let one of two things go to who came last, and perhaps something on from hand to hand."""
    held, before = story.world.held, {}
    for thing in things:
        story.fact("last", held[thing], thing=thing)
    thing, to = story.choose("thing", things, (1, 1)), people[-1]
    for more in (True, True, False):
        before[thing] = giver = held[thing]
        story.tell("gives", giver=giver, thing=thing, to=to)
        story.fact("last", to, thing=thing)
        story.tell("thanks", who=to)
        pause(story, to)
        if not more or not story.decide("more", (True, False), (1, 1)):
            return
        thing = story.choose("thing", things, (1, 1))
        others = [who for who in people if who not in (held[thing], before.get(thing))]
        to = story.choose("to", others, (1,) * len(others))


def hide(story: Story, a: Character) -> None:
    """Hide and seek: two hide, one looks for them."""
    b = befriend(story, a)
    c = befriend(story, a, "friend/second")
    story.paragraph()
    story.tell("plays", a=a, b=b, c=c)
    number = story.choose("number", story.language.numbers[4:])
    story.tell("counts_to", who=a, number=number)
    story.fact("counted_to", number, who=a)
    spots = {}
    for who in (b, c):
        spots[who] = story.pick("spot", story.language.spots)
        story.tell("hides", who=who, spot=spots[who])
        story.fact("hid", spots[who], who=who)
        pause(story, who, INSIDE)
    story.paragraph()
    order = story.order("found", (b, c))
    first = seek(story, a, order, spots)
    story.fact("found_first", first, who=a)
    seek(story, a, order, spots)


def seek(story: Story, a: Character, order: Iterator[Character], spots: dict[Character, Spot]) -> Character:
    """Look in a wrong spot, or none, then find somebody."""
    if story.decide("wrong", (True, False), (1, 1)):
        story.tell("nobody", who=a, spot=story.pick("spot", story.language.spots))
    pause(story, a, INSIDE)
    found = next(order)
    if story.decide("recall", (True, False), (1, 1)):
        story.tell("finds/at", who=a, whom=found, spot=spots[found])
        story.fact("hid", spots[found], who=found)
    else:
        story.tell("finds", who=a, whom=found)
    story.tell("is_found", who=found)
    return found


def moved(story: Story, a: Character) -> None:
    """Something is moved from its spot to another while its owner is away."""
    b = befriend(story, a)
    thing = story.thing()
    story.tell("owns", who=a, thing=thing)
    before = story.pick("spot", story.language.spots)
    story.tell("puts/spot", who=a, thing=thing, where=before)
    story.fact("kept", before, who=a, thing=thing)
    story.paragraph()
    place = outing(story, a)
    story.tell("plays_with", who=b, thing=thing)
    pause(story, b, INSIDE)
    after = story.pick("spot", story.language.spots)
    story.tell("moves", who=b, thing=thing, where=after)
    story.fact("moved", after, who=b, thing=thing)
    story.fact("was", place, who=a, b=b, thing=thing)
    pause(story, b, INSIDE)
    story.paragraph()
    story.tell("returns", who=a)
    story.tell("looks", who=a, thing=thing, spot=before)
    story.fact("kept", before, who=a, thing=thing)
    story.tell("wonders", who=a)
    if story.decide("recall", (True, False), (1, 1)):
        story.tell("says_where", who=b, spot=after)
        story.fact("moved", after, who=b, thing=thing)
    else:
        story.tell("takes/spot", who=b, thing=thing)
    story.tell("is_glad", who=a)


def basket(story: Story, a: Character) -> None:
    """Something for each of two friends, who live in different places."""
    story.paragraph()
    gifts, homes = {}, {}
    for _ in range(2):
        who = story.character()
        homes[who] = story.pick("place", story.language.places)
        story.tell("lives", a=a, who=who, place=homes[who])
        story.fact("lived", homes[who], who=who)
        feel(story, who)
    story.tell("packs", a=a)
    for who in story.order("gift", list(homes)):
        gifts[who] = story.thing()
        story.tell("meant", a=a, who=who, thing=gifts[who])
        story.fact("got", gifts[who], who=who)
    for who in story.order("visit", list(homes)):
        story.paragraph()
        go(story, a, homes[who])
        pause(story, a)
        story.tell("opens", who=who)
        if story.decide("recall", (True, False), (1, 1)):
            story.tell("gives", giver=a, thing=gifts[who], to=who)
            story.fact("got", gifts[who], who=who)
        else:
            story.tell("gives/silently", giver=a, thing=gifts[who], to=who)
        story.fact("lived", homes[who], who=who)
        story.tell("thanks", who=who)


def harvest(story: Story, a: Character) -> None:
    """Two friends pick something and share it, several times."""
    b = befriend(story, a)
    item = story.choose("fruit", story.language.fruit)
    story.paragraph()
    story.tell("to_orchard", a=a, b=b, item=item)
    for who in (a, b):
        story.tell("picks", who=who, amount=story.amount((5, 4, 6, 3, 7), item))
        pause(story, who)
    story.paragraph()
    for more in (3, 2, 1, 0):
        change(story, a, b, item)
        if not more or not story.decide("more", (True, False), (more, 1)):
            break
    story.tell("carry_home", a=a, b=b, item=item)
    if story.decide("recall", (True, False), (1, 1)):
        who = story.choose("counted", (a, b), (1, 1))
        amount = story.language.amount(story.language.numbers[story.world.number[who] - 1], item)
        story.tell("has_left", who=who, amount=amount)
        story.fact("has", amount.number, who=who, item=item)


def change(story: Story, a: Character, b: Character, item: Item) -> None:
    """Let one of two share, lose or gain some, nobody twice in the same way; both keep one to twelve."""
    options = [
        (event, who, other)
        for event in ("shares", "uses", "gains")
        for who, other in ((a, b), (b, a))
        if (event, who) not in story.used and possible(story, event, who, other)
    ]
    event, who, other = story.decide("change", options, (1,) * len(options))
    story.used |= {(event, who), (event, other)} if event == "shares" else {(event, who)}
    amount = story.amount(possible(story, event, who, other), item)
    if event == "shares":
        story.tell("shares", giver=who, amount=amount, to=other)
    else:
        story.tell(event, who=who, amount=amount)
    for one in (a, b):
        story.fact("has", story.language.numbers[story.world.number[one] - 1], who=one, item=item)
    pause(story, who)


def possible(story: Story, event: str, who: Character, other: Character) -> list[int]:
    """Return how many may change hands."""
    has, most = story.world.number, len(story.language.numbers)
    left = most if event == "gains" else has[who] - 1
    room = {"shares": most - has[other], "uses": most, "gains": most - has[who]}[event]
    return [value for value in (1, 2, 3) if value <= min(left, room)]


SCHEMES = (lost, hands, hide, wish, moved, basket, harvest)
SHORT = (hide, moved, basket, harvest)
"""For a second day."""
