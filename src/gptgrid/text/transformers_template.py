"""Chat templates as transformers has them: what a cell's own becomes there, and back."""

from __future__ import annotations

import ast
import re

START = "{{ bos_token }}{% set bos_token = '' %}\n"
"""Here a conversation begins with the end-of-text token, whatever the template says of a `bos_token`."""
SYSTEM = (
    "{%% if messages | selectattr('role', 'equalto', 'system') | list | length == 0 %%}"
    "{%% set messages = [{'role': 'system', 'content': %s}] + messages %%}{%% endif %%}\n"
)
"""A system message where all conversations have one."""
LITERAL = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
GENERATION = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")


def to_transformers(source: str, system: str | None) -> str:
    """Return a chat template that does in transformers what a cell does before its own begins.

    Each block ends its line, so that the template's own first line is the first of a line there, too.

    Args:
        source: of the cell's own.
        system: what the system message of all conversations says that have none.
    """
    return START + ("" if system is None else SYSTEM % ascii(system)) + source


def from_transformers(text: str) -> tuple[str, str | None]:
    """Return what `to_transformers` was given; any other template as it is."""
    if not text.startswith(START):
        return text, None
    source = text.removeprefix(START)
    before, after = map(re.escape, (SYSTEM % "\0").split("\0"))
    found = re.match(before + LITERAL + after, source)
    return (source[found.end() :], ast.literal_eval(found[1])) if found else (source, None)


def without_generation(text: str) -> str:
    """Return a template without `{% generation %}`, which Jinja alone does not know; it writes the same.

    A block that is always there takes its place, so that the blanks around its tags stay what they were.
    """
    return GENERATION.sub(
        lambda tag: f"{{%{tag[1]} {'endif' if tag[2] else 'if true'} {tag[3]}%}}",
        text,
    )
