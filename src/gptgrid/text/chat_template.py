"""Chat templates: how messages become one text, and which part of it is an answer.

A template is Jinja in the dialect of the transformers library, so that the same text works there. What an
answer is, its end mark included, stands between `{% generation %}` and `{% endgeneration %}`.

A template is rendered with a placeholder in place of each content. So no content is ever read as a template,
and what is content and what the template's own text is known to the letter. Tools, images and the date are
left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, pairwise

from jinja2 import TemplateError
from jinja2.ext import Extension
from jinja2.nodes import CallBlock
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.variants import Variants
from gptgrid.tokens.special import END_OF_TEXT

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
ROLES = (SYSTEM, USER, ASSISTANT)

BEGIN, END, QUOTE = "\ufdd0", "\ufdd1", "\ufdd2"
"""Around an answer, and on both sides of the number that is a placeholder: Unicode has them for no text."""
SEAMS = re.compile(f"({BEGIN}|{END}|{QUOTE}[0-9]+{QUOTE})")
SPECIAL = re.compile(r"<([|｜])[^|｜<>\s]+\1>")
"""How names of special tokens are written."""
TURNS, LONG = (2, 1), 12
"""Turns of the conversations that a template has to take; of the long one, contents are not looked at."""

HARD = (
    "",
    " ",
    "\n",
    "  blanks on both sides  ",
    "\n\nempty lines\n\nin it\n\n",
    "\tdef f():\r\n\t\treturn 'a'\n",
    "{{ content }} {% if a %} {# braces #} {0} %s",
    "<think>\nthoughts\n</think>\n\nan answer",
    "Signs: & < > \" ' \\ \\n `x` *y* #z </s> [INST]",
    f"CAPITALS, Ünïcode, 中文，e\u0301, {END_OF_TEXT} <|im_end|>",
    "a long text, " * 1000,
)
"""Contents that a template must give back unchanged."""


@dataclass(frozen=True)
class Message:
    """What one side said."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


@dataclass(frozen=True)
class Part:
    """A piece of a rendered conversation."""

    text: str
    content: bool
    """Whether it is what a message says, and not text of the template."""
    answer: bool
    """Whether it is part of what the assistant says, which includes the mark that ends it."""


class Generation(Extension):
    """The block `{% generation %}`, which writes a sign before and after what is in it."""

    tags = frozenset({"generation"})

    def parse(self, parser: Parser) -> CallBlock:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("surround"), [], [], body).set_lineno(line)

    def surround(self, caller: Macro) -> str:
        """Return the text of a block between the signs."""
        return f"{BEGIN}{caller()}{END}"


def refuse(message: str) -> None:
    """Stop rendering: `raise_exception` of a template."""
    raise TemplateError(message)


def to_json(value: object, **options: object) -> str:
    """Return JSON that is not made safe for HTML, as transformers does."""
    return json.dumps(value, **{"ensure_ascii": False, **options})


def environment() -> ImmutableSandboxedEnvironment:
    """Return what reads templates."""
    jinja = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    jinja.filters["tojson"] = to_json
    jinja.globals["raise_exception"] = refuse
    return jinja


class ChatTemplate:
    """How messages become the text that a model reads, and which part of it the model writes."""

    def __init__(self, source: str, name: str) -> None:
        """Read a template.

        Args:
            source: Jinja text.
            name: for messages: `chatml`, or the path of a file.

        Raises:
            UserError: it is no Jinja.
        """
        self.source, self.name = source, name
        try:
            self.jinja = environment().from_string(source)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            where = name if line is None else f"{name}, line {line}"
            raise UserError(f"the chat template {where} is no Jinja: {error}") from None

    def render(self, messages: Sequence[Message], answer: bool = False) -> str:
        """Return messages as one text.

        Args:
            messages: in turn.
            answer: end where the assistant is to go on.

        Raises:
            UserError: the template does not take these messages.
        """
        return "".join(part.text for part in self.parts(messages, answer))

    def parts(self, messages: Sequence[Message], answer: bool = False) -> list[Part]:
        """Return the pieces of the same text, in order; none is empty but a content may be.

        Raises:
            UserError: the template does not take these messages, or loses some of them.
        """
        roles = [message.role for message in messages]
        outline = self.outline(roles, answer)
        self.check_places(roles, outline)
        self.check_ends(roles, outline)
        return [
            replace(part, text=messages[int(part.text)].content) if part.content else part for part in outline
        ]

    def outline(self, roles: Sequence[str], answer: bool) -> list[Part]:
        """Return the parts of a conversation, in place of each content the number of its message."""
        places = [Message(role, f"{QUOTE}{place}{QUOTE}") for place, role in enumerate(roles)]
        parts, within = [], False
        for piece in SEAMS.split(self.fill(places, answer)):
            if piece in (BEGIN, END):
                within = piece == BEGIN
            elif piece:
                parts.append(Part(piece.strip(QUOTE), piece.startswith(QUOTE), within))
        return parts

    def fill(self, messages: Sequence[Message], answer: bool) -> str:
        """Return what Jinja makes of messages, with signs around answers.

        Raises:
            UserError: the template does not take them.
        """
        roles = [message.role for message in messages]
        if unknown := [role for role in roles if role not in ROLES]:
            raise UserError(f"the role of a message is {unknown[0]!r}; there are {', '.join(ROLES)}")
        try:
            return self.jinja.render(
                messages=[vars(message) for message in messages],
                add_generation_prompt=answer,
                bos_token="",
                eos_token=END_OF_TEXT,
            )
        except Exception as error:  # Whatever goes wrong in a template is its writer's to mend.
            raise UserError(
                f"the chat template {self.name} does not take these messages ({named(roles)}): {error}"
            ) from None

    def special_tokens(self) -> list[str]:
        """Return the names, such as <|im_start|>, that its own text writes, in order of their first places.

        Raises:
            UserError: it takes no conversation at all.
        """
        return list(dict.fromkeys(found[0] for text in self.own_texts() for found in SPECIAL.finditer(text)))

    def own_texts(self) -> Iterator[str]:
        """Yield what it writes beside contents, in all conversations that it has to take.

        Raises:
            UserError: it does not take one.
        """
        for roles in self.conversations():
            for answer in (False, True):
                for part in self.outline(roles[: len(roles) - answer], answer):
                    if not part.content:
                        yield part.text

    def conversations(self) -> list[tuple[str, ...]]:
        """Return the roles of conversations that it has to take: with a system message only if it can.

        Raises:
            UserError: it does not take one without.
        """
        plain = [(USER, ASSISTANT) * turns for turns in (*TURNS, LONG)]
        for roles in plain:
            self.outline(roles, answer=False)
        try:
            self.outline((SYSTEM, *plain[0]), answer=False)
        except UserError:
            return plain
        return [*plain, *((SYSTEM, *roles) for roles in plain)]

    @cached_property
    def end(self) -> str:
        """What it writes behind each answer as part of it.

        Raises:
            UserError: it does not say what an answer is.
        """
        roles = (USER, ASSISTANT)
        parts = self.outline(roles, answer=False)
        self.check_places(roles, parts)
        return next(ends_of(parts))

    def check(self) -> None:
        """Refuse a template that cannot be used for fine-tuning.

        Raises:
            UserError: it loses or changes a text, does not say what an answer is, ends answers in several
                ways, writes the end of text, or asks for an answer otherwise than answers stand in a
                conversation.
        """
        for roles in self.conversations():
            parts = self.outline(roles, answer=False)
            self.check_places(roles, parts)
            self.check_ends(roles, parts)
            self.check_prompts(roles)
            for content in HARD if len(roles) < LONG else ():
                for place in range(len(roles)):
                    self.check_content(roles, place, content)
        if mark := SPECIAL.search(self.end):
            self.check_mark(mark[0])

    def check_places(self, roles: Sequence[str], parts: Sequence[Part]) -> None:
        """Refuse a conversation that has not each content once, in order, and each answer with its end."""
        written = [int(part.text) for part in parts if part.content]
        if written != [*range(len(roles))]:
            times = [written.count(place) for place in range(len(roles))]
            wrong = [place for place, number in enumerate(times) if number != 1]
            what = "changes the order of the messages"
            if wrong:
                what = f"writes message {wrong[0] + 1} ({roles[wrong[0]]}) {times[wrong[0]]} times, not once,"
            raise self.unfit(f"it {what} in a conversation of {len(roles)} messages ({named(roles)})")
        if any(END_OF_TEXT in part.text for part in parts if not part.content):
            raise self.unfit(
                f"it writes {END_OF_TEXT} (perhaps as eos_token), which begins documents and tells "
                "conversations apart; end answers with a mark of their own, such as <|im_end|>"
            )
        following = [*parts[1:], Part("", content=False, answer=False)]
        for part, after in zip(parts, following, strict=True):
            if not part.content:
                continue
            role = roles[int(part.text)]
            if role != ASSISTANT and part.answer:
                raise self.unfit(f"its {{% generation %}} holds a {role} message; it must hold answers only")
            if role == ASSISTANT and not part.answer:
                raise self.unfit(
                    "it does not say what an answer is; put {% generation %} and {% endgeneration %} around "
                    "the content of an assistant message and the mark that ends it"
                )
            if role == ASSISTANT and (after.content or not after.answer):
                raise self.unfit(
                    "an answer has no end; put the mark that ends it, such as <|im_end|>, before "
                    "{% endgeneration %}"
                )

    def check_ends(self, roles: Sequence[str], parts: Sequence[Part]) -> None:
        """Refuse a conversation of which an answer ends otherwise than answers do."""
        for end in ends_of(parts):
            if end != self.end:
                raise self.unfit(
                    f"it ends an answer with {end!r} in a conversation of {len(roles)} messages "
                    f"({named(roles)}), and with {self.end!r} in one of {USER}, {ASSISTANT}; every answer "
                    "must have the same end"
                )

    def check_mark(self, mark: str) -> None:
        """Refuse a template that writes a text between an answer and the mark that ends it."""
        if between := self.end[: self.end.index(mark)]:
            raise self.unfit(
                f"it writes {between!r} between an answer and {mark}, the mark that ends it, which would "
                f"become part of what the model says; write {mark} right behind the content, and "
                f"{between!r} behind {mark} or not at all"
            )

    def check_prompts(self, roles: Sequence[str]) -> None:
        """Refuse a template that asks for an answer otherwise than answers stand in a conversation."""
        parts = self.outline(roles, answer=False)
        for place in (place for place, role in enumerate(roles) if role == ASSISTANT):
            before = parts[: parts.index(Part(str(place), content=True, answer=True))]
            asked = self.outline(roles[:place], answer=True)
            if text_of(asked) != text_of(before) or any(part.answer for part in before[-1:]):
                raise self.unfit(
                    f"with add_generation_prompt it ends with {tail(asked)!r}, but an answer within a "
                    f"conversation begins behind {tail(before)!r}; both must be the same, and "
                    "{% generation %} must begin there"
                )

    def check_content(self, roles: Sequence[str], place: int, content: str) -> None:
        """Refuse a template that changes a content, or anything else because of it."""
        if roles[place] == SYSTEM and not content.strip():
            return
        messages = [Message(role, content if place == at else "text") for role, at in zip(roles, count())]
        parts = self.parts(messages)
        at = next(at for at, part in enumerate(parts) if part.content and part.text == content)
        before, after = text_of(parts[:at]), text_of(parts[at + 1 :])
        found = re.sub(f"[{BEGIN}{END}]", "", self.fill(messages, answer=False))
        if found == before + content + after:
            return
        if found.startswith(before) and found.endswith(after) and len(found) >= len(before + after):
            became = found[len(before) : len(found) - len(after)]
            raise self.unfit(
                f"it turns the {roles[place]} message {shown(content)} into {shown(became)}; write "
                "message.content as it is"
            )
        raise self.unfit(f"it writes other text where the {roles[place]} message is {shown(content)}")

    def unfit(self, why: str) -> UserError:
        """Return the error that says why it cannot be used."""
        return UserError(f"the chat template {self.name} cannot be used: {why}")


def text_of(parts: Iterable[Part]) -> str:
    """Return some parts as one text."""
    return "".join(part.text for part in parts)


def ends_of(parts: Sequence[Part]) -> Iterator[str]:
    """Yield what is written behind each answer as part of it."""
    return (after.text for part, after in pairwise(parts) if part.answer and part.content)


def named(roles: Sequence[str]) -> str:
    """Return the roles of a conversation for a message, of a long one the first."""
    return ", ".join([*roles[:8], *["…"][: len(roles) > 8]]) or "none"


def tail(parts: Sequence[Part]) -> str:
    """Return the template's text behind the last content."""
    return re.split(QUOTE, "".join(QUOTE if part.content else part.text for part in parts))[-1]


def shown(text: str) -> str:
    """Return the beginning of a text as a person can read it."""
    return f"{text[:40]!r}" + (f" … ({len(text):,} characters)" if len(text) > 40 else "")


CHATML = ChatTemplate(
    """\
{%- set first = 1 if messages and messages[0].role == "system" else 0 %}
{%- for message in messages %}
    {%- set turn = "user" if loop.index0 % 2 == first else "assistant" %}
    {%- if loop.index0 >= first and message.role != turn %}
        {{- raise_exception("message " ~ loop.index ~ " must be of role " ~ turn ~ ", not " ~ message.role) }}
    {%- endif %}
    {{- "<|im_start|>" ~ message.role ~ "\\n" }}
    {%- if message.role == "assistant" %}
        {%- generation %}
            {{- message.content ~ "<|im_end|>" }}
        {%- endgeneration %}
    {%- else %}
        {{- message.content ~ "<|im_end|>" }}
    {%- endif %}
    {{- "\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {%- if not messages or messages[-1].role != "user" %}
        {{- raise_exception("the last message must be of role user for the assistant to answer") }}
    {%- endif %}
    {{- "<|im_start|>assistant\\n" }}
{%- endif %}
""",
    "chatml",
)
"""ChatML, as OpenAI's first chat models, Qwen and many others have it, for messages in turn."""

PLAIN = ChatTemplate(
    """\
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- generation %}
            {{- message.content ~ "\\n" }}
        {%- endgeneration %}
    {%- else %}
        {{- message.content ~ "\\n" }}
    {%- endif %}
{%- endfor %}
""",
    "plain",
)
"""For models that know no roles: contents one a line. An answer ends with its line."""

TEMPLATES: Variants[ChatTemplate] = Variants({"chatml": CHATML, "plain": PLAIN})
"""The key `template` of the configuration → chat template."""
