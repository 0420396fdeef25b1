"""finetuning.csv has every fine-tuned cell beside its base, and finetuning_comparison.csv what is the best of them."""

import json

import numpy as np
import pandas as pd
import pytest
from experiments import Experiment

from gptgrid.stages.compare.contrasts import contrasts, summarize_group
from gptgrid.stages.compare.finetuning import COLUMNS
from gptgrid.stages.compare.paired import paired_difference
from gptgrid.stages.compare.tables import compare
from gptgrid.tokens.document_scores import read_document_scores

GRID = (("tales",), ("char",), ("gpt2", "llama"), (1, 2, 3))
GPT2 = "tales.char.gpt2.base"


def tables(experiment: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables, by cell and by group."""
    job = experiment.compare_job()
    compare(job)
    cells, groups = (pd.read_csv(job.folder / f"finetuning{name}.csv") for name in ("", "_comparison"))
    return cells.set_index("cell"), groups.set_index("group")


def edit(experiment: Experiment, name: str, **asked: object) -> None:
    path = experiment.inputs[name] / "evaluation.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "asked": {**found["asked"], **asked}}))


def let_answer(experiment: Experiment, cell: str, right) -> None:
    path = experiment.inputs[f"dialogues:{cell}:qa"] / "answers.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [{**row, "exact": row["exact"] and bool(right(row["dialogue"]))} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def experiment(tmp_path):
    return Experiment(tmp_path, *GRID)


def test_without_fine_tuning_there_are_no_tables(experiment):
    job = experiment.compare_job()
    compare(job)
    assert not list(job.folder.glob("finetuning*"))


def test_a_row_for_each_fine_tuned_cell_beside_its_base(experiment):
    experiment.finetune(chat=1.0, lora=1.2)
    cells, _ = tables(experiment)
    assert list(cells.index) == [
        f"{cell['cell']}.{name}" for cell in experiment.cells for name in ("chat", "lora")
    ]
    row = cells.loc[f"{GPT2}.s1.chat"]
    assert (row.base, row.finetuning, row.data, row.seed) == (f"{GPT2}.s1", "chat", "qa", 1)
    assert row.group == f"{GPT2}.chat"
    assert [row.exact, row.exact_low, row.exact_high, row["items"]] == pytest.approx([0.8, 0.7, 0.9, 25])
    assert (row.base_exact, row.chrf, row.base_chrf) == (0.2, 30.0, 15.0)
    assert (row.unreachable, row.base_unreachable) == (0, 3)
    answers = [
        json.loads((experiment.inputs[f"dialogues:{cell}:qa"] / "evaluation.json").read_text())
        for cell in (f"{GPT2}.s1.chat", f"{GPT2}.s1")
    ]
    for found, before in zip(answers, ("", "base_"), strict=True):
        assert row[f"{before}nats_per_byte"] == found["nats_per_byte"]
        assert row[f"{before}content_nats_per_byte"] == found["content_nats_per_byte"]
        assert row[f"{before}val_nats_per_byte"] == found["valid"]["nats_per_byte"]
    text = json.loads((experiment.inputs[f"evaluate:{GPT2}.s1"] / "evaluation.json").read_text())
    assert (row.base_bpb, row.base_val_bpb) == (text["bpb"], text["valid"]["bpb"])
    assert row.bpb_lost == pytest.approx(0.25) and row.val_bpb_lost == pytest.approx(0.5)
    assert (row.parameters, row.trained_parameters, row.answer_tokens) == (1000, 100, 4321)
    assert (row.dialogues, row.dropped, row.cut, row.status) == (90, 7, 3, "finished")
    assert {*COLUMNS} < {*cells.columns} and cells["reason"].isna().all()
    summary = pd.read_csv(experiment.root / "results/compare/summary.csv")
    assert list(summary["cell"]) == [cell["cell"] for cell in experiment.cells]


def test_exact_answers_are_compared_dialogue_by_dialogue(experiment):
    experiment.finetune(chat=1.0)
    let_answer(experiment, f"{GPT2}.s1.chat", lambda number: number % 2)
    let_answer(experiment, f"{GPT2}.s1", lambda number: number in (0, 2, 3))
    right = np.arange(25) % 2 == 1
    right[20:] = False  # that cell had them wrong
    expected = paired_difference(right, np.isin(np.arange(25), (0, 2, 3)))
    cells, _ = tables(experiment)
    row = cells.loc[f"{GPT2}.s1.chat"]
    names = ("exact_difference", "exact_difference_low", "exact_difference_high")
    assert [row[name] for name in names] == pytest.approx(expected[:3])
    # Holm: of six cells the last, behind five with 20 right in place of 5.
    assert row.p == pytest.approx(expected.p) and row.verdict == "not distinguishable"
    assert cells.loc[f"{GPT2}.s2.chat"].p == pytest.approx(6 * 2 / 2**15)


def test_verdicts_on_exact_answers(experiment):
    experiment.finetune(chat=1.0, lora=1.0)
    let_answer(experiment, f"{GPT2}.s1.lora", lambda number: False)
    cells, _ = tables(experiment)
    assert cells.loc[f"{GPT2}.s1.chat"].verdict == "better"
    # None right in place of 5: McNemar's p is 1 / 16.
    assert cells.loc[f"{GPT2}.s1.lora"].verdict == "not distinguishable"
    assert cells.loc[f"{GPT2}.s1.lora"].p == pytest.approx(1 / 16)


def test_groups_of_one_base_are_compared_by_the_answers_bytes(experiment):
    experiment.finetune(chat=1.0, lora=1.2, slow=1.21)
    _, groups = tables(experiment)
    assert list(groups.index[:3]) == [f"{GPT2}.chat", f"{GPT2}.lora", f"{GPT2}.slow"]
    assert groups["rank"].tolist() == [1, 2, 3] * 2 and groups["seeds"].eq(3).all()
    own = groups.iloc[:3]
    assert own["best"].tolist() == [True, False, False]
    assert own["verdict"].tolist()[:2] == ["best", "worse"] and (own["base"] == GPT2).all()
    made = {}
    for name in ("chat", "lora", "slow"):
        folders = [experiment.inputs[f"dialogues:{GPT2}.s{seed}.{name}:qa"] for seed in (1, 2, 3)]
        read = [read_document_scores(folder, ("bytes", "nats_answers"))["test"] for folder in folders]
        size = read[0]["bytes"].astype(float)
        made[name] = summarize_group(np.stack([table["nats_answers"] for table in read]), size)
    weights = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    expected = contrasts(weights, [*made.values()], size)
    # Nats per byte, not bits.
    assert own["difference"].to_numpy()[1:] == pytest.approx(expected.value)
    assert own["difference"].iloc[1] == pytest.approx(0.2, abs=0.05)
    assert own["nats_per_byte_mean"].iloc[0] == pytest.approx(made["chat"].ratios.mean())
    assert own["bpb_lost_mean"].to_numpy() == pytest.approx([0.25] * 3)
    assert own["exact_difference_mean"].to_numpy() == pytest.approx([0.6] * 3)


def test_validation_chooses_and_the_test_is_reported(experiment):
    experiment.finetune(chat=1.0, lora=1.2)
    for seed in (1, 2, 3):
        path = experiment.inputs[f"dialogues:{GPT2}.s{seed}.lora:qa"] / "evaluation.json"
        found = json.loads(path.read_text())
        found["valid"]["nats_per_byte"] = 0.5
        path.write_text(json.dumps(found))
    _, groups = tables(experiment)
    assert groups.loc[f"{GPT2}.lora"].best and groups.loc[f"{GPT2}.chat"].verdict == "better"


def test_overridden_keys_are_columns_and_groups(experiment):
    experiment.finetune(**{"chat": 1.0, "chat+lr=0.001": 1.1})
    for entry in experiment.finetuned:
        if entry["cell"].endswith("+lr=0.001"):
            entry["overrides"] = {"finetuning.lr": 1e-3}
    cells, groups = tables(experiment)
    assert cells["finetuning.lr"].dropna().eq(0.001).sum() == 6 and cells["finetuning"].eq("chat").all()
    assert list(groups.index[:2]) == [f"{GPT2}.chat", f"{GPT2}.chat+lr=0.001"]
    assert np.isnan(groups["finetuning.lr"].iloc[0]) and groups["finetuning.lr"].iloc[1] == 0.001


def test_what_failed_or_diverged_leaves_a_row_with_the_reason_and_the_rest_stands(experiment):
    experiment.finetune(chat=1.0, lora=0.8, diverged=("gpt2.base.s2.lora",))
    experiment.failed = {
        f"finetune:{GPT2}.s1.chat": "out of memory",
        f"evaluate:{GPT2}.s1.chat": "out of memory",
        f"dialogues:{GPT2}.s1.chat:qa": "out of memory",
        f"dialogues:{GPT2}.s2.chat:qa": "the disk was full",
        f"evaluate:{GPT2}.s3.chat": "the shards are gone",
        f"dialogues:{GPT2}.s3:qa": "killed",
    }
    cells, groups = tables(experiment)
    first, second, third = (cells.loc[f"{GPT2}.s{seed}.chat"] for seed in (1, 2, 3))
    assert (first.status, first.reason) == ("failed", "out of memory")
    assert (second.status, second.reason) == ("failed", "the disk was full")
    assert np.isnan(first.exact) and first.base_exact == 0.2 and np.isnan(second.bpb)
    assert third.status == "finished" and third.exact == 0.8 and np.isnan(third.exact_difference)
    assert "its text was not scored: the shards are gone" in third.reason
    assert "its base was not asked: killed" in third.reason
    diverged = cells.loc[f"{GPT2}.s2.lora"]
    assert (
        diverged.status == "diverged" and np.isnan(diverged.exact) and "lower training.lr" in diverged.reason
    )
    chat, lora = groups.loc[f"{GPT2}.chat"], groups.loc[f"{GPT2}.lora"]
    assert (chat.failed, chat.status, chat.best) == (2, "finished", True) and "2 of 3 seeds" in chat.reason
    assert (lora.diverged, lora.status, lora.best) == (1, "diverged", False)
    assert cells.loc["tales.char.llama.base.s1.chat"].verdict == "better"


def test_dialogues_of_which_none_is_short_have_no_difference(experiment):
    experiment.finetune(chat=1.0)
    for entry in experiment.finetuned:
        path = experiment.inputs[f"dialogues:{entry['cell']}:qa"] / "answers.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        path.write_text("".join(json.dumps({**row, "exact": None}) + "\n" for row in rows))
        edit(
            experiment, f"dialogues:{entry['cell']}:qa", exact=None, exact_low=None, exact_high=None, items=0
        )
    cells, groups = tables(experiment)
    assert cells["exact_difference"].isna().all() and cells["verdict"].isna().all()
    assert cells["nats_per_byte"].notna().all() and groups["best"].sum() == 2


def test_intervals_of_groups_cover_the_dialogues_that_were_not_asked(experiment):
    experiment.finetune(chat=1.0)
    for cell in experiment.finetuned:
        for name in (cell["cell"], cell["base"]):
            let_answer(experiment, name, lambda number: False)
            edit(experiment, f"dialogues:{name}:qa", exact=0.0)
    cells, groups = tables(experiment)
    found = groups.loc[f"{GPT2}.chat"]
    # No seed has any right, which of 25 items says no more than that few are (Wilson).
    assert [found.exact_low, found.exact_high] == pytest.approx([0, 0.1332], abs=1e-4)
    assert [found.base_exact_low, found.base_exact_high] == pytest.approx([0, 0.1332], abs=1e-4)
    of_one = cells.loc[f"{GPT2}.s1.chat"]
    for end in ("low", "high"):
        expected = of_one[f"exact_difference_{end}"]
        assert abs(expected) > 0.1 and found[f"exact_difference_{end}"] == pytest.approx(expected)


def test_intervals_of_groups_cover_other_seeds(experiment):
    experiment.finetune(chat=1.0)
    for seed, least in ((1, 0), (2, 10), (3, 20)):  # 20, 10 and none of 25
        let_answer(experiment, f"{GPT2}.s{seed}.chat", lambda number, least=least: number >= least)
        edit(experiment, f"dialogues:{GPT2}.s{seed}.chat:qa", exact=(20 - least) / 25, chrf=10.0 * seed**2)
    _, groups = tables(experiment)
    found = groups.loc[f"{GPT2}.chat"]
    assert found.exact_mean == pytest.approx(0.4)
    assert 0 <= found.exact_low < 0.1 and 0.8 < found.exact_high <= 1
    assert found.exact_difference_low < 0 and 0.7 < found.exact_difference_high <= 1
    steady = groups.loc["tales.char.llama.base.chat"]
    assert steady.exact_low > 0.55 and steady.exact_difference_low > 0.3
    assert [found.chrf_low, found.chrf_high] == pytest.approx([0, 100.0])


def test_of_one_seed_an_interval_of_a_share_covers_the_dialogues(tmp_path):
    experiment = Experiment(tmp_path, ("tales",), ("char",), ("gpt2",), (1,))
    experiment.finetune(chat=1.0)
    cells, groups = tables(experiment)
    cell, group = cells.iloc[0], groups.iloc[0]
    assert group.covers == "documents" and np.isnan(group.nats_per_byte_low)
    # 20 of 25 and 5 of 25 (Wilson).
    assert [group.exact_low, group.exact_high] == pytest.approx([0.6087, 0.9114], abs=1e-4)
    assert [group.base_exact_low, group.base_exact_high] == pytest.approx([0.0886, 0.3913], abs=1e-4)
    for end in ("low", "high"):
        assert group[f"exact_difference_{end}"] == pytest.approx(cell[f"exact_difference_{end}"], abs=0.01)
