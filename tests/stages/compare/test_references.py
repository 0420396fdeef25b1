"""What needs no network stands beside the cells, ranks nowhere, and who loses to it is marked."""

import json

from experiments import Experiment, read_table

from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.tables import read_table as read_for_report

NAMES = {"unigram": 6.0, "kneser-ney": 2.0, "xz": 2.2}
"""Reference → bits per byte on the test split."""


def with_references(experiment: Experiment, documents: int = 183, **bits: float) -> Experiment:
    """Add the references on all texts, encoded and not."""
    bits = {**NAMES, **bits}
    for name in [name for name in experiment.inputs if name.startswith(("corpus:", "shards:"))]:
        kind, source = name.split(":")
        of_tokens = kind == "shards"
        found = {}
        for each in ("unigram", "kneser-ney") if of_tokens else ("xz",):
            test = {"bpb": bits[each], "documents": documents, "documents_of_split": 183}
            found[each] = {"definition": f"What {each} is, in words", "test": test}
            if of_tokens:
                test["test_loss"] = bits[each] / 2
                found[each] |= {"vocab_size": 92, "train_tokens": 1234}
                found[each]["valid"] = {"bpb": bits[each] + 0.1, "val_loss": bits[each] / 2, "documents": 166}
        if source != "noise":
            experiment.put(f"references:{source}", {}, references_json=json.dumps(found))
    return experiment


def run(experiment: Experiment):
    """Return the facts, the rows of cells and groups, and the job."""
    kinds = ("train", "evaluate", "corpus", "tokenizer", "shards", "references")
    job = experiment.job("compare", *kinds)
    facts = compare(job)
    return facts, read_table(job.folder / "summary.csv"), read_table(job.folder / "comparison.csv"), job


def split(rows):
    """Return the rows of cells or groups, and those of references by name."""
    of_references = {
        getattr(row, "cell", None) or row.group: row for row in rows if row.status == "reference"
    }
    return [row for row in rows if row.status != "reference"], of_references


def test_references_are_rows_below_the_cells_and_below_the_groups(tmp_path):
    facts, summary, groups, _ = run(with_references(Experiment(tmp_path)))
    assert (facts["cells"], facts["groups"]) == (24, 12)
    cells, below = split(summary)
    assert len(cells) == 24 and summary[:24] == cells
    names = [
        f"{corpus}.{name}"
        for corpus in ("tales", "toy")
        for name in ("char.unigram", "char.kneser-ney", "xz", "bpe.unigram", "bpe.kneser-ney")
    ]
    assert list(below) == names
    row = below["tales.bpe.kneser-ney"]
    assert (row.corpus, row.tokenizer, row.model) == ("tales", "bpe", "kneser-ney")
    assert (row.training, row.seed, row.parameters) == ("", "", "")
    assert (row.bpb, row.test_loss, row.val_loss) == ("2.0", "1.0", "1.0")
    assert (row.test_documents, row.valid_documents) == ("183", "166")
    assert (row.vocab_size, row.train_tokens) == ("92", "1234")
    assert row.reason == "What kneser-ney is, in words"
    assert row.path == "results/small/references/bpe@tales"
    assert (below["toy.xz"].tokenizer, below["toy.xz"].bpb) == ("", "2.2")

    rivals, below = split(groups)
    assert list(below) == names and len(rivals) == 12
    row = below["tales.bpe.kneser-ney"]
    assert (row.text, row.definition) == ("tales", "What kneser-ney is, in words")
    assert (row.bpb_mean, row.val_bpb_mean, row.test_loss_mean) == ("2.0", "2.1", "1.0")
    assert (row.rank, row.seeds, row.best, row.loses_to) == ("", "", "False", "")
    # Whole numbers stay whole beside what has none.
    assert {row.seeds for row in rivals} == {"2"} and {row.rank for row in rivals} <= set("123456")
    assert sum(row.best == "True" for row in rivals) == 2


def test_best_is_a_group_though_a_reference_takes_less(tmp_path):
    experiment = with_references(Experiment(tmp_path), **{"kneser-ney": 0.01})
    facts, _, groups, job = run(experiment)
    assert set(facts["best"].values()) == {row.group for row in groups if row.best == "True"}
    assert all(".gpt2." in name or ".llama." in name for name in facts["best"].values())
    cautions = (job.folder / "cautions.csv").read_text()
    assert (
        "6 of 6 groups take more bits per byte on the test split than what needs no network (tales.bpe.llama"
        in cautions
    )


def test_who_loses_to_what_is_marked(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), diverged=("bpe.gpt2.base.s1",))
    bits = sorted(float(row.bpb) for row in split(run(experiment)[1])[0] if row.bpb)
    references = {"unigram": 9.0, "kneser-ney": bits[3], "xz": bits[7]}
    _, summary, groups, _ = run(with_references(experiment, **references))
    for rows, figure in ((split(summary)[0], "bpb"), (split(groups)[0], "bpb_mean")):
        for row in rows:
            own = getattr(row, figure)
            lost = [name for name in references if own and references[name] < float(own)]
            assert row.loses_to == ", ".join(lost)
        assert {row.loses_to for row in rows} == {"", "kneser-ney", "kneser-ney, xz"}


def test_of_bare_ids_nats_per_token_are_compared(tmp_path):
    experiment = Experiment(tmp_path, ("noise",), models=("gpt2",))
    found = {
        name: {"definition": "…", "test": {"bpb": None, "test_loss": loss, "documents": 183}, "valid": {}}
        for name, loss in (("unigram", 0.5), ("kneser-ney", 50.0))
    }
    experiment.put("references:ids@noise", {}, references_json=json.dumps(found))
    _, summary, groups, job = run(experiment)
    assert {row.loses_to for row in split(summary)[0] + split(groups)[0]} == {"unigram"}
    caution = "1 of 1 group takes more nats per token on the test split than what needs no network (noise.ids"
    assert caution in (job.folder / "cautions.csv").read_text()


def test_other_documents_are_not_compared(tmp_path):
    _, summary, groups, job = run(with_references(Experiment(tmp_path), documents=7, unigram=0.1))
    assert {row.loses_to for row in summary + groups} == {""}
    assert "needs no network" not in (job.folder / "cautions.csv").read_text()


def test_what_could_not_be_measured_is_a_row_with_the_reason(tmp_path):
    failed = {"references:bpe@tales": "small/references/bpe@tales: no memory"}
    experiment = with_references(Experiment(tmp_path, ("tales",), failed=failed))
    _, summary, groups, _ = run(experiment)
    for rows in (summary, groups):
        row = split(rows)[1]["tales.bpe.unigram"]
        assert (row.status, row.model) == ("reference", "unigram")
    reasons = {name: row.reason for name, row in split(summary)[1].items()}
    assert reasons["tales.bpe.kneser-ney"] == "could not be made: small/references/bpe@tales: no memory"
    assert reasons["tales.char.kneser-ney"] == "What kneser-ney is, in words"
    assert {row.loses_to for row in split(groups)[0] if row.tokenizer == "bpe"} <= {"", "xz"}


def test_overrides_of_text_and_tokenizer_stand_in_their_rows_alone(tmp_path):
    overrides = ({}, {"model.n_layer": 2})
    experiment = with_references(Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,), overrides))
    _, summary, _, _ = run(experiment)
    cells, below = split(summary)
    assert [vars(row)["model.n_layer"] for row in cells] == ["", "2"]
    assert {vars(row)["model.n_layer"] for row in below.values()} == {""}


def test_the_report_shows_cells_as_if_there_were_no_references(tmp_path):
    tables = []
    for name, experiment in (("without", Experiment(tmp_path / "1")), ("with", Experiment(tmp_path / "2"))):
        job = run(with_references(experiment, unigram=99.0) if name == "with" else experiment)[3]
        tables.append([read_for_report(job.folder / f"{table}.csv") for table in ("summary", "comparison")])
    for without, with_them in zip(*tables, strict=True):
        unmarked = [table.drop(columns=["loses_to", "status"]) for table in (without, with_them)]
        assert unmarked[0].equals(unmarked[1])
        assert unmarked[0].dtypes.to_dict() == unmarked[1].dtypes.to_dict()
