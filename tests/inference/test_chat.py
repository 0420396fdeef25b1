"""A conversation is one document for a base model; settings change while it goes on."""

from contextlib import closing

import pytest
from cells import tiny, uniform
from tuned_cells import MARKED, tuned, write_tuned

from gptgrid.artifact.errors import UserError
from gptgrid.inference.cell import TrainedCell, load
from gptgrid.inference.chat import Conversation, Settings
from gptgrid.inference.reading import Transcript
from gptgrid.model.decoding import Decoding
from gptgrid.text.chat_template import CHATML, PLAIN, Message
from gptgrid.tokens.codec import BytesCodec, IdsCodec
from gptgrid.tokens.special import END_OF_TEXT

END = 256
"""The end-of-text token of `bytes`."""


def cell_of(module, codec=None) -> TrainedCell:
    codec = codec or BytesCodec()
    return TrainedCell(
        module, codec, {"model": {"context": module.config.context}, "vocab_size": module.vocab_size}
    )


def shown(talk: Conversation) -> str:
    """Return what the model read before the last answer, with marks."""
    return MARKED.decode(talk.prompt.ids, special=True)


def conversation(module=None, **settings) -> Conversation:
    decoding = Decoding(temperature=settings.pop("temperature", 1.0))
    return Conversation(
        cell_of(module or tiny(257)), settings=Settings(decoding, **{"max_new_tokens": 8, **settings})
    )


def test_a_transcript_is_one_document_with_a_line_for_each_message():
    said = [
        Message("user", "Once"),
        Message("assistant", " upon"),
        Message("user", "a time"),
        Message("assistant", "\n"),
    ]
    transcript = Transcript(cell_of(tiny(257)))
    assert transcript.text([*said, Message("user", "Mia")]) == "Once upon\na time\nMia"
    assert transcript.text([*said[:2], Message("user", "")]) == "Once upon"
    assert transcript.text([Message("system", "Be kind."), Message("user", "Hi")]) == "Be kind.\nHi"


def test_an_answer_continues_all_that_was_said():
    talk = conversation(temperature=0.0)
    first = "".join(talk.ask("one"))
    second = "".join(talk.ask("two"))
    generated = talk.cell.generate(f"one{first}\ntwo", max_new_tokens=8, temperature=0)
    assert second == generated and second != talk.cell.generate("two", max_new_tokens=8, temperature=0)
    assert talk.text == f"one{first}\ntwo{second}"


def test_answers_draw_by_seeds_in_turn():
    talk = conversation(seed=5)
    first = "".join(talk.ask("a"))
    again = "".join(talk.retry())
    expected = [
        talk.cell.generate("a", max_new_tokens=8, temperature=1, top_p=1, seed=seed) for seed in (5, 6)
    ]
    assert [first, again] == expected and first != again
    assert talk.messages == [Message("user", "a"), Message("assistant", again)]


def test_after_a_reset_or_a_new_seed_the_same_draws_come():
    talk = conversation()
    first = "".join(talk.ask("a"))
    talk.reset()
    assert talk.messages == [] and "".join(talk.ask("a")) == first
    talk.undo()
    talk.set("seed", "0")
    assert "".join(talk.ask("a")) == first


def test_undo_takes_back_the_last_message_and_its_answer():
    talk = conversation()
    list(talk.ask("a"))
    before = list(talk.messages)
    list(talk.ask("b"))
    talk.undo()
    assert talk.messages == before
    talk.undo()
    assert talk.messages == []
    for nothing in (talk.undo, talk.retry):
        with pytest.raises(UserError, match="nothing was said yet"):
            nothing()


def test_an_answer_that_is_stopped_is_kept_as_far_as_it_came():
    talk = conversation(uniform(257, likely=65), max_new_tokens=50)
    with closing(talk.ask("a")) as pieces:
        assert [next(pieces), next(pieces)] == ["A", "A"]
    assert talk.messages[-1] == Message("assistant", "AA") and talk.text == "aAA"


def test_an_interrupt_within_the_model_keeps_what_came(monkeypatch):
    talk = conversation(uniform(257, likely=65), max_new_tokens=50)
    pieces, forward = talk.ask("a"), talk.cell.module.forward
    next(pieces)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(talk.cell.module, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(pieces)
    monkeypatch.setattr(talk.cell.module, "forward", forward)
    assert talk.text == "aA"
    assert "".join(talk.ask("b")) == "A" * 50


def test_what_cannot_be_read_counts_as_not_said():
    talk = Conversation(cell_of(uniform(10, likely=7), IdsCodec(10)), settings=Settings(max_new_tokens=2))
    with pytest.raises(UserError, match="is not token ids"):
        talk.ask("a text")
    assert talk.messages == [] and "".join(talk.ask("1 2")) == "7 7 "


def test_it_knows_how_much_the_context_leaves_out():
    talk = conversation()  # a context of 8, the end-of-text token in front
    talk.ask("1234567")
    assert (talk.prompt.left_out, talk.prompt.notice) == (0, None)
    talk.reset()
    talk.ask("1234567890")
    assert talk.prompt.left_out == 3 and talk.prompt.ids == list(b"34567890")
    assert talk.prompt.notice == (
        "the text is longer than the context of 8 tokens; from now on its oldest part is not read"
    )


def test_a_fine_tuned_cell_is_asked_by_its_template():
    talk = Conversation(tuned())
    assert "".join(talk.ask("hi")) == "AB" and talk.ended
    asked = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert shown(talk) == END_OF_TEXT + asked
    "".join(talk.ask("a<|im_end|>"))
    assert shown(talk) == END_OF_TEXT + asked + "AB<|im_end|>\n" + asked.replace("hi", "a<|im_end|>")
    assert talk.prompt.ids.count(MARKED.special_tokens["<|im_end|>"]) == 3
    assert talk.text == asked + "AB<|im_end|>\n" + asked.replace("hi", "a<|im_end|>") + "AB<|im_end|>\n"


def test_the_system_text_of_a_fine_tuned_cell_is_read():
    talk = Conversation(tuned(system="Be brief."))
    talk.ask("hi")
    begin = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi"
    assert shown(talk).startswith(END_OF_TEXT + begin) and talk.text.startswith(begin)


def test_marks_in_answers_are_not_shown():
    talk = Conversation(tuned("<|im_start|>"), Settings(max_new_tokens=3))
    assert "".join(talk.ask("hi")) == "" and not talk.ended
    talk = Conversation(tuned("<|im_end|>"))
    assert "".join(talk.ask("hi")) == "" and talk.ended
    assert talk.reading.silence == "the answer is empty; /retry asks once more"


def test_answers_of_a_template_without_marks_end_at_its_text():
    talk = Conversation(tuned("AB\n", PLAIN))
    assert "".join(talk.ask("hi")) == "AB" and not talk.ended
    assert shown(talk) == f"{END_OF_TEXT}hi\n"


def test_the_oldest_turns_are_left_out_whole_and_the_system_text_stays():
    talk = Conversation(tuned(system="S", context=128), Settings(max_new_tokens=8))
    lengths, notices = [], []
    for number in range(6):
        "".join(talk.ask(str(number)))
        assert len(talk.messages) == 2 * (number + 1), "nothing that was said is forgotten"
        read = shown(talk)
        assert read.startswith(f"{END_OF_TEXT}<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n")
        assert read.endswith(f"<|im_start|>user\n{number}<|im_end|>\n<|im_start|>assistant\n")
        lengths.append((len(talk.prompt.ids), talk.prompt.left_out))
        notices.append(talk.prompt.notice)
    # Each turn takes as much; of the context, 8 tokens are kept for the answer.
    first, turn = lengths[0][0], lengths[1][0] - lengths[0][0]
    more = (120 - first) // turn
    assert 0 < more < 5
    assert lengths == [(first + min(n, more) * turn, max(0, n - more) * turn) for n in range(6)]
    said = (
        "the conversation is longer than the context of 128 tokens; from now on its oldest turns are not read"
    )
    assert notices == [said if n > more else None for n in range(6)]


def test_of_a_message_that_is_too_long_the_end_is_read():
    talk = Conversation(tuned(context=64), Settings(max_new_tokens=8))
    talk.ask("x" * 100)
    assert len(talk.prompt.ids) == 64 and shown(talk).endswith("xx<|im_end|>\n<|im_start|>assistant\n")
    assert (
        talk.prompt.notice == "the message is longer than the context of 64 tokens; its beginning is not read"
    )


def test_a_template_that_does_not_fit_the_tokenizer_is_refused():
    cell = TrainedCell(uniform(257), BytesCodec(), tuned().config)
    with pytest.raises(UserError, match=r"no special tokens <\|im_start\|>"):
        Conversation(cell)


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temperature", "0.5", 0.5),
        ("top_k", "40", 40),
        ("top-p", "1", 1.0),
        ("max_new_tokens", "7", 7),
        ("seed", "-3", -3),
        ("stop", "User:", ("User:",)),
        ("stop", r'"\n"', ("\n",)),
        ("stop", r'["\n\n", "天"]', ("\n\n", "天")),
        ("stop", "[]", ()),
        ("stop", "5", ("5",)),
        ("stop", "[1]", ("[1]",)),
    ],
)
def test_settings_are_typed_as_text(name, typed, value):
    talk = conversation()
    talk.set(name, typed)
    assert talk.settings.values()[name.replace("-", "_")] == value


def test_every_setting_of_a_decoding_can_be_changed():
    assert {*vars(Decoding())} | {"max_new_tokens", "seed"} == {*Settings().values()}


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("temprature", "1", r"no setting 'temprature' \(do you mean temperature\?\)"),
        ("top_k", "many", "top_k is 'many'; expected a whole number"),
        ("top_k", "1.5", "top_k is '1.5'; expected a whole number"),
        ("temperature", "warm", "temperature is 'warm'; expected a number"),
        ("temperature", "-1", "temperature is -1"),
        ("temperature", "nan", "temperature is nan"),
        ("max_new_tokens", "0", "max_new_tokens is 0"),
        ("seed", "99999999999999999999", "seed is 9"),
        ("stop", '""', "stop is"),
    ],
)
def test_a_bad_setting_changes_nothing(name, typed, said):
    talk = conversation()
    before = talk.settings
    with pytest.raises(UserError, match=said):
        talk.set(name, typed)
    assert talk.settings == before


def test_a_cell_knows_its_template_from_its_folder(tmp_path):
    assert cell_of(tiny(257)).conversations is None
    cell = load(write_tuned(tmp_path / "cell", tuned(system="S")), device="cpu")
    assert cell.conversations.template.source == CHATML.source and cell.conversations.system == "S"
    assert "".join(Conversation(cell).ask("hi")) == "AB"
