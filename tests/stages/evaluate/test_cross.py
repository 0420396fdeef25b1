"""On another text a cell has the figures that it would have there anyway, audited, and what speaks against them."""

import json

import numpy as np
import pytest
import torch
from cells import evaluation_job, tiny, write_corpus, write_splits

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.stages.evaluate.cross import evaluate_elsewhere
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.tokens.codec import BytesCodec
from gptgrid.tokens.document_scores import read_document_scores

HERE = [f"The red fox has {number} hens." for number in range(30)]
MARK = "<|u|>"


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives the job of a cell on the texts HERE, which learned from others."""
    torch.set_num_threads(1)

    def make(learned=("A blue hen.",), marks="text", codec=None, module=None, **options) -> Job:
        root = tmp_path / str(len([*tmp_path.iterdir()]))
        codec = codec or BytesCodec()
        job = evaluation_job(
            root, module or tiny(codec.vocab_size), HERE, codec=codec, marks=marks, **options
        )
        job.inputs["trained_on"] = write_corpus(root / "own", train=list(learned), test=["A hen."])
        return job

    return make


def found(job: Job) -> dict:
    return json.loads((job.folder / "evaluation.json").read_text())


@pytest.mark.parametrize("windows", ["permuted", "document"])
@pytest.mark.parametrize("part", [None, 60])
def test_figures_are_those_that_the_text_s_own_evaluation_gives_to_the_bit(make_job, windows, part):
    here, own = (make_job(windows=windows, bytes=part) for _ in range(2))
    facts = evaluate_elsewhere(here)
    evaluate(own)
    one, other = found(here), found(own)
    shared = (set(one) & set(other)) - {"in_train"}
    assert {"bpb", "nats", "text_digest", other["convention"], "denominators", "weights"} < shared
    assert {key: one[key] for key in shared} == {key: other[key] for key in shared}
    assert facts["bpb"] == other["bpb"] and "valid" not in one
    column = f"nats_{one['convention']}"
    tables = [read_document_scores(job.folder, ("document", column))["test"] for job in (here, own)]
    for name in tables[0]:
        assert np.array_equal(tables[0][name], tables[1][name])


def test_what_the_cell_was_trained_on_is_found_in_the_text(make_job, capsys):
    job = make_job(learned=["A blue hen.", HERE[3].upper(), f"\n{HERE[7].replace(' ', '  ')}"])
    evaluate_elsewhere(job)
    size = sum(map(len, HERE))
    assert found(job)["in_train"] == {
        "documents": 2,
        "share": pytest.approx(2 / 30),
        "size_share": pytest.approx((len(HERE[3]) + len(HERE[7])) / size),
    }
    assert "warning: 2 documents of this test split" in capsys.readouterr().out
    job = make_job()
    evaluate_elsewhere(job)
    assert found(job)["in_train"]["documents"] == 0 and "warning" not in capsys.readouterr().out
    job = make_job()
    del job.inputs["trained_on"]
    evaluate_elsewhere(job)
    assert found(job)["in_train"] is None


def test_a_part_of_the_text_is_held_against_what_was_trained_on_alone(make_job):
    job = make_job(learned=HERE, bytes=60)
    evaluate_elsewhere(job)
    assert (found(job)["documents"], found(job)["in_train"]["documents"]) == (3, 3)


def test_the_audit_finds_shards_of_another_text(make_job, tmp_path):
    job = make_job()
    job.inputs["shards"] = write_splits(tmp_path / "other", BytesCodec(), test=[*HERE[:4], "x", *HERE[5:]])
    with pytest.raises(UserError, match=r"document 4 of the test split \(the first is 0\): its tokens"):
        evaluate_elsewhere(job)


@pytest.mark.parametrize(("trained", "strange"), [("text", 2), ("special", 0)])
def test_marks_are_those_of_the_text_and_strange_to_a_cell_of_a_text_without(
    make_job, tmp_path, monkeypatch, trained, strange
):
    codec, texts = BytesCodec([MARK]), [*HERE, f"{MARK}A fox.{MARK}"]
    job = make_job(marks="special", codec=codec)
    path = job.inputs["train"] / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "marks": trained}))
    plain = codec.encode_stream
    monkeypatch.setattr(codec, "encode_stream", lambda texts, marks=False: plain(texts, marks=True))
    job.inputs["shards"] = write_splits(tmp_path / "marked", codec, test=texts)
    job.inputs["corpus"] = write_corpus(tmp_path / "texts", test=texts)
    evaluate_elsewhere(job)
    assert found(job)["strange_marks"] == strange


def test_a_training_that_diverged_has_no_figures(make_job):
    module = tiny(257)
    with torch.no_grad():
        next(module.parameters()).fill_(torch.nan)
    job = make_job(module=module, status="diverged")
    evaluate_elsewhere(job)
    assert found(job)["bpb"] is None
    with pytest.raises(UserError, match="the weights give no probabilities"):
        evaluate_elsewhere(make_job(module=module))
