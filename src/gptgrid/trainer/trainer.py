"""The training loop: from shards and a recipe to the state of a trained model.

A run that was killed and continued gives the bits of an unbroken one: everything that the next step depends
on stands in the checkpoint or derives from (seed, step). One update is made in learner.py, what is due
between updates in observation.py; what is published is written in deliverables.py.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from gptgrid.artifact.job import Job
from gptgrid.model.device import prepare_device
from gptgrid.model.precision import choose_precision
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_table import open_scored_text
from gptgrid.tokens.shards import open_shards
from gptgrid.trainer import checkpoint
from gptgrid.trainer.budget import remarks
from gptgrid.trainer.compilation import speed_up
from gptgrid.trainer.continuation import read_own, read_parent
from gptgrid.trainer.interrupt import Interrupted, Interrupts
from gptgrid.trainer.intervals import remarks_on_steps
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.memory import check_training, memory_errors
from gptgrid.trainer.meter import Meter, effort_of
from gptgrid.trainer.observation import Observer
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.recipe import Recipe
from gptgrid.trainer.state import beginning, gather, restore
from gptgrid.trainer.stopping import why_ended
from gptgrid.trainer.validation import Validation
from gptgrid.trainer.windows import UNSCORED


class Trainer:
    """One training, from where it stands to its last step."""

    def __init__(self, job: Job) -> None:
        """Read the data, build the model, and go to where an earlier session, or the parent, ended.

        Raises:
            UserError: data, recipe and model do not fit, memory does not suffice, or a stored state cannot be
                used.
        """
        self.job, config = job, job.config
        self.ranks = Ranks()
        self.ranks.check_gpus(job.run.device)
        self.device = prepare_device(job.run.device, config.training.threads, job.run.cells_per_gpu)
        self.ranks.meet(self.device)
        self.codec = read_codec(job.inputs["tokenizer"])
        text = open_shards(job.inputs["shards"], "train")
        self.recipe = Recipe(config, self.codec, text, self.ranks.size)
        training, steps = self.recipe.training, self.recipe.steps
        windows = self.recipe.windows
        short = remarks_on_steps(training, steps, windows.steps_per_epoch)
        for remark in (*remarks(training, windows, steps), *short):
            print(remark, flush=True)
        self.learner = self.build_learner()
        self.interrupts = Interrupts(self.ranks.size)
        training, counts = self.recipe.training, job.manifest("shards")["facts"]["splits"]["valid"]
        self.validation = Validation(
            open_scored_text(
                job.inputs["shards"], "valid", counts, training.eval_bytes, "training.eval_bytes"
            ),
            training.windows == "document",
            self.ranks,
            self.interrupts.check,
        )
        self.meter = Meter(job)
        self.progress = beginning(self.device)
        self.observer = Observer(
            job, self.recipe, self.codec, self.learner, self.validation, self.meter, self.progress
        )
        self.go_to_stored_state()
        self.compiled, self.recorded = speed_up(
            self.learner, job.run, self.ranks.size, self.recipe.steps - self.progress["step"]
        )
        self.saved = time.monotonic()

    def build_learner(self) -> Learner:
        """Return the model with its first weights, once there is memory enough."""
        recipe, recompute = self.recipe, self.job.run.activation_checkpointing
        precision = choose_precision(recipe.training.precision, self.device, recipe.activations)
        check_training(recipe.model, recipe.vocab_size, recipe.micro_rows, precision, recompute, self.device)
        with memory_errors(recipe.model, recipe.vocab_size, recipe.micro_rows):
            return Learner(recipe, self.device, precision, recompute)

    # -------------------------------------------------------------------------------------- loop

    def run(self) -> None:
        """Train to the last step.

        Raises:
            SystemExit: a signal asked to stop; the state is saved.
            UserError: memory ran out.
        """
        recipe = self.recipe
        with self.interrupts:
            try:
                with memory_errors(recipe.model, recipe.vocab_size, recipe.micro_rows):
                    self.train()
            except Interrupted as interruption:
                self.save()
                print(
                    f"{interruption.name}: saved after step {self.progress['step']}/{recipe.steps}; the same "
                    "command continues there",
                    flush=True,
                )
                raise SystemExit(interruption.exit_code) from None
        self.log()

    def train(self) -> None:
        """Make the steps that are left, and what is due between them."""
        for inputs, targets in self.batches():
            self.observer.observe()
            if self.ended:
                return
            self.train_step(inputs, targets)
            self.between_steps()
        self.observer.observe()

    def batches(self) -> DataLoader:
        """Return the batches from the current step to the last, read ahead by `run.workers` processes."""
        return DataLoader(
            self.recipe.windows,
            batch_size=None,
            sampler=range(self.progress["step"], self.recipe.steps),
            num_workers=self.job.run.workers,
            pin_memory=self.device.type == "cuda",
        )

    @property
    def ended(self) -> str | None:
        """Return why no further step is made, before the last one or at it; None while there is no reason."""
        return why_ended(self.progress, self.recipe.training.patience, self.recipe.steps)

    def train_step(self, inputs: Tensor, targets: Tensor) -> None:
        """Update the weights once.

        Args:
            inputs: (rows, context) int64.
            targets: (rows, context) int64, UNSCORED where padded.
        """
        step, scored = self.progress["step"], int((targets != UNSCORED).sum())
        loss = self.learner.accumulate_gradients(inputs, targets, step, self.ranks)
        signals = torch.tensor(float(self.interrupts.received or 0), device=self.device)
        loss, signals = self.ranks.sum_gradients(self.learner.weights.master.values(), loss, signals)
        self.interrupts.agree(signals)
        self.progress["grad_norm"] = self.learner.update(step)
        self.progress["loss_sum"] += loss
        self.progress["step"] += 1
        self.progress["tokens"] += scored
        self.meter.tokens += scored

    def between_steps(self) -> None:
        """Save, report and stop where it is time for it."""
        if time.monotonic() - self.saved >= self.job.run.checkpoint_every:
            self.save()
        if self.meter.line_is_due():
            self.log()
        self.interrupts.check()

    def log(self) -> None:
        """Print a line of progress."""
        step, steps = self.progress["step"], self.recipe.steps
        left = self.recipe.tokens - self.progress["tokens"]
        rate = self.recipe.learning_rate(max(0, step - 1))
        print(self.meter.line(step, steps, self.observer.latest_loss(), rate, left), flush=True)

    # ------------------------------------------------------------------------------------- state

    @property
    def checkpoint_path(self) -> Path:
        """Return where this training's checkpoint lies until it is finished."""
        return self.job.scratch / "state.pt"

    def go_to_stored_state(self) -> None:
        """Start from the checkpoint, from the parent, or from the seed."""
        recipe = self.recipe
        if state := read_own(self.checkpoint_path, recipe.text()):
            restore(state, self.learner, self.progress)
            self.meter.add(state["effort"])
            print(f"continues at step {state['step']}/{recipe.steps}", flush=True)
        elif "parent" in self.job.inputs:
            state = read_parent(self.job.inputs["parent"], recipe.text(), recipe.steps)
            restore({**state, "begin": state["step"]}, self.learner, self.progress)
            self.meter.add(effort_of(self.job.provenance_of("parent")))
            self.observer.compare_alike()
            print(
                f"continues its parent at step {state['step']}; {recipe.training.schedule} schedule over "
                f"{recipe.steps} steps in all, lr {recipe.learning_rate(state['step']):.3g} now",
                flush=True,
            )

    def save(self) -> None:
        """Write the checkpoint; the first process does it for all."""
        with self.meter.aside("checkpoint"):
            if self.ranks.rank == 0:
                state = gather(self.learner, self.progress)
                checkpoint.write(self.checkpoint_path, state, self.meter.effort)
        self.saved = time.monotonic()
