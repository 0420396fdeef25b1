"""A tokenizer as a GGUF file holds it, such that llama.cpp gives the same ids.

llama.cpp has the regular expressions of well-known tokenizers built in, and a file names one of them. A
tokenizer that cuts texts otherwise is refused, as the model would read other ids than it was trained on.
That goes for `chinese`, and for `o200k`: what llama.cpp calls gpt-4o tells capital from small letters in
ASCII alone, and takes combining marks for signs. `gpt2` and `gpt4` give the same ids on every text without
more than 1,000 blanks in a row (see gptgrid.tokens.patterns). Names and rules are those of
src/llama-vocab.cpp and src/unicode.cpp of llama.cpp 0.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gguf import GGUFWriter, TokenType
from tokenizers import models

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.tokens.alphabet import byte_letters, parts_of
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec
from gptgrid.tokens.huggingface import merges_of
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import GPT2, GPT4, LETTERS, PATTERNS, SIGNS, SUFFIXES, UNBOUNDED
from gptgrid.tokens.same_ids import pattern_of, regex_of

GPT2_SPELLINGS = (
    GPT2,
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
)
GPT4_SPELLINGS = (GPT4, rf"{SUFFIXES}|{LETTERS}|\p{{N}}{{1,3}}|{SIGNS}[\r\n]*|{UNBOUNDED}")
QWEN = rf"{SUFFIXES}|{LETTERS}|\p{{N}}|{SIGNS}[\r\n]*|{UNBOUNDED}"
DIGITS = rf"\p{{N}}, then {GPT2}"
"""Two steps, as SmolLM has them: each digit alone, then GPT-2's pattern."""
PRE_TOKENIZERS = {
    **{key: {False: "gpt-2"} for key in GPT2_SPELLINGS},
    **{key: {True: "llama-bpe", False: "dbrx"} for key in GPT4_SPELLINGS},
    QWEN: {False: "qwen2"},
    DIGITS: {False: "smollm"},
}
"""What cuts texts → whether a piece that is a token is that one, whatever the merges say → name of both."""
BLANK = "▁"
"""What llama.cpp reads and writes for a blank where tokens are characters."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokenizer of a GGUF file."""

    model: str
    """How ids are found: `gpt2`, byte-level merges, or `llama`, characters with bytes for unknown ones."""
    pieces: dict[int, str]
    """Id → how a token of the text is spelled."""
    pre: str | None = None
    """Name of what cuts texts into pieces."""
    merges: list[str] = field(default_factory=list)
    bytes: frozenset[int] = frozenset()
    """Ids that stand for bytes of unknown characters."""
    added: dict[int, str] = field(default_factory=dict)
    """Id → text that is always this token."""

    def write(self, writer: GGUFWriter, codec: Codec, rows: int) -> None:
        """Add it to a file.

        Args:
            writer: of the file.
            codec: of which it is.
            rows: of the embedding; those without a token are filled up.
        """
        special = {index: name for name, index in codec.special_tokens.items()}
        kinds = {
            TokenType.NORMAL: self.pieces,
            TokenType.BYTE: {index: self.pieces[index] for index in self.bytes},
            TokenType.USER_DEFINED: self.added,
            TokenType.CONTROL: special,
        }
        tokens = [f"[PAD{index}]" for index in range(rows)]
        types = [TokenType.UNUSED] * rows
        for kind, spelled in kinds.items():
            for index, token in spelled.items():
                tokens[index], types[index] = token, kind
        writer.add_tokenizer_model(self.model)
        if self.pre is not None:
            writer.add_tokenizer_pre(self.pre)
            # llama.cpp asks for a list, and the file holds no empty one: what this joins, no text has.
            writer.add_token_merges(self.merges or [f"{tokens[0] * 2} {tokens[0]}"])
        writer.add_token_list(tokens)
        writer.add_token_types(types)
        writer.add_add_space_prefix(False)
        # A document begins with the end of text, and ends before the next one's.
        writer.add_bos_token_id(codec.eot)
        writer.add_eos_token_id(codec.eot)
        writer.add_add_bos_token(True)
        writer.add_add_eos_token(False)


def vocabulary_of(codec: Codec) -> Vocabulary:
    """Return a tokenizer as a GGUF file holds it.

    Raises:
        UserError: llama.cpp has nothing that gives its ids.
    """
    return VOCABULARIES[codec.kind](codec)


def of_bytes(codec: BytesCodec) -> Vocabulary:
    """Return bytes: merges without a merge, so that no cut matters."""
    return Vocabulary("gpt2", dict(byte_letters()), "gpt-2")


def of_characters(codec: CharCodec) -> Vocabulary:
    """Return characters.

    Of all texts only those with `▁` have other ids: llama.cpp takes it for a blank.

    Raises:
        UserError: llama.cpp would give other ids to other texts.
    """
    if BLANK in codec.characters or " " not in codec.characters:
        what = "has no blank" if " " not in codec.characters else f"has the character {BLANK}"
        raise refused(f"the tokenizer (kind: char) {what}, and llama.cpp writes a blank as {BLANK}")
    if pairs := [name for name in codec.special_tokens if len(name) == 2]:
        raise refused(
            f"llama.cpp reads the special token {pairs[0]!r} wherever a text has its two characters"
        )
    characters = codec.characters.replace(" ", BLANK)
    pieces = {value: f"<0x{value:02X}>" for value in range(256)}
    return Vocabulary("llama", pieces | dict(enumerate(characters, 256)), bytes=frozenset(pieces))


def of_merges(codec: BpeCodec) -> Vocabulary:
    """Return a byte pair encoding, trained here or published.

    Raises:
        UserError: llama.cpp cuts no text by its pattern.
    """
    pieces = {index: spell(piece) for index, piece in enumerate(codec.ranks)}
    merges = [(spell(left), spell(right)) for left, right in merges_of(codec)]
    names = {pattern: f"pattern: {name}" for name, pattern in PATTERNS.items()}
    cut = names.get(codec.pattern, codec.pattern)
    pre = pre_tokenizer(codec.pattern, pieces, merges, whole=True, said=f"kind: {codec.kind}, {cut}")
    return Vocabulary("gpt2", pieces, pre, joined(merges))


def of_huggingface(codec: HuggingFaceCodec) -> Vocabulary:
    """Return a tokenizer of the Hugging Face format.

    Raises:
        UserError: llama.cpp cuts no text as it does, or its tokens are no byte-level merges.
    """
    model, steps = codec.data["model"], [*parts_of(codec.data.get("pre_tokenizer"))]
    kinds = " and ".join(step["type"] for step in steps) or "nothing"
    said = f"kind: huggingface, {model.get('type') or 'BPE'}, cut by {kinds}"
    affixed = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
    choosy = [
        token["content"]
        for token in codec.data["added_tokens"]
        if token["single_word"] or token["lstrip"] or token["rstrip"]
    ]
    if model.get("type") not in ("BPE", None) or affixed or choosy:
        raise refused(f"llama.cpp has no tokenizer with the ids of this one ({said})")
    added = {index: name for name, index in codec.text_tokens.items()}
    others = {*added, *codec.special_tokens.values()}
    pieces = {index: token for token, index in model["vocab"].items() if index not in others}
    merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in model["merges"]]
    whole = bool(model.get("ignore_merges"))
    pre = pre_tokenizer(cut_of(codec.data), pieces, merges, whole, said)
    return Vocabulary("gpt2", pieces, pre, joined(merges), added=added)


def of_ids(codec: Codec) -> Vocabulary:
    """Refuse ids.

    Raises:
        UserError: always.
    """
    raise refused("the tokenizer (kind: ids) knows no text")


VOCABULARIES: Variants[Callable[[Any], Vocabulary]] = Variants(
    {
        "bytes": of_bytes,
        "char": of_characters,
        "bpe": of_merges,
        "tiktoken": of_merges,
        "huggingface": of_huggingface,
        "ids": of_ids,
    }
)
"""The key `kind` of the configuration → function: codec → tokenizer of a GGUF file."""


def pre_tokenizer(
    cut: str | None, pieces: dict[int, str], merges: list[tuple[str, ...]], whole: bool, said: str
) -> str:
    """Return llama.cpp's name of what cuts texts as a tokenizer does.

    Args:
        cut: what cuts texts, None if it is unknown.
        pieces: of the vocabulary.
        merges: of its tokens, in order.
        whole: whether a piece that is a token is that token, whatever the merges say.
        said: of the tokenizer, for the error message.

    Raises:
        UserError: there is none.
    """
    names = PRE_TOKENIZERS.get(cut, {})
    merging = models.BPE({token: index for index, token in pieces.items()}, merges)
    if all(len(merging.tokenize(token)) == 1 for token in pieces.values()):
        found = [*names.values()]  # merges make every token, so it is all the same
    else:
        found = [name for rule, name in names.items() if rule == whole]
    if not found:
        raise refused(f"llama.cpp has no tokenizer with the ids of this one ({said})")
    return found[0]


def cut_of(data: dict[str, Any]) -> str | None:
    """Return what cuts texts by a tokenizer.json, a key of PRE_TOKENIZERS; None if it is unknown."""
    match [*parts_of(data.get("normalizer")), *parts_of(data.get("pre_tokenizer"))]:
        case [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel"} as step]:
            return DIGITS if regex_of(step) == GPT2 else None
    return pattern_of(data)


def spell(piece: bytes) -> str:
    """Return bytes in the letters that stand for them."""
    return "".join(map(byte_letters().__getitem__, piece))


def joined(merges: Iterable[tuple[str, ...]]) -> list[str]:
    """Return merges as a GGUF file holds them."""
    return [" ".join(pair) for pair in merges]


def refused(reason: str) -> UserError:
    """Return what to say of a tokenizer that llama.cpp does not have."""
    return UserError(
        f"{reason}, so there is no GGUF file of this cell; export it with `--to hf`, or train one with "
        "`{kind: bpe, pattern: gpt2}` or `{kind: bpe, pattern: gpt4}`"
    )
