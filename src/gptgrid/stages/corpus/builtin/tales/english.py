"""The tales in English: words and sentences of a children's story."""

from gptgrid.stages.corpus.builtin.tales.language import Language
from gptgrid.stages.corpus.builtin.tales.world import (
    Amount,
    Character,
    Food,
    Item,
    Kind,
    Mood,
    Number,
    Place,
    Spot,
    Thing,
    Trait,
    Weather,
)


def with_article(phrase: str) -> str:
    """Return `an orange kite`, `a red kite`."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def character(name: str, kind: Kind, trait: Trait) -> Character:
    """Return somebody who is introduced as `a shy fox named Mia`."""
    return Character(name, f"{with_article(f'{trait} {kind}')} named {name}", trait.said)


def thing(colour: str, item: Item) -> Thing:
    """Return `a red kite`, `the red kite`."""
    name = f"{colour} {item}"
    return Thing(name, with_article(name), f"the {name}")


def amount(number: Number, item: Item) -> Amount:
    """Return `one duck`, `three ducks`."""
    return Amount(f"{number} {item if number.value == 1 else item.many}", number, item)


def words(text: str) -> int:
    """Return the number of words."""
    return text.count(" ") + 1


GIRLS = ("Mia", "Anna", "Lily", "Rosa", "Nora", "Ella", "Zoe", "Ivy")
BOYS = ("Tom", "Ben", "Max", "Leo", "Sam", "Finn", "Jack", "Otto")

SENTENCES = {
    # Beginning and end.
    "opening": (
        "Once upon a time there was {a.a}.",
        "In a small village there lived {a.a}.",
        "Long ago there was {a.a}.",
        "At the edge of a forest lived {a.a}.",
    ),
    "morning": ("{weather.morning}",),
    "next_day": ("The next day came.", "Then it was morning again."),
    "feels": (
        "{who} was {mood} that day, because {mood.cause}.",
        "{who} felt {mood}, because {mood.cause}.",
        "{mood.cause}, and so {who} was {mood}.",
    ),
    "friend": (
        "{a} had a friend, {b.a}.",
        "Next door to {a} lived {b.a}.",
        "{a} knew {b.a}.",
    ),
    "friend/second": ("Another friend of {a} was {b.a}.", "{a} also knew {b.a}."),
    "evening": ("{weather.evening}",),
    "cheered": (
        "{who} was not {mood} any more.",
        "And {who}, who had been {mood} in the morning, smiled.",
        "How could {who} still be {mood} after such a day?",
    ),
    "dreams": ("That night {who} dreamed of {dream}.", "{who} fell asleep and dreamed of {dream}."),
    # Small events.
    "counts": ("{who} saw {amount}.", "On the way {who} counted {amount}.", "There {who} met {amount}."),
    "eats": ("{who} was hungry and ate {food.a}.", "Soon {who} had eaten {food.a}."),
    "does": ("{who} {what}.", "For a while {who} {what}."),
    "meets": ("A {what} said hello to {who}.", "A {what} asked {who} the way."),
    "weather": ("{weather.later}", "{who} looked up. {weather.later}"),
    "hears": ("{who} heard {what}.", "Just then {who} heard {what}."),
    "strikes": ("The clock struck {number}.", "Just then the clock struck {number}."),
    "remembers": ("{who} thought of {what}.", "{who} had to think of {what}."),
    # Going about.
    "goes": ("{who} went to {place}.", "Then {who} walked to {place}.", "After that {who} ran to {place}."),
    "goes/out": (
        "{who} went out to {place}.",
        "{who} left the house and ran to {place}.",
        "So {who} set out for {place}.",
    ),
    "returns": ("In the evening {who} went home.", "Then {who} came home.", "At last {who} was back home."),
    "comes": ("Along came {who.a}.", "On a stone sat {who.a}.", "Suddenly there was {who.a}."),
    "waits": ("{who} was already there.", "There stood {who}, waiting.", "And who was there? It was {who}."),
    # Things and hands.
    "owns": (
        "{who} had {thing.a}.",
        "{who} loved to play with {thing.a}.",
        "{who}'s treasure was {thing.a}.",
    ),
    "gives": (
        "{giver} gave {thing.the} to {to}.",
        '"Here is {thing.the} for you, {to}," {giver.said} {giver}.',
        "{to} got {thing.the} from {giver}.",
    ),
    "thanks": (
        '"Thank you," {who.said} {who}.',
        '"How kind of you," {who.said} {who}.',
        '"Is that for me?" {who.said} {who}.',
    ),
    # Something is lost.
    "puts": (
        "There {who} put {thing.the} down to tie a shoe.",
        "{who} laid {thing.the} aside to help a beetle, and forgot it.",
        "{who} let go of {thing.the} to sneeze, and left without it.",
    ),
    "misses": ("But where was {thing.the}?", "Then {who} looked for {thing.the}, but it was gone."),
    "asks": (
        '"Where did you have it last?" {who.said} {who}.',
        '"Think of where you have been," {who.said} {who}.',
    ),
    "recalls": ('"I left it {place.at}!" {who.said} {who}.', '"It must be {place.at}," {who.said} {who}.'),
    "recalls/silently": ('"Now I remember!" {who.said} {who}.', '"I know where it is," {who.said} {who}.'),
    "both_go_back": (
        "{a} and {b} went back, and there lay {thing.the}.",
        "They ran there together, and {a} found {thing.the}.",
    ),
    # Somebody wishes for something.
    "wishes": (
        "{who} was ill in bed and wished for {thing.a}.",
        "{who} had a fever and asked {a} for {thing.a}.",
        '"If only I had {thing.a}," {who.said} {who}, who was ill in bed.',
    ),
    "promises": (
        '"I will get it for you," {who.said} {who}.',
        '"I will be back soon, {to}," {who.said} {who}.',
    ),
    "invites": (
        '"Stay and play with me," {who.said} {who}.',
        '"Will you play with me?" {who.said} {who}.',
    ),
    "declines": ('"{b} is waiting," {who.said} {who}.', '"I made a promise," {who.said} {who}.'),
    "lie": ("There lay {x.a}, {y.a} and {z.a}.", "{where.at} {who} found {x.a}, {y.a} and {z.a}."),
    "takes": ("{who} took {thing.the} and left the rest.", "{who} needed only {thing.the}."),
    "takes/silently": ("{who} knew at once what to take.", "{who} took only what had been promised."),
    "gives/wish": (
        "{giver} put the present on the pillow, and {to} held it tight.",
        "{to} woke up and saw the present that {giver} had brought.",
    ),
    # Two swap.
    "offers_swap": ('"Let us swap," {who.said} {who}.', '"I like yours better than mine," {who.said} {who}.'),
    "agrees": ('"Good idea," {who.said} {who}.', '"Then we both get something new," {who.said} {who}.'),
    "swaps": (
        "So {a} got {yours.the}, and {b} got {mine.the}.",
        "So {b} took {mine.the}, and {a} took {yours.the}.",
    ),
    "has_nothing": ("{who} had nothing to play with.", '"I have nothing to play with," {who.said} {who}.'),
    "all_return": ("In the evening everybody went home.", "Then it was time to go home."),
    "carries": ("{who} carried {thing.the} home.", "{thing.the} went home with {who}."),
    # Hide and seek.
    "plays": ("{a}, {b} and {c} played hide and seek.", "{b} and {c} wanted to hide from {a}."),
    "counts_to": (
        "{who} closed both eyes and counted to {number}.",
        "{who} turned to the wall and counted to {number}.",
    ),
    "hides": (
        "{who} hid {spot.at}.",
        "{who} ran off and hid {spot.at}.",
        "{spot.at} there was room for {who}.",
    ),
    "nobody": (
        "{who} looked {spot.at}, but nobody was there.",
        "{who} looked {spot.at} and found only dust.",
    ),
    "finds/at": ("{who} looked {spot.at} and found {whom}.", "{spot.at} sat {whom}."),
    "finds": ("Then {who} found {whom}.", "{whom} had to laugh, and so {who} knew where to look."),
    "is_found": (
        '"You are good at this," {who.said} {who}.',
        '"What took you so long?" {who.said} {who}.',
    ),
    # Something is moved.
    "puts/spot": ("{who} put {thing.the} {where.at}.", "{who} kept {thing.the} {where.at}."),
    "plays_with": (
        "{who} stayed at home and played with {thing.the}.",
        "Meanwhile {who} took {thing.the} to play with it.",
    ),
    "moves": ("Later {who} left {thing.the} {where.at}.", "Then {who} put {thing.the} {where.at}."),
    "looks": (
        "{who} looked for {thing.the} {spot.at}, but found nothing there.",
        "{who} wanted {thing.the} and looked {spot.at}. It was gone.",
    ),
    "wonders": ('"Somebody has taken it!" {who.said} {who}.', '"How can that be?" {who.said} {who}.'),
    "says_where": ('"Look {spot.at}," {who.said} {who}.', '"I left it {spot.at}," {who.said} {who}.'),
    "takes/spot": (
        '"Wait," {who.said} {who} and fetched {thing.the}.',
        '"I know where it is," {who.said} {who} and went to get it.',
    ),
    "is_glad": ("{who} laughed.", "How glad {who} was!"),
    # A basket.
    "lives": ("Near {place} lived {who.a}.", "Not far from {place} lived {who.a}."),
    "packs": ("{a} knew them both and packed a basket.", "For these two {a} had packed a basket."),
    "meant": ("{thing.the} was meant for {who}.", "For {who} there was {thing.a}."),
    "opens": ("{who} opened the door.", "There {who} sat on the stairs."),
    "gives/silently": (
        "{giver} took the right thing out of the basket for {to}.",
        "{to} looked into the basket and took out what {giver} had packed.",
    ),
    # A harvest.
    "to_orchard": (
        "{a} and {b} went out to look for {item.many}.",
        "It was time for {a} and {b} to pick {item.many}.",
    ),
    "picks": ("{who} picked {amount}.", "{who} found {amount}."),
    "shares": ("{giver} gave {amount} to {to}.", "{to} got {amount} from {giver}."),
    "uses": (
        "{who} lost {amount}.",
        "{who} gave {amount} to a hungry crow.",
        "{who} left {amount} for the birds.",
    ),
    "gains": ("{who} found {amount} more.", "Later {who} picked {amount} more."),
    "carry_home": (
        "Then {a} and {b} carried their {item.many} home.",
        "{a} and {b} went home with their {item.many}.",
    ),
    "has_left": ("Now {who} had {amount}.", "In the kitchen {who} counted again: {amount}."),
}

QUESTIONS = {
    "felt": ("How did {who} feel at first?", "{answer}."),
    "why": ("Why was {who} {mood} at first?", "Because {answer.cause}."),
    "counted": ("How many {item.many} did {who} see?", "{answer}."),
    "eaten": ("What did {who} eat?", "{answer.a}."),
    "left": ("Where did {who} leave {thing.the}?", "{answer.at}."),
    "wished": ("What did {who} wish for?", "{answer.a}."),
    "invited": ("Who asked {who} to play on the way?", "{answer}."),
    "found": ("Where did {who} find the present?", "{answer.at}."),
    "first": ("Who had {thing.the} at first?", "{answer}."),
    "met": ("Where did {a} and {b} meet?", "{answer.at}."),
    "last": ("Who had {thing.the} in the end?", "{answer}."),
    "counted_to": ("To what number did {who} count?", "{answer}."),
    "hid": ("Where did {who} hide?", "{answer.at}."),
    "found_first": ("Whom did {who} find first?", "{answer}."),
    "kept": ("Where did {who} look for {thing.the} first?", "{answer.at}."),
    "moved": ("Where did {who} leave {thing.the}?", "{answer.at}."),
    "was": ("Where was {who} when {b} moved {thing.the}?", "{answer.at}."),
    "lived": ("Where did {who} live?", "Near {answer}."),
    "got": ("What did {who} get from the basket?", "{answer.a}."),
    "has": ("How many {item.many} did {who} have in the end?", "{answer}."),
    # Asked in dialogues alone.
    "had": ("What did {who} have?", "{answer.a}."),
    "owner": ("Who had {thing.the}?", "{answer}."),
    "colour": ("What colour was the {item} of {who}?", "{answer}."),
    "mood": ("How did {who} feel?", "{answer}."),
    "moody": ("Who was {mood}?", "{answer}."),
    "cause": ("Why was {who} {mood}?", "{answer.cause}."),
    "eater": ("Who ate {food.a}?", "{answer}."),
    "counter": ("Who saw {amount}?", "{answer}."),
    "hider": ("Who hid {spot.at}?", "{answer}."),
    "went_first": ("Where did {who} go first?", "To {answer}."),
    "at_last": ("Where was {who} in the end?", "{answer.at}."),
    "there_last": ("Who was {place.at} in the end?", "{answer}."),
    "lay_first": ("Where was {thing.the} at first?", "{answer.at}."),
    "lay_last": ("Where was {thing.the} in the end?", "{answer.at}."),
    "giver": ("Who gave {thing.the} to {to}?", "{answer}."),
    "has_last": ("What did {who} have in the end?", "{answer.a}."),
}

ENGLISH = Language(
    code="en",
    names=tuple(name for pair in zip(GIRLS, BOYS, strict=True) for name in pair),
    girls=frozenset(GIRLS),
    animals=tuple(Kind(name) for name in ("fox", "rabbit", "bear", "mouse", "hedgehog", "squirrel", "goat")),
    girl=Kind("girl"),
    boy=Kind("boy"),
    traits=(
        Trait("shy", "whispered"),
        Trait("loud", "shouted"),
        Trait("clever", "remarked"),
        Trait("gentle", "murmured"),
        Trait("sleepy", "yawned"),
        Trait("silly", "giggled"),
        Trait("proud", "declared"),
    ),
    moods=(
        Mood("sad", "a tooth hurt"),
        Mood("lonely", "nobody had come to visit"),
        Mood("bored", "there was nothing to do"),
        Mood("cross", "the milk was gone"),
        Mood("worried", "the cat had not come home"),
        Mood("nervous", "the first day of school was near"),
        Mood("jealous", "a cousin had got a new bicycle"),
    ),
    weathers=(
        Weather("sun", "The sun was shining.", "The sun warmed the stones.", "Slowly the sun went down."),
        Weather(
            "rain", "It was a day of rain.", "The rain ran down every leaf.", "By night the rain had stopped."
        ),
        Weather(
            "wind",
            "A strong wind was blowing.",
            "The wind pulled at every coat.",
            "At last the wind lay down to rest.",
        ),
        Weather(
            "fog",
            "There was fog over the fields.",
            "In the fog the trees looked like giants.",
            "The fog hid the first stars.",
        ),
        Weather(
            "clouds", "Grey clouds filled the sky.", "The clouds hung low.", "The last clouds turned pink."
        ),
    ),
    places=(
        Place("the pond", "at the pond"),
        Place("the market", "at the market"),
        Place("the barn", "in the barn"),
        Place("the bridge", "on the bridge"),
        Place("the garden", "in the garden"),
        Place("the mill", "at the mill"),
        Place("the park", "in the park"),
        Place("the well", "at the well"),
        Place("the beach", "on the beach"),
        Place("the meadow", "in the meadow"),
        Place("the school", "at the school"),
        Place("the harbour", "at the harbour"),
    ),
    spots=tuple(
        Spot(spot.split()[-1], spot)
        for spot in (
            "under the bed",
            "in the cupboard",
            "behind the curtain",
            "under the stairs",
            "behind the door",
            "in the basket",
            "under the table",
            "behind the clock",
            "in the chest",
            "beside the stove",
        )
    ),
    colours=("red", "blue", "green", "yellow", "white", "black", "brown", "orange", "purple", "silver"),
    things=tuple(
        Item(name, f"{name}s")
        for name in (
            "ball",
            "kite",
            "drum",
            "hat",
            "cup",
            "boat",
            "bell",
            "lantern",
            "scarf",
            "ribbon",
            "whistle",
            "button",
        )
    ),
    foods=(
        Food("apple pie", "an apple pie"),
        Food("bread", "some bread"),
        Food("soup", "a bowl of soup"),
        Food("honey cake", "some honey cake"),
        Food("nuts", "a bag of nuts"),
        Food("melon", "a ripe melon"),
    ),
    fruit=(
        Item("apple", "apples"),
        Item("pear", "pears"),
        Item("plum", "plums"),
        Item("peach", "peaches"),
        Item("chestnut", "chestnuts"),
    ),
    seen=tuple(Item(name, f"{name}s") for name in ("duck", "sparrow", "snail", "dog", "cart", "swan", "hen")),
    numbers=tuple(
        Number(name, value)
        for value, name in enumerate(
            (
                "one",
                "two",
                "three",
                "four",
                "five",
                "six",
                "seven",
                "eight",
                "nine",
                "ten",
                "eleven",
                "twelve",
            ),
            1,
        )
    ),
    phrases={
        "does": ("sang a song", "rested", "drew a picture", "looked around", "hummed", "danced"),
        "meets": ("farmer", "postman", "sailor", "nurse", "beekeeper"),
        "hears": ("a door", "steps outside", "a bell far away", "a cough", "a dog outside"),
        "remembers": ("the summer", "an old song", "a funny dream", "a long journey", "the sea"),
        "dream": (
            "a flying boat",
            "a mountain of cake",
            "a talking tree",
            "a city under the sea",
            "a horse on the moon",
        ),
    },
    sentences=SENTENCES,
    questions=QUESTIONS,
    closing="Question: {asked.question} Answer: {asked.answer}",
    character=character,
    thing=thing,
    amount=amount,
    blank=" ",
    reach=(20, 200),
    day=150,
    length=words,
)
