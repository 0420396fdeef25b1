"""From nats and counts to the figures that people compare: perplexities, bits per byte, accuracy.

Pure arithmetic on a few numbers. Which tokens were scored, and from what, is the business of the callers.
"""

from __future__ import annotations

import math

DENOMINATORS = {
    "test_loss": "scored tokens: all but the first, end-of-text tokens among them",
    "perplexity": "scored tokens: all but the first, end-of-text tokens among them",
    "accuracy": "scored tokens: all but the first, end-of-text tokens among them",
    "bpb": "UTF-8 bytes of the documents",
    "bpc": "characters (Unicode code points) of the documents",
    "word_perplexity": "words of the documents, as whitespace separates them; not of scripts without blanks",
    "word_perplexity_newlines": "words and newlines of the documents, as WikiText counts",
}
"""Figure → what the nats are divided by before the logarithm's base changes or the exponential is taken;
accuracy is a share."""


def figures(
    nats: float | None,
    tokens: int,
    text_bytes: int | None,
    words: int | None,
    newlines: int | None,
    characters: int | None = None,
    right: int | None = None,
) -> dict[str, float | None]:
    """Return the figures of a scored text, unrounded.

    Args:
        nats: sum over the scored tokens; None where it is not finite.
        tokens: how many were scored.
        text_bytes: UTF-8 bytes of the text; None for a corpus of bare ids.
        words: words that whitespace separates; None likewise, and where no blanks separate words.
        newlines: line feeds; None likewise.
        characters: Unicode code points; None likewise.
        right: scored tokens that were the likeliest ones; None where nobody counted.

    Returns:
        test_loss in nats per token; perplexity; accuracy, the share of the tokens that were the likeliest;
        bpb and bpc, bits per byte and per character; word_perplexity; and word_perplexity_newlines, in which
        a newline is a word (Merity et al. 2016). None where there is nothing to divide or to divide by, and
        where an exponential is beyond the largest double, as JSON has no infinity.
    """
    lines = None if words is None or newlines is None else words + newlines
    return {
        "test_loss": ratio(nats, tokens),
        "perplexity": exponential(ratio(nats, tokens)),
        "accuracy": None if nats is None else ratio(right, tokens),
        "bpb": bits_per(nats, text_bytes),
        "bpc": bits_per(nats, characters),
        "word_perplexity": exponential(ratio(nats, words)),
        "word_perplexity_newlines": exponential(ratio(nats, lines)),
    }


def bits_per_byte(nats: float | None, text_bytes: int | None) -> float | None:
    """Return the bits that a text takes per UTF-8 byte; None where there are no nats or no bytes.

    Tokenizers cut the same text into more or fewer tokens, so only this compares them.
    """
    return bits_per(nats, text_bytes)


def bits_per(nats: float | None, count: int | None) -> float | None:
    """Return the bits per whatever is counted; None where there are no nats, or nothing is."""
    each = ratio(nats, count)
    return None if each is None else each / math.log(2)


def ratio(total: float | None, count: int | None) -> float | None:
    """Return a total per whatever is counted; None where there is none, or nothing is."""
    return total / count if total is not None and count else None


def exponential(value: float | None) -> float | None:
    """Return e to the value; None for None and beyond the largest double."""
    try:
        return None if value is None else math.exp(value)
    except OverflowError:
        return None


def wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's interval of a share, which is no point where all items are alike.

    Wilson, Journal of the American Statistical Association, 1927.

    Args:
        share: 0 … 1.
        size: independent items that it is of.
        quantile: of the normal law, or of t where the variance is estimated.
    """
    part = quantile**2 / size
    centre = (share + part / 2) / (1 + part)
    half = math.sqrt(part * share * (1 - share) + part**2 / 4) / (1 + part)
    return max(0.0, centre - half), min(1.0, centre + half)
