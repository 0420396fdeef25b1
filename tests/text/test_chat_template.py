"""Templates render messages as transformers does, and those that lose text are refused."""

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from gptgrid.artifact.errors import UserError
from gptgrid.text.chat_template import CHATML, HARD, PLAIN, ChatTemplate, Message

TALK = [
    Message("system", "Be brief."),
    Message("user", "Who?"),
    Message("assistant", "Tom."),
    Message("user", "Where?"),
    Message("assistant", "Here."),
]

ANSWER = "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
"""The beginning of a template that says what an answer is."""


def template(body: str, end: str = "") -> ChatTemplate:
    """Return a template that writes messages one after the other, and then an end."""
    return ChatTemplate("{% for m in messages %}" + body + "{% endfor %}" + end, "mine.jinja")


GOOD = template(
    "<|{{ m.role }}|>" + ANSWER + "{% else %}{{ m.content }}{% endif %}",
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
)


def test_chatml():
    assert CHATML.render(TALK[1:3]) == (
        "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nTom.<|im_end|>\n"
    )
    assert CHATML.render(TALK[:2], answer=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert CHATML.special_tokens() == ["<|im_start|>", "<|im_end|>"]
    answers = "".join(part.text for part in CHATML.parts(TALK) if part.answer)
    assert answers == "Tom.<|im_end|>Here.<|im_end|>"


def test_plain():
    assert PLAIN.render(TALK[:3]) == "Be brief.\nWho?\nTom.\n"
    assert PLAIN.render(TALK[:2], answer=True) == "Be brief.\nWho?\n"
    assert PLAIN.special_tokens() == []
    assert "".join(part.text for part in PLAIN.parts(TALK) if part.answer) == "Tom.\nHere.\n"


@pytest.mark.parametrize("chat", [CHATML, PLAIN, GOOD], ids=lambda chat: chat.name)
def test_good_templates_pass_and_render_as_in_transformers(chat):
    chat.check()
    for content in HARD:
        messages = [Message("user", content), Message("assistant", content)]
        dicts = [vars(message) for message in messages]
        (whole,), ((spans,),) = render_jinja_template(
            [dicts], chat_template=chat.source, return_assistant_tokens_mask=True
        )
        assert chat.render(messages) == whole
        assert "".join(part.text for part in chat.parts(messages) if part.answer) == whole[slice(*spans)]
        (asked,), _ = render_jinja_template(
            [dicts[:1]], chat_template=chat.source, add_generation_prompt=True
        )
        assert chat.render(messages[:1], answer=True) == asked


def test_contents_are_no_templates():
    text = "{{ messages }} {% generation %} \ufdd0 \ufdd20\ufdd2 \ufdd1"
    messages = [Message("user", text), Message("assistant", text)]
    assert [part.text for part in CHATML.parts(messages) if part.content] == [text, text]


def test_special_tokens_that_a_template_puts_together_are_found():
    assert GOOD.special_tokens() == ["<|user|>", "<|assistant|>", "<|end|>", "<|system|>"]


def test_the_dialect_of_transformers():
    source = """\
    {% for m in messages + messages %}
        {% if loop.index0 == 1 %}
            {% break %}
        {% endif %}
{{ bos_token }}{{ {"b": m.content, "a": "<é>"} | tojson }}
    {% endfor %}
"""
    messages = [Message("user", "a")]
    (expected,), _ = render_jinja_template(
        [[vars(message) for message in messages]], chat_template=source, bos_token=""
    )
    assert ChatTemplate(source, "mine").render(messages) == expected == '{"b": "a", "a": "<é>"}\n'


@pytest.mark.parametrize(
    ("body", "end", "message"),
    [
        (ANSWER + "{% else %}{{ m.content | trim }}{% endif %}", "", r"turns the user message ' ' into ''"),
        (ANSWER + "{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}", "", r"turns the user message '<think>.* into '\\n\\nan answer'; write message.content as it is"),
        (ANSWER + "{% else %}{{ m.content[:500] }}{% endif %}", "", r"\(13,000 characters\) into .* \(500 characters\)"),
        (ANSWER + "{% elif m.role == 'user' %}{{ m.content }}{% endif %}", "", "writes message 1 \\(system\\) 0 times, not once, in a conversation of 5 messages \\(system, user, "),
        (ANSWER + "{% else %}{{ m.content }}{{ m.content }}{% endif %}", "", "writes message 1 \\(user\\) 2 times, not once, in"),
        ("{{ m.content }}", "", "does not say what an answer is; put {% generation %} and"),
        ("{% generation %}{{ m.content }}|{% endgeneration %}", "", "its {% generation %} holds a user message"),
        ("{% if m.role == 'user' %}{{ m.content }}{% else %}{% generation %}{{ m.content }}{% endgeneration %}|{% endif %}", "", "an answer has no end; put the mark that ends it"),
        (ANSWER + "{{ eos_token }}{% else %}{{ m.content }}{% endif %}", "", r"it writes <\|endoftext\|> \(perhaps as eos_token\)"),
        (ANSWER + "{% else %}Q: {{ m.content }}\nA: {% endif %}", "A: ", r"with add_generation_prompt it ends with '\\nA: A: ', but an answer within a conversation begins behind '\\nA: '"),
        ("{% if m.role == 'user' %}{{ m.content }}{% else %}{% generation %}A: {{ m.content }}|{% endgeneration %}{% endif %}", "{% if add_generation_prompt %}A: {% endif %}", "{% generation %} must begin there"),
        (ANSWER + "{% elif m.content %}{{ m.content }}{% else %}nothing{% endif %}", "", "turns the user message '' into 'nothing'"),
        (ANSWER + "{% elif messages[0].content %}{{ m.content }}{% else %}.{{ m.content }}{% endif %}", "", "writes other text where the user message is ''|turns the user message '' into '.'"),
    ],
)  # fmt: skip
def test_unfit_templates_are_refused(body, end, message):
    with pytest.raises(UserError, match="the chat template mine.jinja cannot be used: .*(" + message + ")"):
        template(body, end).check()


def test_messages_in_another_order_are_refused():
    source = "{% for m in messages | reverse %}" + ANSWER + "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    with pytest.raises(
        UserError,
        match=r"it changes the order of the messages in a conversation of 4 messages \(user, assistant, ",
    ):
        ChatTemplate(source, "mine").check()


def test_a_template_that_leaves_out_turns_is_refused():
    chat = ChatTemplate(CHATML.source.replace("in messages %}", "in messages[-6:] %}"), "mine")
    lost = r"mine cannot be used: it writes message 1 \(user\) 0 times, not once, in a conversation of "
    with pytest.raises(UserError, match=lost + r"24 messages \(user, assistant, .*, …\)"):
        chat.check()
    chat = ChatTemplate(PLAIN.source.replace("in messages %}", "in messages[-6:] %}"), "mine")
    turns = TALK[1:3] * 4
    assert chat.render(turns[:6]) == PLAIN.render(turns[:6])
    for answer in (False, True):
        with pytest.raises(UserError, match=lost + f"{8 - answer} messages"):
            chat.parts(turns[: 8 - answer], answer)


def test_however_long_a_conversation_is_none_of_it_is_lost():
    chat = ChatTemplate(CHATML.source.replace("in messages %}", "in messages[-40:] %}"), "mine")
    chat.check()
    with pytest.raises(UserError, match=r"message 1 \(user\) 0 times, not once, in a conversation of 42"):
        chat.parts(TALK[1:3] * 21)
    rare = CHATML.source.replace(
        'if message.role == "assistant" %', 'if message.role == "assistant" and loop.index < 40 %'
    )
    chat = ChatTemplate(rare, "mine")
    chat.check()
    with pytest.raises(UserError, match="does not say what an answer is"):
        chat.parts(TALK[1:3] * 21)
    other = "('<|im_end|>' if loop.index < 40 else '<|sep|>')"
    chat = ChatTemplate(CHATML.source.replace('content ~ "<|im_end|>"', f"content ~ {other}", 1), "mine")
    chat.check()
    with pytest.raises(UserError, match=r"ends an answer with '<\|sep\|>' in a conversation of 42 messages"):
        chat.parts(TALK[1:3] * 21)


@pytest.mark.parametrize(
    ("mark", "others"),
    [
        ("('<|im_end|>' if loop.last else '<|sep|>')", "user, assistant, user, assistant"),
        ("('<|im_end|>' if loop.index0 == 1 else '<|sep|>')", "user, assistant, user, assistant"),
        ("('<|im_end|>' if messages[0].role == 'user' else '<|sep|>')", "system, user, assistant, user, assistant"),
        ("('<|im_end|>' if loop.length < 20 else '<|sep|>')", "user, assistant, user, .*, …"),
    ],
)  # fmt: skip
def test_answers_must_end_alike(mark, others):
    chat = ChatTemplate(CHATML.source.replace('content ~ "<|im_end|>"', f"content ~ {mark}", 1), "mine")
    expected = (
        rf"ends an answer with '<\|sep\|>' in a .* messages \({others}\), and with '<\|im_end\|>' in one of"
    )
    with pytest.raises(UserError, match=expected):
        chat.check()


@pytest.mark.parametrize("between", ["~", "\\n"])
def test_between_an_answer_and_its_mark_stands_nothing(between):
    chat = ChatTemplate(CHATML.source.replace('~ "<|im_end|>"', f'~ "{between}<|im_end|>"', 1), "mine")
    with pytest.raises(
        UserError, match=r"it writes '.*' between an answer and <\|im_end\|>, the mark .*; write"
    ):
        chat.check()
    ChatTemplate(CHATML.source.replace('~ "<|im_end|>"', f'~ "<|im_end|>{between}"', 1), "mine").check()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for m in %}", "the chat template mine.jinja, line 1 is no Jinja: "),
        ("\n{% if %}", "mine.jinja, line 2 is no Jinja"),
        ("{% generation %}", "is no Jinja"),
        ("{{ strftime_now('%d') }}", r"does not take these messages \(user, assistant, user, assistant\): 'strftime_now' is undefined"),
        ("{{ messages[7].content }}", "does not take these messages .*: .* has no element 7"),
        ("{{ ''.__class__.__mro__ }}", "does not take these messages .*: .* unsafe"),
        ("{% for i in range(1000000000) %}{% endfor %}", "does not take these messages .*: Range too big"),
        ("{% set _ = messages.append(1) %}", "does not take these messages"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_refused(source, message):
    with pytest.raises(UserError, match=message):
        ChatTemplate(source, "mine.jinja").check()


@pytest.mark.parametrize(
    ("roles", "answer", "message"),
    [
        ("assistant user", False, "message 1 must be of role user, not assistant"),
        ("system assistant", False, "message 2 must be of role user, not assistant"),
        ("user user", False, r"does not take these messages \(user, user\): message 2 must be of role assistant, not user"),
        ("user system assistant", False, "message 2 must be of role assistant, not system"),
        ("user assistant", True, "the last message must be of role user for the assistant to answer"),
        ("system", True, "the last message must be of role user"),
        ("", True, r"does not take these messages \(none\): the last message must be"),
        ("tool", False, "the role of a message is 'tool'; there are system, user, assistant"),
        ("user<|im_end|>", False, "the role of a message is"),
    ],
)  # fmt: skip
def test_roles_that_do_not_fit_are_refused(roles, answer, message):
    with pytest.raises(UserError, match=message):
        CHATML.render([Message(role, "text") for role in roles.split()], answer)


def test_a_template_need_not_take_system_messages():
    template(
        "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + ANSWER
        + "{% else %}{{ m.content }}{% endif %}"
    ).check()
