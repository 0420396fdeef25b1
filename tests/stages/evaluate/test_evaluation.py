"""evaluation.json says what a slow calculation by hand says, and nothing is scored that should not be."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from cells import tiny, uniform, write_cell, write_test_split

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS
from gptgrid.stages.evaluate import evaluation as evaluating
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.tokens.codec import IdsCodec

EOT = 256
DOCUMENTS = ["The cat sat.\nIt ate a mouse.", "Ein Käfer läuft.", "天地玄黄"]
IDS = [token for document in DOCUMENTS for token in (EOT, *document.encode())]
COUNTS = {
    "bytes": sum(len(document.encode()) for document in DOCUMENTS),
    "words": 3 + 4 + 3 + 1,
    "newlines": 1,
}


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives a job over a cell and a test split."""
    torch.set_num_threads(1)

    def make(
        module,
        ids=IDS,
        vocab_size=257,
        codec=None,
        stride=None,
        counts=COUNTS,
        precision="fp32",
        status="finished",
        last=None,
        use="best",
    ) -> Job:
        root = tmp_path / precision / use
        folder = root / "artifact"
        folder.mkdir(parents=True)
        inputs = {
            "train": write_cell(root / "train", module, codec, status, last),
            "shards": write_test_split(root / "shards", ids, vocab_size, **counts),
        }
        config, run = (
            SimpleNamespace(stride=stride, precision=precision, use=use),
            SimpleNamespace(device="cpu", cells_per_gpu=1),
        )
        return Job(config, inputs, folder, root / "scratch", run)

    return make


def evaluation(job: Job) -> dict:
    return json.loads((job.folder / "evaluation.json").read_text())


def test_a_uniform_model_by_hand(make_job):
    job = make_job(uniform(257))
    evaluate(job)
    document, scored = evaluation(job), len(IDS) - 1
    nats = scored * math.log(257)
    expected = {
        "nats": nats,
        "test_loss": math.log(257),
        "perplexity": 257,
        "bpb": nats / (math.log(2) * len("".join(DOCUMENTS).encode())),
        "word_perplexity": math.exp(nats / 11),
        "word_perplexity_newlines": math.exp(nats / 12),
    }
    for convention in (document, document["sliding"], document["disjoint"]):
        assert {key: convention[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    assert document["scored_tokens"] == scored
    assert {key: document[key] for key in COUNTS} == COUNTS


def test_conventions_against_the_obvious_loop(make_job):
    module = tiny(257)
    job = make_job(module)
    evaluate(job)
    document = evaluation(job)
    for name, stride in (("sliding", 4), ("disjoint", 8)):
        nats, begin, done = 0.0, 0, 0
        while done < len(IDS) - 1:
            end = min(begin + 8, len(IDS) - 1)
            with torch.no_grad():
                chances = module(torch.tensor([IDS[begin:end]]))[0].double().log_softmax(-1)
            nats -= sum(chances[place - begin, IDS[place + 1]].item() for place in range(done, end))
            begin, done = begin + stride, end
        assert document[name]["nats"] == pytest.approx(nats, rel=1e-6)
        assert (document[name]["context"], document[name]["stride"]) == (8, stride)


def test_the_headline_is_sliding_and_says_so(make_job):
    job = make_job(tiny(257))
    facts = evaluate(job)
    document = evaluation(job)
    assert document["convention"] == facts["convention"] == "sliding"
    for key in DENOMINATORS:
        assert document[key] == facts[key] == document["sliding"][key] != document["disjoint"][key]
    assert document["denominators"] == DENOMINATORS
    assert "8 tokens start every 4 tokens" in document["sliding"]["definition"]
    assert "at least 5 tokens" in document["sliding"]["definition"]
    assert "disjoint" not in facts
    json.dumps(facts, allow_nan=False)


def test_best_or_last_weights_are_scored(make_job):
    # The last weights find certain what never comes: every token costs them 50 nats.
    for use, loss in (("best", math.log(257)), ("last", 50)):
        job = make_job(uniform(257), last=uniform(257, likely=0), use=use)
        assert evaluate(job)["test_loss"] == pytest.approx(loss, rel=1e-6)
        assert evaluation(job)["weights"] == use


def test_a_model_that_does_not_fit_is_refused(make_job, monkeypatch):
    monkeypatch.setattr("gptgrid.model.memory.memory_left", lambda device: 50_000)
    said = r"weights as they are read .* weights of the model .* activations of \d+ tokens .* lower the model's d_ff"
    with pytest.raises(UserError, match=said):
        evaluate(make_job(uniform(257)))


def test_the_stride_of_the_configuration_counts(make_job):
    job = make_job(tiny(257), stride=8)
    evaluate(job)
    document = evaluation(job)
    assert document["sliding"]["stride"] == 8
    assert document["sliding"]["nats"] == document["disjoint"]["nats"]


def test_same_bytes_again(make_job):
    job = make_job(tiny(257))
    evaluate(job)
    first = (job.folder / "evaluation.json").read_bytes()
    evaluate(job)
    assert (job.folder / "evaluation.json").read_bytes() == first
    assert job.provenance["device"] == "cpu" and job.provenance["tokens_per_second"] > 0


def test_bare_ids_have_figures_per_token_only(make_job):
    counts = dict.fromkeys(("bytes", "words", "newlines"))
    job = make_job(
        uniform(10), ids=[n % 10 for n in range(25)], vocab_size=10, codec=IdsCodec(10), counts=counts
    )
    facts = evaluate(job)
    assert facts["perplexity"] == pytest.approx(10, rel=1e-6)
    assert facts["bpb"] is facts["word_perplexity"] is facts["word_perplexity_newlines"] is None


def test_a_text_shorter_than_the_context(make_job):
    job = make_job(uniform(257), ids=[EOT, 65, 66], counts={"bytes": 2, "words": 1, "newlines": 0})
    assert evaluate(job)["bpb"] == pytest.approx(math.log2(257), rel=1e-6)


def test_a_count_that_differs_is_refused(make_job):
    job = make_job(uniform(257), counts={**COUNTS, "tokens": len(IDS) + 1})
    with pytest.raises(UserError, match=f"hold {len(IDS)} tokens, but their manifest says {len(IDS) + 1}"):
        evaluate(job)


def test_ids_beyond_the_vocabulary_are_refused(make_job):
    job = make_job(uniform(100))
    with pytest.raises(UserError, match="hold the id 256, but the model's vocabulary ends at 99"):
        evaluate(job)


def test_nothing_to_score_is_refused(make_job):
    job = make_job(uniform(257), ids=[EOT])
    with pytest.raises(UserError, match="the test split has 1 tokens"):
        evaluate(job)


def broken() -> torch.nn.Module:
    module = uniform(257)
    with torch.no_grad():
        module.head.bias.fill_(math.nan)
    return module


@pytest.mark.parametrize("status", ["finished", "stopped early"])
def test_weights_that_are_not_numbers_are_refused(make_job, status):
    with pytest.raises(UserError, match="the test loss is nan"):
        evaluate(make_job(broken(), status=status))


def test_such_weights_of_a_diverged_training_have_no_figures(make_job):
    job = make_job(broken(), status="diverged")
    facts = evaluate(job)
    document = evaluation(job)
    for convention in (facts, document["sliding"], document["disjoint"]):
        assert {convention[key] for key in ("nats", *DENOMINATORS)} == {None}
    assert document["scored_tokens"] == len(IDS) - 1


def test_other_weights_of_a_diverged_training_are_scored(make_job):
    assert evaluate(make_job(uniform(257), status="diverged"))["perplexity"] == pytest.approx(257, rel=1e-6)


def test_rounded_weights_move_bits_per_byte_by_less_than_a_thousandth(make_job, monkeypatch):
    """On a machine without bf16 instructions, too: there the choice alone is another."""
    chosen = {"auto": "bf16_weights", "fp32": "fp32"}
    monkeypatch.setattr(evaluating, "choose_precision", lambda precision, device: chosen[precision])
    module = tiny(257, d_model=32, init_std=0.05)
    figures = {}
    for precision in ("fp32", "auto"):
        job = make_job(module, precision=precision)
        evaluate(job)
        figures[precision] = evaluation(job)["bpb"]
    assert 0 < abs(figures["auto"] - figures["fp32"]) < 1e-3
