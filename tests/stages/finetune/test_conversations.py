"""Conversations that do not fit the context are dropped, cut or refused, and never cropped otherwise."""

import numpy as np
import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.finetune.conversations import encode_split, length_of
from gptgrid.text.chat_template import CHATML, PLAIN, Message
from gptgrid.tokens.codec import BytesCodec
from gptgrid.tokens.conversation import Conversations

CODEC = BytesCodec(("<|im_start|>", "<|im_end|>"))
ENCODE = Conversations(CODEC, CHATML)
CONTEXT = 70


def messages(*texts, system=None):
    """Return messages in turn, the user's first."""
    roles = ("user", "assistant") * len(texts)
    said = [Message(role, text) for role, text in zip(roles, texts, strict=False)]
    return [Message("system", system), *said] if system else said


SHORT, LONG = messages("Hi?", "Ho."), messages("Hi?", "o" * 80)


def split(*dialogues, rule="drop"):
    return encode_split(dialogues, "train", ENCODE, CONTEXT, rule)


def text(encoded):
    return CODEC.decode(encoded.ids.tolist(), special=True)


def test_what_fits_is_whole():
    size = length_of(ENCODE.encode(messages("Hi?", "")))
    exact = messages("Hi?", "o" * (CONTEXT - size))
    found = split(SHORT, exact, rule="refuse")
    for one, given in zip(found.used, (SHORT, exact), strict=True):
        assert np.array_equal(one.ids, ENCODE.encode(given).ids)
    assert (found.dropped, found.cut, found.first) == (0, 0, SHORT)
    assert length_of(found.used[1]) == CONTEXT
    assert split(SHORT, messages("Hi?", "o" * (CONTEXT - size + 1))).dropped == 1


def test_long_ones_are_dropped_and_counted():
    found = split(LONG, SHORT, LONG)
    assert (len(found.used), found.dropped, found.cut, found.first) == (1, 2, 0, SHORT)


def test_long_ones_are_cut_at_the_front_by_whole_turns():
    turns = ("One?", "Eins.", "Two?", "Zwei.", "Three?", "Drei.")
    long = messages(*turns, system="Count")
    found = split(long, rule="cut")
    assert (found.dropped, found.cut) == (0, 1)
    (one,) = found.used
    assert text(one) == "<|endoftext|>" + CHATML.render(messages(*turns[4:], system="Count"))
    assert np.array_equal(one.answers, ENCODE.encode(messages(*turns[4:], system="Count")).answers)
    assert "Two" in text(split(messages(*turns), rule="cut").used[0])


def test_a_single_turn_that_is_too_long_loses_the_end_of_its_answer():
    (one,) = split(messages("A?", "B.", *("Hi?", "o" * 80)), rule="cut").used
    assert np.array_equal(one.ids, ENCODE.encode(LONG).ids[: CONTEXT + 1])
    assert text(one).endswith("ooo") and one.answers[-1]


def test_a_question_that_is_too_long_is_dropped_even_so():
    found = split(messages("i" * 80, "Ho."), SHORT, rule="cut")
    assert (len(found.used), found.dropped, found.cut) == (1, 1, 0)


def test_long_ones_are_refused_by_their_number():
    with pytest.raises(
        UserError, match=r"^dialogue 2 of the train split takes 1\d\d tokens, more than the .* context of 70;"
    ) as error:
        split(SHORT, LONG, rule="refuse")
    assert "Hi?" not in str(error.value)  # the dialogues may be private


@pytest.mark.parametrize("rule", ["drop", "cut"])
def test_at_least_one_must_be_left(rule):
    too_long = messages("i" * 80, "Ho.")
    with pytest.raises(
        UserError, match=r"no dialogue of the train split is left: .* longest has 1\d\d tokens"
    ) as error:
        split(too_long, rule=rule)
    assert ("set `too_long: cut`" in str(error.value)) == (rule != "cut")
    assert ("no answer begins in it" in str(error.value)) == (rule == "cut")
    with pytest.raises(UserError, match="no dialogue of the train split is left: it has none"):
        split(rule=rule)


def test_answers_that_hold_the_text_that_ends_them_are_refused_by_name():
    plain, lines = Conversations(CODEC, PLAIN), messages("Hi\n?", "Ho.", "And?", "a\nb")
    expected = (
        r"dialogue 2 of the train split: message 4, an answer, holds '\\n', with which .* plain ends answers"
    )
    with pytest.raises(UserError, match=expected) as error:
        encode_split([SHORT, lines], "train", plain, CONTEXT, "drop")
    assert "template: chatml" in str(error.value)
    assert len(encode_split([SHORT, lines[:2]], "train", plain, CONTEXT, "drop").used) == 2
    assert len(split(SHORT, lines, rule="cut").used) == 2, "a mark ends any answer"


def test_what_the_template_does_not_take_is_named():
    wrong = [Message("assistant", "Ho."), Message("user", "Hi?"), Message("assistant", "Ho.")]
    with pytest.raises(UserError, match=r"dialogue 2 of the train split: the chat template chatml does not"):
        split(SHORT, wrong)
