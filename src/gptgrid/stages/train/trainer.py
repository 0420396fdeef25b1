"""The training loop: from shards and a recipe to the state of a trained model.

A run that was killed and continued gives the bits of an unbroken one: everything that the next step depends
on stands in the checkpoint or derives from (seed, step), and what is due at a step (a row, a validation, a
sample) is looked at before the next one, so that it is made once, whenever the kill comes. Nothing is read
back from the device between two rows of metrics. What is published is written in deliverables.py.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from gptgrid.artifact.identity import canonical
from gptgrid.artifact.job import Job
from gptgrid.model.build import build
from gptgrid.model.cost import flops_per_token
from gptgrid.model.device import prepare_device
from gptgrid.model.generate import generate
from gptgrid.model.initialize import initialize
from gptgrid.model.precision import autocast, choose_precision
from gptgrid.seeds import derive
from gptgrid.stages.train import checkpoint, rules
from gptgrid.stages.train.checkpoint import FORMAT, Effort, Progress, State
from gptgrid.stages.train.compilation import compile_if_it_pays, record
from gptgrid.stages.train.continuation import read_own, read_parent
from gptgrid.stages.train.interrupt import Interrupted, Interrupts
from gptgrid.stages.train.memory import memory_errors, micro_batch_rows, recompute_activations
from gptgrid.stages.train.meter import Meter, duration
from gptgrid.stages.train.optimizer import build_optimizers
from gptgrid.stages.train.ranks import Ranks
from gptgrid.stages.train.schedule import learning_rate, total_steps
from gptgrid.stages.train.weights import Weights, update_average
from gptgrid.stages.train.windows import UNSCORED, Windows, validation_batches
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import open_shards

ROWS_OF_METRICS = 200
"""About how many rows metrics.csv gets beside those of validations."""
PATIENCE_WITH_SPIKES, WORSE_THAN_GUESSING = 10, 1.5
"""A training is lost when so many rows in a row (a twentieth of it) have a loss above so many times that of
uniform guessing, or of its first row. Single spikes pass."""
GREEDY = SimpleNamespace(temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0)
SAMPLE_TOKENS = 60


class Trainer:
    """One training, from where it stands to its last step."""

    def __init__(self, job: Job) -> None:
        """Read the data, build the model, and go to where an earlier session, or the parent, ended.

        Raises:
            UserError: data, recipe and model do not fit, or a stored state cannot be used.
        """
        config, self.job = job.config, job
        self.model, self.seed = config.model, config.seed
        self.ranks = Ranks()
        self.ranks.check_gpus(job.run.device)
        self.device = prepare_device(job.run.device, config.training.threads, job.run.cells_per_gpu)
        self.ranks.meet(self.device)
        self.codec = read_codec(job.inputs["tokenizer"])
        with memory_errors(self.model, self.codec.vocab_size, rows=1):
            self.build_model(config.training.precision)
        self.plan_steps(config.training)
        self.recipe = canonical(self.describe())
        self.optimizers = build_optimizers(self.weights.master, self.model, self.training)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.interrupts, self.agreed_to_stop = Interrupts(), False
        self.load()
        tokens = (self.steps - self.progress["step"]) * self.training.batch_tokens
        flops = tokens * flops_per_token(self.model, self.codec.vocab_size)
        self.logits, self.compiled = compile_if_it_pays(self.module, job.run.compile, self.device, flops)
        self.recorded = job.run.cuda_graphs and self.can_be_recorded()
        if self.recorded:
            self.logits = record(self.module, self.micro_rows, self.precision, self.device)

    def build_model(self, precision: str) -> None:
        """Make the model with its first weights, and those that are updated."""
        self.precision = choose_precision(precision, self.device)
        self.module = build(self.model, self.codec.vocab_size, self.codec.eot).to(self.device)
        initialize(self.module, self.seed)
        if self.job.run.activation_checkpointing:
            recompute_activations(self.module)
        self.weights = Weights(self.module, self.precision)

    def plan_steps(self, training: SimpleNamespace) -> None:
        """Work out the numbers of the recipe: steps, what `auto` means, and how often something is due."""
        shards, context = self.job.inputs["shards"], self.model.context
        self.training = training = SimpleNamespace(**vars(training))
        text = open_shards(shards, "train")
        self.valid = open_shards(shards, "valid")
        if training.batch_tokens == "auto":
            budget = training.tokens or round(training.epochs * len(text))
            training.batch_tokens = rules.batch_tokens(budget, context)
        self.windows = Windows(text, training, context, self.seed, self.codec.eot)
        self.steps = total_steps(training, self.windows.rows, self.windows.per_epoch)
        if training.weight_decay == "auto":
            parameters = sum(weight.numel() for weight in self.weights.master.values())
            training.weight_decay = rules.weight_decay(
                training, self.steps * training.batch_tokens, parameters
            )
        self.eval_every = training.eval_every or math.ceil(self.steps / 10)
        self.row_every = math.ceil(self.steps / ROWS_OF_METRICS)
        self.micro_rows = micro_batch_rows(
            self.model, self.codec.vocab_size, training.micro_batch, self.windows.rows, self.ranks.size
        )

    def describe(self) -> dict[str, Any]:
        """Return what config.json holds; batch_tokens and weight_decay are numbers there."""
        return {
            "model": vars(self.model),
            "vocab_size": self.codec.vocab_size,
            "eot": self.codec.eot,
            "training": vars(self.training),
            "seed": self.seed,
        }

    def can_be_recorded(self) -> bool:
        """Say whether each step is one pass that a CUDA graph can hold."""
        one_pass = self.micro_rows >= self.windows.rows and self.ranks.size == 1
        # Each pass has its own draws and documents; activations that are not kept are for large models.
        varies = self.model.dropout > 0 or self.model.document_mask
        kept = not self.job.run.activation_checkpointing
        return self.device.type == "cuda" and one_pass and kept and not (varies or self.compiled)

    # ------------------------------------------------------------------------------------- state

    @property
    def checkpoint_path(self) -> Path:
        """Return where this training's checkpoint lies until it is finished."""
        return self.job.scratch / "state.pt"

    def load(self) -> None:
        """Start from the checkpoint, from the parent, or from the seed."""
        effort: Effort = {"seconds": 0.0, "tokens": 0}
        if self.checkpoint_path.is_file():
            state = read_own(self.checkpoint_path, self.recipe)
            effort = state["effort"]
            self.restore(state)
            print(f"continues at step {state['step']}/{self.steps}", flush=True)
        elif "parent" in self.job.inputs:
            state = read_parent(self.job.inputs["parent"], self.recipe, self.steps)
            self.restore({**state, "begin": state["step"]})
            print(
                f"continues its parent at step {state['step']}; {self.training.schedule} schedule over "
                f"{self.steps} steps in all, lr {self.rate(state['step']):.3g} now",
                flush=True,
            )
        else:
            self.progress = self.beginning()
        self.saved = time.monotonic()
        self.meter = Meter(effort, self.job.run.log_every)

    def beginning(self) -> Progress:
        """Return the progress of a training that has not begun."""
        zero = torch.zeros((), device=self.device)
        return {
            "step": 0,
            "begin": 0,
            "diverged": None,
            "tokens": 0,
            "loss_sum": zero,
            "grad_norm": zero.clone(),
            "best": None,
            "average": self.weights.copy() if self.training.ema else None,
            "metrics": [],
            "samples": [],
        }

    def state(self) -> State:
        """Return everything that the next step depends on. Tensors are the live ones, not copies."""
        return {
            **self.progress,
            "format": FORMAT,
            "recipe": self.recipe,
            "model": dict(self.weights.master),
            "optimizers": [optimizer.state_dict()["state"] for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go to a stored state. Hyperparameters come from the recipe, so that a continuation has its own."""
        self.weights.load(state["model"])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": stored, "param_groups": groups})
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.progress = {key: state[key] for key in Progress.__annotations__}
        for key in ("loss_sum", "grad_norm"):
            self.progress[key] = state[key].to(self.device)
        # After a parent without an average, one begins with its last weights.
        average = (state["average"] or state["model"]) if self.training.ema else {}
        copies = {name: weight.to(self.device, copy=True) for name, weight in average.items()}
        self.progress["average"] = copies or None

    def save(self) -> None:
        """Write the checkpoint; the first process does it for all."""
        with self.aside("checkpoint"):
            if self.ranks.rank == 0:
                checkpoint.write(self.checkpoint_path, self.state(), self.meter.effort)
        self.saved = time.monotonic()

    # -------------------------------------------------------------------------------------- loop

    def run(self) -> None:
        """Train to the last step.

        Raises:
            SystemExit: a signal asked to stop; the state is saved.
            UserError: memory ran out.
        """
        with self.interrupts:
            try:
                with memory_errors(self.model, self.codec.vocab_size, self.micro_rows):
                    self.train()
            except Interrupted as asked:
                self.save()
                step = self.progress["step"]
                print(
                    f"{asked.name}: saved after step {step}/{self.steps}; the same command continues there",
                    flush=True,
                )
                raise SystemExit(asked.exit_code) from None
        self.log()

    def train(self) -> None:
        """Make the steps that are left, and what is due between them."""
        for inputs, targets in self.batches():
            self.observe()
            if self.ended:
                return
            self.train_step(inputs, targets)
            self.attend()
        self.observe()

    @property
    def ended(self) -> str | None:
        """Return why no further step is made, before the last one or at it; None while there is no reason."""
        if self.progress["diverged"]:
            return self.progress["diverged"]
        best, patience = self.progress["best"], self.training.patience
        if best is None or patience is None:
            return None
        since = max(best["step"], self.progress["begin"])
        validations = [row["step"] for row in self.progress["metrics"] if row["val_loss"] is not None]
        if sum(step > since for step in validations) < patience:
            return None
        return (
            f"no lower validation loss than that of step {best['step']} in {patience} validations; stopped "
            f"at step {self.progress['step']} of {self.steps}"
        )

    def batches(self) -> DataLoader:
        """Return the batches from the current step to the last, read ahead by `run.workers` processes."""
        return DataLoader(
            self.windows,
            batch_size=None,
            sampler=range(self.progress["step"], self.steps),
            num_workers=self.job.run.workers,
            pin_memory=self.device.type == "cuda",
        )

    def train_step(self, inputs: Tensor, targets: Tensor) -> None:
        """Update the weights once.

        Args:
            inputs: (rows, context) int64.
            targets: (rows, context) int64, UNSCORED where padded.
        """
        scored, loss = int((targets != UNSCORED).sum()), torch.zeros((), device=self.device)
        pieces = zip(inputs.split(self.micro_rows), targets.split(self.micro_rows), strict=True)
        for number, piece in self.ranks.share(enumerate(pieces)):
            if self.model.dropout:
                torch.manual_seed(derive(self.seed, f"dropout/{number}", self.progress["step"]))
            # Weighted by what it scores, so that the gradient is that of the batch, however it is cut.
            share = self.nats(self.logits, *piece) / scored
            self.scaler.scale(share).backward()
            self.weights.collect_gradients()
            loss += share.detach()
        asked = torch.tensor(float(self.interrupts.received or 0), device=self.device)
        loss, asked = self.ranks.sum_gradients(self.weights.master.values(), loss, asked)
        if self.ranks.size > 1 and asked:
            self.interrupts.received, self.agreed_to_stop = signal.SIGUSR1, True
        self.update()
        self.progress["loss_sum"] += loss
        self.progress["step"] += 1
        self.progress["tokens"] += scored
        self.meter.tokens += scored

    def nats(self, logits: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the summed cross-entropy of the scored targets: a scalar, fp32, on the device."""
        inputs = inputs.to(self.device, non_blocking=True)
        targets = targets.to(self.device, non_blocking=True)
        with autocast(self.precision, self.device):
            predicted = logits(inputs)
        return functional.cross_entropy(
            predicted.float().flatten(0, 1), targets.flatten(), ignore_index=UNSCORED, reduction="sum"
        )

    def update(self) -> None:
        """Clip the gradient and apply it."""
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        limit = self.training.grad_clip or math.inf
        self.progress["grad_norm"] = torch.nn.utils.clip_grad_norm_(self.weights.master.values(), limit)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(self.progress["step"]) * group["lr_scale"]
            self.scaler.step(optimizer)
            optimizer.zero_grad()
        self.scaler.update()
        self.weights.spread()
        if self.training.ema:
            average, master = self.progress["average"], self.weights.master
            update_average(average, master, self.training.ema, self.progress["step"])

    def rate(self, step: int) -> float:
        """Return the learning rate of the update after `step` others."""
        return learning_rate(self.training, step, self.steps)

    def attend(self) -> None:
        """Save, report and stop where it is time for it."""
        if time.monotonic() - self.saved >= self.job.run.checkpoint_every:
            self.save()
        if self.meter.line_is_due():
            self.log()
        self.check_interrupts()

    def check_interrupts(self) -> None:
        """Raise Interrupted if a signal came; of several processes, if all know of it: then all stop here."""
        if self.ranks.size == 1 or self.agreed_to_stop:
            self.interrupts.check()

    # ------------------------------------------------------------------------------- observation

    def observe(self) -> None:
        """Make what is due at this step, unless it was made before an interruption."""
        step, samples = self.progress["step"], self.progress["samples"]
        if step == 0:
            return
        if self.training.log_checkpoints and step & (step - 1) == 0 and self.ranks.rank == 0:
            path = self.job.folder / f"step-{step:08d}.safetensors"
            path.write_bytes(save(checkpoint.plain(self.kept_weights())))
        if self.is_due(self.training.sample_every) and not (samples and samples[-1]["step"] == step):
            self.sample()
        row_is_due = self.is_due(self.row_every) or self.is_due(self.eval_every)
        if row_is_due and step != self.last_row():
            self.measure()

    def is_due(self, every: int | None) -> bool:
        """Say whether something is due at this step: every so many steps, and at the last one."""
        step = self.progress["step"]
        return every is not None and (step % every == 0 or step == self.steps)

    def last_row(self) -> int:
        """Return the step of the latest row of metrics; 0 if there is none."""
        return self.progress["metrics"][-1]["step"] if self.progress["metrics"] else 0

    def measure(self) -> None:
        """Add a row of metrics, with a validation where one is due."""
        step = self.progress["step"]
        train_loss, val_loss = self.mean_loss(), None
        self.watch("training", train_loss, self.is_lost(train_loss))
        if self.is_due(self.eval_every) and not self.progress["diverged"]:
            val_loss = self.validate()
            self.watch("validation", val_loss)
            if not self.progress["diverged"]:
                self.keep_if_best(val_loss)
        row = {
            "step": step,
            "tokens": self.progress["tokens"],
            "epoch": self.windows.epoch(step),
            "lr": self.rate(step - 1),
            "train_loss": finite_or_none(train_loss),
            "val_loss": finite_or_none(val_loss),
            "grad_norm": finite_or_none(self.progress["grad_norm"].item()),
        }
        self.progress["metrics"].append(row)
        self.progress["loss_sum"].zero_()

    def mean_loss(self) -> float:
        """Return the mean training loss since the last row of metrics. Waits for the device."""
        return self.progress["loss_sum"].item() / (self.progress["step"] - self.last_row())

    def is_lost(self, train_loss: float) -> bool:
        """Say whether the training was for long worse than guessing."""
        losses = [*(row["train_loss"] for row in self.progress["metrics"]), train_loss]
        limit = WORSE_THAN_GUESSING * max(math.log(self.codec.vocab_size), losses[0])
        return len(losses) >= PATIENCE_WITH_SPIKES and min(losses[-PATIENCE_WITH_SPIKES:]) > limit

    def watch(self, kind: str, loss: float, lost: bool = False) -> None:
        """Note that the training diverged if it is lost or a loss is no number."""
        if math.isfinite(loss) and not lost:
            return
        step = self.progress["step"]
        self.progress["diverged"] = (
            f"the {kind} loss was {loss:.4g} at step {step} (learning rate {self.rate(step - 1):.3g}); lower "
            "training.lr, lengthen training.warmup, lower training.grad_clip, or take precision bf16 or fp32 "
            "in place of fp16"
        )
        print(f"diverged: {self.progress['diverged']}", flush=True)

    @torch.no_grad()
    def validate(self) -> float:
        """Return the validation loss, in nats per token."""
        with self.aside("validate"), self.evaluating():
            batches = validation_batches(
                self.valid, self.model.context, self.micro_rows, self.training.eval_tokens
            )
            sums, scored = [], 0
            for number, batch in enumerate(batches):
                self.check_interrupts()
                inputs, targets = map(torch.from_numpy, batch)
                mine = number % self.ranks.size == self.ranks.rank
                sums.append(
                    self.nats(self.module, inputs, targets) if mine else torch.zeros((), device=self.device)
                )
                scored += targets.numel()
            return self.ranks.sum(torch.stack(sums)).cpu().double().sum().item() / scored

    def keep_if_best(self, loss: float) -> None:
        """Keep the weights if no validation was lower."""
        best = self.progress["best"]
        if best is None or loss < best["loss"]:
            kept = self.kept_weights()
            weights = {name: weight.detach().to("cpu", copy=True) for name, weight in kept.items()}
            self.progress["best"] = {"step": self.progress["step"], "loss": loss, "weights": weights}

    def kept_weights(self) -> dict[str, Tensor]:
        """Return the weights that are validated and kept: the average if there is one, else the last."""
        return self.progress["average"] or dict(self.weights.master)

    def sample(self) -> None:
        """Let the model continue the prompt, greedily and shortly."""
        step, eot = self.progress["step"], self.codec.eot
        prompt = "" if self.codec.kind == "ids" else self.job.config.sample_prompt
        with self.aside("sample"), self.evaluating():
            start = self.codec.begin(prompt)
            ids = list(generate(self.module, start, GREEDY, SAMPLE_TOKENS, eot, self.seed, False))
        self.progress["samples"].append({"step": step, "prompt": prompt, "text": self.codec.decode(ids)})

    # --------------------------------------------------------------------------------- for people

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Compute with the weights that are kept, without dropout, inside."""
        self.module.eval()
        try:
            with self.weights.replaced(self.progress["average"]):
                yield
        finally:
            self.module.train()

    @contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """Time something that is not training."""
        with self.job.timing(name), self.meter.pause():
            yield

    def log(self) -> None:
        """Print where the training stands, how fast it goes and how long it will take."""
        step, metrics = self.progress["step"], self.progress["metrics"]
        loss = self.mean_loss() if step > self.last_row() else metrics[-1]["train_loss"] or math.nan
        speed = self.meter.tokens_per_second
        left = (self.steps - step) * self.training.batch_tokens / speed if speed else 0.0
        print(
            f"step {step}/{self.steps} | loss {loss:.4f} | lr {self.rate(max(0, step - 1)):.2e} | "
            f"{speed:,.0f} tokens/s | {duration(left)} left",
            flush=True,
        )


def finite_or_none(value: float | None) -> float | None:
    """Return a number as it can stand in a table: None for what is none."""
    return value if value is not None and math.isfinite(value) else None
