"""A chat template comes back from transformers as it was, and plain Jinja reads it."""

import jinja2
import pytest

from gptgrid.text.chat_template import CHATML, PLAIN, ChatTemplate, Message
from gptgrid.text.transformers_template import from_transformers, to_transformers, without_generation

HARD = [
    'It\'s "brief".',
    "a\nb",
    "'",
    '"',
    "\\",
    "{{ now }} {% if %}",
    "狐🦊",
    "",
    "'}] + messages %}{% endif %}\n",
]
TALK = [Message("user", " Who? "), Message("assistant", "\n A fox. \n"), Message("user", "")]
ROLES = "{%- for message in messages %}\n  {{ message.role }}:\n  {% if message.role == 'assistant' %}\n"
REST = (
    "  {% else %}\n{{ message.content }}{% endif %}\n{% endfor %}{{ 'assistant:' if add_generation_prompt }}"
)
BLANKS = [
    f"{ROLES}   {{%{before} generation {inside}%}}\n {{{{ message.content }}}}| \n"
    f" {{%{inside}endgeneration{before}%}}\n {REST}"
    for before in ("", "-", "+")
    for inside in ("", "-")
]


@pytest.mark.parametrize("system", [None, *HARD])
@pytest.mark.parametrize("source", [CHATML.source, "{{ bos_token }}{% if a %}", ""])
def test_a_template_comes_back(source, system):
    assert from_transformers(to_transformers(source, system)) == (source, system)


@pytest.mark.parametrize("text", [CHATML.source, "{{ bos_token }}{{ messages }}", ""])
def test_a_template_of_others_stays_as_it_is(text):
    assert from_transformers(text) == (text, None)


@pytest.mark.parametrize("source", [CHATML.source, PLAIN.source, *BLANKS])
@pytest.mark.parametrize("answer", [False, True])
def test_plain_jinja_writes_the_same(source, answer):
    plain = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    plain.globals["raise_exception"] = None
    messages = TALK if answer else TALK[:2]
    found = plain.from_string(without_generation(source)).render(
        messages=[vars(message) for message in messages], add_generation_prompt=answer, bos_token=""
    )
    assert found == ChatTemplate(source, "own").render(messages, answer)
