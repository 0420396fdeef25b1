"""What a finished training hands over: weights, recipe, learning curve, samples, state, facts."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from gptgrid.launch.allocator import describe_allocator
from gptgrid.model.build import build
from gptgrid.model.cost import flops_per_token, parameter_count
from gptgrid.model.device import describe_device
from gptgrid.model.initialize import initialize
from gptgrid.stages.train import checkpoint
from gptgrid.stages.train.trainer import Trainer


def deliver(trainer: Trainer) -> dict[str, Any]:
    """Write the files of a finished training; return its facts."""
    trainer.job.provenance.update(provenance(trainer))
    folder, state = trainer.job.folder, trainer.state()
    (folder / "model.safetensors").write_bytes(save(checkpoint.plain(kept_weights(trainer))))
    (folder / "config.json").write_text(trainer.recipe + "\n", encoding="utf-8")
    shutil.copyfile(trainer.job.inputs["tokenizer"] / "codec.json", folder / "codec.json")
    write_metrics(folder / "metrics.csv", state["metrics"])
    write_samples(folder / "samples.jsonl", state["samples"])
    checkpoint.write(folder / "state.pt", state)
    return facts(trainer)


def kept_weights(trainer: Trainer) -> dict[str, Tensor]:
    """Return the weights of the cell.

    Those of a training that diverged are the last that were validated, or the first ones: its last are none.
    """
    best, diverged = trainer.progress["best"], trainer.progress["diverged"]
    if best and (diverged or trainer.training.use == "best"):
        return best["weights"]
    if diverged:
        first = build(trainer.model, trainer.codec.vocab_size, trainer.codec.eot)
        initialize(first, trainer.seed)
        return dict(first.named_parameters())
    return trainer.kept_weights()


def facts(trainer: Trainer) -> dict[str, Any]:
    """Return what the manifest says about the training; val_loss is that of the weights that were kept."""
    progress, training, vocab_size = trainer.progress, trainer.training, trainer.codec.vocab_size
    ended = trainer.ended if progress["step"] < trainer.steps or progress["diverged"] else None
    return {
        **parameter_count(trainer.module),
        "vocab_size": vocab_size,
        "steps": progress["step"],
        "batch_tokens": training.batch_tokens,
        "weight_decay": training.weight_decay,
        "train_tokens": progress["tokens"],
        "train_flops": progress["tokens"] * flops_per_token(trainer.model, vocab_size),
        **losses(trainer),
        "status": "diverged" if progress["diverged"] else "stopped early" if ended else "finished",
        "ended": ended,
    }


def losses(trainer: Trainer) -> dict[str, Any]:
    """Return the validation loss of the weights that were kept, and where they stood; None if it diverged."""
    names = ("val_loss", "val_bpb", "last_val_loss", "best_step", "kept_step")
    if trainer.progress["diverged"]:
        return dict.fromkeys(names)
    best, last = trainer.progress["best"], trainer.progress["metrics"][-1]["val_loss"]
    use_best = trainer.training.use == "best"
    val_loss = best["loss"] if use_best else last
    val_bpb = bits_per_byte(val_loss, trainer.job.manifest("shards")["facts"]["splits"]["valid"])
    kept_step = best["step"] if use_best else trainer.progress["step"]
    return dict(zip(names, (val_loss, val_bpb, last, best["step"], kept_step), strict=True))


def bits_per_byte(loss: float, split: dict[str, Any]) -> float | None:
    """Return a loss in nats per token as bits per byte of the split; None where there is no text.

    Tokenizers cut the same text into more or fewer tokens, so only this compares them.
    """
    return loss * (split["tokens"] - 1) / (math.log(2) * split["bytes"]) if split["bytes"] else None


def provenance(trainer: Trainer) -> dict[str, Any]:
    """Return the volatile facts: speed, memory, device, and what `auto` became."""
    effort = trainer.meter.effort
    return {
        "tokens_per_second": effort["tokens"] / effort["seconds"],
        "train_seconds": effort["seconds"],
        "device": describe_device(trainer.device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": trainer.training.threads,
        "micro_batch": trainer.micro_rows,
        "precision": trainer.precision,
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
