"""Breakdowns say what looking at one token after the other says, and add up to the figure of their convention."""

import json
import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from cells import evaluation_job, tiny, token_by_token, uniform
from small_codecs import CODECS

from gptgrid.stages.evaluate import audit
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.tokens.codec import IdsCodec

TRAINING = ["The red fox ran, and 12 hens cried. 狐狸 " * 9, "foxes"]
TEXTS = ["The fox and 3 hens.\n狐狸跑了! Ёж é", "", "a fox " * 20, "no fox", "Ωμέγα 07:30", ""]
LENGTHS = [(0, 15), (16, 63), (64, 255)]
FREQUENCIES = [(0, 0), (1, 9), (10, 99), (100, 999)]
POSITIONS = [(1, 1), (2, 2), (3, 4), (5, 8)]


def kind_of(character: str) -> str:
    """Say what a character is, by its name and category."""
    category = unicodedata.category(character)[0]
    if category == "L":
        script = unicodedata.name(character).split()[0]
        return {"CJK": "Han"}.get(script, script.capitalize())
    return "digits" if category == "N" else "marks"


def kinds_by_hand(codec, text: str) -> list[str]:
    """Return what each token of a document writes, the end-of-text token first."""
    written = codec.prefix + text.encode() if text else b""
    of_bytes = ["marks"] * (len(written) - len(text.encode()))
    of_bytes += [kind_of(character) for character in text for _ in character.encode()]
    kinds, place = ["special tokens"], 0
    for token in codec.encode(text):
        size = len(codec.token_bytes(token))
        found = {*of_bytes[place : place + size]}
        place += size
        letters = found - {"digits", "marks"}
        kinds.append(max(letters) if letters else "digits" if "digits" in found else "marks")
    return kinds


def range_of(value: int, ranges: list[tuple[int, int]]) -> tuple[int, int]:
    return next(bounds for bounds in ranges if bounds[0] <= value <= bounds[1])


@pytest.fixture(params=CODECS)
def cell(request, tmp_path, monkeypatch):
    """Return a tokenizer, its evaluation.json, and what is known of each token but the first."""
    torch.set_num_threads(1)
    monkeypatch.setattr(audit, "CHUNK", 20)  # tokens: several pieces of work
    codec = CODECS[request.param]
    module = tiny(codec.vocab_size)
    job = evaluation_job(tmp_path / "cell", module, TEXTS, codec=codec, training=TRAINING)
    evaluate(job)
    ids = codec.encode_stream(TEXTS).tolist()
    often = Counter(codec.encode_stream(TRAINING).tolist())
    kinds = [kind for text in TEXTS for kind in kinds_by_hand(codec, text)]
    # A document's targets are the tokens after its end-of-text token, and that of the next one.
    sizes = [len(text.encode()) for text in TEXTS for _ in codec.begin(text)]
    rows = {}
    for name, stride in (("sliding", 4), ("disjoint", 8)):
        scored = token_by_token(module, ids, 8, stride)
        rows[name] = [
            {
                "nats": nats,
                "position": range_of(seen, POSITIONS),
                "frequency": range_of(often[ids[place + 1]], FREQUENCIES),
                "script": kinds[place + 1],
                "document": range_of(sizes[place], LENGTHS),
            }
            for place, (nats, _, seen) in enumerate(scored)
        ]
    return json.loads((job.folder / "evaluation.json").read_text()), rows


@pytest.mark.parametrize("convention", ["sliding", "disjoint"])
@pytest.mark.parametrize("kind", ["position", "frequency", "script", "document"])
def test_the_obvious_loop_agrees(cell, kind, convention):
    found, rows = cell
    expected: dict = {}
    for row in rows[convention]:
        tokens, nats = expected.get(row[kind], (0, 0.0))
        expected[row[kind]] = (tokens + 1, nats + row["nats"])
    parts = {
        part["script"] if kind == "script" else (part["from"], part["to"]): (part["tokens"], part["nats"])
        for part in found["breakdowns"][kind][convention]
    }
    assert parts.keys() == expected.keys()
    for key, (tokens, nats) in expected.items():
        assert parts[key][0] == tokens and parts[key][1] == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("convention", ["sliding", "disjoint"])
@pytest.mark.parametrize("kind", ["position", "frequency", "script", "document"])
def test_parts_add_up(cell, kind, convention):
    found, _ = cell
    parts = found["breakdowns"][kind][convention]
    assert sum(part["tokens"] for part in parts) == found["scored_tokens"]
    assert sum(part["nats"] for part in parts) == pytest.approx(found[convention]["nats"], rel=1e-12)
    if kind == "script":
        assert parts == sorted(parts, key=lambda part: -part["tokens"])
    else:
        assert all(one["to"] < other["from"] for one, other in pairwise(parts))


def test_every_breakdown_says_what_it_is(cell):
    found, _ = cell
    assert {"position", "frequency", "script", "document"} == found["breakdowns"].keys()
    assert all(breakdown["definition"] for breakdown in found["breakdowns"].values())
    assert "breakdowns" not in found["valid"]


def test_the_definition_says_of_how_many_tokens_frequencies_are(tmp_path):
    job = evaluation_job(tmp_path / "cell", uniform(257), ["fox"], training=["a fox", "ran"])
    evaluate(job)
    found = json.loads((job.folder / "evaluation.json").read_text())["breakdowns"]["frequency"]
    assert "stands in 10 tokens of the training split" in found["definition"]


def test_bare_ids_are_broken_down_by_their_numbers(tmp_path):
    job = evaluation_job(tmp_path / "cell", uniform(10), [[1, 2, 3] * 9, [4]], codec=IdsCodec(10))
    evaluate(job)
    found = json.loads((job.folder / "evaluation.json").read_text())["breakdowns"]
    assert found.keys() == {"position", "frequency", "document"}
    assert "tokens of the document" in found["document"]["definition"]
    assert [part["tokens"] for part in found["document"]["sliding"]] == [27]
    assert np.isclose(found["document"]["sliding"][0]["nats"], 27 * np.log(10))
