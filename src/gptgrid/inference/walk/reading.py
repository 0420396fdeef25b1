"""The steps before the model: from characters over bytes and pieces to token ids."""

from __future__ import annotations

from collections.abc import Iterator

from gptgrid.inference.vocabulary import Token, visible
from gptgrid.inference.walk.step import Step, Table, Value, chosen_places
from gptgrid.inference.walk.tokens import merged_tokens, pieces_of, readable, stages
from gptgrid.inference.walk.walk import Walk
from gptgrid.tokens.codec import BpeCodec

TEXT_SHOWN = 300
"""Characters of the text."""
CHARACTERS_SHOWN = 12
PIECES_SHOWN = 24
MERGED_SHOWN = 3
"""Tokens whose merges are shown one by one."""


def reading_steps(walk: Walk) -> Iterator[Step]:
    """Yield the steps from the text to ids. Bare ids have none before them."""
    if walk.codec.kind != "ids":
        yield text_step(walk)
        yield bytes_step(walk)
        if pieces := pieces_of(walk.codec, walk.text):
            yield pieces_step(walk, pieces)
        if tokens := merged_tokens(walk.vocabulary, walk.text):
            yield merges_step(walk, tokens)
    yield ids_step(walk)


def text_step(walk: Walk) -> Step:
    """Return the step that shows the text."""
    more = "…" if len(walk.text) > TEXT_SHOWN else ""
    table = Table("", [], [(readable(walk.text[:TEXT_SHOWN]) + more, [])])
    return walk.step("text", tables=[table], characters=len(walk.text))


def bytes_step(walk: Walk) -> Step:
    """Return the step from characters to bytes."""
    rows: list[tuple[str, list[Value]]] = [
        (visible(character.encode()), [f"U+{ord(character):04X}", character.encode().hex(" ")])
        for character in walk.text[:CHARACTERS_SHOWN]
    ]
    rows += [("…", ["", ""])] if len(walk.text) > CHARACTERS_SHOWN else []
    table = Table(walk.label("character"), [walk.label("code_point"), walk.label("bytes")], rows)
    return walk.step("bytes", tables=[table], bytes=len(walk.text.encode()))


def pieces_step(walk: Walk, pieces: list[str]) -> Step:
    """Return the step that cuts the text."""
    shown = [visible(piece.encode()) for piece in pieces[:PIECES_SHOWN]]
    shown += ["…"] if len(pieces) > PIECES_SHOWN else []
    return walk.step("pieces", tables=[Table("", [], [(" | ".join(shown), [])])], count=len(pieces))


def merges_step(walk: Walk, tokens: list[Token]) -> Step:
    """Return the step that merges bytes, for the first tokens that merges make."""
    tables = [merges_table(walk, token) for token in tokens[:MERGED_SHOWN]]
    ranks = "ids" if isinstance(walk.codec, BpeCodec) else "list"
    return walk.step("merges", tables=tables, ranks=walk.words(f"steps.merges.{ranks}"))


def merges_table(walk: Walk, token: Token) -> Table:
    """Return how one token comes about: its parts before the first merge, and after each."""
    first, *later = stages(token)
    rows: list[tuple[str, list[Value]]] = [("", [first, ""])]
    for merge, parts in zip(token.merges, later, strict=True):
        rows.append((f"{visible(merge.left)} + {visible(merge.right)}", [parts, str(merge.rank)]))
    return Table(walk.label("pair"), [walk.label("parts"), walk.label("rank")], rows)


def ids_step(walk: Walk) -> Step:
    """Return the step from tokens to ids."""
    ids = walk.recording.ids
    rows = [
        (walk.labels[place], [ids[place], walk.codec.token_bytes(ids[place]).hex(" ")])
        for place in chosen_places(len(ids))
    ]
    begins = "begins" if ids[0] == walk.codec.eot else "bare"
    return walk.step(
        "ids",
        shape=f"({len(ids)},) = (time,)",
        tables=[Table(walk.label("token"), [walk.label("id"), walk.label("bytes")], rows)],
        vocabulary=walk.module.vocab_size,
        start=walk.words(f"steps.ids.{begins}"),
    )
