"""The training loop: from a model, its batches and a recipe to the state of a trained model.

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

from gptgrid.model.device import prepare_device
from gptgrid.model.precision import choose_precision
from gptgrid.trainer import checkpoint
from gptgrid.trainer.batches import UNSCORED
from gptgrid.trainer.budget import remarks
from gptgrid.trainer.compilation import speed_up
from gptgrid.trainer.continuation import read_own, read_parent
from gptgrid.trainer.interrupt import Interrupted, Interrupts
from gptgrid.trainer.intervals import remarks_on_steps
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.memory import check_training, memory_errors
from gptgrid.trainer.meter import Meter, effort_of
from gptgrid.trainer.observation import Observer
from gptgrid.trainer.state import beginning, gather, restore
from gptgrid.trainer.stopping import why_ended
from gptgrid.trainer.task import Task


class Trainer:
    """One training, from where it stands to its last step."""

    def __init__(self, task: Task) -> None:
        """Take the model, and go to where an earlier session, or the parent, ended.

        Args:
            task: what to train; its data is read.

        Raises:
            UserError: memory does not suffice, or a stored state cannot be used.
        """
        self.task, self.job, self.recipe, self.ranks = task, task.job, task.recipe, task.ranks
        self.validation = task.validation
        self.ranks.check_gpus(self.job.run.device)
        training, steps = self.recipe.training, self.recipe.steps
        self.device = prepare_device(self.job.run.device, training.threads, self.job.run.cells_per_gpu)
        self.ranks.meet(self.device)
        short = remarks_on_steps(training, steps, self.recipe.batches.steps_per_epoch)
        for remark in (*remarks(training, self.recipe.batches, steps), *short):
            print(remark, flush=True)
        self.learner = self.build_learner()
        self.interrupts = Interrupts(self.ranks.size)
        self.meter = Meter(self.job)
        self.progress = beginning(self.device)
        self.observer = Observer(task, self.learner, self.meter, self.progress, self.interrupts.check)
        self.go_to_stored_state()
        self.compiled, self.recorded = speed_up(
            self.learner, self.job.run, self.ranks.size, steps - self.progress["step"]
        )
        self.saved = time.monotonic()

    def build_learner(self) -> Learner:
        """Return the model with its first weights, once there is memory enough."""
        recipe, recompute = self.recipe, self.job.run.activation_checkpointing
        precision = choose_precision(recipe.training.precision, self.device, recipe.activations)
        shape = recipe.model, recipe.vocab_size, recipe.adapters, recipe.micro_rows
        check_training(*shape, precision, recompute, self.device)
        with memory_errors(*shape):
            return Learner(recipe, self.task.first_model(), self.device, precision, recompute)

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
                with memory_errors(recipe.model, recipe.vocab_size, recipe.adapters, recipe.micro_rows):
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
        for batch in self.batches():
            self.observer.observe()
            if self.ended:
                return
            self.train_step(*batch)
            self.between_steps()
        self.observer.observe()

    def batches(self) -> DataLoader:
        """Return the batches from the current step to the last, read ahead by `run.workers` processes."""
        return DataLoader(
            self.recipe.batches,
            batch_size=None,
            sampler=range(self.progress["step"], self.recipe.steps),
            num_workers=self.job.run.workers,
            pin_memory=self.device.type == "cuda",
        )

    @property
    def ended(self) -> str | None:
        """Return why no further step is made, before the last one or at it; None while there is no reason."""
        return why_ended(self.progress, self.recipe.training.patience, self.recipe.steps)

    def train_step(self, inputs: Tensor, targets: Tensor, documents: Tensor | None = None) -> None:
        """Update the weights once.

        Args:
            inputs: (rows, context) int64.
            targets: (rows, context) int64, UNSCORED where padded.
            documents: (rows, context) numbers of documents, if the batches have them.
        """
        step, scored = self.progress["step"], int((targets != UNSCORED).sum())
        loss = self.learner.accumulate_gradients(inputs, targets, step, self.ranks, documents)
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
