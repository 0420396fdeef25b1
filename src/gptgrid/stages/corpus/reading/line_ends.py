"""Line ends become line feeds, wherever a text comes from; they are counted."""

from collections import Counter
from collections.abc import Iterator


def unify(text: str, ends: Counter[str]) -> str:
    """Return a text with LF line ends.

    Args:
        text: the text.
        ends: gets how many of LF, CRLF and CR there were.
    """
    pairs = text.count("\r\n")
    returns = text.count("\r") - pairs
    ends.update(LF=text.count("\n") - pairs, CRLF=pairs, CR=returns)
    return text.replace("\r\n", "\n").replace("\r", "\n") if pairs or returns else text


def unify_blocks(blocks: Iterator[str], ends: Counter[str]) -> Iterator[str]:
    """Yield a text in blocks, with LF line ends, also where a block ends inside a CRLF."""
    held = ""
    for block in blocks:
        text = held + block
        held = "\r" if text.endswith("\r") else ""
        yield unify(text.removesuffix("\r"), ends)
    yield unify(held, ends)


def counted(ends: Counter[str]) -> dict[str, int]:
    """Return how many line ends there were of each kind that there was."""
    return {end: number for end, number in sorted(ends.items()) if number}
