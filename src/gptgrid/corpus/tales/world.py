"""What there is in a tale, and what stays true until something changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Entity:
    """Somebody or something, in the forms in which sentences mention it."""

    kind: str
    forms: Mapping[str, str]
    """Name of a form → words; the plain form is named ''."""

    def __str__(self) -> str:
        return self.forms[""]


@dataclass(frozen=True)
class Table:
    """Entities of one kind and how likely each is; no form of one begins like that of another."""

    entities: tuple[Entity, ...]
    weights: tuple[int, ...]


@dataclass
class World:
    """Who holds what, and what lies where."""

    holder: dict[Entity, Entity] = field(default_factory=dict)
    place: dict[Entity, Entity] = field(default_factory=dict)

    def take(self, who: Entity, thing: Entity) -> None:
        """Let somebody have a thing that nobody else holds."""
        if thing in self.holder:
            raise ValueError(f"{self.holder[thing]} holds {thing}, so {who} cannot take it")
        self.place.pop(thing, None)
        self.holder[thing] = who

    def put(self, who: Entity, thing: Entity, place: Entity) -> None:
        """Let somebody lay a thing down."""
        self.release(who, thing)
        self.place[thing] = place

    def give(self, who: Entity, thing: Entity, to: Entity) -> None:
        """Let a thing go from hand to hand."""
        self.release(who, thing)
        self.holder[thing] = to

    def release(self, who: Entity, thing: Entity) -> None:
        """Let go of a thing, which only its holder can."""
        if self.holder.get(thing) is not who:
            raise ValueError(f"{who} does not hold {thing}")
        del self.holder[thing]
