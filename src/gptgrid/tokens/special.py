"""Which names special tokens may have, so that codec.json and tokenizer.json mean the same.

The Hugging Face format knows a token by how it is spelled: a special token that is spelled like a token of
text would be that one, and all behind it would move up.
"""

import re

import regex

from gptgrid.tokens.alphabet import byte_values
from gptgrid.tokens.patterns import PATTERNS

END_OF_TEXT = "<|endoftext|>"


def unfit(name: str, pattern: str | None) -> str | None:
    """Say why a special token of a tokenizer that is made here cannot have a name; None if it can.

    Args:
        name: of the special token.
        pattern: name of the pattern within whose pieces the tokenizer learns tokens; None: tokens are
            characters.
    """
    if len(name) == 1 or re.fullmatch("<0x[0-9A-F]{2}>", name):
        return "is how a token of the text itself is spelled"
    spells_bytes = all(map(byte_values().__contains__, name))
    if spells_bytes and not name.isascii():
        letters = ", ".join(letter for letter in name if not letter.isascii())
        return f"has {letters}, which the Hugging Face format reads as single bytes"
    if spells_bytes and pattern is not None and is_one_piece(name, PATTERNS[pattern]):
        return "may be a token that is learned from the text"
    return None


def is_one_piece(name: str, pattern: str) -> bool:
    """Say whether a pattern leaves a name whole."""
    return len(regex.findall(pattern, name, flags=regex.VERSION1)) == 1
