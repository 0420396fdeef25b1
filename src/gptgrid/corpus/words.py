"""The vocabulary of the tales: who, where, what, and how people feel.

Only lists. Words of one list differ from each other, so that a text shows which was chosen.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trait:
    """A lasting quality, and how somebody who has it speaks and walks."""

    adjective: str
    said: str
    went: str


@dataclass(frozen=True)
class Weather:
    """The weather of a day: how it begins, how it is later, how it ends."""

    morning: str
    later: str
    evening: str


GIRLS = ("Mia", "Anna", "Lily", "Rosa", "Nora", "Ella", "Zoe", "Ivy", "Ada", "Lena", "Tess", "Greta")
BOYS = ("Tom", "Ben", "Max", "Leo", "Sam", "Finn", "Jack", "Otto", "Hugo", "Noah", "Paul", "Karl")
ANIMALS = ("fox", "rabbit", "bear", "mouse", "hedgehog", "squirrel", "duck", "goat", "owl", "frog")

TRAITS = (
    Trait("shy", "whispered", "tiptoed"),
    Trait("cheerful", "sang", "skipped"),
    Trait("loud", "shouted", "stamped"),
    Trait("sleepy", "yawned", "shuffled"),
    Trait("proud", "declared", "marched"),
    Trait("gentle", "murmured", "strolled"),
    Trait("grumpy", "grumbled", "trudged"),
    Trait("silly", "giggled", "hopped"),
    Trait("clever", "remarked", "walked"),
    Trait("hasty", "blurted", "rushed"),
)

MOODS = ("lonely", "bored", "worried", "cross", "sad", "nervous", "restless", "jealous")

WEATHERS = (
    Weather("It was a rainy morning.", "The rain ran down every leaf.", "By evening the rain had stopped."),
    Weather("The sun was shining.", "The sun warmed the stones.", "Slowly the sun went down."),
    Weather(
        "It had snowed all night.", "The snow crunched at every step.", "In the dusk the snow looked blue."
    ),
    Weather(
        "A strong wind was blowing.", "The wind pulled at every coat.", "At last the wind lay down to rest."
    ),
    Weather(
        "Fog lay over the fields.", "In the fog the trees looked like giants.", "The fog hid the first stars."
    ),
    Weather(
        "It was a hot day.", "It was too hot for the birds to sing.", "When it grew dark, it was still hot."
    ),
    Weather(
        "There was frost on the windows.", "The frost made each puddle hard.", "At night the frost came back."
    ),
    Weather("Grey clouds filled the sky.", "The clouds hung low.", "The last clouds turned pink."),
)

PLACES = (
    "the pond",
    "the old mill",
    "the bakery",
    "the wooden bridge",
    "the market",
    "the beach",
    "the well",
    "the school gate",
    "the barn",
    "the big oak tree",
    "the bus stop",
    "the library",
    "the playground",
    "the harbour",
    "the church tower",
    "the apple orchard",
)

SPOTS = (
    "under the bed",
    "behind the curtain",
    "in the cupboard",
    "on the top shelf",
    "inside the big boot",
    "under the stairs",
    "behind the clock",
    "in the laundry basket",
    "beside the stove",
    "under the table",
    "behind the piano",
    "in the wooden chest",
)

COLOURS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "silver", "brown")
THINGS = (
    "ball",
    "kite",
    "drum",
    "hat",
    "cup",
    "book",
    "boat",
    "bell",
    "lantern",
    "scarf",
    "key",
    "spoon",
    "ribbon",
    "whistle",
    "umbrella",
    "button",
)
FOODS = (
    "an apple pie",
    "a loaf of bread",
    "a bowl of plums",
    "some honey cake",
    "a bag of nuts",
    "a ripe melon",
)
GIFTS = ("jar of jam", "candle", "round cheese", "sack of flour", "bunch of carrots", "warm blanket")
SEEN = ("snails", "ducks", "butterflies", "beetles", "sparrows", "puddles", "red leaves", "white stones")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
STRANGERS = ("a postman", "a farmer", "a tired nurse", "an old sailor", "a chimney sweep", "a beekeeper")
PETS = ("kitten", "puppy", "duckling", "lamb", "little bird", "baby rabbit")
TRAPS = ("a deep ditch", "a thorny bush", "an empty barrel", "a hollow tree", "a muddy hole", "a broken cart")
DREAMS = (
    "a flying boat",
    "a mountain of cake",
    "a talking tree",
    "a city under the sea",
    "a horse on the moon",
)
