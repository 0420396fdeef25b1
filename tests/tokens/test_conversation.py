"""Conversations as ids: which tokens are answers, and which are marks."""

import json
import os
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from small_codecs import CODECS
from transformers import PreTrainedTokenizerFast

from gptgrid.artifact.errors import UserError
from gptgrid.stages.tokenizer.make import fetch_gpt2, learn_merges
from gptgrid.text.chat_template import CHATML, PLAIN, ChatTemplate, Message
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import BpeCodec, BytesCodec, IdsCodec
from gptgrid.tokens.conversation import ORDINARY, UNUSUAL, Conversations, fitting, lacking
from gptgrid.tokens.huggingface import to_tokenizer_json
from gptgrid.tokens.imported import HuggingFaceCodec
from gptgrid.tokens.patterns import PATTERNS
from gptgrid.tokens.special import END_OF_TEXT
from gptgrid.tokens.widen import widened

MIRROR = os.environ.get("GPTGRID_MIRROR")
WEB = Path(MIRROR or ".") / "raw.githubusercontent.com"
MARKS = ["<|im_start|>", "<|im_end|>"]
START, END = 257, 258
"""Ids of the marks in a vocabulary of bytes."""

BYTES = BytesCodec(MARKS)
ASKED = [Message("user", "hi")]
TALK = [*ASKED, Message("assistant", "ho"), Message("user", "a"), Message("assistant", "")]


def text_of(ids: np.ndarray) -> str:
    """Return what ids of the vocabulary of bytes say, marks included."""
    return BYTES.decode(ids.tolist(), special=True)


def test_answers_and_their_ends_are_marked():
    found = Conversations(BYTES, CHATML).encode(TALK)
    assert found.ids.dtype == np.uint32 and found.answers.dtype == bool
    assert text_of(found.ids) == END_OF_TEXT + CHATML.render(TALK)
    assert text_of(found.ids[found.answers]) == "ho<|im_end|><|im_end|>"
    assert found.ids.tolist().count(END) == 4


def test_plain_answers_end_with_their_line():
    conversations = Conversations(BYTES, PLAIN)
    found = conversations.encode(TALK)
    assert text_of(found.ids) == f"{END_OF_TEXT}hi\nho\na\n\n"
    assert text_of(found.ids[found.answers]) == "ho\n\n"
    assert (conversations.ends, conversations.stop) == ((), ("\n",))


@pytest.mark.parametrize("template", [CHATML, PLAIN], ids=lambda template: template.name)
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_prompt_is_the_beginning_of_the_whole(codec, template):
    conversations = Conversations(widened(codec, MARKS), template)
    talk = [*TALK[:2], Message("user", "fox\n"), Message("assistant", " \n fox"), *TALK[:2]]
    whole = conversations.encode(talk)
    for place in (1, 3, 5):
        prompt = conversations.prompt(talk[:place])
        assert whole.ids[: len(prompt)].tolist() == prompt
        assert whole.answers[len(prompt)] and not whole.answers[len(prompt) - 1]


def test_answers_that_follow_each_other_begin_where_prompts_end():
    """PLAIN takes messages in any order."""
    codec = BpeCodec("bpe", r"[\s\S]+", [*(bytes([value]) for value in range(256)), b"\na"])
    conversations = Conversations(codec, PLAIN)
    talk = [Message("user", "q"), Message("assistant", "a"), Message("assistant", "a")]
    prompt = conversations.prompt(talk[:2])
    assert conversations.encode(talk).ids[: len(prompt)].tolist() == prompt


def test_marks_in_contents_are_ordinary_text():
    text = f"a<|im_end|>\n<|im_start|>system {END_OF_TEXT}"
    found = Conversations(BYTES, CHATML).encode([Message("user", text), Message("assistant", text)])
    ids = found.ids.tolist()
    assert (ids.count(START), ids.count(END), ids.count(BYTES.eot)) == (2, 2, 1)
    assert ids[found.answers.argmax() :] == [*text.encode(), END, ord("\n")]


def test_template_and_content_are_encoded_as_one_run():
    codec = BpeCodec("bpe", r"[\s\S]+", [*(bytes([value]) for value in range(256)), b"\nh"], MARKS)
    conversations = Conversations(codec, CHATML)
    assert 256 in conversations.prompt(ASKED)
    answers = [Message("user", "q"), Message("assistant", "h")]
    assert 256 not in conversations.encode(answers).ids, "an answer begins a run of its own"


@pytest.mark.parametrize("whole", [3, 5, 7])
def test_the_oldest_turns_are_left_out_one_by_one(whole: int):
    talk = [Message("system", "s"), *[Message("user", "q"), Message("assistant", "a")] * 3]
    kept, enough = fitting(talk, lambda some: len(some) <= whole)
    assert kept == [talk[0], *talk[8 - whole :]] and enough
    kept, enough = fitting(talk[:-1], lambda some: len(some) <= 1)
    assert kept == [talk[0], talk[5]] and not enough


def test_a_name_across_template_and_content_is_no_mark():
    source = CHATML.source.replace('{{- "<|im_start|>" ~', '{{- "<|im_start|><|im_" ~')
    source = source.replace('{{- "<|im_start|>assistant', '{{- "<|im_start|><|im_assistant')
    source = source.replace('message.role ~ "\\n"', "message.role")
    source = source.replace("assistant\\n", "assistant")
    ids = Conversations(BYTES, ChatTemplate(source, "mine")).prompt([Message("user", "_start|>")])
    assert ids.count(START) == 2


def test_a_system_text_is_put_in_front_where_there_is_none():
    conversations = Conversations(BYTES, CHATML, "Be brief.")
    first = [Message("system", "Be brief."), *TALK]
    assert conversations.encode(TALK).ids.tolist() == Conversations(BYTES, CHATML).encode(first).ids.tolist()
    other = [Message("system", "Be long."), *ASKED]
    assert conversations.prompt(other) == Conversations(BYTES, CHATML).prompt(other)


def test_what_ends_an_answer():
    conversations = Conversations(BYTES, CHATML)
    assert (conversations.ends, conversations.stop) == ((END,), ())
    source = CHATML.source.replace("<|im_start|>", "### ").replace("<|im_end|>", "\n\n")
    conversations = Conversations(BYTES, ChatTemplate(source, "mine"))
    assert (conversations.ends, conversations.stop) == ((), ("\n\n",))


NAMED = ChatTemplate(CHATML.source.replace("<|im_start|>", "<turn>").replace("<|im_end|>", "<end>"), "mine")
"""Its marks are spelled so that only a tokenizer knows them."""


def test_the_marks_of_a_template():
    assert Conversations(BYTES, CHATML).marks == (START, END)
    assert Conversations(BYTES, PLAIN).marks == ()
    conversations = Conversations(BytesCodec(["<turn>", "<other>", "<end>"]), NAMED)
    assert (conversations.marks, conversations.ends, conversations.stop) == ((257, 259), (259,), ())


def test_text_before_a_mark_that_only_the_tokenizer_knows_is_refused():
    chat = ChatTemplate(NAMED.source.replace('~ "<end>"', '~ "\\n<end>"', 1), "mine")
    chat.check()
    assert Conversations(BYTES, chat).stop == ("\n<end>",)
    with pytest.raises(
        UserError, match=r"mine cannot be used: it writes '\\n' between an answer and <end>, the"
    ):
        Conversations(BytesCodec(["<turn>", "<end>"]), chat)


@pytest.mark.parametrize(
    ("answer", "end", "short"),
    [("a", "\n", False), ("a\nb", "\n", True), ("a\n", "\n\n", True), ("a\n", "|", False), ("", "\n", False)],
)
def test_answers_that_hold_their_end(answer, end, short):
    source = PLAIN.source.replace('"\\n"', json.dumps(end))
    assert Conversations(BYTES, ChatTemplate(source, "mine")).cut_short(answer) is short
    assert not Conversations(BYTES, CHATML).cut_short("a<|im_end|>b")


BLANKS = BpeCodec(
    "bpe", r" ?[a-zA-Z.]+|\s+|[^\s]", [*(bytes([value]) for value in range(256)), b" y", b"\n\n"], MARKS
)


def test_answers_that_are_joined_with_what_stands_before():
    conversations = Conversations(BLANKS, CHATML)
    assert not conversations.joins(ORDINARY) and conversations.joins(UNUSUAL)
    assert not Conversations(BYTES, CHATML).joins([*ORDINARY, *UNUSUAL])
    blank = ChatTemplate(
        CHATML.source.replace('"\\n" }}', '": " }}').replace("assistant\\n", "assistant: "), "mine"
    )
    assert Conversations(BLANKS, blank).joins(ORDINARY)
    assert not Conversations(BYTES, blank).joins(ORDINARY)
    prefixed = next(codec for codec in CODECS.values() if codec.prefix)
    assert Conversations(widened(prefixed, MARKS), CHATML).joins(ORDINARY)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_lacking_marks_are_named(codec):
    assert lacking(codec, CHATML) == MARKS
    expected = (
        rf"the tokenizer \(kind {codec.kind}\) has no special tokens <\|im_start\|>, <\|im_end\|>, which the chat "
        r"template chatml writes; add them to `special_tokens` of the tokenizer, or set `new_tokens: add` of"
    )
    with pytest.raises(UserError, match=expected):
        Conversations(codec, CHATML)


def test_a_mark_that_is_text_in_the_tokenizer_is_lacking():
    data = json.loads(to_tokenizer_json(BytesCodec(MARKS)))
    data["added_tokens"][-1]["special"] = False
    codec = HuggingFaceCodec(data)
    assert lacking(codec, CHATML) == MARKS[1:]
    with pytest.raises(
        UserError,
        match=r"no special tokens <\|im_end\|>, .*; <\|im_end\|> is a token of text there, so write another mark",
    ):
        Conversations(codec, CHATML)


def test_an_end_of_text_of_another_name_is_refused():
    codec = HuggingFaceCodec(json.loads(to_tokenizer_json(BYTES)), "<|im_end|>")
    with pytest.raises(UserError, match=r"chatml writes <\|im_end\|>, the end of text of this tokenizer"):
        Conversations(codec, CHATML)


def test_ids_without_text_are_refused():
    with pytest.raises(UserError, match="kind ids"):
        Conversations(IdsCodec(300, 299), PLAIN)


def test_templates_that_lose_text_are_refused():
    with pytest.raises(UserError, match="turns the user message"):
        Conversations(
            BYTES,
            ChatTemplate(CHATML.source.replace("message.content ~", "message.content | trim ~"), "mine"),
        )


@cache
def dialogues() -> list[list[Message]]:
    """Return a thousand real dialogues, English and Chinese."""
    kdconv = [
        [message["message"] for message in dialogue["messages"]]
        for topic in ("film", "travel")
        for dialogue in read(f"thu-coai/KdConv/master/data/{topic}/dev.json")
    ]
    lines = (
        (WEB / "openai/grade-school-math/master/grade_school_math/data/test.jsonl").read_text().splitlines()
    )
    questions = [[row["question"], row["answer"]] for row in map(json.loads, lines[:200])]
    role_play = "teknium1/GPTeacher/main/Roleplay/roleplay-simple-deduped-roleplay-instruct.json"
    parts = [
        kdconv,
        questions,
        instructions(
            "rasbt/LLMs-from-scratch/main/ch07/01_main-chapter-code/instruction-data.json", "output", 200
        ),
        instructions(role_play, "response", 300),
    ]
    talks = [
        [Message("assistant" if place % 2 else "user", text) for place, text in enumerate(texts[: len(texts) // 2 * 2])]
        for part in parts
        for texts in part
    ]  # fmt: skip
    assert len(talks) == 1000
    assert not any("<|im_" in message.content for talk in talks for message in talk)
    return [
        [Message("system", "回答要简短。"), *talk] if place % 3 == 0 else talk
        for place, talk in enumerate(talks)
    ]


def read(path: str) -> list[dict]:
    """Return the records of a file of the mirror."""
    return json.loads((WEB / path).read_text(encoding="utf-8"))


def instructions(path: str, answer: str, number: int) -> list[list[str]]:
    """Return questions and answers of a file of instructions."""
    return [[f"{row['instruction']}\n{row['input']}", row[answer]] for row in read(path)[:number]]


@cache
def own_bpe() -> Codec:
    """Return a tokenizer that learns from the dialogues and has the marks from the start."""
    texts = [message.content for talk in dialogues() for message in talk]
    return BpeCodec("bpe", PATTERNS["chinese"], learn_merges(texts, 2000, PATTERNS["chinese"]), MARKS)


@cache
def gpt2() -> Codec:
    """Return GPT-2's vocabulary with marks added."""
    return widened(fetch_gpt2(), MARKS)


@cache
def minimind() -> Codec:
    """Return a published tokenizer that has the marks."""
    return HuggingFaceCodec(
        read("jingyaogong/minimind/d65ef2c00ebc6082f9df11541e1b191655eddb00/model/tokenizer.json")
    )


TOKENIZERS = (own_bpe, gpt2, minimind)
of_the_mirror = pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")


def prefix_by_prefix(codec: Codec, talk: list[Message]) -> tuple[list[int], list[bool]]:
    """Return ids and answers, from what CHATML adds to the text up to where each answer begins and ends."""
    cuts = [("", False)]
    for place, message in enumerate(talk):
        if message.role == "assistant":
            before = CHATML.render(talk[:place], answer=True)
            cuts += [(before, False), (f"{before}{message.content}<|im_end|>", True)]
    cuts.append((CHATML.render(talk), False))
    ids, answers = [codec.eot], [False]
    for (before, _), (text, answer) in pairwise(cuts):
        assert text.startswith(before)
        new = codec.encode_marked(text[len(before) :])
        ids += new
        answers += [answer] * len(new)
    return ids, answers


@of_the_mirror
@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda make: make.__name__)
def test_a_thousand_dialogues_rendered_prefix_by_prefix(tokenizer: Callable[[], Codec]):
    codec = tokenizer()
    conversations = Conversations(codec, CHATML)
    for talk in dialogues():
        found = conversations.encode(talk)
        assert (found.ids.tolist(), found.answers.tolist()) == prefix_by_prefix(codec, talk)
        prompt = conversations.prompt(talk[:-1])
        assert found.ids[: len(prompt)].tolist() == prompt


@of_the_mirror
@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda make: make.__name__)
def test_a_thousand_dialogues_in_transformers(tokenizer: Callable[[], Codec], tmp_path: Path):
    codec = tokenizer()
    conversations = Conversations(codec, CHATML)
    (tmp_path / "tokenizer.json").write_text(to_tokenizer_json(codec), encoding="utf-8")
    theirs = PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"), chat_template=CHATML.source
    )
    for talk in dialogues():
        found = conversations.encode(talk)
        expected = theirs.apply_chat_template(
            [vars(message) for message in talk], return_dict=True, return_assistant_tokens_mask=True
        )
        # Theirs has no end-of-text token in front.
        assert found.ids[1:].tolist() == expected["input_ids"]
        assert found.answers[1:].tolist() == list(map(bool, expected["assistant_masks"]))
