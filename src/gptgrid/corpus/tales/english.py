"""The tales in English."""

from gptgrid.corpus.tales.choices import zipf
from gptgrid.corpus.tales.story import Language
from gptgrid.corpus.tales.world import Entity, Table


def table(kind: str, *forms: dict[str, str]) -> Table:
    """Return entities of a kind, the likeliest first."""
    return Table(tuple(Entity(kind, each) for each in forms), tuple(zipf(len(forms))))


def plain(kind: str, words: str) -> Table:
    """Return entities with one form, from `word, word`."""
    return table(kind, *({"": word} for word in words.split(", ")))


def person(name: str, girl: bool) -> dict[str, str]:
    """Return the forms of a child: `Mia`, `a girl named Mia`, pronouns."""
    he, him, his = ("she", "her", "her") if girl else ("he", "him", "his")
    return {
        "": name,
        "a": f"a {'girl' if girl else 'boy'} named {name}",
        "he": he,
        "him": him,
        "his": his,
    }


def things(colours: str, nouns: str) -> Table:
    """Return every noun in every colour: `the red kite`, `a red kite`."""
    colour_list, noun_list = colours.split(), nouns.split()
    forms = [
        {"": f"the {colour} {noun}", "a": f"a{'n' * (colour[0] in 'aeiou')} {colour} {noun}"}
        for colour in colour_list
        for noun in noun_list
    ]
    weights = [x * y for x in zipf(len(colour_list)) for y in zipf(len(noun_list))]
    return Table(tuple(Entity("thing", each) for each in forms), tuple(weights))


def place(words: str) -> dict[str, str]:
    """Return `the barn`, `in the barn` from `in the barn`."""
    return {"": words.split(" ", 1)[1], "at": words}


def weather(words: str) -> dict[str, str]:
    """Return `rainy` and `rain` from `rainy rain`."""
    adjective, noun = words.split()
    return {"": adjective, "noun": noun}


NAMES = "Mia Tom Anna Ben Lily Sam Rosa Max Nora Leo Ella Jack Zoe Paul Ivy Finn"
PLACES = (
    "in the barn, at the pond, in the park, at the mill, on the bridge, at the market, on the beach, "
    "in the garden, at the well, on the hill"
)
SPOTS = (
    "under the bed, behind the door, in the cupboard, on the shelf, under the table, behind the curtain, "
    "in the basket, beside the stove, under the stairs, in the bath"
)
CAUSES = (
    "it was too quiet at home, nobody had sung for a week, the cat had run away, a tooth hurt, "
    "the cake was burned, the roof was broken, the flowers were dry, the milk was sour"
)
ENGLISH = Language(
    tables={
        "person": table("person", *(person(name, at % 2 == 0) for at, name in enumerate(NAMES.split()))),
        "thing": things(
            "red blue green white yellow black", "ball kite hat book boat cup drum bell key lamp"
        ),
        "place": table("place", *map(place, PLACES.split(", "))),
        "spot": plain("spot", SPOTS),
        "weather": table("weather", *map(weather, ("rainy rain", "sunny sun", "windy wind", "foggy fog"))),
        "mood": plain("mood", "sad, cross, worried, grumpy, gloomy, upset"),
        "cause": plain("cause", CAUSES),
        "number": plain("number", "three, two, five, four, seven, six, nine, eight, ten, twelve"),
        "animals": plain("animals", "birds, ducks, snails, frogs, cows, sheep"),
        "song": plain("song", "the moon, a bear, the sea, a train, a king"),
        "food": plain("food", "an apple, some bread, a pear, some cheese, a cookie, some nuts"),
        "stranger": plain("stranger", "a farmer, a sailor, a nurse, a baker, a painter"),
        "tree": plain("tree", "oak, apple, pine, cherry"),
        "shape": plain("shape", "a fish, a horse, a shoe, a whale, a hand"),
    },
    wordings={
        "begin": (
            "Once upon a time there was {a.a}, who lived near {home}.",
            "Near {home} there lived {a.a}.",
            "This is the story of {a.a}, who lived near {home}.",
        ),
        "sky": ("It was a {weather} day.", "One {weather} morning {a} woke up early."),
        "friend": ("{a} had a good friend, {b.a}.", "{a.his} best friend was {b.a}."),
        "feel": (
            "{a} was {mood} that day, because {cause}.",
            "That day {a} felt {mood}, because {cause}.",
        ),
        "friend feels": (
            "{b} was {other_mood}, because {other_cause}.",
            "And {b} felt {other_mood}, because {other_cause}.",
        ),
        # ------------------------------------------------------------------ small events on the way
        "count": ("{a} counted {number} {animals}.", "In the grass {a} saw {number} {animals}."),
        "stranger": (
            "{a} met {stranger} and said hello.",
            "A little later {a} said good day to {stranger}.",
        ),
        "rest": ("{a} rested under the {tree} tree.", "Under the {tree} tree {a} rested for a while."),
        "cloud": (
            "One cloud looked like {shape}, thought {a}.",
            "{a} saw a cloud that looked like {shape}.",
        ),
        "sing": ("{a} sang a song about {song}.", "Softly {a} sang about {song}."),
        "eat": ("{a} was hungry and ate {food}.", "Soon {a} ate {food}."),
        "bell": ("Far away the clock struck {times}.", "The clock in the tower struck {times}."),
        "weather": ("It was still {weather}.", "The {weather.noun} did not go away."),
        "mood": ("{a} was still {mood}.", "But {a} still felt {mood}."),
        # ---------------------------------------------------------------------------- lost and found
        "lose": (
            "{a} had {thing.a} and took it everywhere.",
            "The thing that {a} loved best was {thing.a}.",
        ),
        "go 0": ("First {a} went to {place0}.", "{a} took {thing} and went to {place0}."),
        "go 1": ("Then {a} went to {place1}.", "From there {a} went to {place1}."),
        "go 2": ("After that {a} walked to {place2}.", "Next {a} ran to {place2}."),
        "go 3": ("Last of all {a} went to {place3}.", "At the end of the day {a} went to {place3}."),
        "keep": (
            "There {a} looked around and held {thing} tight.",
            "{a} played there with {thing} and took it along again.",
        ),
        "leave": (
            "There {a} put {thing} down to tie a shoe.",
            "{a} laid {thing} aside there to look at a butterfly.",
        ),
        "look": ("There {a} played for a while.", "{a} found nothing new there."),
        "missed": (
            'At home {a} cried, "Where is {thing}?"',
            "When {a} came home, {thing} was gone.",
        ),
        "search": (
            '"I will help you," said {c.a}, who lived next door.',
            "Next door lived {c.a}, who came to help.",
        ),
        "found": (
            "{a} and {c} looked everywhere and found {thing} {left.at}.",
            "They went back together, and {thing} was still {left.at}.",
        ),
        # -------------------------------------------------------------------------------------- swap
        "swap": ("{a} owned {mine.a}.", "For {a.his} birthday {a} had got {mine.a}."),
        "friend has": ("{b} owned {yours.a}.", "But {b} had {yours.a}."),
        "meet": ("The two friends met {where.at}.", "One day they both went to {where}."),
        "exchange": (
            '"Let us swap," said {a}. So {a} gave {b} {mine} and got {yours}.',
            'Then {b} said, "Let us swap," and {a} got {yours} and {b} got {mine}.',
        ),
        "comes": (
            "Then {c.a} came by, who had nothing to play with.",
            "After a while they saw {c.a}, who had no toys at all.",
        ),
        "gives": (
            "{giver} was kind and wanted to give something away.",
            '"You may have this," said {giver}.',
        ),
        "given": ("So {c} got {given}.", "Now {given} belonged to {c}."),
        # ----------------------------------------------------------------------------- hide and seek
        "hide": (
            "One afternoon {c.a} came, and all three played hide and seek in the house.",
            "They played hide and seek in the house with {c.a}.",
        ),
        "counts": ("{a} closed both eyes and counted to {count}.", "{a} had to count to {count}."),
        "hides b": ("{b} hid {spot_b}.", "Quickly {b} hid {spot_b}."),
        "hides c": ("{c} hid {spot_c}.", "Quietly {c} hid {spot_c}."),
        "empty": ("{a} looked {empty}, but nobody was there.", "Nobody was {empty}."),
        "finds first": (
            "The first friend that {a} found was {first}.",
            "Soon {a} heard a laugh: it was {first}.",
        ),
        "there first": ("{first} had been {first_spot}.", "There sat {first}, {first_spot}."),
        "finds second": (
            "At last {a} looked {second_spot} and found {second} too.",
            "{second} was still {second_spot}, and {a} found {second.him} last.",
        ),
        # ------------------------------------------------------------------------------------ wishes
        "wish": (
            "{c.a} came to visit, and they talked about their wishes.",
            "The friends and {c.a} told each other what they wished for.",
        ),
        "wish b": ('"I wish I had {x.a}," said {b}.', "{b} wanted {x.a}."),
        "wish c": ('"And I would like {y.a}," said {c}.', "{c} dreamed of {y.a}."),
        "shop": (
            "The next day {a} went to a shop near {shop}.",
            "A few days later {a} found a shop near {shop}.",
        ),
        "sees": (
            "In the shop {a} saw {z.a}, but {a} remembered what the friends had said.",
            "The first thing in the shop was {z.a}, but nobody had wished for that.",
        ),
        "buys": ("{a} bought two presents.", "So {a} took only two things from the shop."),
        "gift b": ("{b} got {x} and laughed.", "First {a} gave {x} to {b}."),
        "gift c": ("{c} got {y} and danced.", "Then {a} gave {y} to {c}."),
        # -------------------------------------------------------------------------------- moved away
        "move": (
            "{a} and {b} lived in one house with {c.a}. {a} had {thing.a}.",
            "In the same house lived {c.a}. {a} was proud of {thing.a}.",
        ),
        "puts": ("{a} put {thing} {before}.", "Every night {thing} lay {before}."),
        "leaves": ("Then {a} went to {away}.", "After breakfast {a} walked to {away}."),
        "moves": (
            "At home {c} played with {thing} and left it {after}.",
            "While {a} was away, {c} took {thing} and put it {after}.",
        ),
        "returns": ("In the afternoon {a} came back.", "When {a} came home, the house was quiet."),
        "looks before": (
            "{a} looked {before}, but {thing} was not there.",
            'There was nothing {before}. "Who took {thing}?" asked {a}.',
        ),
        "told": (
            '"I am sorry," said {c}. "Look {after}." There {a} found {thing}.',
            "{c} showed {a} that {thing} was {after}, and {a} took it back.",
        ),
        # --------------------------------------------------------------------------------------- end
        "evening": (
            "In the evening the {weather.noun} was gone.",
            "When night came, the {weather.noun} was gone.",
        ),
        "better": (
            "{a} was not {mood} any more.",
            "And {a}, who had been {mood}, smiled.",
        ),
        "friend better": (
            "{b} was not {other_mood} any more either.",
            "Even {b}, who had been {other_mood}, was happy now.",
        ),
    },
    questions={
        "why": ("Why was {a} {mood}?", "Because {cause}"),
        "why other": ("Why was {b} {other_mood}?", "Because {other_cause}"),
        "who felt": ("Who was {mood} at first?", "{a}"),
        "who felt other": ("Who was {other_mood} at first?", "{b}"),
        "home": ("Where did {a} live?", "Near {home}"),
        "count": ("How many {animals} did {a} see?", "{number}"),
        "stranger": ("Whom did {a} greet?", "{stranger}"),
        "rest": ("What did {a} rest under?", "The {tree} tree"),
        "cloud": ("What did the cloud look like?", "{shape}"),
        "sing": ("What did {a} sing about?", "{song}"),
        "eat": ("What did {a} eat?", "{food}"),
        "bell": ("How many times did the clock strike?", "{times}"),
        "left": ("Where did {a} leave {thing}?", "{left.at}"),
        "first place": ("Where did {a} go first?", "To {place0}"),
        "lost": ("What did {a} lose?", "{thing}"),
        "helped": ("Who helped {a} to look for {thing}?", "{c}"),
        "has mine": ("Who had {mine} in the end?", "{has_mine}"),
        "has yours": ("Who had {yours} in the end?", "{has_yours}"),
        "first owner": ("Whose was {yours} at first?", "{b}"),
        "where met": ("Where did {a} and {b} meet?", "{where.at}"),
        "gave": ("Who gave {c} something?", "{giver}"),
        "found first": ("Who was found first?", "{first}"),
        "found last": ("Who was found last?", "{second}"),
        "spot b": ("Where did {b} hide?", "{spot_b}"),
        "spot c": ("Where did {c} hide?", "{spot_c}"),
        "counted to": ("How far did {a} count?", "To {count}"),
        "got b": ("What did {b} get?", "{x}"),
        "got c": ("What did {c} get?", "{y}"),
        "stayed": ("What stayed in the shop?", "{z}"),
        "where bought": ("Near what place was the shop?", "{shop}"),
        "before": ("Where did {a} look for {thing} first?", "{before}"),
        "after": ("Where was {thing} when {a} came back?", "{after}"),
        "mover": ("Who moved {thing}?", "{c}"),
        "away": ("Where was {a} when {thing} was moved?", "{away.at}"),
    },
    closing="Question: {question} Answer: {answer}.",
    space=" ",
)
