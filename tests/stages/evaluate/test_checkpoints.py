"""Weights that were kept on the way are scored as those of a cell that has them alone."""

import json

import torch
from cells import evaluation_job, tiny
from safetensors.torch import save_file

from gptgrid.stages.evaluate.evaluation import evaluate

TEXTS = ["The red fox ran over the field, and nobody saw it.", "A hen cried.", "Night came."]


def evaluated(job) -> dict:
    torch.set_num_threads(1)
    evaluate(job)
    return json.loads((job.folder / "evaluation.json").read_text())


def test_each_is_a_row_with_the_figures_of_a_cell_of_these_weights(tmp_path):
    last, early = tiny(257), tiny(257, init_std=0.7)
    alone = evaluated(evaluation_job(tmp_path / "alone", early, TEXTS))
    job = evaluation_job(tmp_path / "cell", last, TEXTS, checkpoints="all")
    for step, module in ((16, last), (4, early)):
        weights = {name: weight.contiguous() for name, weight in module.named_parameters()}
        save_file(weights, job.inputs["train"] / f"step-{step:08d}.safetensors")
    found = evaluated(job)
    assert [row["step"] for row in found["checkpoints"]] == [4, 16]
    for row, whole in zip(found["checkpoints"], (alone, found), strict=True):
        assert row["test"] == {key: whole[key] for key in row["test"]}
        assert row["valid"] == {key: whole["valid"][key] for key in row["valid"]}
    assert found["checkpoints"][0]["test"]["bpb"] != found["bpb"]


def test_they_are_left_alone_unless_asked_for(tmp_path):
    job = evaluation_job(tmp_path / "cell", tiny(257), TEXTS)
    (job.inputs["train"] / "step-00000004.safetensors").write_bytes(b"not read")
    assert evaluated(job)["checkpoints"] == []
