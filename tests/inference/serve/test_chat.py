"""Chats with a fine-tuned cell are read by its template; completions are raw text."""

import json
from collections.abc import Iterator

import httpx
import pytest
from serving import served
from tuned_cells import MARKED, tuned

from gptgrid.text.chat_template import CHATML, Message

HI = {"role": "user", "content": "hi"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the address of a server of fine-tuned cells."""
    cells = {"ab": tuned(), "system": tuned(system="S"), "short": tuned(context=64)}
    with served(cells) as address:
        yield address


@pytest.fixture
def chat(url):
    """Return a function: send messages to a cell."""

    def send(*messages: dict, model: str = "ab", path: str = "chat/completions", **body) -> httpx.Response:
        body = {"model": model, "temperature": 0, **({"messages": messages} if messages else {}), **body}
        return httpx.post(f"{url}/v1/{path}", timeout=60, json=body)

    return send


def length(*messages: tuple[str, str]) -> int:
    """Return how many tokens ask for an answer to messages, the end of text among them."""
    return 1 + len(MARKED.encode_marked(CHATML.render([Message(*each) for each in messages], answer=True)))


def test_an_answer_ends_at_its_mark(chat):
    found = chat(HI, logprobs=True).json()
    (choice,) = found["choices"]
    assert choice["message"]["content"] == "AB"
    assert choice["finish_reason"] == "stop"
    assert [token["token"] for token in choice["logprobs"]["content"]] == ["A", "B"]
    asked = length(("user", "hi"))
    assert found["usage"] == {"prompt_tokens": asked, "completion_tokens": 2, "total_tokens": asked + 2}


def test_a_streamed_answer_shows_no_mark(chat):
    lines = [line for line in chat(HI, stream=True).text.split("\n\n") if line.startswith("data: {")]
    choices = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "AB"
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [({"max_tokens": 1}, "A", "length"), ({"stop": "B"}, "A", "stop"), ({"n": 2}, "AB", "stop")],
)
def test_other_ends_stay(chat, body, text, finish):
    for choice in chat(HI, **body).json()["choices"]:
        assert (choice["message"]["content"], choice["finish_reason"]) == (text, finish)


def test_system_messages_are_read_and_that_of_the_cell_where_there_is_none(chat):
    def tokens(*messages: dict, model: str = "ab") -> int:
        return chat(*messages, model=model).json()["usage"]["prompt_tokens"]

    brief = length(("system", "Be brief."), ("user", "hi"))
    for model in ("ab", "system"):
        for role in ("system", "developer"):
            assert tokens({"role": role, "content": "Be brief."}, HI, model=model) == brief
    assert tokens(HI, model="system") == length(("system", "S"), ("user", "hi"))


def test_a_whole_conversation_is_read(chat):
    answer = {"role": "assistant", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}
    found = chat(HI, answer, HI).json()
    assert found["choices"][0]["message"]["content"] == "AB"
    expected = length(("user", "hi"), ("assistant", "AB"), ("user", "hi"))
    assert found["usage"]["prompt_tokens"] == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("user user", "message 2 must be of role assistant, not user"),
        ("assistant user", "message 1 must be of role user, not assistant"),
        ("user assistant", "the last message must be of role user for the assistant to answer"),
        ("user system user", "message 2 must be of role assistant, not system"),
        ("system", "the last message must be of role user for the assistant to answer"),
    ],
)
def test_roles_in_a_wrong_order_are_refused(chat, roles, expected, stream):
    found = chat(*({"role": role, "content": "a"} for role in roles.split()), stream=stream)
    assert found.status_code == 400
    listed = ", ".join(roles.split())
    assert found.json()["error"]["message"] == (
        f"the chat template of this cell does not take these messages ({listed}): {expected}"
    )


def test_the_oldest_turns_are_left_out_and_counted(chat):
    answer = {"role": "assistant", "content": "AB"}
    whole = length(*[("user", "hi"), ("assistant", "AB")] * 3, ("user", "hi"))
    found = chat(*[HI, answer] * 3, HI, model="short", max_tokens=4).json()
    usage = found["usage"]
    assert usage["prompt_tokens"] == length(("user", "hi"), ("assistant", "AB"), ("user", "hi"))
    assert usage["prompt_tokens_left_out"] == whole - usage["prompt_tokens"]
    assert found["choices"][0]["message"]["content"] == "AB"


def test_completions_are_raw_text(chat):
    found = chat(path="completions", prompt="a<|im_end|>\n", max_tokens=4).json()
    assert found["usage"]["prompt_tokens"] == 1 + len("a<|im_end|>\n")
    assert (found["choices"][0]["text"], found["choices"][0]["finish_reason"]) == ("AB", "length")
