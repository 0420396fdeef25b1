"""Answers in the forms of OpenAI's API: whole, and in chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from gptgrid.inference.serve.answer import Counts, Delta
from gptgrid.inference.serve.told import Name, Told

FINISHES = {"end": "stop", "stop": "stop", "length": "length", None: None}
"""How an answer ended → what OpenAI's API calls it."""


class Form:
    """The form of one answer."""

    prefix: str
    whole_object: str
    chunk_object: str

    def __init__(self, model: str, logprobs: bool) -> None:
        """Begin an answer.

        Args:
            model: name of the cell.
            logprobs: whether the client asked for probabilities.
        """
        self.logprobs = logprobs
        self.head = {"id": f"{self.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def whole(self, counts: Counts, deltas: Iterable[Delta]) -> dict[str, Any]:
        """Return the whole answer."""
        rows: dict[int, list[Delta]] = {}
        generated = 0
        for delta in deltas:
            rows.setdefault(delta.row, []).append(delta)
            generated += delta.generated
        choices = [
            {
                "index": row,
                **self.said("".join(part.text for part in parts)),
                "logprobs": self.told([token for part in parts for token in part.tokens]),
                "finish_reason": FINISHES[parts[-1].finish],
            }
            for row, parts in sorted(rows.items())
        ]
        return {
            "object": self.whole_object,
            **self.head,
            "choices": choices,
            "usage": usage(counts, generated),
        }

    def chunk(self, delta: Delta, first: bool) -> dict[str, Any]:
        """Return what comes next; `first` of this choice."""
        choice = {
            "index": delta.row,
            **self.added(delta.text, first),
            "logprobs": self.told(delta.tokens),
            "finish_reason": FINISHES[delta.finish],
        }
        return {"object": self.chunk_object, **self.head, "choices": [choice]}

    def last(self, counts: Counts, generated: int) -> dict[str, Any]:
        """Return the chunk that says how much there was."""
        return {
            "object": self.chunk_object,
            **self.head,
            "choices": [],
            "usage": usage(counts, generated),
        }

    def said(self, text: str) -> dict[str, Any]:
        """Return a whole text as a part of a choice."""
        raise NotImplementedError

    def added(self, text: str, first: bool) -> dict[str, Any]:
        """Return more of a text as a part of a choice."""
        raise NotImplementedError

    def told(self, tokens: Iterable[Told]) -> dict[str, Any] | None:
        """Return the probabilities of tokens; None if they were not asked for."""
        raise NotImplementedError


class CompletionForm(Form):
    """Of `/v1/completions`."""

    prefix, whole_object, chunk_object = "cmpl", "text_completion", "text_completion"

    def said(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def added(self, text: str, first: bool) -> dict[str, Any]:
        return {"text": text}

    def told(self, tokens: Iterable[Told]) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        tokens = list(tokens)
        return {
            "tokens": [token.name.text for token in tokens],
            "token_logprobs": [token.name.logprob for token in tokens],
            "top_logprobs": [top(token) for token in tokens],
            "text_offset": [token.place for token in tokens],
        }


class ChatForm(Form):
    """Of `/v1/chat/completions`."""

    prefix, whole_object, chunk_object = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def said(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def added(self, text: str, first: bool) -> dict[str, Any]:
        return {"delta": {**({"role": "assistant"} if first else {}), "content": text}}

    def told(self, tokens: Iterable[Told]) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        content = [
            {**named(token.name), "top_logprobs": [named(name) for name in token.alternatives]}
            for token in tokens
        ]
        return {"content": content, "refusal": None}


def top(token: Told) -> dict[str, float] | None:
    """Return the likeliest tokens, and the token itself; of several with the same text the likeliest."""
    if token.name.logprob is None:
        return None
    found: dict[str, float] = {}
    for name in [*token.alternatives, token.name]:
        found.setdefault(name.text, name.logprob)
    return found


def named(name: Name) -> dict[str, Any]:
    """Return a token as a chat has it."""
    return {"token": name.text, "logprob": name.logprob, "bytes": list(name.bytes)}


def usage(counts: Counts, generated: int) -> dict[str, int]:
    """Return how many tokens there were; of those of a prompt that were left out only if there are some."""
    left_out = {"prompt_tokens_left_out": counts.left_out} if counts.left_out else {}
    return {
        "prompt_tokens": counts.tokens,
        "completion_tokens": generated,
        "total_tokens": counts.tokens + generated,
        **left_out,
    }
