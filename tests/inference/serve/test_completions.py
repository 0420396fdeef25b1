"""What clients of OpenAI's API read is what the cell says by itself."""

import math

import httpx
import openai
import pytest
import torch
from cells import uniform
from serving import served

from gptgrid.inference.cell import TrainedCell
from gptgrid.tokens.codec import BytesCodec

EOT = 256
GREEDY = {"temperature": 0, "max_tokens": 20}


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_models_are_the_cells(client):
    assert [model.id for model in client.models.list()] == ["one", "two"]
    assert client.models.retrieve("two").max_model_len == 48


def test_a_greedy_completion_is_that_of_the_cell_streamed_or_not(client, cells):
    for name, cell in cells.items():
        expected = cell.generate("Käfer", max_new_tokens=20, temperature=0)
        whole = client.completions.create(model=name, prompt="Käfer", **GREEDY)
        assert (whole.choices[0].text, whole.model) == (expected, name)
        chunks = list(client.completions.create(model=name, prompt="Käfer", stream=True, **GREEDY))
        assert len(chunks) > 5
        assert "".join(chunk.choices[0].text for chunk in chunks) == expected
        assert [chunk.choices[0].finish_reason for chunk in chunks] == [*[None] * (len(chunks) - 1), "length"]


def test_a_seed_gives_what_it_gives_anywhere_and_the_next_choice_has_the_next_seed(client, cells):
    drawn = {"max_new_tokens": 9, "temperature": 1, "top_p": 1, "seed": 5}
    found = client.completions.create(model="one", prompt="a", seed=5, max_tokens=9)
    assert found.choices[0].text == cells["one"].generate("a", **drawn)
    found = client.completions.create(model="one", prompt=["a", "b"], n=2, seed=5, max_tokens=9)
    texts = cells["one"].generate(["a", "a", "b", "b"], **drawn)
    assert [choice.text for choice in sorted(found.choices, key=lambda choice: choice.index)] == texts
    assert len(set(texts)) == 4
    assert found.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}) == {
        "prompt_tokens": 4,
        "completion_tokens": 36,
        "total_tokens": 40,
    }


def test_without_a_seed_each_answer_is_another(client):
    asked = [client.completions.create(model="one", prompt="a").choices[0].text for _ in range(2)]
    assert asked[0] != asked[1]


def test_a_prompt_is_a_text_ids_or_several(client):
    forms = ("ab", ["ab"], [EOT, 97, 98], [[EOT, 97, 98]])
    found = [client.completions.create(model="one", prompt=form, **GREEDY).choices[0].text for form in forms]
    assert len(set(found)) == 1
    bare = client.completions.create(model="one", prompt=[97, 98], **GREEDY).choices[0].text
    assert bare != found[0], "ids are taken as they are"


def test_keys_of_the_decoding_reach_it(client, cells):
    plain = client.completions.create(model="one", prompt="ab", **GREEDY).choices[0].text
    for more in ({"top_k": 1}, {"min_p": 1.0}):
        found = client.completions.create(model="one", prompt="ab", max_tokens=20, extra_body=more)
        assert found.choices[0].text == plain
    for more in ({"repetition_penalty": 3.0}, {"no_repeat_ngram": 1}, {"beams": 3}):
        found = client.completions.create(model="one", prompt="ab", **GREEDY, extra_body=more)
        assert found.choices[0].text != plain, more
    off = client.completions.create(model="one", prompt="ab", seed=1, extra_body={"top_k": -1})
    assert off.choices[0].text == client.completions.create(model="one", prompt="ab", seed=1).choices[0].text


def test_a_stop_text_ends_an_answer_and_is_left_out(client):
    plain = client.completions.create(model="one", prompt="ab", seed=3, max_tokens=40).choices[0].text
    for stop in (plain[7:9], ["nowhere", plain[7:9]]):
        found = client.completions.create(model="one", prompt="ab", seed=3, max_tokens=40, stop=stop)
        assert plain[:9].startswith(found.choices[0].text)
        assert found.choices[0].finish_reason == "stop"
        assert plain[7:9] not in found.choices[0].text


def test_usage_comes_at_the_end_of_a_stream_if_asked_for(client):
    asked = {"model": "one", "prompt": "ab", "stream": True, "n": 2, **GREEDY}
    *chunks, last = client.completions.create(**asked, stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in chunks)
    assert (last.choices, last.usage.completion_tokens) == ([], 40)
    assert all(chunk.choices for chunk in client.completions.create(**asked))


def test_probabilities_are_those_of_the_model_and_places_are_in_the_text(client, cells):
    found = client.completions.create(model="one", prompt="aä", echo=True, logprobs=3, seed=1, max_tokens=8)
    choice, told = found.choices[0], found.choices[0].logprobs
    assert choice.text.startswith("aä")
    assert told.tokens[:3] == ["a", "bytes:\\xc3", "bytes:\\xa4"]
    assert told.text_offset[:4] == [0, 1, 1, 2]
    assert told.token_logprobs[0] is told.top_logprobs[0] is None
    ids = [EOT]
    for token in told.tokens:
        ids.append(int(token[-2:], 16) if token.startswith("bytes:") else ord(token))
    expected = cells["one"].forward(ids[:-1]).log_softmax(-1)
    for place in range(1, len(ids) - 1):
        own = expected[place, ids[place + 1]].item()
        assert told.token_logprobs[place] == pytest.approx(own, abs=1e-5)
        best = sorted({*expected[place].topk(3).values.tolist(), own})
        assert sorted(told.top_logprobs[place].values()) == pytest.approx(best, abs=1e-5)
    for token, place in zip(told.tokens, told.text_offset, strict=True):
        assert token.startswith("bytes:") or choice.text[place] == token


def test_streamed_probabilities_are_those_of_the_whole_answer(client):
    asked = {"model": "one", "prompt": "ab", "echo": True, "logprobs": 2, "seed": 4, "max_tokens": 12}
    whole = client.completions.create(**asked).choices[0]
    chunks = [chunk.choices[0] for chunk in client.completions.create(**asked, stream=True)]
    assert "".join(chunk.text for chunk in chunks) == whole.text
    for key in ("tokens", "text_offset", "top_logprobs"):
        assert [value for chunk in chunks for value in getattr(chunk.logprobs, key)] == getattr(
            whole.logprobs, key
        )


def test_a_prompt_may_be_read_and_not_continued(client):
    found = client.completions.create(model="one", prompt="abc", echo=True, logprobs=0, max_tokens=0)
    choice = found.choices[0]
    assert (choice.text, choice.finish_reason) == ("abc", "length")
    assert choice.logprobs.tokens == ["a", "b", "c"]
    assert found.usage.completion_tokens == 0


def test_an_end_of_text_right_behind_a_prompt_has_its_probability():
    module = uniform(257, likely=EOT)
    cell = TrainedCell(module, BytesCodec())
    asked = {"model": "x", "prompt": "ab", "logprobs": 1, "max_tokens": 1, "temperature": 0}
    with served({"x": cell}) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        choice = client.completions.create(**asked, echo=True).choices[0]
        assert (choice.text, choice.finish_reason) == ("ab", "stop")
        assert choice.logprobs.tokens == ["a", "b", "<|endoftext|>"]
        assert choice.logprobs.token_logprobs[2] == pytest.approx(0, abs=1e-6)
        assert client.completions.create(**asked).choices[0].text == ""


def test_a_prompt_beyond_the_context_is_refused_or_cropped_and_said(client, cells):
    prompt = "abcdefgh" * 10
    with pytest.raises(openai.BadRequestError, match="maximum context length is 48") as caught:
        client.completions.create(model="one", prompt=prompt)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")
    found = client.completions.create(
        model="one", prompt=prompt, **GREEDY, extra_body={"truncate_prompt_tokens": -1}
    )
    assert found.choices[0].text == cells["one"].generate(prompt, max_new_tokens=20, temperature=0)
    assert (found.usage.prompt_tokens, found.usage.prompt_tokens_left_out) == (48, 33)
    found = client.completions.create(
        model="one", prompt=prompt, echo=True, max_tokens=0, extra_body={"truncate_prompt_tokens": 3}
    )
    assert found.choices[0].text == "fgh"


def test_a_chat_is_continued_streamed_or_not(client, cells):
    messages = [
        {"role": "system", "content": "Be."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    asked = {"model": "one", "messages": messages, "temperature": 0, "max_completion_tokens": 12}
    whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
    message = whole.choices[0].message
    assert message.role == "assistant"
    told = whole.choices[0].logprobs.content
    assert (
        b"".join(bytes(token.bytes) for token in told).decode(errors="replace")[: len(message.content)]
        == message.content
    )
    for token in told:
        assert token.logprob == pytest.approx(max(other.logprob for other in token.top_logprobs))
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == message.content
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", *[None] * (len(chunks) - 1)]
    long = client.chat.completions.create(model="one", messages=[{"role": "user", "content": "abc" * 50}])
    assert long.usage.prompt_tokens_left_out == 103


def test_a_model_that_gives_no_probabilities_is_an_error():
    module = uniform(257)
    with torch.no_grad():
        module.head.bias.fill_(math.nan)
    with served({"x": TrainedCell(module, BytesCodec())}) as url:
        body = {"prompt": "a", "echo": True, "logprobs": 1, "max_tokens": 0}
        found = httpx.post(f"{url}/v1/completions", json=body)
        assert found.status_code == 400
        assert "no probabilities" in found.json()["error"]["message"]
