"""A training killed anywhere and continued gives the bytes of an unbroken one."""

import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from trainings import Killed, kill_at

from gptgrid.artifact.errors import UserError
from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer import checkpoint
from gptgrid.trainer.deliverables import deliver
from gptgrid.trainer.trainer import Trainer

FILES = {
    *("model.safetensors", "last.safetensors", "config.json", "codec.json"),
    *("metrics.csv", "samples.jsonl", "state.pt"),
}
# Three windows a step in micro-batches of two; an epoch has about 70 windows and ends within the run.
ACCUMULATION = {"batch_tokens": 48, "micro_batch": 2, "steps": 30, "eval_every": 7}
RECIPES = {
    "accumulation over an epoch": ({"dropout": 0.1}, ACCUMULATION),
    "bf16": ({"dropout": 0.1}, {"precision": "bf16"}),
    "fp16": ({}, {"precision": "fp16"}),
    "permuted over an epoch": ({}, {**ACCUMULATION, "windows": "permuted"}),
    "sliding": ({"dropout": 0.1}, {"windows": "sliding"}),
    "random, constant": ({}, {"windows": "random", "schedule": "constant"}),
    "bf16 weights": ({"dropout": 0.1}, {**ACCUMULATION, "precision": "bf16_weights", "optimizer": "muon"}),
    "muon": ({"dropout": 0.1}, {"optimizer": "muon", "schedule": "wsd"}),
    "average, patience, weights on the way": (
        {},
        {
            "ema": 0.8,
            "patience": 2,
            "lr": 0.03,
            "steps": 40,
            "eval_every": 3,
            "checkpoints": {"every": "doubling"},
        },
    ),
    "auto": (
        {"dropout": 0.1},
        {"steps": None, "epochs": 0.6, "batch_tokens": "auto", "weight_decay": "auto"},
    ),
    "weights of each epoch, the last two of them": (
        {},
        {**ACCUMULATION, "steps": 100, "eval_every": "epoch", "checkpoints": {"every": "epoch", "keep": 2}},
    ),
    "two threads": ({"dropout": 0.1}, {"threads": 2, "steps": 6, "eval_every": 3}),
    "documents": ({"dropout": 0.1}, {"windows": "document", "sample_every": 4, "micro_batch": 3}),
}


def on_the_way(training: dict, folder: Path) -> set[str]:
    """Return the names of the weights that a training keeps on its way."""
    last = checkpoint.read(folder / "state.pt")["step"]
    kept = {
        None: [],
        "doubling": [2**n for n in range(last.bit_length())],
        # 70 windows an epoch, three a step: epochs end at steps 24, 47, 70 and 94.
        "epoch": [70, 94],
    }[training.get("checkpoints", {}).get("every")]
    return {f"step-{step:08d}.safetensors" for step in kept}


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_and_continued(recipe, train, make_job, same_files, monkeypatch):
    model, training = RECIPES[recipe]
    straight = train("straight", model=model, training=training)
    assert {path.name for path in straight.iterdir()} == {*FILES, *on_the_way(training, straight)}
    kills, done = 0, False
    while not done:
        with monkeypatch.context() as patch:
            kill_at(patch, 3 + kills)
            try:
                trainer = Trainer(
                    Pretraining(make_job("broken", model, training, run={"checkpoint_every": 1e-9}))
                )
                trainer.run()
                deliver(trainer)
                done = True
            except Killed:
                kills += 1
    assert kills >= 4
    same_files(straight, trainer.job.folder)


def test_steps_after_the_checkpoint_are_made_again(train, make_job, same_files, monkeypatch):
    options = {"model": {"dropout": 0.2}, "training": {"steps": 20}}
    straight = train("straight", **options)
    trainer = Trainer(Pretraining(make_job("broken", **options)))
    trainer.interrupts.received = signal.SIGTERM
    with pytest.raises(SystemExit):
        trainer.run()
    with monkeypatch.context() as patch:
        kill_at(patch, 11)
        trainer = Trainer(Pretraining(make_job("broken", **options)))
        with pytest.raises(Killed):
            trainer.run()
    assert trainer.progress["step"] > checkpoint.read(trainer.checkpoint_path)["step"] == 1
    same_files(straight, train("broken", **options))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_save_and_say_how_to_go_on(number, train, make_job, same_files, monkeypatch, capsys):
    straight = train("straight")
    trainer = Trainer(Pretraining(make_job("broken")))
    update, handler = trainer.learner.update, signal.getsignal(number)

    def update_and_signal(step):
        if step == 5:
            os.kill(os.getpid(), number)
        return update(step)

    monkeypatch.setattr(trainer.learner, "update", update_and_signal)
    with pytest.raises(SystemExit) as stopped:
        trainer.run()
    assert stopped.value.code == 128 + number
    assert "saved after step 6/12; the same command continues there" in capsys.readouterr().out
    assert signal.getsignal(number) == handler
    same_files(straight, train("broken"))
    assert "continues at step 6/12" in capsys.readouterr().out


def test_a_signal_during_validation_does_not_wait_for_its_end(train, make_job, same_files, monkeypatch):
    straight = train("straight")
    trainer = Trainer(Pretraining(make_job("broken")))
    validate = trainer.observer.validate

    def validate_signalled():
        os.kill(os.getpid(), signal.SIGTERM)
        return validate()

    monkeypatch.setattr(trainer.observer, "validate", validate_signalled)
    with pytest.raises(SystemExit):
        trainer.run()
    assert trainer.progress["step"] == 5 and trainer.observer.last_row() == 4
    same_files(straight, train("broken"))


@pytest.mark.parametrize("preset", ["gpt2", "encoder"])
def test_activations_computed_again_change_no_bit(preset, train, make_job, same_files):
    """Neither from the start nor from the middle on; dropout draws the same again."""
    options = {"model": {"preset": preset, "dropout": 0.2}}
    again = {**options, "run": {"activation_checkpointing": True}}
    straight = train("straight", **options)
    same_files(straight, train("again", **again))
    trainer = Trainer(Pretraining(make_job("broken", **options)))
    trainer.interrupts.received = signal.SIGTERM
    with pytest.raises(SystemExit):
        trainer.run()
    same_files(straight, train("broken", **again))


def test_workers_change_no_bit(train, same_files):
    options = {"model": {"dropout": 0.1}, "training": {"windows": "document"}}
    same_files(
        train("none", run={"workers": 0}, **options),
        train("two", run={"workers": 2, "checkpoint_every": 0.01, "log_every": 0.01}, **options),
    )


def test_a_state_holds_nothing_but_tensors_and_plain_values(train):
    state = torch.load(train() / "state.pt", weights_only=True)
    assert state["step"] == 12 and "effort" not in state


@pytest.fixture
def interrupted(make_job, monkeypatch):
    """Return a function that trains until a kill and returns the checkpoint."""

    def run(name, **options) -> Path:
        trainer = Trainer(Pretraining(make_job(name, **options, run={"checkpoint_every": 1e-9})))
        with monkeypatch.context() as patch:
            kill_at(patch, 14)
            with pytest.raises(Killed):
                trainer.run()
        assert checkpoint.read(trainer.checkpoint_path)["step"] > 4
        return trainer.checkpoint_path

    return run


def flip_bit(path: Path, place: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def test_a_training_begins_again_where_its_checkpoint_is_damaged(train, interrupted, same_files, capsys):
    straight = train("straight")
    path = interrupted("broken")
    flip_bit(path, path.stat().st_size // 2)
    same_files(straight, train("broken"))
    said = capsys.readouterr().out
    assert "state.pt is damaged" in said and "begins again" in said and "continues at step" not in said


def test_a_continuation_begins_again_at_its_parent(train, interrupted, same_files, capsys):
    longer = {"training": {"steps": 24}, "parent": train("parent")}
    straight = train("straight", **longer)
    path = interrupted("broken", **longer)
    path.write_bytes(path.read_bytes()[:-1])
    capsys.readouterr()
    same_files(straight, train("broken", **longer))
    said = capsys.readouterr().out
    assert "begins again" in said and "continues its parent at step 12" in said


def test_no_flipped_bit_changes_a_state_that_is_read(train, tmp_path):
    """Most places hold tensors; the last ones are the archive's table of contents."""
    content = (train() / "state.pt").read_bytes()
    path, again = tmp_path / "flipped.pt", tmp_path / "again.pt"
    damaged = 0
    for place in [*range(0, len(content), len(content) // 100), *range(len(content) - 300, len(content))]:
        path.write_bytes(content)
        flip_bit(path, place)
        try:
            state = checkpoint.read(path)
        except UserError:
            damaged += 1
        else:  # it lay between the records
            checkpoint.write(again, state)
            assert again.read_bytes() == content, place
    assert damaged > 80


def test_checkpoints_of_something_else_are_refused(train, make_job):
    job = make_job()
    path = job.scratch / "state.pt"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(UserError, match="is not a 'gptgrid training state 4'"):
        Trainer(Pretraining(job))
    other = train("other", training={"lr": 5e-4, "min_lr": 1e-5})
    path.write_bytes((other / "state.pt").read_bytes())
    with pytest.raises(UserError, match=r"of another training \(training.lr: 0.0005 → 0.001\)"):
        Trainer(Pretraining(job))


def test_a_parent_that_is_damaged_is_refused(train, make_job):
    parent = train("parent")
    path = parent / "state.pt"
    flip_bit(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match=r"state\.pt is damaged \(.*\); delete .*parent/artifact"):
        Trainer(Pretraining(make_job(training={"steps": 24}, parent=parent)))


def test_a_full_disk_is_named_as_such(tmp_path):
    """stage.main tells a person to make room; torch alone speaks of an unexpected position."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    state = {"model": {str(number): torch.zeros(10_000) for number in range(10)}}
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            checkpoint.write(tmp_path / "state.pt", state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not (tmp_path / "state.pt").exists()
