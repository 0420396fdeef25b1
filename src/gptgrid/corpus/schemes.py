"""The plots of the tales. Each tells one story from its beginning to the end of its plot."""

from gptgrid.corpus import words
from gptgrid.corpus.events import (
    INSIDE,
    OUTSIDE,
    begin,
    eat,
    hear_clock,
    meet_stranger,
    notice_weather,
    pause,
    stumble,
)
from gptgrid.corpus.story import Character, Story, Thing


def lose(story: Story) -> None:
    """Something is put down at one of several places, missed at home, and found there."""
    a = begin(story)
    thing, places = story.thing(), [story.pick(words.PLACES) for _ in range(story.choose((2, 3)))]
    left_at = story.choose(places)
    story.cast.update(thing=thing, left_at=left_at)
    story.say("{a} had {thing.a} and took it everywhere.", "{a}'s greatest treasure was {thing.a}.")
    story.paragraph()
    for place in places:
        story.say("{a} {a.went} to {place}.", "Then {a} {a.went} to {place}.", place=place)
        if place is left_at:
            story.say(
                "There {a.he} put {thing} down to pick berries.",
                "{a.he} laid {thing} aside to tie a shoe.",
                "{a.he} let go of {thing} to chase a beetle.",
            )
        else:
            story.say(
                "There {a.he} threw pebbles.", "{a.he} looked around there.", "There {a.he} lay in the grass."
            )
        pause(story, a, OUTSIDE)
    story.paragraph()
    b = story.cast["b"] = story.character()
    story.say("At home {a} looked for {thing}, but it was gone.", "When {a} came home, {thing} was missing.")
    story.say("Next door lived {b.a}.", "{a} went to see {b.a}.")
    story.say('"Where did you have it last?" {b.said} {b}.', '"Think of where you have been," {b.said} {b}.')
    story.say('"Now I remember!" {a.said} {a}.', '"I know where it must be," {a.said} {a}.')
    story.say("They went back to {left_at}, and there lay {thing}.", "At {left_at} they found {thing}.")
    story.fact("Where had {a} left {thing}?", f"at {left_at}")
    story.fact("What did {a} lose?", thing)
    story.fact("Who helped {a} to think?", b)


def swap(story: Story) -> None:
    """Two friends swap what they have; perhaps one of them gives it away again."""
    a = begin(story)
    b, mine, yours, place = story.character(), story.thing(), story.thing(), story.pick(words.PLACES)
    story.cast.update(b=b, mine=mine, yours=yours, place=place)
    story.say("{a} owned {mine.a}.", "On {a}'s shelf lay {mine.a}.")
    story.say(
        "{a}'s friend was {b.a}, who owned {yours.a}.", "In the next house lived {b.a}, who had {yours.a}."
    )
    story.paragraph()
    story.say("One day {a} {a.went} to {place}.", "After breakfast {a} {a.went} to {place}.")
    pause(story, a, OUTSIDE)
    story.say("{b} was waiting there.", "There stood {b}.")
    story.say('"Let us swap," {a.said} {a}.', '"I like yours better than mine," {a.said} {a}.')
    story.say('"Good idea," {b.said} {b}.', '"Then we both get something new," {b.said} {b}.')
    story.say("So {a} got {yours}, and {b} got {mine}.", "So {b} took {mine}, and {a} took {yours}.")
    pause(story, b, OUTSIDE)
    has = {mine: b, yours: a}
    if story.choose((True, False)):
        hand_on(story, has)
    story.paragraph()
    for thing in story.order((mine, yours)):
        story.say("{thing} went home with {who}.", "{who} carried {thing} home.", thing=thing, who=has[thing])
    story.fact("Who had {mine} in the evening?", has[mine])
    story.fact("Who had {yours} in the evening?", has[yours])
    story.fact("To whom did {yours} belong at first?", b)
    story.fact("Where did {a} and {b} meet?", f"at {place}")


def hand_on(story: Story, has: dict[Thing, Character]) -> None:
    """Let somebody new come, to whom one of the owners gives what he or she has now."""
    c = story.character()
    thing = story.choose(list(has))
    story.say("Then {c.a} came by, crying.", "On a bench sat {c.a}, who had nothing to play with.", c=c)
    story.say(
        '"You may have {thing}," {who.said} {who} to {c}.',
        "{who} gave {c} {thing}.",
        thing=thing,
        who=has[thing],
        c=c,
    )
    has[thing] = c


def hide(story: Story) -> None:
    """Hide and seek: two hide, one looks for them."""
    a = begin(story)
    hiders = {story.character(): story.pick(words.SPOTS) for _ in range(2)}
    b, c = hiders
    number = story.choose(words.NUMBERS)
    story.cast.update(b=b, c=c, number=number)
    story.say(
        "{b.a} and {c.a} came to play hide and seek.",
        "That is why {a} invited {b.a} and {c.a} to hide and seek.",
    )
    story.paragraph()
    story.say(
        "{a} closed {a.his} eyes and counted to {number}.", "{a} turned to the wall and counted to {number}."
    )
    for who, spot in hiders.items():
        story.say("{who} {who.went} off and hid {spot}.", "{spot} was where {who} hid.", who=who, spot=spot)
        pause(story, who, INSIDE)
    story.paragraph()
    found = story.order((b, c))
    for who in found:
        for _ in range(story.choose((0, 1, 2))):
            story.say("{a} looked {spot}: nobody.", "Nobody was {spot}.", spot=story.pick(words.SPOTS))
        pause(story, a, INSIDE)
        story.say(
            "Then {a} looked {spot}, and there was {who}!",
            "{spot} {a} found {who}.",
            spot=hiders[who],
            who=who,
        )
        story.say(
            '"You are good at this," {who.said} {who}.', '"What took you so long?" {who.said} {who}.', who=who
        )
    story.fact("Who was found first?", found[0])
    story.fact("Who was found last?", found[1])
    story.fact("How far did {a} count?", f"to {number}")
    for who, spot in hiders.items():
        story.fact("Where had {who} hidden?", spot, who=who)


def race(story: Story) -> None:
    """Three run a race; the prize goes to the one who won it."""
    begin(story)
    b, c, prize = story.character(), story.character(), story.thing()
    start, goal = story.pick(words.PLACES), story.pick(words.PLACES)
    story.cast.update(b=b, c=c, prize=prize, start=start, goal=goal)
    story.say("In the same street lived {b.a} and {c.a}.", "{a} had two friends: {b.a} and {c.a}.")
    story.paragraph()
    story.say("They wanted to race from {start} to {goal}.", "There was to be a race from {start} to {goal}.")
    story.say("The prize was {prize.a}.", "Whoever won should get {prize.a}.")
    first, second, third = story.order((story.cast["a"], b, c))
    leader = story.choose((second, third))
    story.say("At first {leader} was in front.", "{leader} had the best start.", leader=leader)
    story.say(
        '"You will never catch me!" {leader.said} {leader}.',
        '"Look at me!" {leader.said} {leader}.',
        leader=leader,
    )
    pause(story, leader, (notice_weather, stumble, meet_stranger))
    story.say(
        "But {first} reached {goal} first, then came {second}, then {third}.",
        "In the end {second} was faster than {third}, but {first} was the fastest of all.",
        "{third} came in last, and {second} could not catch {first}.",
        first=first,
        second=second,
        third=third,
    )
    story.paragraph()
    story.say(
        '"Well run," {third.said} {third}.', '"I will win next time," {third.said} {third}.', third=third
    )
    pause(story, second, (eat, hear_clock))
    story.say("So {prize} went to {first}.", "{first} proudly held {prize} up.", first=first)
    story.fact("Who won the race?", first)
    story.fact("Who came second?", second)
    story.fact("Who came last?", third)
    story.fact("Where did the race end?", f"at {goal}")
    story.fact("Who was in front at first?", leader)


def deliver(story: Story) -> None:
    """Three things in a basket: one for each of two friends, the third to keep."""
    a = begin(story)
    b, c = story.character(), story.character()
    gifts = {who: story.pick(words.GIFTS) for who in story.order((a, b, c))}
    homes = {who: story.pick(words.PLACES) for who in (b, c)}
    story.cast.update(b=b, c=c)
    x, y, z = (with_owner(who, gift, a) for who, gift in gifts.items())
    story.say("{a}'s grandmother packed a basket.", "In the kitchen stood a basket.")
    story.say('"The {x}, the {y}, and the {z}," said the grandmother.', x=x, y=y, z=z)
    story.paragraph()
    for who in story.order((b, c)):
        story.say("{a} {a.went} to {home}, where {who} lived.", home=homes[who], who=who)
        pause(story, a, OUTSIDE)
        story.say("{who.a} opened the door.", "There sat {who.a}.", who=who)
        story.say("{a} took the {gift} out of the basket.", "{who} got the {gift}.", gift=gifts[who], who=who)
        story.say('"Thank you, {a}," {who.said} {who}.', '"Just what I need," {who.said} {who}.', who=who)
    story.paragraph()
    story.say(
        "Only the {gift} was left, and {a} took it home.", "{a} came home with the {gift}.", gift=gifts[a]
    )
    story.fact("What did {a} keep?", f"the {gifts[a]}")
    for who in (b, c):
        story.fact("What did {who} get?", f"the {gifts[who]}", who=who)
        story.fact("Where did {who} live?", f"at {homes[who]}", who=who)


def with_owner(who: Character, gift: str, listener: Character) -> str:
    """Return `candle is for Mia`, or `candle is for you`."""
    return f"{gift} is for {'you' if who is listener else who}"


def move(story: Story) -> None:
    """Something is put in one spot and moved to another while its owner is away."""
    a = begin(story)
    b, thing, place = story.character(), story.thing(), story.pick(words.PLACES)
    before, after = story.pick(words.SPOTS), story.pick(words.SPOTS)
    story.cast.update(b=b, thing=thing, place=place, before=before, after=after)
    story.say("{a} shared a house with {b.a}.", "{b.a} had come to stay with {a}.")
    story.say("{a} put {thing.a} {before}.", "{before} {a} kept {thing.a}.")
    story.paragraph()
    story.say("Then {a} {a.went} to {place}.", "After that {a} {a.went} to {place}.")
    pause(story, a, OUTSIDE)
    pause(story, a, OUTSIDE)
    story.say(
        "While {a} was away, {b} moved {thing}: now it was {after}.",
        "Meanwhile {b} played with {thing} and left it {after}.",
    )
    pause(story, b, INSIDE)
    story.paragraph()
    story.say("{a} came home and wanted {thing}.", "Back home {a} thought of {thing}.")
    story.say("{a.he} looked {before}, but found nothing there.", "{before} there was only dust now.")
    for _ in range(story.choose((0, 1))):
        story.say("Nor was it {spot}.", "It was not {spot} either.", spot=story.pick(words.SPOTS))
    story.say('"Somebody has taken it!" {a.said} {a}.', '"How can that be?" {a.said} {a}.')
    story.say('"Look {after}," {b.said} {b}.', '"I left it {after}," {b.said} {b}.')
    story.say("And so {a} had {thing} again.", "{a} held {thing} tight.")
    story.fact("Where did {a} look first?", before)
    story.fact("Where was {thing} in the end?", after)
    story.fact("Who had moved {thing}?", b)
    story.fact("Where was {a} when it was moved?", f"at {place}")


def promise(story: Story) -> None:
    """Somebody promises a sick friend something, is held up, and keeps the promise."""
    a = begin(story)
    b, c = story.character(), story.character()
    x, y, z = story.thing(), story.thing(), story.thing()
    promised, goal, halfway = story.choose((x, y, z)), story.pick(words.PLACES), story.pick(words.PLACES)
    story.cast.update(b=b, c=c, promised=promised, goal=goal, halfway=halfway)
    story.say("{a}'s friend, {b.a}, was ill in bed.", "{b.a} had a fever, and {a} sat by the bed.")
    story.say(
        '"I will fetch you {promised} from {goal}," {a.said} {a}.',
        '"At {goal} I saw {promised.a}. You shall have it," {a.said} {a}.',
    )
    story.say('"Do you promise?" {b.said} {b}.', '"You are a true friend," {b.said} {b}.')
    story.paragraph()
    story.say("{a} {a.went} as far as {halfway}.", "First {a} {a.went} to {halfway}.")
    pause(story, a, OUTSIDE)
    story.say("There {a.he} met {c.a}.", "{c.a} was sitting there.")
    story.say('"Stay and play with me," {c.said} {c}.', '"Why are you in such a hurry?" {c.said} {c}.')
    story.say('"{b} is waiting," {a.said} {a}.', '"I cannot stay," {a.said} {a}.')
    pause(story, a, OUTSIDE)
    story.say("At {goal} lay {x.a}, {y.a} and {z.a}.", x=x, y=y, z=z)
    story.say("{a} took {promised} and left the rest.", "{a} needed only {promised}.")
    story.paragraph()
    story.say("{b} was asleep when {a} came back.", "{b} was awake when {a} came back.")
    story.say("{a} put {promised} on the pillow.", "Soon {b} held {promised} in both hands.")
    story.fact("What had {a} promised {b}?", promised)
    story.fact("Where did {a} find {promised}?", f"at {goal}")
    story.fact("Who wanted to know or to play at {halfway}?", c)
    story.fact("Who was ill?", b)


def rescue(story: Story) -> None:
    """A small animal is in trouble; what one friend has does not help, what the other has does."""
    a = begin(story)
    b, place = story.character(), story.pick(words.PLACES)
    has = {a: story.thing(), b: story.thing()}
    pet, trap = story.choose(words.PETS), story.choose(words.TRAPS)
    story.cast.update(b=b, place=place, pet=pet, trap=trap)
    story.say("{a} always carried {thing.a}.", "{a} had got {thing.a} as a present.", thing=has[a])
    story.say("{a}'s friend was {b.a}, who never left home without {thing.a}.", thing=has[b])
    story.paragraph()
    story.say("Together they went to {place}.", "They met at {place}.")
    pause(story, a, OUTSIDE)
    story.say("In {trap} sat a {pet} and could not get out.", "Then they heard a {pet} crying in {trap}.")
    story.say('"We must help!" {a.said} {a}.', '"The poor little thing!" {a.said} {a}.')
    failed, helped = story.order((a, b))
    story.say("{who} tried it with {thing}, but that did not work.", who=failed, thing=has[failed])
    pause(story, failed, OUTSIDE)
    story.say('"Let me try," {who.said} {who}.', '"I have something better," {who.said} {who}.', who=helped)
    story.say(
        "With {thing} {who} got the {pet} out.",
        "{who} used {thing}, and the {pet} was free.",
        who=helped,
        thing=has[helped],
    )
    story.paragraph()
    story.say("{who} patted {other} on the back.", "{who} was glad for {other}.", who=failed, other=helped)
    story.say("The {pet} ran after {who} all the way home.", "The {pet} never forgot {who}.", who=helped)
    story.fact("Who got the {pet} out?", helped)
    story.fact("What did not help?", has[failed])
    story.fact("What helped?", has[helped])
    story.fact("Where had the {pet} been caught?", f"in {trap}")


SCHEMES = (lose, swap, hide, race, deliver, move, promise, rescue)
