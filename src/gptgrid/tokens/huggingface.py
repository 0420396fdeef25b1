"""Codecs in the Hugging Face format, with the same ids on every text."""

from __future__ import annotations

from itertools import pairwise

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from gptgrid.tokens.codec import END_OF_TEXT, BpeCodec, BytesCodec, Codec


def to_tokenizer_json(codec: Codec) -> str | None:
    """Return tokenizer.json for a codec; None for kinds that the format cannot express."""
    if isinstance(codec, BytesCodec):
        vocabulary, merges, pattern = [bytes([value]) for value in range(256)], [], None
    elif isinstance(codec, BpeCodec):
        vocabulary, merges, pattern = codec.ranks, merges_of(codec), codec.pattern
    else:
        return None
    letters = byte_letters()

    def spell(piece: bytes) -> str:
        return "".join(letters[value] for value in piece)

    model = models.BPE(
        vocab={spell(piece): index for index, piece in enumerate(vocabulary)},
        merges=[(spell(left), spell(right)) for left, right in merges],
        # A piece that is a token as a whole is that token, as in tiktoken.
        ignore_merges=True,
    )
    tokenizer = Tokenizer(model)
    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if pattern is None:
        tokenizer.pre_tokenizer = bytewise
    else:
        cut = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, bytewise])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=False)])
    return tokenizer.to_str(pretty=False)


def merges_of(codec: BpeCodec) -> list[tuple[bytes, bytes]]:
    """Return the merges behind the ranks, in order.

    The last merge that makes a token joins the two pieces that its bytes become under all earlier merges.
    """
    ranks = {piece: index for index, piece in enumerate(codec.ranks)}
    merges = []
    for piece, rank in ranks.items():
        if len(piece) > 1:
            parts = split_by_ranks(piece, ranks, rank)
            if len(parts) == 2:
                merges.append((parts[0], parts[1]))
    return merges


def split_by_ranks(piece: bytes, ranks: dict[bytes, int], below: int) -> list[bytes]:
    """Return the parts of some bytes after all merges of a rank lower than `below`."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 1:
        pairs = [ranks.get(a + b, below) for a, b in pairwise(parts)]
        best = min(pairs)
        if best >= below:
            break
        place = pairs.index(best)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def byte_letters() -> dict[int, str]:
    """Return the printable letter for each byte that GPT-2's vocabulary files use (Radford et al. 2019)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [value for value in range(256) if value not in printable]
    letters = {value: chr(value) for value in printable}
    return letters | {value: chr(256 + place) for place, value in enumerate(others)}
