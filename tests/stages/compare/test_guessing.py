"""Whether a model has learned anything is told document by document, as differences of groups are."""

import numpy as np
import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.stages.compare.tables import compare
from gptgrid.tokens.document_scores import read_document_scores, write_document_scores

KINDS = ("train", "evaluate", "corpus", "tokenizer", "shards", "references")


def with_guessing(experiment: Experiment, factor: float, noise: float, split: str = "valid") -> Experiment:
    """Let guessing take so many times what the first cell takes on each document, and elsewhere far more."""
    generator = np.random.default_rng(0)
    folder = experiment.inputs[f"evaluate:{experiment.cells[0]['cell']}"]
    columns = {}
    for name in ("valid", "test"):
        found = read_document_scores(folder, ["document", "tokens", "nats_sliding"])[name]
        times = factor + noise * generator.normal(size=len(found["tokens"])) if name == split else 3.0
        columns[name] = {
            "document": found["document"],
            "tokens": found["tokens"],
            "nats_unigram": found["nats_sliding"] * times,
        }
    experiment.put("references:bpe@tales", {}, references_json="{}")
    write_document_scores(experiment.inputs["references:bpe@tales"], columns)
    return experiment


def run(experiment: Experiment) -> tuple[dict, pd.DataFrame, list[str]]:
    """Return the facts, comparison.csv and the cautions."""
    job = experiment.job("compare", *KINDS)
    facts = compare(job)
    groups, cautions = (pd.read_csv(job.folder / f"{name}.csv") for name in ("comparison", "cautions"))
    return facts, groups, cautions["caution"].tolist()


@pytest.mark.parametrize(
    ("factor", "noise", "learned"),
    [(1.02, 0.01, True), (1.02, 0.5, False), (0.98, 0.01, False), (1.2, 0.5, True)],
)
def test_a_gain_counts_if_other_documents_would_show_it_too(tmp_path, factor, noise, learned):
    """The same mean gain is plain where each document has it, and chance where some have the opposite."""
    experiment = with_guessing(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1, 2)), factor, noise)
    facts, groups, _ = run(experiment)
    assert groups["learned"].tolist() == [learned]
    assert facts["best"] == ({"tales": "tales.bpe.gpt2.base"} if learned else {})


def test_what_is_of_no_use_on_the_test_is_said(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1, 2))
    _, groups, cautions = run(with_guessing(experiment, 1.0, 0.5, "test"))
    assert groups["verdict"].tolist() == ["best"]
    assert any(line.startswith("on the test split tales.bpe.gpt2.base.s1 takes") for line in cautions)


def test_the_likeliest_of_all_tokens_may_be_the_better_guess(tmp_path):
    """Frequencies of another kind of text can be worse than none: ln 1,024 nats per token take less then."""
    experiment = with_guessing(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,)), 1_000.0, 0.0)
    assert run(experiment)[1]["learned"].tolist() == [True]
    folder = experiment.inputs["evaluate:tales.bpe.gpt2.base.s1"]
    columns = {
        split: read_document_scores(folder, ["document", "tokens", "bytes", "nats_sliding"])[split]
        for split in ("valid", "test")
    }
    for found in columns.values():
        found["nats_sliding"] = found["tokens"] * 6.95
    write_document_scores(folder, columns)
    assert run(experiment)[1]["learned"].tolist() == [False]


def test_references_on_other_documents_tell_nothing(tmp_path):
    experiment = with_guessing(Experiment(tmp_path, ("tales",), ("bpe",), ("gpt2",), (1,)), 0.5, 0.0)
    folder = experiment.inputs["references:bpe@tales"]
    columns = {
        split: read_document_scores(folder, ["document", "tokens", "nats_unigram"])[split]
        for split in ("valid", "test")
    }
    for found in columns.values():
        found["document"] = found["document"] + 1
    write_document_scores(folder, columns)
    assert run(experiment)[1]["learned"].tolist() == [True]
