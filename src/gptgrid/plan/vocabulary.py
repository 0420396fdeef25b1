"""Whether the tokenizer in a folder of others is that of its weights, as far as their sizes say it."""

from __future__ import annotations

from pathlib import Path

from gptgrid.config.checkpoints import read_json


def count_tokens(path: Path) -> int:
    """Return how many ids the tokens of a tokenizer.json take.

    Raises:
        ValueError: it is damaged, or something else.
    """
    found = read_json(path)
    try:
        tokens, added = found["model"]["vocab"], found.get("added_tokens") or []
        ids = tokens.values() if isinstance(tokens, dict) else range(len(tokens))
        return 1 + max([*ids, *(token["id"] for token in added)])
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a tokenizer.json ({error!r}); download it again") from None


def check_size(tokens: int, vocab_size: int) -> None:
    """Refuse a tokenizer that has more ids than an embedding has rows, or less than half as many: there may
    be rows that no token has, but not so many.

    Raises:
        ValueError: it has.
    """
    if not vocab_size <= 2 * tokens <= 2 * vocab_size:
        raise ValueError(
            f"tokenizer.json has {tokens:,} tokens, but config.json a vocab_size of {vocab_size:,}: they are "
            "of different models; download both again"
        )
