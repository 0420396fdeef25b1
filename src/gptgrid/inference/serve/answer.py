"""What a request makes a cell compute. Nothing here knows of HTTP, or of the form of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from gptgrid.artifact.errors import UserError
from gptgrid.inference.serve.errors import RequestError
from gptgrid.inference.serve.told import Known, Teller, Told
from gptgrid.model.continuation import stream
from gptgrid.model.decoding import Decoding

if TYPE_CHECKING:
    from gptgrid.inference.cell import TrainedCell
    from gptgrid.inference.reading import Reading
    from gptgrid.text.chat_template import Message


@dataclass(frozen=True)
class Talk:
    """A conversation that a cell is to answer."""

    reading: Reading
    messages: list[Message]


@dataclass(frozen=True)
class Work:
    """What to compute."""

    cell: TrainedCell
    prompts: Sequence[str | list[int] | Talk]
    """Beginnings of documents, as texts or as ids, which are taken as they are; or conversations."""
    n: int
    """Continuations of each prompt; those of one prompt follow one another."""
    decoding: Decoding
    max_new_tokens: int
    """0 only reads the prompts."""
    seed: int
    """Of the first answer; the next one has the next seed."""
    ignore_eos: bool
    alternatives: int | None
    """Likeliest tokens to name beside each; None if no probability is asked for."""
    echo: bool
    """Whether an answer begins with its prompt."""
    truncate: int | None
    """Tokens to keep of a prompt, its last ones; -1 is as many as the context holds. With None a prompt that
    is longer than the context is refused."""
    marks: bool
    """Whether special tokens are read in texts, and shown, by their names."""
    ends: tuple[int, ...] = ()
    """Ids at which an answer ends, beside the end of text."""
    begins: bool = False
    """Whether an answer begins a text of its own, and does not go on with that before it."""


class Counts(NamedTuple):
    """What is read of the prompts, all together."""

    tokens: int
    """The end-of-text token in front of a text is one."""
    left_out: int
    """Tokens at the beginning of prompts that are not read."""


class Delta(NamedTuple):
    """What comes next of one answer."""

    row: int
    text: str
    tokens: tuple[Told, ...]
    """Those of the text, if probabilities were asked for."""
    generated: int
    """How many tokens were generated."""
    finish: str | None
    """`end`, `stop` or `length`; None while it goes on."""


class Start(NamedTuple):
    """A prompt as it is read."""

    ids: list[int]
    hidden: int
    """Ids at its beginning that the client does not know of: the end-of-text token in front of a text."""
    left_out: int


def answer(work: Work) -> Iterator[Counts | Delta]:
    """Yield what is read, then what is said.

    Raises:
        RequestError: a prompt is longer than the context, or has ids beyond the vocabulary.
        UserError: a prompt is no text of this tokenizer, or a setting is out of range.
    """
    cell = work.cell
    starts = [start_of(work, prompt) for prompt in work.prompts]
    yield Counts(sum(len(start.ids) for start in starts), sum(start.left_out for start in starts))
    tellers = [Teller(cell.codec, work.marks) for _ in range(len(starts) * work.n)]
    ends: dict[int, Known] = {}
    if work.echo:
        for place, start in enumerate(starts):
            yield from echo(work, start, range(place * work.n, (place + 1) * work.n), tellers, ends)
    if work.max_new_tokens:
        yield from continued(work, starts, tellers, ends)
    else:
        yield from (Delta(row, "", (), 0, "length") for row in range(len(tellers)))


def start_of(work: Work, prompt: str | list[int] | Talk) -> Start:
    """Read a prompt."""
    cell, truncate = work.cell, work.truncate
    before = hidden = 0
    if isinstance(prompt, Talk):
        ids, before, _ = prompt.reading.prompt(prompt.messages, work.max_new_tokens)
    elif isinstance(prompt, str):
        ids = cell.codec.begin(prompt, work.marks)
        hidden = int(ids[0] == cell.codec.eot)
    else:
        ids = prompt
        if not all(0 <= index < cell.module.vocab_size for index in ids):
            message = f"prompt: an id does not lie in 0 to {cell.module.vocab_size - 1}, the vocabulary"
            raise RequestError(400, message, param="prompt")
    room = cell.context if truncate in (None, -1) else min(truncate, cell.context)
    left_out = max(0, len(ids) - room)
    if left_out and truncate is None:
        raise RequestError(
            400,
            f"This model's maximum context length is {cell.context} tokens, but the prompt has {len(ids)}. "
            "Shorten it, or send truncate_prompt_tokens: -1 to leave out its beginning.",
            "context_length_exceeded",
            "prompt",
        )
    return Start(ids[left_out:], max(0, hidden - left_out), before + left_out)


def echo(
    work: Work, start: Start, rows: range, tellers: list[Teller], ends: dict[int, Known]
) -> Iterator[Delta]:
    """Yield a prompt as the beginning of its answers; note what an end right behind it is worth."""
    codec = work.cell.codec
    text = codec.decode(start.ids[start.hidden :], work.marks)
    known: list[Known] = []
    if work.alternatives is not None:
        *known, end = scored(work.cell, start.ids, work.alternatives)
        known = known[start.hidden :]
        known[:1] = [Known(known[0].id, None, ())] if known else []
        ends.update(dict.fromkeys(rows, end))
    for row in rows:
        told = tellers[row].tell(known, codec.prefix)
        tellers[row].begin(len(text))
        yield Delta(row, text, told, 0, None)


def scored(cell: TrainedCell, ids: list[int], alternatives: int) -> list[Known]:
    """Return what a cell makes of each id, and of an end of text behind them.

    Raises:
        UserError: the weights give no probabilities.
    """
    logprobs = cell.forward(ids).log_softmax(-1)  # (time, vocabulary): of what follows each id
    if not torch.isfinite(logprobs).all():
        raise UserError("the weights of this cell give no probabilities; its training diverged")
    targets = [*ids[1:], cell.codec.eot or 0]
    own = logprobs.gather(-1, torch.tensor(targets)[:, None])[:, 0].tolist()
    best = logprobs.topk(min(alternatives, logprobs.shape[-1]))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    others = [tuple(zip(*pair, strict=True)) for pair in pairs]
    return [Known(ids[0], None, ()), *map(Known, targets, own, others)]


def continued(
    work: Work, starts: list[Start], tellers: list[Teller], ends: dict[int, Known]
) -> Iterator[Delta]:
    """Yield what follows the prompts."""
    pieces = stream(
        work.cell.module,
        work.cell.codec,
        [start.ids for start in starts for _ in range(work.n)],
        work.decoding,
        work.max_new_tokens,
        range(work.seed, work.seed + len(tellers)),
        ends=work.ends,
        begins=work.begins,
        ignore_eos=work.ignore_eos,
        marks=work.marks,
        alternatives=work.alternatives or 0,
    )
    for piece in pieces:
        known = [Known(token.id, token.logprob, token.alternatives) for token in piece.tokens]
        if known:
            ends.pop(piece.row, None)
        elif piece.finish == "end" and piece.row in ends:
            # Clients that score a prompt count on one token behind it, even if that is the end of text.
            known = [ends[piece.row]]
        told = tellers[piece.row].tell(known) if work.alternatives is not None else ()
        yield Delta(piece.row, piece.text, told, len(piece.tokens), piece.finish)
