"""lm-eval's `local-completions` asks in this way, and finds what the `evaluate` stage finds."""

import json

import httpx
import numpy as np
import pytest
from serving import served, trained

from gptgrid.stages.evaluate.likelihood import likelihoods, texts_of
from gptgrid.stages.evaluate.tasks import Task, ask

ITEMS = [
    {"prompt": prompt, "answer": answer, "wrong": wrong}
    for prompt, answer, *wrong in (
        ("The cat sat on the", " mat", " dogs", " or was there"),
        ("One and one is", " two", " ä", " 3"),
        ("天", "地", "人", "人人"),
        ("a", "b", "c", "d"),
        ("Who?", " me", " not me", " you"),
    )
]
CLOZE = [{"prompt": item["prompt"], "answer": item["answer"], "wrong": []} for item in ITEMS]


def loglikelihoods(
    url: str, requests: list[tuple[list[int], list[int]]], batch: int
) -> list[tuple[float, bool]]:
    """Return of each (context, continuation) the sum of log probabilities, and whether it is greedy.

    The bodies are those of lm_eval/models/openai_completions.py, and so is what is read of the answers: the
    last token is the one that `max_tokens: 1` made.
    """
    found = []
    for first in range(0, len(requests), batch):
        part = requests[first : first + batch]
        body = {
            "model": "one",
            "prompt": [context + continuation for context, continuation in part],
            "temperature": 0,
            "max_tokens": 1,
            "logprobs": 1,
            "seed": 1234,
            "echo": True,
        }
        answer = httpx.post(f"{url}/v1/completions", json=body, timeout=30).raise_for_status().json()
        choices = sorted(answer["choices"], key=lambda choice: choice["index"])
        for (context, _), choice in zip(part, choices, strict=True):
            own = choice["logprobs"]["token_logprobs"][len(context) : -1]
            best = choice["logprobs"]["top_logprobs"][len(context) : -1]
            greedy = all(one == max(others.values()) for one, others in zip(own, best, strict=True))
            found.append((sum(own), greedy))
    return found


@pytest.mark.parametrize("batch", [1, 5])
def test_sums_and_accuracies_are_those_of_the_evaluation(tmp_path, batch):
    cell = trained(context=64)
    begin, module = cell.codec.begin, cell.module
    with served({"one": cell}) as url:
        for kind, items in (("choice", ITEMS), ("cloze", [*CLOZE, *greedy_items(cell)])):
            path = tmp_path / f"{kind}.jsonl"
            path.write_text("".join(json.dumps(item) + "\n" for item in items))
            expected = ask(module, cell.codec, Task("mine", kind, path), 64, 32)
            answers = [[item["answer"], *item["wrong"]] for item in items]
            requests = [
                (begin(item["prompt"]), cell.encode(answer))
                for item, texts in zip(items, answers, strict=True)
                for answer in texts
            ]
            found = iter(loglikelihoods(url, requests, batch))
            found = [[next(found) for _ in texts] for texts in answers]
            texts = [
                text
                for item, options in zip(items, answers, strict=True)
                for text in texts_of(
                    [begin(item["prompt"] + one) for one in options], begin(item["prompt"]), 64, 32
                )
            ]
            nats, _ = likelihoods(module, texts, 64, 32)
            assert [-total for row in found for total, _ in row] == pytest.approx(nats.tolist(), abs=1e-4)
            if kind == "choice":
                right = [int(np.argmax([total for total, _ in row])) == 0 for row in found]
            else:
                right = [row[0][1] for row in found]
            assert 0 < sum(right) < len(right)
            assert np.mean(right) == pytest.approx(expected["accuracy"], abs=1e-4)


def greedy_items(cell) -> list[dict]:
    """Return items whose answer is what greedy decoding gives."""
    found = []
    for prompt in map(chr, range(40, 80)):
        ids = cell.codec.begin(prompt)
        best = int(cell.forward(ids)[-1].argmax())
        if best < 128:
            found.append({"prompt": prompt, "answer": chr(best), "wrong": []})
    return found


def test_generations_are_read_as_lm_eval_does(url, cells):
    body = {
        "prompt": [[256, *b"ab"], [256, *b"cd"]],
        "model": "one",
        "max_tokens": 9,
        "temperature": 0,
        "stop": ["\n\n", "<|endoftext|>"],
        "seed": 1234,
    }
    answer = httpx.post(f"{url}/v1/completions", json=body).json()
    texts = {choice["index"]: choice["text"] for choice in answer["choices"]}
    for row, prompt in enumerate(("ab", "cd")):
        assert texts[row] == cells["one"].generate(prompt, max_new_tokens=9, temperature=0)
