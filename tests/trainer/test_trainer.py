"""The trainer against a slow loop that anybody can read, and the rules of its outputs."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from gptgrid.model.build import build
from gptgrid.model.initialize import initialize
from gptgrid.model.memory import activation_bytes
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.stages.train.windows import Windows
from gptgrid.text.readable import excerpt
from gptgrid.tokens.shards import open_shards
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.memory import ACTIVATION_BYTES, micro_batch_rows
from gptgrid.trainer.schedule import learning_rate
from gptgrid.trainer.trainer import Trainer


def metrics(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(folder, name):
    return [float(row[name]) for row in metrics(folder) if row[name]]


def slow_loop(job):
    """Train plainly: one batch at a time, AdamW of single tensors, no autocast; yield the losses."""
    model, training = job.config.model, job.config.training
    windows = Windows(
        open_shards(job.inputs["shards"], "train"), training, model.context, job.config.seed, 256
    )
    module = build(model, 257)
    initialize(module, job.config.seed)
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    vectors = [p for p in module.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=tuple(training.betas),
        foreach=False,
        fused=False,
    )
    for step in range(training.steps):
        inputs, targets = (torch.tensor(array) for array in windows[step])
        logits = module(inputs)
        loss = functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), training.grad_clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(training, step, training.steps)
        optimizer.step()
        yield loss.item()


@pytest.mark.parametrize("windows", ["permuted", "shuffled", "document"])
@pytest.mark.parametrize("micro_batch", ["auto", 1, 3])
def test_equals_a_slow_loop(windows, micro_batch, train, make_job):
    training = {"windows": windows, "micro_batch": micro_batch, "steps": 15}
    expected = list(slow_loop(make_job(training=training)))
    assert column(train(training=training), "train_loss") == pytest.approx(expected, abs=1e-5)


def test_learns_a_tiny_text_by_heart(train):
    training = {"steps": 200, "lr": 1e-2, "warmup": 5, "eval_every": 50}
    folder = train(training={**training, "sample_every": 200, "sample_prompt": "It saw"})
    assert column(folder, "train_loss")[0] > 5
    assert column(folder, "train_loss")[-1] < 0.9
    (sample,) = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert sample["step"] == 200 and sample["prompt"] == "It saw"
    assert sample["text"].startswith(" a number of mice. ")


@pytest.mark.parametrize(("dropout", "different"), [(0.5, 4), (0.0, 1)])
def test_dropout_draws_anew_at_each_step(dropout, different, make_job):
    """With the same batch and frozen weights, only dropout moves the loss."""
    frozen = {"lr": 1e-30, "min_lr": 0, "weight_decay": 0}
    trainer = Trainer(Pretraining(make_job(model={"dropout": dropout}, training=frozen)))
    losses = []
    for _ in range(4):
        trainer.progress["loss_sum"].zero_()
        trainer.train_step(*map(torch.from_numpy, trainer.recipe.batches[0]))
        losses.append(trainer.progress["loss_sum"].item())
    assert len(set(losses)) == different


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_precisions_learn_like_fp32(precision, train):
    low = column(train("low", training={"precision": precision, "steps": 30}), "train_loss")
    full = column(train("full", training={"steps": 30}), "train_loss")
    assert low != full
    assert low == pytest.approx(full, abs=0.05)


def test_a_row_for_every_cadence_and_a_validation_at_the_last_step(train):
    folder = train(training={"steps": 401, "eval_every": 100, "batch_tokens": 16, "eval_bytes": 20})
    rows = metrics(folder)
    steps = [int(row["step"]) for row in rows]
    assert list(rows[0]) == ["step", "tokens", "epoch", "lr", "train_loss", "val_loss", "grad_norm"]
    assert steps == sorted({*range(3, 401, 3), 100, 200, 300, 400, 401})
    assert [int(row["step"]) for row in rows if row["val_loss"]] == [100, 200, 300, 400, 401]
    assert int(rows[-1]["tokens"]) == 401 * 16


def test_a_budget_in_tokens_counts_no_padding_and_nor_does_what_is_left(make_job):
    training = {"steps": None, "tokens": 700, "windows": "document"}
    trainer = Trainer(Pretraining(make_job(training=training)))
    trainer.run()
    trained = trainer.progress["tokens"]
    scored = [int((trainer.recipe.batches[step][1] >= 0).sum()) for step in range(trainer.recipe.steps)]
    assert trained == trainer.recipe.tokens == sum(scored)
    assert sum(scored[:-1]) < 700 <= trained < 64 * len(scored)


def test_a_batch_larger_than_the_budget_is_said(make_job, capsys):
    Trainer(Pretraining(make_job(training={"steps": None, "tokens": 10})))
    assert "`tokens: 10` becomes 64 in 1 whole step" in capsys.readouterr().out


def test_train_loss_is_the_mean_since_the_row_before(train):
    # The schedules differ by their length; without learning the losses are those of the data alone.
    options = {"lr": 1e-30, "min_lr": 0, "weight_decay": 0, "batch_tokens": 16}
    every = column(train("one", training={**options, "steps": 200, "eval_every": 100}), "train_loss")
    third = column(train("three", training={**options, "steps": 600, "eval_every": 600}), "train_loss")
    means = np.array(every[:198]).reshape(66, 3).mean(axis=1)
    assert third[:66] == pytest.approx(means.tolist(), rel=1e-6)


def test_validation_covers_the_split(make_job):
    trainer = Trainer(Pretraining(make_job(training={"eval_bytes": None, "micro_batch": 3})))
    valid = trainer.validation.tokens
    tokens = valid.windows(np.array([0]), len(valid))[0]
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, 16):
            piece = torch.from_numpy(tokens[start : start + 17]).to(trainer.device)
            total += functional.cross_entropy(
                trainer.learner.module(piece[None, :-1])[0], piece[1:], reduction="sum"
            ).item()
    assert trainer.observer.validate() == pytest.approx(total / (len(tokens) - 1), abs=1e-6)


@pytest.mark.parametrize("ema", [None, 0.5])
def test_the_best_and_the_last_weights_are_kept(ema, make_job):
    training = {"lr": 0.2, "schedule": "constant", "steps": 40, "warmup": 0, "ema": ema}
    trainer = Trainer(Pretraining(make_job(training=training)))
    trainer.run()
    facts, folder = deliver(trainer), trainer.job.folder
    losses = {int(r["step"]): float(r["val_loss"]) for r in metrics(folder) if r["val_loss"]}
    best = min(losses, key=losses.get)
    assert best != 40
    assert (facts["best_step"], facts["val_loss"], facts["last_val_loss"]) == (best, losses[best], losses[40])
    assert facts["last_val_bpb"] / facts["val_bpb"] == pytest.approx(losses[40] / losses[best])
    state = torch.load(folder / "state.pt", weights_only=True)
    for name, expected in (
        ("model.safetensors", state["best"]["weights"]),
        ("last.safetensors", state["average"] if ema else state["model"]),
    ):
        kept = load_file(folder / name)
        assert kept.keys() == expected.keys()
        assert all(torch.equal(kept[key], weight) for key, weight in expected.items())


def test_facts_and_provenance(make_job):
    trainer = Trainer(Pretraining(make_job(training={"eval_bytes": None})))
    trainer.run()
    facts = deliver(trainer)
    assert set(facts) == {
        *("parameters", "non_embedding_parameters", "vocab_size", "steps", "train_tokens", "train_flops"),
        *(
            "batch_tokens",
            "weight_decay",
            "val_loss",
            "val_bpb",
            "best_step",
            "last_val_loss",
            "last_val_bpb",
            "val_tokens",
            "val_bytes",
        ),
        *("status", "ended"),
    }
    assert (facts["steps"], facts["train_tokens"], facts["vocab_size"]) == (12, 12 * 64, 257)
    nats = facts["val_loss"] * (len(trainer.validation.tokens) - 1)
    valid_bytes = trainer.job.manifest("shards")["facts"]["splits"]["valid"]["bytes"]
    assert facts["val_bpb"] == pytest.approx(nats / np.log(2) / valid_bytes)
    assert (facts["val_tokens"], facts["val_bytes"]) == (len(trainer.validation.tokens) - 1, valid_bytes)
    assert (
        trainer.job.provenance["device"].startswith(trainer.device.type)
        and trainer.job.provenance["threads"] == 1
    )
    assert trainer.job.provenance["tokens_per_second"] == 12 * 64 / trainer.job.provenance["train_seconds"]


def test_config_names_what_was_trained(train):
    config = json.loads((train() / "config.json").read_text())
    assert set(config) == {"model", "vocab_size", "eot", "training", "seed", "marks"}
    assert config["marks"] == "text"
    assert (config["vocab_size"], config["model"]["d_model"], config["training"]["steps"]) == (257, 32, 12)


def test_auto_micro_batches_are_equal_and_fit(make_job):
    big = {"n_layer": 12, "n_head": 12, "d_model": 768, "context": 1024}
    job = make_job(model=big)
    rows = micro_batch_rows(job.config.model, 50257, "auto", 480)
    assert 1 <= rows < 480
    assert rows == 1 or activation_bytes(job.config.model, 50257) * 1024 * rows <= ACTIVATION_BYTES
    assert micro_batch_rows(job.config.model, 50257, 7, 480) == 7
    assert micro_batch_rows(job.config.model, 50257, 7, 4) == 4
    small = make_job().config.model
    assert micro_batch_rows(small, 257, "auto", 12) == 12


def test_progress_lines(train, capsys):
    train(run={"log_every": 1e-9})
    lines = [line for line in capsys.readouterr().out.splitlines() if "tokens/s" in line]
    assert len(lines) == 13
    assert "step 1/12 | loss 5." in lines[0] and "tokens/s" in lines[0] and "left" in lines[0]


def test_what_is_seen_on_the_way_is_said_as_it_comes(train, capsys):
    folder = train(training={"sample_every": 10, "sample_prompt": "It saw"})
    measured = [row for row in metrics(folder) if row["val_loss"]]
    losses = {row["step"]: (float(row["train_loss"]), float(row["val_loss"])) for row in measured}
    samples = {row["step"]: row["text"] for row in map(json.loads, (folder / "samples.jsonl").open())}
    said = re.findall(
        r'^step (\d+)/12 \| train (\S+) \| val (\S+)(?: \| "(.*)")?$', capsys.readouterr().out, re.MULTILINE
    )
    assert [int(step) for step, *_ in said] == [5, 10, 12] and [*samples] == [10, 12]
    for step, train_loss, val_loss, shown in said:
        assert (float(train_loss), float(val_loss)) == pytest.approx(losses[step], abs=5e-5)
        assert shown == (excerpt("It saw" + samples[int(step)], 60) if int(step) in samples else "")
