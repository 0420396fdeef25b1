"""The training loop: from shards and a recipe to the state of a trained model.

A run that was killed and continued gives the bits of an unbroken one: everything that the next step depends
on stands in the checkpoint or derives from (seed, step), and what is due at a step (a row, a validation, a
sample) is looked at before the next one, so that it is made once, whenever the kill comes. Nothing is read
back from the device between two rows of metrics. What is published is written in deliverables.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from gptgrid.model.build import build
from gptgrid.model.device import prepare_device
from gptgrid.model.generate import generate
from gptgrid.model.initialize import initialize
from gptgrid.seeds import derive
from gptgrid.stage import Job, UserError, canonical
from gptgrid.tokens.codec import Codec, read_codec
from gptgrid.tokens.shards import open_shards
from gptgrid.train import checkpoint
from gptgrid.train.checkpoint import FORMAT, Effort, Progress, State
from gptgrid.train.continuation import read_own, read_parent
from gptgrid.train.interrupt import Interrupted, Interrupts
from gptgrid.train.memory import micro_batch_rows
from gptgrid.train.meter import Meter, duration
from gptgrid.train.optimizer import build_optimizer
from gptgrid.train.schedule import learning_rate, total_steps
from gptgrid.train.windows import UNSCORED, Windows, validation_batches

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
ROWS_OF_METRICS = 200
"""About how many rows metrics.csv gets beside those of validations."""
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
        self.model, self.training, self.seed = config.model, config.training, config.seed
        self.device = prepare_device(job.run.device, self.training.threads)
        self.codec = read_codec(job.inputs["tokenizer"])
        self.recipe = canonical(recipe_of(config, self.codec))
        shards, context = job.inputs["shards"], self.model.context
        self.windows = Windows(
            open_shards(shards, "train"), self.training, context, self.seed, self.codec.eot
        )
        self.valid = open_shards(shards, "valid")
        self.set_cadence()
        self.module = build(self.model, self.codec.vocab_size, self.codec.eot).to(self.device)
        self.parameters = list(self.module.parameters())
        self.optimizer = build_optimizer(self.module, self.training)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.training.precision == "fp16")
        self.interrupts = Interrupts()
        self.load()

    def set_cadence(self) -> None:
        """Work out how many steps there are, and how often something is due."""
        rows = self.windows.rows
        self.steps = total_steps(self.training, rows, self.windows.per_epoch)
        self.eval_every = self.training.eval_every or math.ceil(self.steps / 10)
        self.row_every = math.ceil(self.steps / ROWS_OF_METRICS)
        self.micro_rows = micro_batch_rows(self.model, self.codec.vocab_size, self.training.micro_batch, rows)

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
            self.restore(state)
            print(
                f"continues its parent at step {state['step']}; {self.training.schedule} schedule over "
                f"{self.steps} steps in all, lr {self.rate(state['step']):.3g} now",
                flush=True,
            )
        else:
            initialize(self.module, self.seed)
            self.progress = self.beginning()
        self.saved = time.monotonic()
        self.meter = Meter(effort, self.job.run.log_every)

    def beginning(self) -> Progress:
        """Return the progress of a training that has not begun."""
        zero = torch.zeros((), device=self.device)
        return {
            "step": 0,
            "tokens": 0,
            "loss_sum": zero,
            "grad_norm": zero.clone(),
            "best": None,
            "metrics": [],
            "samples": [],
        }

    def state(self) -> State:
        """Return everything that the next step depends on. Tensors are the live ones, not copies."""
        return {
            **self.progress,
            "format": FORMAT,
            "recipe": self.recipe,
            "model": self.weights(),
            "optimizer": self.optimizer.state_dict()["state"],
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go to a stored state. Hyperparameters come from the recipe, so that a continuation has its own."""
        with torch.no_grad():
            for name, parameter in self.module.named_parameters():
                parameter.copy_(state["model"][name])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.progress = {key: state[key] for key in Progress.__annotations__}
        for key in ("loss_sum", "grad_norm"):
            self.progress[key] = state[key].to(self.device)

    def weights(self) -> dict[str, Tensor]:
        """Return name → parameter; a tied matrix stands once."""
        return dict(self.module.named_parameters())

    def save(self) -> None:
        """Write the checkpoint."""
        with self.aside("checkpoint"):
            checkpoint.write(self.checkpoint_path, self.state(), self.meter.effort)
        self.saved = time.monotonic()

    # -------------------------------------------------------------------------------------- loop

    def run(self) -> None:
        """Train to the last step.

        Raises:
            SystemExit: a signal asked to stop; the state is saved.
            UserError: the loss is not finite.
        """
        with self.interrupts:
            try:
                for inputs, targets in self.batches():
                    self.observe()
                    self.train_step(inputs, targets)
                    self.attend()
                self.observe()
            except Interrupted as asked:
                self.save()
                step = self.progress["step"]
                print(
                    f"{asked.name}: saved after step {step}/{self.steps}; the same command continues there",
                    flush=True,
                )
                raise SystemExit(asked.exit_code) from None
        self.log()

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
        scored = int((targets != UNSCORED).sum())
        if self.model.dropout:
            torch.manual_seed(derive(self.seed, "dropout", self.progress["step"]))
        pieces = zip(inputs.split(self.micro_rows), targets.split(self.micro_rows), strict=True)
        for piece in pieces:
            # Weighted by what it scores, so that the gradient is that of the batch, however it is cut.
            loss = self.nats(*piece) / scored
            self.scaler.scale(loss).backward()
            self.progress["loss_sum"] += loss.detach()
        self.update()
        self.progress["step"] += 1
        self.progress["tokens"] += scored
        self.meter.tokens += scored

    def nats(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the summed cross-entropy of the scored targets: a scalar, fp32, on the device."""
        inputs = inputs.to(self.device, non_blocking=True)
        targets = targets.to(self.device, non_blocking=True)
        with self.autocast():
            logits = self.module(inputs)
        return functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=UNSCORED, reduction="sum"
        )

    def autocast(self) -> AbstractContextManager:
        """Return the context of a forward pass in the recipe's precision."""
        precision = self.training.precision
        return nullcontext() if precision == "fp32" else torch.autocast(self.device.type, AUTOCAST[precision])

    def update(self) -> None:
        """Clip the gradient and apply it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.progress["step"])
        self.scaler.unscale_(self.optimizer)
        limit = self.training.grad_clip or math.inf
        self.progress["grad_norm"] = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def rate(self, step: int) -> float:
        """Return the learning rate of the update after `step` others."""
        return learning_rate(self.training, step, self.steps)

    def attend(self) -> None:
        """Save, report and stop where it is time for it."""
        if time.monotonic() - self.saved >= self.job.run.checkpoint_every:
            self.save()
        if self.meter.line_is_due():
            self.log()
        self.interrupts.check()

    # ------------------------------------------------------------------------------- observation

    def observe(self) -> None:
        """Make what is due at this step, unless it was made before an interruption."""
        step, samples = self.progress["step"], self.progress["samples"]
        if step == 0:
            return
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
        train_loss = self.finite(self.mean_loss(), "training")
        val_loss = None
        if self.is_due(self.eval_every):
            val_loss = self.finite(self.validate(), "validation")
            self.keep_if_best(val_loss)
        row = {
            "step": step,
            "tokens": self.progress["tokens"],
            "epoch": self.windows.epoch(step),
            "lr": self.rate(step - 1),
            "train_loss": train_loss,
            "val_loss": val_loss,
            "grad_norm": self.progress["grad_norm"].item(),
        }
        self.progress["metrics"].append(row)
        self.progress["loss_sum"].zero_()

    def mean_loss(self) -> float:
        """Return the mean training loss since the last row of metrics. Waits for the device."""
        return self.progress["loss_sum"].item() / (self.progress["step"] - self.last_row())

    def finite(self, loss: float, kind: str) -> float:
        """Return the loss.

        Raises:
            UserError: it is infinite or not a number.
        """
        if not math.isfinite(loss):
            step = self.progress["step"]
            raise UserError(
                f"the {kind} loss is {loss} at step {step} (last finite at step {self.last_row()}; learning "
                f"rate {self.rate(step - 1):.3g}): the training diverged; lower training.lr, lengthen "
                "training.warmup, lower training.grad_clip, or take precision bf16 or fp32 in place of fp16"
            )
        return loss

    @torch.no_grad()
    def validate(self) -> float:
        """Return the validation loss, in nats per token."""
        with self.aside("validate"), self.evaluating():
            sums, scored = [], 0
            limit = self.training.eval_tokens
            for batch in validation_batches(self.valid, self.model.context, self.micro_rows, limit):
                self.interrupts.check()
                inputs, targets = map(torch.from_numpy, batch)
                sums.append(self.nats(inputs, targets))
                scored += targets.numel()
            return torch.stack(sums).cpu().double().sum().item() / scored

    def keep_if_best(self, loss: float) -> None:
        """Keep the weights if no validation was lower."""
        best = self.progress["best"]
        if best is None or loss < best["loss"]:
            weights = {name: weight.detach().to("cpu", copy=True) for name, weight in self.weights().items()}
            self.progress["best"] = {"step": self.progress["step"], "loss": loss, "weights": weights}

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
        """Switch dropout off inside."""
        self.module.eval()
        try:
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
        loss = metrics[-1]["train_loss"] if step == self.last_row() else self.mean_loss()
        speed = self.meter.tokens_per_second
        left = (self.steps - step) * self.training.batch_tokens / speed if speed else 0.0
        print(
            f"step {step}/{self.steps} | loss {loss:.4f} | lr {self.rate(max(0, step - 1)):.2e} | "
            f"{speed:,.0f} tokens/s | {duration(left)} left",
            flush=True,
        )


def recipe_of(config: SimpleNamespace, codec: Codec) -> dict:
    """Return what config.json holds: model, vocab_size, eot, training and seed."""
    return {
        "model": vars(config.model),
        "vocab_size": codec.vocab_size,
        "eot": codec.eot,
        "training": vars(config.training),
        "seed": config.seed,
    }
