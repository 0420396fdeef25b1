"""What is no right request is told so, in the form of OpenAI's API, and costs nothing."""

import json
import socket
from itertools import repeat

import httpx
import pytest
from serving import served

JSON = {"Content-Type": "application/json"}
MEGABYTE = b"x" * 2**20


@pytest.mark.parametrize(
    ("body", "param", "expected"),
    [
        ({"temprature": 0}, "temprature", "unknown key 'temprature'; did you mean temperature?"),
        ({"temperature": "warm"}, "temperature", "temperature: input should be a valid number"),
        ({"temperature": -1}, "temperature", "temperature is -1"),
        ({"temperature": True}, "temperature", "temperature: input should be a valid number"),
        ({"top_p": 0}, "top_p", "top_p is 0"),
        ({"top_k": -2}, "top_k", "top_k: input should be greater than or equal to -1"),
        ({"min_p": 2}, "min_p", "min_p is 2"),
        ({"repetition_penalty": 0}, "repetition_penalty", "repetition_penalty is 0"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram", "no_repeat_ngram is -1"),
        ({"beams": 0}, "beams", "beams is 0"),
        ({"n": 0}, "n", "n: input should be greater than or equal to 1"),
        ({"prompt": ["a"] * 30, "beams": 3}, None, "prompts × n × beams is 90; 64 are the most at once"),
        ({"prompt": ["a"] * 65}, None, "prompts × n × beams is 65; 64 are the most at once"),
        (
            {"n": 64, "max_tokens": 1000},
            "max_tokens",
            "64000 tokens are asked for; 32768 are the most at once",
        ),
        ({"max_tokens": 40000}, "max_tokens", "max_tokens: input should be less than or equal to 32768"),
        ({"max_tokens": 1.5}, "max_tokens", "max_tokens: input should be a valid integer"),
        ({"seed": 2**63}, "seed", "seed: input should be less than"),
        ({"stop": ""}, "stop", "stop is ('',); an empty text would stop at once"),
        ({"stop": [1]}, "stop", "stop.0: input should be a valid string"),
        ({"stop": 1}, "stop", "stop: input should be a valid string"),
        ({"stop": ["a"] * 17}, "stop", "stop: list should have at most 16 items"),
        ({"logprobs": 21}, "logprobs", "logprobs: input should be less than or equal to 20"),
        ({"best_of": 2}, "best_of", "best_of is not supported"),
        ({"suffix": "end"}, "suffix", "suffix is not supported here"),
        ({"presence_penalty": 0.5}, "presence_penalty", "presence_penalty is not supported here"),
        ({"n": 2, "beams": 2}, "n", "n is 2, but beam search draws nothing: ask for one text of each prompt"),
        ({"length_penalty": 0.5}, "length_penalty", "length_penalty is of beam search: set beams, too"),
        ({"stream_options": {"usage": True}}, "stream_options", "unknown key 'stream_options.usage'"),
        ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens", "truncate_prompt_tokens is 0"),
        ({"prompt": 5}, "prompt", "prompt must be a text, a list of texts, token ids or a list of those"),
        ({"prompt": []}, "prompt", "prompt must be"),
        ({"prompt": ["a", 1]}, "prompt", "prompt must be"),
        ({"prompt": [1, True]}, "prompt", "prompt must be"),
        ({"prompt": [[1], []]}, "prompt", "prompt must be"),
        ({"prompt": [257]}, "prompt", "prompt: an id does not lie in 0 to 256, the vocabulary"),
        ({"prompt": [-1]}, "prompt", "prompt: an id does not lie in 0 to 256"),
    ],
)
def test_a_wrong_value_is_named(post, body, param, expected):
    for stream in (False, True):
        found = post("/v1/completions", {"model": "one", "prompt": "a", "stream": stream, **body})
        error = found.json()["error"]
        assert found.status_code == 400
        assert error["message"].startswith(expected)
        assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_what_asks_for_nothing_is_no_error(post):
    body = {
        "model": "one",
        "suffix": None,
        "presence_penalty": 0,
        "logit_bias": {},
        "user": "me",
        "best_of": 1,
        "stream_options": None,
        "prompt_cache_key": "mine",
    }
    assert post("/v1/completions", body).status_code == 200


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], "messages: list should have at least 1 item"),
        ("Hi", "messages: input should be a valid list"),
        ([{"role": "stranger", "content": "Hi"}], "messages.0.role: input should be"),
        ([{"role": "user"}], "messages.0.content: field required"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
            "messages.0.content.0.type: input should be",
        ),
        ([{"role": "user", "content": None}], "messages.0.content: field required"),
        ([{"role": "user", "content": "Hi", "name": "Tom"}], "unknown key 'messages.0.name'"),
        (
            [{"role": "assistant", "content": "Hi", "tool_calls": [{}]}],
            "messages.0.tool_calls: list should have at most 0 items",
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": "Hi", "image_url": {}}]}],
            "unknown key 'messages.0.content.0.image_url'",
        ),
        (None, "messages: field required"),
    ],
)
def test_a_wrong_conversation_is_named(post, messages, expected):
    found = post("/v1/chat/completions", {"model": "one", "messages": messages})
    assert found.status_code == 400
    assert found.json()["error"]["message"].startswith(expected)


@pytest.mark.parametrize(
    ("body", "param", "expected"),
    [
        ({"top_logprobs": 2}, "top_logprobs", "top_logprobs needs logprobs: true"),
        ({"top_logprobs": 2, "logprobs": False}, "top_logprobs", "top_logprobs needs logprobs: true"),
        (
            {"max_tokens": 1, "max_completion_tokens": 2},
            "max_tokens",
            "max_tokens is the older name of max_completion_tokens; send one of the two",
        ),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream_options needs stream: true"),
        ({"n": 2, "beams": 2}, "n", "n is 2, but beam search draws nothing"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "logit_bias is not supported here"),
        ({"tools": [{"type": "function"}]}, "tools", "tools is not supported here"),
        ({"functions": [{}]}, "functions", "unknown key 'functions'"),
        ({"response_format": {"type": "json_object"}}, "response_format", "response_format is not supported"),
        ({"suffix": "end"}, "suffix", "suffix is not supported here"),
        ({"reasoning_effort": "low"}, "reasoning_effort", "unknown key 'reasoning_effort'"),
        ({"echo": True}, "echo", "unknown key 'echo'"),
    ],
)
def test_what_would_be_without_effect_in_a_chat_is_named(post, body, param, expected):
    asked = {"model": "one", "messages": [{"role": "user", "content": "Hi"}], **body}
    found = post("/v1/chat/completions", asked)
    error = found.json()["error"]
    assert found.status_code == 400
    assert error["message"].startswith(expected)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_an_answer_can_be_sent_back_as_clients_keep_it(post):
    asked = {"model": "one", "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 2}
    said = post("/v1/chat/completions", asked).json()["choices"][0]["message"]
    kept = {**said, "annotations": [], "audio": None, "function_call": None, "tool_calls": None}
    again = {**asked, "messages": [*asked["messages"], kept, *asked["messages"]]}
    assert post("/v1/chat/completions", again).status_code == 200


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"a"', b"[" * 100_000, b'{"prompt": "\\ud800"}', b'{"top_p": NaN}', b"\xff"],
)
def test_a_body_that_is_no_json_object_is_refused(post, content):
    found = post("/v1/completions", content=content, headers=JSON)
    assert found.status_code == 400
    assert found.json()["error"]["message"].startswith("the body ")


@pytest.mark.parametrize("content", [MEGABYTE * 100, lambda: repeat(MEGABYTE, 100)])
def test_a_body_of_100_megabytes_is_refused_before_it_is_read(post, content):
    content = content() if callable(content) else content
    found = post("/v1/completions", content=content, headers=JSON)
    assert found.status_code == 413
    assert found.json()["error"]["message"] == "the body is longer than 1,048,576 bytes"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prompt", [[]] * 200_000),
        ("stop", [[]] * 200_000),
        ("messages", [{"role": "user", "content": [{}] * 100}] * 1000),
    ],
)
def test_a_list_of_very_many_wrong_values_is_one_short_error(post, key, value):
    path = "/v1/chat/completions" if key == "messages" else "/v1/completions"
    found = post(path, {"model": "one", key: value})
    assert found.status_code == 400
    assert len(found.content) < 500


def test_a_form_of_another_page_is_no_request(post):
    found = post(
        "/v1/completions", content=json.dumps({"model": "one"}), headers={"Content-Type": "text/plain"}
    )
    assert found.status_code == 415


def test_the_first_cell_answers_where_none_is_named(post):
    for path, body in (
        ("completions", {"prompt": "a"}),
        ("chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
    ):
        for model in ({}, {"model": None}):
            found = post(f"/v1/{path}", {**body, **model, "max_tokens": 1})
            assert (found.status_code, found.json()["model"]) == (200, "one")


def test_what_is_not_there_is_404_and_what_cannot_be_done_405(url, post):
    found = post("/v1/completions", {"model": "three"})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "model_not_found")
    assert found.json()["error"]["message"] == "there is no model 'three'; there are one, two"
    assert httpx.get(f"{url}/v1/models/three").status_code == 404
    found = post("/v1/embeddings", {})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "unknown_url")
    assert found.json()["error"]["message"] == (
        "there is no /v1/embeddings here; there are /v1/models, /v1/completions and /v1/chat/completions"
    )
    found = httpx.get(f"{url}/v1/completions")
    assert (found.status_code, found.headers["allow"]) == (405, "POST")
    assert found.json()["error"]["message"] == "/v1/completions cannot be asked by GET; use POST"
    assert found.json()["error"]["type"] == "invalid_request_error"
    found = httpx.delete(f"{url}/v1/models")
    assert found.headers["allow"] == "GET, HEAD"
    assert found.json()["error"]["message"] == "/v1/models cannot be asked by DELETE; use GET or HEAD"


def test_a_client_that_goes_away_in_the_middle_of_its_body_is_no_error_of_the_server(cells, capfd):
    with served(cells) as url:
        head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port)) as connection:
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        assert httpx.post(f"{url}/v1/completions", json={"model": "one"}).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_host_that_is_not_this_one_is_refused(url):
    for host in ("localhost:80", "LOCALHOST", "localhost.", "localhost:", "127.0.0.1", "[::1]", "[::1]:80"):
        for path in ("/", "/v1/models"):
            assert httpx.get(f"{url}{path}", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "localhost:80.evil.example", "evil@localhost", ""):
        for path in ("/", "/v1/models", "/v1/nowhere"):
            found = httpx.get(f"{url}{path}", headers={"Host": host})
            error = found.json()["error"]
            assert (found.status_code, error["type"]) == (400, "invalid_request_error")
            assert error["message"] == (
                f"the header Host is {host!r}; this server is addressed as 127.0.0.1, localhost, [::1]"
            )


def test_a_token_is_asked_for_everywhere_but_on_the_page(cells):
    with served(cells, token="sesame") as url:
        for headers in ({}, {"Authorization": "Bearer open"}, {"Authorization": "sesame"}):
            for found in (
                httpx.get(f"{url}/v1/models", headers=headers),
                httpx.post(f"{url}/v1/completions", json={"model": "one"}, headers=headers),
                httpx.post(f"{url}/v1/chat/completions", json={}, headers=headers),
            ):
                assert found.status_code == 401
                assert found.headers["www-authenticate"] == "Bearer"
                assert found.json()["error"]["code"] == "invalid_api_key"
        assert httpx.get(f"{url}/v1/models", headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert "sesame" not in httpx.get(url).text


def test_an_error_of_the_server_is_told_and_the_next_request_is_answered(cells, monkeypatch):
    with served(cells) as url:
        with monkeypatch.context() as patch:
            patch.setattr("gptgrid.inference.serve.answer.stream", None)
            found = httpx.post(f"{url}/v1/completions", json={"model": "one"})
            assert (found.status_code, found.json()["error"]["type"]) == (500, "server_error")
        assert httpx.post(f"{url}/v1/completions", json={"model": "one"}).status_code == 200


def test_the_page_may_load_nothing_from_elsewhere(url):
    for path in ("/", "/page.css", "/page.js"):
        found = httpx.get(f"{url}{path}")
        assert found.status_code == 200
        assert found.headers["content-security-policy"].startswith("default-src 'none';")
        assert "http://" not in found.text and "https://" not in found.text
