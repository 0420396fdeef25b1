"""Line ends become line feeds, wherever a text comes from; they are counted."""

from collections import Counter
from collections.abc import Iterator


def unify(text: str, ends: Counter[str]) -> str:
    """Return a text with LF line ends.

    Args:
        text: the text.
        ends: gets how many of LF, CRLF, CR and CRCRLF there were; a program that writes CRLF for LF makes the
            last of a CRLF.
    """
    if "\r" not in text:
        ends["LF"] += text.count("\n")
        return text
    pairs, triples = text.count("\r\n"), text.count("\r\r\n")
    returns = text.count("\r") - pairs - triples
    ends.update(LF=text.count("\n") - pairs, CRLF=pairs - triples, CRCRLF=triples, CR=returns)
    return with_line_feeds(text)


def with_line_feeds(text: str) -> str:
    """Return a text with LF line ends."""
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def unify_blocks(blocks: Iterator[str], ends: Counter[str]) -> Iterator[str]:
    """Yield a text in blocks, with LF line ends, also where a block ends inside one of more characters."""
    held = ""
    for block in blocks:
        text = held + block
        held = "\r\r" if text.endswith("\r\r") else "\r" if text.endswith("\r") else ""
        yield unify(text.removesuffix(held), ends)
    yield unify(held, ends)


def counted(ends: Counter[str]) -> dict[str, int]:
    """Return how many line ends there were of each kind that there was."""
    return {end: number for end, number in sorted(ends.items()) if number}
