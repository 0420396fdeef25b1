"""Other context lengths give what a model of that context gives, or say why there is none."""

import json
import math

import pytest
import torch
from cells import evaluation_job, tiny, token_by_token

from gptgrid.artifact.errors import UserError
from gptgrid.metrics import DENOMINATORS
from gptgrid.stages.evaluate.evaluation import evaluate

TEXTS = [
    "The red fox ran over the field, and nobody saw it.",
    "A hen cried.",
    "Night came, and with it the fox.",
]
IDS = [token for text in TEXTS for token in (256, *text.encode())]
ANY_LENGTH = {
    "rope": {"preset": "llama"},
    "modern": {"preset": "modern", "zero_init": False},
    "alibi": {"position": "alibi"},
    "sinusoidal": {"position": "sinusoidal"},
    "none": {"position": "none"},
    "encoder": {"preset": "encoder", "position": "sinusoidal"},
    "window": {"preset": "llama", "window": 3},
    "untied": {"position": "alibi", "tie_embeddings": False},
}


def contexts(job) -> list[dict]:
    """Return what evaluation.json says of other context lengths."""
    torch.set_num_threads(1)
    evaluate(job)
    return json.loads((job.folder / "evaluation.json").read_text())["contexts"]


@pytest.mark.parametrize("name", ANY_LENGTH)
@pytest.mark.parametrize("windows", ["permuted", "document"])
def test_the_obvious_loop_agrees_also_beyond_the_trained_length(tmp_path, name, windows):
    module = tiny(257, **ANY_LENGTH[name])
    job = evaluation_job(tmp_path / "cell", module, TEXTS, contexts=[3, 8, 20], windows=windows)
    found = contexts(job)
    whole = json.loads((job.folder / "evaluation.json").read_text())
    texts = [IDS] if windows == "permuted" else [[256, *text.encode(), 256] for text in TEXTS]
    if windows == "document":
        texts[-1].pop()
    longer = tiny(257, **{**ANY_LENGTH[name], "context": 20})
    longer.load_state_dict(module.state_dict())
    for part, context, model in zip(found, (3, 8, 20), (module, module, longer), strict=True):
        rows = [row for ids in texts for row in token_by_token(model, ids, context, context // 2)]
        assert (part["context"], part["stride"]) == (context, context // 2)
        assert f"Windows of {context} tokens start every {context // 2} tokens" in part["definition"]
        assert part["nats"] == pytest.approx(sum(nats for nats, _, _ in rows), rel=1e-6)
        assert part["accuracy"] == sum(right for _, right, _ in rows) / len(rows)
        assert part["bpb"] == pytest.approx(part["nats"] / math.log(2) / whole["bytes"])
        assert part["reason"] is None
    assert {key: found[1][key] for key in ("nats", *DENOMINATORS)} == {
        key: whole[key] for key in ("nats", *DENOMINATORS)
    }


@pytest.mark.parametrize("preset", ["gpt2", "encoder"])
def test_learned_positions_end_where_training_ended(tmp_path, preset):
    shorter, longer = contexts(
        evaluation_job(tmp_path / "cell", tiny(257, preset=preset), TEXTS, contexts=[4, 9])
    )
    assert shorter["reason"] is None and shorter["bpb"] > 0
    assert longer["reason"] == "the model has learned 8 positions, and no others"
    assert {longer[key] for key in ("nats", *DENOMINATORS)} == {None} and shorter.keys() == longer.keys()


def test_a_text_that_is_shorter_than_a_context_has_no_figure_at_it(tmp_path):
    """It would be that of a shorter context."""
    for windows, longest in (("permuted", len(IDS) - 1), ("document", 1 + len(TEXTS[0]))):
        module, asked = tiny(257, preset="llama"), [longest, longest + 1]
        job = evaluation_job(tmp_path / windows, module, TEXTS, contexts=asked, windows=windows)
        fits, lacks = contexts(job)
        assert fits["reason"] is None and fits["nats"] > 0
        assert lacks["nats"] is None and f"has {longest} tokens to predict from" in lacks["reason"]


def test_a_stride_is_at_most_a_context(tmp_path):
    one, other = contexts(
        evaluation_job(tmp_path / "cell", tiny(257, preset="llama"), TEXTS, contexts=[4, 12], stride=6)
    )
    assert (one["stride"], other["stride"]) == (4, 6)


def test_a_context_that_comes_again_is_scored_once(tmp_path):
    found = contexts(evaluation_job(tmp_path / "cell", tiny(257), TEXTS, contexts=[4, 2, 4]))
    assert [part["context"] for part in found] == [4, 2]


def test_rounded_weights_stay_rounded(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "gptgrid.model.precision.choose_precision",
        lambda precision, device: {"auto": "bf16_weights", "fp32": "fp32"}[precision],
    )
    module = tiny(257, d_model=32, preset="llama")
    found = {}
    for precision in ("fp32", "auto"):
        job = evaluation_job(tmp_path / precision, module, TEXTS, contexts=[20], precision=precision)
        [found[precision]] = contexts(job)
    assert 1e-7 < abs(found["auto"]["nats"] / found["fp32"]["nats"] - 1) < 1e-2


def test_too_little_memory_names_the_context(tmp_path, monkeypatch):
    job = evaluation_job(tmp_path / "cell", tiny(257, preset="llama"), TEXTS * 600, contexts=[50_000])
    monkeypatch.setattr("gptgrid.model.memory.memory_left", lambda device: 150_000_000)
    with pytest.raises(
        UserError, match=r"evaluation.contexts, 50000: out of memory: .* or leave this one out"
    ):
        contexts(job)
