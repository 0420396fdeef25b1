"""The sides take turns; what has no counterpart is left out and counted, and disorder is refused."""

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.dialogues.order import LeftOut, in_order
from gptgrid.text.chat_template import Message

NAMES = {"s": "system", "u": "user", "a": "assistant"}


def ordered(*messages):
    """Return what is kept of messages such as `u Who?`, and what was left out of dialogues and of messages."""
    left_out = LeftOut()
    given = [Message(NAMES[text[0]], text[2:]) for text in messages]
    kept = in_order(given, "a.jsonl, line 3", left_out)
    shown = None if kept is None else [f"{message.role[0]} {message.content}" for message in kept]
    return shown, dict(left_out.dialogues), dict(left_out.messages)


@pytest.mark.parametrize(
    ("messages", "kept", "left_out"),
    [
        (["u 1", "a 2", "u 3", "a 4"], ["u 1", "a 2", "u 3", "a 4"], {}),
        (["s 0", "u 1", "a 2"], ["s 0", "u 1", "a 2"], {}),
        (["s  ", "u 1", "a 2"], ["u 1", "a 2"], {}),
        (["s 0", "a 1", "u 2", "a 3"], ["s 0", "u 2", "a 3"], {"answers before the first question": 1}),
        (["a 0", "a 1", "u 2", "a 3"], ["u 2", "a 3"], {"answers before the first question": 2}),
        (["u 1", "a 2", "u 3"], ["u 1", "a 2"], {"questions after the last answer": 1}),
        (["u 1", "a 2", "u  "], ["u 1", "a 2"], {"questions after the last answer": 1}),
    ],
)
def test_what_has_no_counterpart_is_left_out(messages, kept, left_out):
    assert ordered(*messages) == (kept, {}, left_out)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "without an answer"),
        (["s 0"], "without an answer"),
        (["u 1"], "without an answer"),
        (["a 1"], "without an answer"),
        (["a 1", "u 2"], "without an answer"),
        (["u 1", "a  \n", "u 3", "a 4"], "with an empty answer"),
        (["u 1", "a "], "with an empty answer"),
        (["u \u200b", "a 2"], "with an empty question"),
    ],
)
def test_a_dialogue_that_teaches_no_answer_is_left_out(messages, reason):
    assert ordered(*messages) == (None, {reason: 1}, {})


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (
            ["u 1", "u 2", "a 3"],
            "a.jsonl, line 3: messages 1 and 2 are both of the user, and the sides take turns",
        ),
        (["s 0", "u 1", "a 2", "a 3"], "line 3: messages 3 and 4 are both of the assistant"),
        (["a 0", "u 1", "u 2", "a 3"], "line 3: messages 2 and 3 are both of the user"),
        (["u 1", "s 2", "a 3"], "line 3: message 2 is a system message, and is not the first"),
        (["s 0", "s 1", "u 2", "a 3"], "line 3: message 2 is a system message"),
        (["u 1", "a 2", "s 3"], "line 3: message 3 is a system message"),
    ],
)
def test_disorder_is_refused(messages, expected):
    with pytest.raises(UserError) as error:
        ordered(*messages)
    assert expected in str(error.value)
