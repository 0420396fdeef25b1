"""What a tokenizer makes of a text, and its vocabulary: `tokenize`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.completion import codec_names
from gptgrid.cli.console import aligned, refuse_bytes, text_of
from gptgrid.words import counted

if TYPE_CHECKING:
    from gptgrid.inference.vocabulary import Merge, Token

HEAD = ("id", "bytes", "text", "merges (rank: left right)")


def tokenize(
    tokenizer: Annotated[
        str,
        typer.Argument(
            metavar="TOKENIZER|CELL",
            help="A tokenizer under data/tokenizers, by parts of its name; its folder; a codec.json or "
            "tokenizer.json; gpt2, which is downloaded; or a cell, as in `generate`.",
            autocompletion=codec_names,
        ),
    ],
    text: Annotated[
        str | None,
        typer.Argument(help="Text to tokenize; - reads stdin. One that begins with - stands behind --."),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Tokenize the text of a file, in UTF-8.")] = None,
    table: Annotated[bool, typer.Option("--table", help="Print the whole vocabulary instead.")] = False,
    marks: Annotated[
        bool,
        typer.Option(
            "--marks",
            help="Names of special tokens in the text are these; that of the end of text stays text.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; bytes are in hex.")] = False,
) -> None:
    """Show the tokens of a text, and the merges that made each.

    In the column of texts, ␣ is a blank, and \\xe5 a byte that is no whole
    character. Merges are those of the tokenizer, in their order: the pair of
    the lowest rank comes first. Bytes, characters and special tokens have none.

    Examples:

      gptgrid tokenize "tales bpe llama s1" "The foxes jump."
      gptgrid tokenize bpe@tales --file story.txt --json
      gptgrid tokenize gpt2 -- "-5 degrees"
      gptgrid tokenize gpt2 --table | less
      echo "天地玄黄" | gptgrid tokenize gpt2 -
    """
    from gptgrid.inference.vocabulary import Vocabulary, find_tokenizer, read_tokenizer

    if (text is not None) + (file is not None) + table != 1:
        raise UserError("give one of a text, --file and --table")
    place = find_tokenizer(tokenizer)
    if str(place) != tokenizer.rstrip("/"):
        typer.echo(f"gptgrid: {place}", err=True)
    with redirect_stdout(sys.stderr):  # what is said of a tokenizer is no part of the output
        vocabulary = Vocabulary(read_tokenizer(place))
    if table:
        tokens = list(vocabulary.all())
        echo_json(list(map(token_json, tokens))) if as_json else echo_tokens(tokens, last_only=True)
        return
    read = read_text(text, file)
    tokens = vocabulary.tokens(read, marks)
    if not tokens:
        raise UserError("the text is empty; give one of at least one character")
    facts = sizes(tokens, None if vocabulary.codec.kind == "ids" else read)
    if as_json:
        echo_json({"tokens": list(map(token_json, tokens)), **facts})
    else:
        echo_tokens(tokens)
        typer.echo("\n" + told(facts))


def read_text(text: str | None, file: Path | None) -> str:
    """Return the text that was given, that of a file, or of stdin.

    Raises:
        UserError: it is no UTF-8, or the file cannot be read.
    """
    if text is not None and text != "-":
        refuse_bytes(text, "the text")
        return text
    with text_of("-" if file is None else str(file)) as pieces:
        return "".join(pieces)


def sizes(tokens: Sequence[Token], text: str | None) -> dict[str, Any]:
    """Return how many tokens a text is, and how much of it each takes; of bare ids only their number."""
    size, characters = (None, None) if text is None else (len(text.encode()), len(text))
    return {
        "count": len(tokens),
        "bytes": size,
        "characters": characters,
        "bytes_per_token": None if size is None else size / len(tokens),
        "characters_per_token": None if characters is None else characters / len(tokens),
    }


def told(facts: dict[str, Any]) -> str:
    """Return these sizes as a sentence."""
    tokens = counted(facts["count"], "token")
    if facts["bytes"] is None:
        return tokens
    return (
        f"{tokens}, {counted(facts['bytes'], 'byte')}, {counted(facts['characters'], 'character')}: "
        f"{facts['bytes_per_token']:.2f} bytes and {facts['characters_per_token']:.2f} characters a token"
    )


def echo_tokens(tokens: Iterable[Token], last_only: bool = False) -> None:
    """Print a line for each token; of its merges perhaps only the last, which makes it of two others."""
    rows = [
        (str(token.id), str(len(token.bytes)), token.text, told_merges(token, last_only)) for token in tokens
    ]
    for line in aligned([HEAD, *rows], numbers=2):
        typer.echo(line)


def told_merges(token: Token, last_only: bool) -> str:
    """Return the merges of a token on one line."""
    if token.special:
        return "special token"
    return "  ".join(map(told_merge, token.merges[-1:] if last_only else token.merges))


def told_merge(merge: Merge) -> str:
    """Return a merge in a few characters."""
    from gptgrid.inference.vocabulary import visible

    return f"{merge.rank}: {visible(merge.left)} {visible(merge.right)}"


def token_json(token: Token) -> dict[str, Any]:
    """Return what a program may want to know of a token and its merges."""
    merges = [
        {"rank": merge.rank, "left": merge.left.hex(), "right": merge.right.hex()} for merge in token.merges
    ]
    return {**token.to_json(), "merges": merges}


def echo_json(value: object) -> None:
    """Print JSON on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))
