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

from gptgrid.model.cost import flops_per_token, parameter_count
from gptgrid.model.device import describe_device
from gptgrid.train import checkpoint
from gptgrid.train.trainer import Trainer


def deliver(trainer: Trainer) -> dict[str, Any]:
    """Write the files of a finished training; return its facts."""
    trainer.job.provenance.update(provenance(trainer))
    folder, state = trainer.job.folder, trainer.state()
    best = state["best"]
    kept = best["weights"] if trainer.training.use == "best" else state["model"]
    (folder / "model.safetensors").write_bytes(save(checkpoint.plain(kept)))
    (folder / "config.json").write_text(trainer.recipe + "\n", encoding="utf-8")
    shutil.copyfile(trainer.job.inputs["tokenizer"] / "codec.json", folder / "codec.json")
    write_metrics(folder / "metrics.csv", state["metrics"])
    write_samples(folder / "samples.jsonl", state["samples"])
    checkpoint.write(folder / "state.pt", state)
    return facts(trainer)


def facts(trainer: Trainer) -> dict[str, Any]:
    """Return what the manifest says about the training; val_loss is that of the weights that were kept."""
    progress, vocab_size = trainer.progress, trainer.codec.vocab_size
    best, last_val_loss = progress["best"], progress["metrics"][-1]["val_loss"]
    use_best = trainer.training.use == "best"
    val_loss = best["loss"] if use_best else last_val_loss
    return {
        **parameter_count(trainer.module),
        "vocab_size": vocab_size,
        "steps": progress["step"],
        "train_tokens": progress["tokens"],
        "train_flops": progress["tokens"] * flops_per_token(trainer.model, vocab_size),
        "val_loss": val_loss,
        "val_bpb": bits_per_byte(val_loss, trainer.job.manifest("shards")["facts"]["splits"]["valid"]),
        "last_val_loss": last_val_loss,
        "best_step": best["step"],
        "kept_step": best["step"] if use_best else progress["step"],
    }


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
        "threads": trainer.training.threads,
        "micro_batch": trainer.micro_rows,
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
