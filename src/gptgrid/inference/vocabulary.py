"""What a tokenizer does with a text, token by token, and which tokens a model holds for alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gptgrid.artifact.errors import UserError
from gptgrid.inference.find import find_cells, train_folder
from gptgrid.plan.names import listed, match, refuse_step
from gptgrid.stages.tokenizer.make import PUBLISHED
from gptgrid.tokens.alphabet import Alphabet
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, from_json, read_codec
from gptgrid.tokens.imported import HuggingFaceCodec

if TYPE_CHECKING:
    from torch import Tensor

    from gptgrid.inference.cell import TrainedCell

Part = TypeVar("Part", str, bytes)
FOLDER = Path("data") / "tokenizers"


@dataclass(frozen=True)
class Merge:
    """Two neighbours that became one."""

    rank: int
    """Place of the merge in the tokenizer's order; lower ones come first. Of codec.json it is the id of what
    they become."""
    left: bytes
    right: bytes
    parts: tuple[bytes, ...]
    """All that there is after it."""


@dataclass(frozen=True)
class Token:
    """A token of a vocabulary."""

    id: int
    bytes: bytes
    """What it stands for; nothing for a special token."""
    special: str | None
    """Its name if it is a special token."""
    merges: tuple[Merge, ...]
    """Those that make it of its bytes or characters, in their order. None for a byte, a character, a special
    token, and what the vocabulary holds without merges that make it."""

    @property
    def text(self) -> str:
        """Return what it stands for as text that can be seen, or its name."""
        return self.special or visible(self.bytes)

    def to_json(self) -> dict[str, Any]:
        """Return what a program may want to know: bytes in hex, and as text if they are whole characters."""
        try:
            text = self.special or self.bytes.decode()
        except UnicodeDecodeError:
            text = None
        special = self.special is not None
        return {"id": self.id, "text": text, "bytes": self.bytes.hex(), "special": special}


class Vocabulary:
    """The tokens of a tokenizer."""

    def __init__(self, codec: Codec) -> None:
        """Read what the tokenizer knows."""
        self.codec = codec
        self.names = {index: name for name, index in codec.special_tokens.items()}
        self.merges_of = merging(codec)

    def token(self, index: int) -> Token:
        """Return a token by its id."""
        name = self.names.get(index)
        merges = () if name else self.merges_of(index)
        return Token(index, b"" if name else self.codec.token_bytes(index), name, merges)

    def tokens(self, text: str, marks: bool = False) -> list[Token]:
        """Return the tokens of a text; with `marks`, names of special tokens in it are these.

        Raises:
            UserError: the tokenizer cannot read the text.
        """
        ids = self.codec.encode_marked(text) if marks else self.codec.encode(text)
        known = {index: self.token(index) for index in set(ids)}
        return [known[index] for index in ids]

    def all(self) -> Iterable[Token]:
        """Yield all tokens in the order of their ids."""
        return map(self.token, range(self.codec.vocab_size))


def merging(codec: Codec) -> Callable[[int], tuple[Merge, ...]]:
    """Return what gives the merges that make the token of an id.

    Merges within a token depend on nothing outside it, as no merge of its text crosses its ends. So the token
    alone shows them.
    """
    if isinstance(codec, BpeCodec):
        return merging_by_ranks(codec)
    if isinstance(codec, HuggingFaceCodec) and codec.data["model"].get("type") in ("BPE", None):
        return merging_by_pairs(codec)
    return lambda index: ()


def merging_by_ranks(codec: BpeCodec) -> Callable[[int], tuple[Merge, ...]]:
    """Return the same where the id of the merged bytes says which pair comes first."""
    ranks = {piece: index for index, piece in enumerate(codec.ranks)}

    def merges_of(index: int) -> tuple[Merge, ...]:
        parts = [bytes([value]) for value in codec.token_bytes(index)]
        steps = merge_steps(parts, lambda left, right: ranks.get(left + right))
        return whole(Merge(rank, left, right, tuple(parts)) for rank, left, right, parts in steps)

    return merges_of


def merging_by_pairs(codec: HuggingFaceCodec) -> Callable[[int], tuple[Merge, ...]]:
    """Return the same where a list of pairs says which one comes first."""
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in codec.data["model"]["merges"])
    ranks = {tuple(pair): rank for rank, pair in enumerate(pairs)}
    learned = codec.pieces.keys() - {*codec.text_tokens.values()}
    bytes_of = Alphabet(codec.data).bytes_of

    def merges_of(index: int) -> tuple[Merge, ...]:
        letters = list(codec.library.id_to_token(index)) if index in learned else []
        steps = merge_steps(letters, lambda left, right: ranks.get((left, right)))
        return whole(
            Merge(rank, bytes_of(left), bytes_of(right), tuple(map(bytes_of, parts)))
            for rank, left, right, parts in steps
        )

    return merges_of


def merge_steps(
    parts: Sequence[Part], rank_of: Callable[[Part, Part], int | None]
) -> Iterator[tuple[int, Part, Part, list[Part]]]:
    """Yield the merges of some bytes or letters one by one: rank, left, right, and all parts after it.

    Of all neighbours those of the lowest rank become one, the first of them if there are several.

    Args:
        parts: single bytes or letters.
        rank_of: gives the rank of two neighbours; None if they stay apart.
    """
    parts = list(parts)
    while True:
        ranks = [rank_of(left, right) for left, right in pairwise(parts)]
        known = [rank for rank in ranks if rank is not None]
        if not known:
            return
        place = ranks.index(min(known))
        left, right = parts[place : place + 2]
        parts[place : place + 2] = [left + right]
        yield ranks[place], left, right, list(parts)


def whole(merges: Iterable[Merge]) -> tuple[Merge, ...]:
    """Return merges if they make one part of all; else none, as the token does not come from them."""
    found = tuple(merges)
    return found if found and len(found[-1].parts) == 1 else ()


def visible(data: bytes) -> str:
    """Return bytes as text on one line: ␣ for a blank, hex for bytes that are no whole character."""
    return "".join(map(visible_character, data.decode("utf-8", errors="surrogateescape")))


def visible_character(character: str) -> str:
    """Return a character that can be seen; a half surrogate pair stands for a byte."""
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    if character == " ":
        return "␣"
    if character.isprintable() and character != "\\":
        return character
    # As in Python, but that \xNN is a byte.
    return f"\\u{point:04x}" if 0x7F < point < 0x100 else character.encode("unicode_escape").decode()


@dataclass(frozen=True)
class Neighbours:
    """The tokens nearest to one, or to the mean of several."""

    of: tuple[Token, ...]
    nearest: tuple[tuple[Token, float], ...]
    """Each with its cosine, the largest first."""


def neighbours(cell: TrainedCell, word: str, count: int = 10, head: bool = False) -> list[Neighbours]:
    """Return the nearest tokens to each token of a word and, if it has several, to their mean.

    Near is what has a large cosine of the embeddings, as they are: the mean over the vocabulary is not taken
    off. The tokens themselves are left out.

    Args:
        cell: whose embeddings are compared.
        word: any text.
        count: tokens at most.
        head: compare the rows of the output matrix in place of the embeddings that the model reads.

    Raises:
        UserError: the word has no token, or the output matrix is the embedding.
    """
    vocabulary, ids = Vocabulary(cell.codec), cell.encode(word)
    if not ids:
        raise UserError("the word is empty; give a text of at least one character")
    vectors = embeddings(cell, head)
    groups = [[index] for index in dict.fromkeys(ids)]
    groups += [ids] if len(groups) > 1 else []
    return [
        Neighbours(
            tuple(map(vocabulary.token, group)),
            tuple((vocabulary.token(index), cosine) for index, cosine in nearest(vectors, group, count)),
        )
        for group in groups
    ]


def embeddings(cell: TrainedCell, head: bool) -> Tensor:
    """Return the embeddings of the tokens of the tokenizer: (vocabulary, d_model) fp32 on the CPU.

    Raises:
        UserError: those of the head are asked for, and are the same.
    """
    tokens, output = cell.module.embedding.tokens.weight, cell.module.head.weight
    if head and output is tokens:
        raise UserError("the output matrix of this model is its embedding (tie_embeddings); leave out --head")
    vectors = output if head else tokens
    # The embedding of an imported model may have more rows than its tokenizer has tokens.
    return vectors.detach()[: cell.codec.vocab_size].float().cpu()


def nearest(vectors: Tensor, group: list[int], count: int) -> list[tuple[int, float]]:
    """Return the rows nearest to the mean of some, which are left out, each with its cosine.

    Args:
        vectors: (vocabulary, d_model); the cosine with a row of zeros is 0.
        group: numbers of rows.
        count: rows at most.
    """
    mean = vectors[group].mean(dim=0)
    lengths = vectors.norm(dim=-1) * mean.norm()
    cosines = (vectors @ mean / lengths.where(lengths > 0, 1)).clamp(-1, 1)
    order = cosines.sort(descending=True, stable=True).indices.tolist()
    own = {*group}
    return [(index, cosines[index].item()) for index in order if index not in own][:count]


def find_codec(name: str) -> Codec:
    """Return the tokenizer that is meant; see `find_tokenizer`.

    Raises:
        UserError: nothing is meant, or several are, or it is damaged.
    """
    return read_tokenizer(find_tokenizer(name))


def find_tokenizer(name: str) -> Path | str:
    """Return where the tokenizer lies that is meant, or the name of a published one.

    Args:
        name: a codec.json, a tokenizer.json, a folder with a codec.json, the name of a tokenizer under data/
            or parts of it, a published vocabulary, or a cell, as for `find_cells`.

    Raises:
        UserError: nothing is meant, or several are.
    """
    path = Path(name)
    if (path.suffix == ".json" and is_file(path)) or is_file(path / "codec.json"):
        return path
    made = [folder.name for folder in sorted(FOLDER.glob("*")) if is_file(folder / "codec.json")]
    found = match(name, made)
    if len(found) > 1 and name not in found:
        raise UserError(f"{name!r} matches {len(found)} tokenizers; add a part of the name:\n{listed(found)}")
    if found:
        return FOLDER / (name if name in found else found[0])
    if name in PUBLISHED:
        return name
    refuse_step(name, "all weights of a cell have the same tokenizer")
    try:
        return find_cells(name)[0]
    except UserError as error:
        raise UserError(
            f"{error}\nNor is it a tokenizer: {FOLDER} has {', '.join(made) or 'none'}; published ones are "
            f"{', '.join(PUBLISHED)}"
        ) from None


def read_tokenizer(place: Path | str) -> Codec:
    """Return the tokenizer that `find_tokenizer` found.

    Raises:
        UserError: it is damaged.
    """
    if isinstance(place, str):
        return PUBLISHED[place]()
    if place.suffix == ".json" and is_file(place):
        return read_file(place)
    return read_codec(place if is_file(place / "codec.json") else train_folder(place))


def is_file(path: Path) -> bool:
    """Say whether there is such a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # no file has such a name
        return False


def read_file(path: Path) -> Codec:
    """Return the tokenizer in a codec.json or a tokenizer.json, whatever it is called.

    Raises:
        UserError: it holds none.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return from_json(data) if "kind" in data else HuggingFaceCodec(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is neither a codec.json nor a tokenizer.json ({error!r})") from None
