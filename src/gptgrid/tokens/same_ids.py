"""What is certain of a tokenizer.json: whether tiktoken gives its ids, and where texts fall apart.

Samples cannot show it: a token that no merge makes, or a run of merges that begins far to the left, changes
the ids of some texts only. What cannot be told is left to the tokenizers library, on whole texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from operator import or_
from typing import Any

from tokenizers import models

from gptgrid.tokens.alphabet import byte_letters, byte_values, parts_of
from gptgrid.tokens.patterns import GPT2, KNOWN
from gptgrid.tokens.special import is_one_piece


def pattern_of(data: dict[str, Any]) -> str | None:
    """Return the known regular expression that cuts texts into pieces; None if that is not all there is."""
    if [*parts_of(data.get("normalizer"))]:
        return None
    match [*parts_of(data.get("pre_tokenizer"))]:
        case [{"type": "ByteLevel"} as step]:
            return regex_of(step)
        case [
            {"type": "Split"} as step,
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ]:
            return regex_of(step)
    return None


def regex_of(step: dict[str, Any]) -> str | None:
    """Return the known regular expression by which a pre-tokenizer cuts; None: it does something else."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": False, **rest} if rest.get("use_regex", True):
            return GPT2
        case {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        } if pattern in KNOWN:
            return pattern
    return None


def falls_apart(data: dict[str, Any]) -> bool:
    """Say whether a tokenizer cuts texts at every seam, so that the tokens on both sides are independent."""
    if [*parts_of(data.get("normalizer"))]:
        return False
    steps = [*parts_of(data.get("pre_tokenizer"))]
    if steps and (steps[-1]["type"], steps[-1].get("add_prefix_space")) == ("ByteLevel", False):
        *steps, last = steps
    else:
        last = {}
    # Bytes spelled in letters would be a text with other seams: only the last step may do that.
    cuts = [step["type"] == "Split" and regex_of(step) is not None for step in steps]
    others = [step["type"] == "Digits" for step in steps]
    return all(map(or_, cuts, others)) and (any(cuts) or regex_of(last) is not None)


def merges_like_tiktoken(model: dict[str, Any], learned: Iterable[bytes], pattern: str) -> bool:
    """Say whether a BPE makes the tokens that tiktoken makes, of every piece of text.

    tiktoken joins the pair whose bytes together have the smallest id, and takes a piece that is a token for
    that token. The BPE of a tokenizer.json joins the pair that comes first in a list of its own. They agree
    if later pairs make larger ids, no pair makes a token that tiktoken does not know, and the pairs alone
    make every token of its bytes; one that they leave in three or more parts comes out of no pair in either,
    and may be a piece as a whole, with `ignore_merges`.

    Args:
        model: of the tokenizer.json.
        learned: the bytes of the tokens that tiktoken is to know, by the ids of the model.
        pattern: the known regular expression that cuts texts into pieces.
    """
    if model.get("type") not in ("BPE", None):
        return False
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return False
    vocabulary, whole = model["vocab"], bool(model.get("ignore_merges"))
    pairs = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"]]
    made = ["".join(pair) for pair in pairs]
    ids = [vocabulary[token] for token in made]
    spelled = {"".join(map(byte_letters().__getitem__, piece)) for piece in learned}
    unknown = vocabulary.keys() - spelled
    hidden = unknown.isdisjoint({*made, *byte_letters().values()}) and not (
        whole and any(is_piece(token, pattern) for token in unknown)
    )
    if ids != sorted(ids) or not hidden:
        return False
    merging = models.BPE(vocab=vocabulary, merges=pairs)
    parts = (len(merging.tokenize(token)) for token in spelled if len(token) > 1)
    return all(number == 1 or (whole and number > 2) for number in parts)


def spells_bytes(token: str) -> bool:
    """Say whether a token is spelled in the letters for bytes."""
    return all(map(byte_values().__contains__, token))


def is_piece(token: str, pattern: str) -> bool:
    """Say whether a token of the vocabulary may be a piece as a whole."""
    if not spells_bytes(token):
        return False
    text = bytes(map(byte_values().__getitem__, token)).decode(errors="replace")
    return is_one_piece(text, pattern)


def overlap(first: str, second: str) -> bool:
    """Say whether two names can share characters of a text."""
    shorter, longer = sorted((first, second), key=len)
    return shorter in longer or any(
        first.endswith(second[:size]) or second.endswith(first[:size]) for size in range(1, len(shorter))
    )


def told_apart(added: Iterable[dict[str, Any]]) -> bool:
    """Say whether the longest of the added tokens that begin first is always the one that is found.

    The library looks for tokens of several kinds one kind after the other.
    """
    kinds = [(token["content"], token["special"], token["normalized"]) for token in added]
    return not any(
        first[1:] != second[1:] and overlap(first[0], second[0]) for first, second in combinations(kinds, 2)
    )
