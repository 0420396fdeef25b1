"""How a tokenizer cuts a text and merges its bytes, as people read it."""

from __future__ import annotations

import regex

from gptgrid.inference.vocabulary import Token, Vocabulary, visible
from gptgrid.tokens.base import Codec, replaced
from gptgrid.tokens.codec import BpeCodec
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.same_ids import pattern_of


def readable(text: str) -> str:
    """Return a text on one line, without characters that would act on a terminal."""
    return visible(text.encode()).replace("␣", " ")


def pieces_of(codec: Codec, text: str) -> list[str]:
    """Return the pieces that the tokenizer cuts a text into before it merges; none if it does not, or if no
    single regular expression says how."""
    if isinstance(codec, BpeCodec):
        return cut(codec.pattern, text)
    pattern = pattern_of(codec.data) if isinstance(codec, HuggingFaceCodec) else None
    if pattern is None:
        return []
    pieces: list[str] = []
    # Tokens that were added for texts, such as runs of blanks, are taken out first.
    for part in replaced(text, codec.added, codec.text_tokens):
        pieces += cut(pattern, part) if isinstance(part, str) else [codec.decode(part)]
    return pieces


def cut(pattern: str, text: str) -> list[str]:
    """Return the pieces of a text by the regular expression of a tokenizer."""
    return [found[0] for found in regex.finditer(pattern, text, regex.VERSION1)]


def merged_tokens(vocabulary: Vocabulary, text: str) -> list[Token]:
    """Return the different tokens of a text that merges make, in the order of the text."""
    tokens = {token.id: token for token in vocabulary.tokens(text)}
    return [token for token in tokens.values() if token.merges]


def stages(token: Token) -> list[str]:
    """Return the parts of a token that merges make, before the first merge and after each."""
    first = token.merges[0]
    place = first.parts.index(first.left + first.right)
    beginning = (*first.parts[:place], first.left, first.right, *first.parts[place + 1 :])
    return [
        " | ".join(map(visible, parts)) for parts in (beginning, *(merge.parts for merge in token.merges))
    ]
