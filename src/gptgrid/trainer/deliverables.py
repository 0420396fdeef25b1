"""What a finished training hands over: weights, recipe, learning curve, samples, state, facts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from gptgrid.artifact.identity import canonical
from gptgrid.launch.allocator import describe_allocator
from gptgrid.model.cost import flops_per_token, parameter_count, without_values
from gptgrid.model.device import describe_device
from gptgrid.model.load import WEIGHTS
from gptgrid.tokens.codec import write_codec
from gptgrid.trainer import checkpoint
from gptgrid.trainer.state import gather
from gptgrid.trainer.trainer import Trainer


def deliver(trainer: Trainer) -> dict[str, Any]:
    """Write the files of a finished training; return its facts."""
    task, folder = trainer.task, trainer.job.folder
    trainer.job.provenance.update(provenance(trainer))
    state, kept = gather(trainer.learner, trainer.progress), kept_weights(trainer)
    for name, weights in kept.items():
        (folder / WEIGHTS[name]).write_bytes(save(checkpoint.plain(task.whole(weights))))
    for name, content in task.files(kept["best"]).items():
        (folder / name).write_bytes(content)
    (folder / "config.json").write_text(canonical(task.config()) + "\n", encoding="utf-8")
    write_codec(task.codec, folder / "codec.json")
    write_metrics(folder / "metrics.csv", state["metrics"])
    write_samples(folder / "samples.jsonl", state["samples"])
    checkpoint.write(folder / "state.pt", state)
    return {**facts(trainer), **task.facts(trainer.progress)}


def kept_weights(trainer: Trainer) -> dict[str, dict[str, Tensor]]:
    """Return the weights of the lowest validation loss as `best`, and the last ones as `last`; those that
    learned alone.

    Both are the last that were validated, or the first ones, if the training diverged: its last are none.
    """
    best = trainer.progress["best"]
    if not trainer.progress["diverged"]:
        return {"best": best["weights"], "last": trainer.learner.kept_weights()}
    if best:
        return {"best": best["weights"], "last": best["weights"]}
    first = dict(trainer.task.first_model().named_parameters())
    first = {name: weight for name, weight in first.items() if weight.requires_grad}
    return {"best": first, "last": first}


def facts(trainer: Trainer) -> dict[str, Any]:
    """Return what the manifest says about the training."""
    progress, recipe = trainer.progress, trainer.recipe
    ended = trainer.ended if progress["step"] < recipe.steps or progress["diverged"] else None
    return {
        **parameter_count(without_values(recipe.model, recipe.vocab_size)),
        "vocab_size": recipe.vocab_size,
        "steps": progress["step"],
        "batch_tokens": recipe.training.batch_tokens,
        "weight_decay": recipe.training.weight_decay,
        "train_tokens": progress["tokens"],
        "train_flops": progress["tokens"] * flops_per_token(recipe.model, recipe.vocab_size),
        **losses(trainer),
        "val_tokens": trainer.validation.targets,
        "val_bytes": trainer.validation.bytes,
        "status": "diverged" if progress["diverged"] else "stopped early" if ended else "finished",
        "ended": ended,
    }


def losses(trainer: Trainer) -> dict[str, Any]:
    """Return the validation losses of the best and the last weights as training saw them, per token and per
    byte of what it scored, and the step of the best; None if the training diverged."""
    names = ("val_loss", "val_bpb", "best_step", "last_val_loss", "last_val_bpb")
    best, diverged = trainer.progress["best"], trainer.progress["diverged"]
    if diverged:
        return dict.fromkeys(names)
    last = trainer.progress["metrics"][-1]["val_loss"]
    best_bpb, last_bpb = map(trainer.validation.bits_per_byte, (best["loss"], last))
    return dict(zip(names, (best["loss"], best_bpb, best["step"], last, last_bpb), strict=True))


def provenance(trainer: Trainer) -> dict[str, Any]:
    """Return the volatile facts: speed, memory, device, and what `auto` became."""
    effort = trainer.meter.effort
    return {
        "tokens_per_second": effort["tokens"] / effort["seconds"],
        "train_seconds": effort["seconds"],
        "device": describe_device(trainer.device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": trainer.recipe.training.threads,
        "micro_batch": trainer.recipe.micro_rows,
        "precision": trainer.learner.precision,
        "compiled": trainer.compiled,
        "cuda_graphs": trainer.recorded,
        "processes": trainer.ranks.size,
        "allocator": describe_allocator(),
        **peak_memory(trainer.device),
    }


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return {"peak_memory_mb": …} if the device keeps its own account; else the process counts."""
    if device.type != "cuda":
        return {}
    return {"peak_memory_mb": torch.cuda.max_memory_allocated() / 2**20}


def write_metrics(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write metrics.csv: unrounded numbers, empty where nothing was measured."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_samples(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write samples.jsonl."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
