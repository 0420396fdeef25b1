"""Texts continued by trained cells: `generate`."""

from __future__ import annotations

import json
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gptgrid.artifact.errors import UserError
from gptgrid.cli.cells import CellNames, Device, Precision, Weights, load_cell
from gptgrid.cli.console import refuse_bytes, text_of

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell
    from gptgrid.model.continuation import Piece
    from gptgrid.model.decoding import Decoding

ROWS = 16
"""Texts that are computed side by side."""


def generate(
    cells: CellNames,
    prompt: Annotated[
        str | None,
        typer.Option(help="Text to continue; $'one\\ntwo' has a line end. Default: the model begins."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Prompts, one a line; empty lines are left out; - is stdin."),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Read prompts until end of file.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="Continuations of each prompt.")] = 1,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens at most.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw among the k likeliest; 0 is off.")] = 0,
    top_p: Annotated[
        float, typer.Option(help="Draw among those of probability p together; 1 is off.")
    ] = 0.95,
    min_p: Annotated[
        float, typer.Option(help="Draw among those with this share of the likeliest one's probability.")
    ] = 0.0,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: repeat less.")] = 1.0,
    no_repeat_ngram: Annotated[
        int, typer.Option(min=0, help="No so many tokens in a row come twice; 0 is off.")
    ] = 0,
    beams: Annotated[
        int, typer.Option(min=1, help="Above 1: search the likeliest text with so many beams, draw nothing.")
    ] = 1,
    length_penalty: Annotated[float, typer.Option(help="Of this search; above 0 favours long texts.")] = 1.0,
    stop: Annotated[
        list[str] | None,
        typer.Option(help="A text at which to stop, $'\\n' for a line end; may be given several times."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed draws the same text. Of several texts, each has the next.")
    ] = 0,
    ignore_eos: Annotated[bool, typer.Option("--ignore-eos", help="Go on after the end of text.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each text, with tokens and ln p of each.")
    ] = False,
    weights: Weights = None,
    device: Device = "auto",
    precision: Precision = "fp32",
) -> None:
    """Continue texts with trained cells.

    One text is printed as it comes, several one after the other, each with a
    heading. Of a prompt that is longer than the context, the last tokens are
    read. A prompt is plain text for a fine-tuned cell, too; see `gptgrid chat`
    for answers. Options may be written with _ in place of -.

    Examples:

      gptgrid generate "tales bpe llama s1" --prompt "Once upon a time"
      gptgrid generate "tales bpe llama s1" --count 3 --temperature 1.2
      gptgrid generate "tales bpe llama s1" "toy char s1" --file prompts.txt
      gptgrid generate "tales bpe llama s1" --weights last --interactive
      gptgrid generate "tales bpe llama s1" --beams 4 --json > text.jsonl
    """
    if sum((prompt is not None, file is not None, interactive)) > 1:
        raise UserError("give one of --prompt, --file and --interactive")
    from gptgrid.model.decoding import Decoding, without_effect

    decoding = Decoding(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        no_repeat_ngram=no_repeat_ngram,
        beams=beams,
        length_penalty=length_penalty,
        stop=tuple(stop or ()),
    )
    decoding.check()
    if beams > 1 and count > 1:
        typer.echo(f"gptgrid: beam search draws nothing: one text of each prompt, not {count}", err=True)
        count = 1
    if caution := without_effect(decoding):
        typer.echo(f"gptgrid: {caution}", err=True)
    asked = Asked(decoding, max_new_tokens, seed, ignore_eos)
    texts = [prompt or ""] if file is None else read_lines(file)
    found = [load_cell(name, device, weights, precision) for name in cells]

    def write(texts: list[str]) -> None:
        for path, cell in found:
            if as_json:
                write_json(path, cell, texts, asked)
            else:
                write_text(path if len(found) > 1 else None, cell, texts, asked, echo=not interactive)

    try:
        if interactive:
            for line in typed():
                try:
                    write([line] * count)
                except UserError as error:
                    typer.echo(f"gptgrid: {error}", err=True)
        else:
            write([text for text in texts for _ in range(count)])
    except KeyboardInterrupt:
        if not as_json:
            typer.echo()
        raise typer.Exit(130) from None


@dataclass(frozen=True)
class Asked:
    """How texts shall go on."""

    decoding: Decoding
    max_new_tokens: int
    seed: int
    """Of the first text; each has the next."""
    ignore_eos: bool


def typed() -> Iterator[str]:
    """Yield lines from the terminal, or from a pipe, until it ends; what is no text there as in arguments."""
    sys.stdin.reconfigure(errors="surrogateescape")
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.removesuffix("\n")


def read_lines(file: str) -> list[str]:
    """Return the lines of a file that are not empty.

    Raises:
        UserError: it cannot be read, is no UTF-8, or has no such line.
    """
    with text_of(file) as pieces:
        # Not those at other signs, such as U+2028, which a prompt may have.
        lines = StringIO("".join(pieces), newline=None).read().split("\n")
        if not any(lines):
            raise UserError("the text has no prompt: all its lines are empty")
    return [line for line in lines if line]


def write_text(path: Path | None, cell: TrainedCell, prompts: list[str], asked: Asked, echo: bool) -> None:
    """Print what follows prompts, piece by piece, as it comes; with headings if there are several texts.

    Args:
        path: of the cell, for headings; None if there is one cell only.
        cell: that continues them.
        prompts: beginnings of texts.
        asked: how they shall go on.
        echo: print the prompts, too.

    Raises:
        UserError: a prompt is no text, or a setting is out of range; then nothing is printed.
    """
    for seed, prompt, pieces in continued(cell, prompts, asked):
        parts = [*([] if path is None else [str(path)]), *([f"seed {seed}"] if len(prompts) > 1 else [])]
        if parts:
            typer.echo(f"== {', '.join(parts)}")
        put(prompt if echo else "")
        for piece in pieces:
            put(piece.text)
        put("\n\n" if parts else "\n")


def put(text: str) -> None:
    """Print a piece of text at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(path: Path, cell: TrainedCell, prompts: list[str], asked: Asked) -> None:
    """Print a line of JSON for each continuation.

    Raises:
        UserError: a prompt is no text, or a setting is out of range.
    """
    for seed, prompt, stream in continued(cell, prompts, asked):
        pieces = list(stream)
        tokens = [token for piece in pieces for token in piece.tokens]
        row = {
            "cell": str(path),
            "prompt": prompt,
            "seed": seed,
            "text": "".join(piece.text for piece in pieces),
            "finish": pieces[-1].finish,
            "tokens": [token.id for token in tokens],
            "logprobs": [token.logprob for token in tokens],
        }
        put(json.dumps(row, ensure_ascii=False) + "\n")


def continued(
    cell: TrainedCell, prompts: list[str], asked: Asked
) -> Iterator[tuple[int, str, Iterator[Piece]]]:
    """Yield the seed of each text, its prompt, and the pieces that follow, as they come.

    Raises:
        UserError: a prompt is no text, or a setting is out of range.
    """
    from gptgrid.model.continuation import stream

    for prompt in prompts:
        refuse_bytes(prompt, "the prompt")
    for first in range(0, len(prompts), ROWS):
        rows = prompts[first : first + ROWS]
        seeds = range(asked.seed + first, asked.seed + first + len(rows))
        pieces = stream(
            cell.module,
            cell.codec,
            rows,
            asked.decoding,
            asked.max_new_tokens,
            seeds,
            ignore_eos=asked.ignore_eos,
            marks=cell.marks,
        )
        say_what_is_left_out(cell, rows)
        yield from zip(seeds, rows, in_order(pieces, len(rows)), strict=True)


def in_order(pieces: Iterator[Piece], rows: int) -> Iterator[Iterator[Piece]]:
    """Yield the pieces of one row after the other; those of later rows wait."""
    waiting: dict[int, deque[Piece]] = defaultdict(deque)

    def of_row(row: int) -> Iterator[Piece]:
        while True:
            while not waiting[row]:
                piece = next(pieces)
                waiting[piece.row].append(piece)
            yield (piece := waiting[row].popleft())
            if piece.finish:
                return

    return map(of_row, range(rows))


def say_what_is_left_out(cell: TrainedCell, prompts: list[str]) -> None:
    """Say on stderr which prompts are longer than the context."""
    from gptgrid.model.continuation import left_out

    for prompt in dict.fromkeys(prompts):
        ids = cell.codec.begin(prompt, cell.marks)
        if missing := left_out(cell.module, ids):
            typer.echo(
                f"gptgrid: the prompt has {len(ids):,} tokens, but the model sees {cell.context:,} at once: "
                f"the first {missing:,} are not read",
                err=True,
            )
