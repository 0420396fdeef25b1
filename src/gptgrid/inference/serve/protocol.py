"""What a client may ask for: the keys of OpenAI's API that mean something here, and those of our decoding.

Names of keys that OpenAI does not have are those of vLLM where it has them. A key that is not known is
refused: a setting that has no effect would make a wrong figure.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gptgrid.artifact.errors import UserError
from gptgrid.inference.serve.errors import RequestError
from gptgrid.model.decoding import Decoding
from gptgrid.text import chat_template

MOST_CHOICES = 64
"""Continuations of one request: prompts × n × beams."""
MOST_TOKENS = 32768
"""Tokens that one request may ask for, all of its continuations together."""
NEUTRAL = {
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "suffix": "",
    "tools": [],
    "tool_choice": "none",
    "response_format": {"type": "text"},
    "modalities": ["text"],
}
"""Keys that are not supported → the value with which they ask for nothing."""
IGNORED = {
    *("user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention"),
}
"""Keys that change no answer."""
BRANCHES = {"str", "list[str]", "list[Part]"}
"""What pydantic calls the kinds of a value that may be of several."""


Item = TypeVar("Item")
Few = Annotated[list[Item], Field(max_length=16)]
"""A list that cannot have very many errors."""
Nothing = Annotated[list[Any], Field(max_length=0)]
"""What clients send back of an answer, and what asks for nothing as long as it is empty."""


class Asked(BaseModel):
    """An object of a request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def without_nulls(cls, data: Any) -> Any:
        """Return it without keys whose value is null, which say nothing: clients send back what they got."""
        return (
            {key: value for key, value in data.items() if value is not None} if type(data) is dict else data
        )


class StreamOptions(Asked):
    """How to stream."""

    include_usage: bool = False
    include_obfuscation: bool = False
    """Pads the events against eavesdroppers; nothing is padded here."""


class Settings(Asked):
    """What both ways of asking have."""

    model: str | None = None
    n: int = Field(1, ge=1, le=MOST_CHOICES)
    best_of: int | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    stop: str | Few[str] = Field(default_factory=list)
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = Field(0, ge=-1)
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    beams: int = Field(1, le=MOST_CHOICES)
    length_penalty: float = 1.0
    ignore_eos: bool = False
    truncate_prompt_tokens: int | None = Field(None, ge=-1)

    def check(self) -> None:
        """Refuse keys that would have no effect together.

        Raises:
            RequestError: there are such.
        """
        if self.best_of not in (None, self.n):
            raise wrong("best_of", "is not supported; n continuations are all returned")
        if self.n > 1 and self.beams > 1:
            raise wrong("n", f"is {self.n}, but beam search draws nothing: ask for one text of each prompt")
        if self.length_penalty != 1 and self.beams == 1:
            raise wrong("length_penalty", "is of beam search: set beams, too")
        if self.stream_options.include_usage and not self.stream:
            raise wrong("stream_options", "needs stream: true; an answer that is not streamed has its usage")
        if (kept := self.truncate_prompt_tokens) is not None and kept != -1 and kept < 1:
            raise wrong(
                "truncate_prompt_tokens", f"is {kept}; -1 keeps what the context holds, or give 1 at least"
            )

    def decoding(self) -> Decoding:
        """Return how tokens are chosen.

        Raises:
            RequestError: a value is out of range.
        """
        found = Decoding(
            temperature=self.temperature,
            top_k=max(0, self.top_k),  # -1 is off, too, as in vLLM
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram,
            beams=self.beams,
            length_penalty=self.length_penalty,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop),
        )
        try:
            found.check()
        except UserError as error:
            key, _, why = str(error).partition(" ")
            raise wrong(key, why) from None
        return found


class CompletionRequest(Settings):
    """The body of `/v1/completions`."""

    prompt: Any = ""
    """A text, texts, token ids, or lists of token ids; see `prompts`."""
    max_tokens: int = Field(16, ge=0, le=MOST_TOKENS)
    echo: bool = False
    logprobs: int | None = Field(None, ge=0, le=20)

    def prompts(self) -> list[str | list[int]]:
        """Return the prompts one by one.

        Raises:
            RequestError: they are nothing of the kind.
        """
        given = self.prompt
        if isinstance(given, str) or is_list_of(int, given):
            return [given]
        if is_list_of(str, given) or (is_list_of(list, given) and all(is_list_of(int, ids) for ids in given)):
            return given
        raise RequestError(
            400, "prompt must be a text, a list of texts, token ids or a list of those", param="prompt"
        )


class Message(Asked):
    """What somebody said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Few[Part]
    annotations: Nothing = []
    tool_calls: Nothing = []

    def said(self) -> chat_template.Message:
        """Return it as a model is told; newer clients call the system the developer."""
        role = chat_template.SYSTEM if self.role == "developer" else self.role
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return chat_template.Message(role, "".join(parts))


class Part(Asked):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatRequest(Settings):
    """The body of `/v1/chat/completions`."""

    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=MOST_TOKENS)
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)

    def check(self) -> None:
        super().check()
        if self.top_logprobs and not self.logprobs:
            raise wrong("top_logprobs", "needs logprobs: true")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise wrong("max_tokens", "is the older name of max_completion_tokens; send one of the two")


Request = TypeVar("Request", bound=Settings)


def parse(kind: type[Request], body: bytes) -> Request:
    """Read a request.

    Raises:
        RequestError: it is no JSON, or not what was expected.
    """
    try:
        data = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise RequestError(400, "the body must be a JSON object")
    asked = {}
    for key, value in data.items():
        if key in IGNORED or (key in NEUTRAL and value in (None, NEUTRAL[key])):
            continue
        if key in NEUTRAL:
            raise RequestError(400, f"{key} is not supported here", "unsupported_parameter", key)
        asked[key] = value
    try:
        found = kind.model_validate(asked)
    except ValidationError as error:
        raise error_of(error, kind) from None
    found.check()
    return found


def wrong(key: str, why: str) -> RequestError:
    """Return what to say of a key."""
    return RequestError(400, f"{key} {why}", param=key)


def error_of(error: ValidationError, kind: type[Settings]) -> RequestError:
    """Return the first thing that is wrong with a request."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    # Where a text or a list may stand, what is wrong in a list says more than that it is no text.
    wrong = (one for one in found if "str" not in one["loc"] and one["type"] != "list_type")
    first = next(wrong, found[0])
    key = str(first["loc"][0])[:100]
    place = ".".join(str(part) for part in first["loc"] if part not in BRANCHES)
    if first["type"] == "extra_forbidden":
        near = get_close_matches(place, kind.model_fields, 1) if place == key else []
        message = f"unknown key {place[:100]!r}" + (f"; did you mean {near[0]}?" if near else "")
        return RequestError(400, message, "unknown_parameter", key)
    return RequestError(400, f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}", param=key)


def is_list_of(kind: type, value: Any) -> bool:
    """Say whether a value is a list with something of one type, and nothing else, in it."""
    return isinstance(value, list) and len(value) > 0 and all(type(item) is kind for item in value)
