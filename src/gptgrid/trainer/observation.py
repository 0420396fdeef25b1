"""What is observed between steps: rows of metrics, validations, the best weights, samples.

What is due at a step is looked at before the next one, so that it is made once, whenever a kill comes.
Nothing is read back from the device between two rows of metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetensors.torch import save

from gptgrid.model.load import kept_steps, step_file
from gptgrid.text.readable import excerpt
from gptgrid.trainer import checkpoint
from gptgrid.trainer.checkpoint import Progress
from gptgrid.trainer.intervals import is_due
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.meter import Meter
from gptgrid.trainer.stopping import describe_divergence, is_lost
from gptgrid.trainer.task import Task

SAMPLE_SHOWN = 60
"""Characters of a sample that a line of progress shows."""
ALL = "all"


@dataclass
class Observer:
    """Looks at a training and notes in its progress what it sees."""

    task: Task
    learner: Learner
    meter: Meter
    progress: Progress
    check: Callable[[], None]
    """Called between batches of a validation; it may raise."""

    def __post_init__(self) -> None:
        self.job, self.recipe, self.validation = self.task.job, self.task.recipe, self.task.validation

    def observe(self) -> None:
        """Make what is due at this step, unless it was made before an interruption."""
        step, training = self.progress["step"], self.recipe.training
        if step == 0:
            return
        if training.checkpoints and is_due(
            training.checkpoints.every, step, self.recipe.batches.steps_per_epoch
        ):
            self.keep_weights(training.checkpoints.keep)
        losses, shown = [], []
        samples = self.progress["samples"]
        if self.is_due(self.recipe.sample_every) and not (samples and samples[-1]["step"] == step):
            row = self.sample()
            shown = [] if self.task.private else [f'"{excerpt(self.task.shown(row), SAMPLE_SHOWN)}"']
        row_is_due = self.is_due(self.recipe.row_every) or self.is_due(self.recipe.eval_every)
        if row_is_due and step != self.last_row():
            row = self.measure()
            if row["val_loss"] is not None:
                losses = [f"train {row['train_loss']:.4f}", f"val {row['val_loss']:.4f}"]
        if losses or shown:
            print(" | ".join([f"step {step}/{self.recipe.steps}", *losses, *shown]), flush=True)

    def is_due(self, every: int | None) -> bool:
        """Say whether something is due at this step: every so many steps, and at the last one."""
        return self.recipe.is_due(every, self.progress["step"])

    def last_row(self) -> int:
        """Return the step of the latest row of metrics; 0 if there is none."""
        return self.progress["metrics"][-1]["step"] if self.progress["metrics"] else 0

    def keep_weights(self, keep: int | str) -> None:
        """Write the present weights beside the deliverables; the first process does it for all.

        Args:
            keep: how many such files stay, or `all`.
        """
        if self.validation.ranks.rank == 0:
            folder = self.job.folder
            path = folder / step_file(self.progress["step"])
            path.write_bytes(save(checkpoint.plain(self.task.whole(self.learner.kept_weights()))))
            if keep != ALL:
                for older in list(kept_steps(folder).values())[:-keep]:
                    older.unlink()

    def sample(self) -> dict[str, Any]:
        """Add a row of samples; return it."""
        with self.meter.aside("sample"), self.learner.evaluating():
            row = {"step": self.progress["step"], **self.task.sample(self.learner.module)}
        self.progress["samples"].append(row)
        return row

    def measure(self) -> dict[str, Any]:
        """Add a row of metrics, with a validation where one is due; return it."""
        step = self.progress["step"]
        train_loss, val_loss = self.mean_loss(), None
        losses = [*(row["train_loss"] for row in self.progress["metrics"]), train_loss]
        self.check_loss("training", train_loss, is_lost(losses, self.recipe.vocab_size))
        if self.is_due(self.recipe.eval_every) and not self.progress["diverged"]:
            val_loss = self.validate()
            self.check_loss("validation", val_loss)
            if not self.progress["diverged"]:
                self.keep_if_best(val_loss)
        row = {
            "step": step,
            "tokens": self.progress["tokens"],
            "epoch": self.recipe.batches.epoch(step),
            "lr": self.recipe.learning_rate(step - 1),
            "train_loss": finite_or_none(train_loss),
            "val_loss": finite_or_none(val_loss),
            "grad_norm": finite_or_none(self.progress["grad_norm"].item()),
        }
        self.progress["metrics"].append(row)
        self.progress["loss_sum"].zero_()
        return row

    def mean_loss(self) -> float:
        """Return the mean training loss since the last row of metrics. Waits for the device."""
        return self.progress["loss_sum"].item() / (self.progress["step"] - self.last_row())

    def latest_loss(self) -> float:
        """Return the mean training loss since the last row of metrics, or that of the row itself."""
        if self.progress["step"] > self.last_row():
            return self.mean_loss()
        return self.progress["metrics"][-1]["train_loss"] or math.nan

    def check_loss(self, kind: str, loss: float, lost: bool = False) -> None:
        """Note that the training diverged if it is lost or a loss is no number."""
        if math.isfinite(loss) and not lost:
            return
        step = self.progress["step"]
        learning_rate = self.recipe.learning_rate(step - 1)
        self.progress["diverged"] = describe_divergence(
            kind, loss, step, learning_rate, self.learner.precision, self.recipe.training.grad_clip
        )
        print(f"diverged: {self.progress['diverged']}", flush=True)

    def validate(self) -> float:
        """Return the validation loss, in nats per token."""
        with self.meter.aside("validate"):
            return self.validation.loss(self.learner, between_batches=self.check)

    def keep_if_best(self, loss: float) -> None:
        """Keep the weights if no validation was lower."""
        best = self.progress["best"]
        if best is None or loss < best["loss"]:
            weights = checkpoint.plain(self.learner.kept_weights())
            self.progress["best"] = {
                "step": self.progress["step"],
                "loss": loss,
                "scored": self.validation.digest,
                "weights": weights,
            }

    def compare_alike(self) -> None:
        """Score the parent's best weights on this training's validation sample, where that is another one.

        Losses on other tokens do not compare, so those in the parent's rows of metrics go.
        """
        best = self.progress["best"]
        if best is None or best["scored"] == self.validation.digest:
            return
        with self.meter.aside("validate"):
            loss = self.validation.loss(self.learner, best["weights"], self.check)
        for row in self.progress["metrics"]:
            row["val_loss"] = finite_or_none(loss) if row["step"] == best["step"] else None
        comparable = {**best, "loss": loss, "scored": self.validation.digest}
        self.progress["best"] = comparable if math.isfinite(loss) else None


def finite_or_none(value: float | None) -> float | None:
    """Return a number as it can stand in a table: None for what is none."""
    return value if value is not None and math.isfinite(value) else None
