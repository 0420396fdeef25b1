"""A model that others trained, in the place of a training: its weights under their names here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import canonical
from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.model.cost import count_parameters, parameter_count, without_values
from gptgrid.model.huggingface import read_weights
from gptgrid.model.load import WEIGHTS
from gptgrid.model.memory import check_memory
from gptgrid.text.chat_template import ChatTemplate
from gptgrid.text.transformers_template import from_transformers
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.conversation import Conversations
from gptgrid.trainer.deliverables import write_metrics, write_samples

IMPORTED = "imported"
UNKNOWN = (
    "batch_tokens",
    "weight_decay",
    "train_tokens",
    "train_flops",
    "val_loss",
    "val_bpb",
    "best_step",
    "last_val_loss",
    "last_val_bpb",
    "val_tokens",
    "val_bytes",
    "ended",
)
"""Facts of a training that nobody here knows of one elsewhere."""
BEGINNING = {
    "step": 0,
    "tokens": 0,
    "epoch": 0.0,
    **dict.fromkeys(("lr", "train_loss", "val_loss", "grad_norm")),
}
"""The one row of metrics.csv: here, no step was made."""


def import_safetensors(job: Job) -> dict[str, Any]:
    """Write weights, recipe and tokenizer of a model in the Hugging Face format; return its facts.

    Raises:
        UserError: the files do not hold the model of their config.json, its tokenizer has more tokens than
            the model, or memory does not suffice.
    """
    config, codec = job.config, read_codec(job.inputs["tokenizer"])
    check_vocabulary(codec, config.vocab_size)
    needed = {"weights": 4 * count_parameters(config.model, config.vocab_size)}
    check_memory(needed, torch.device("cpu"), "use a machine with more memory")
    with job.timing("load"):
        weights = read_others(job, config.model, config.vocab_size)
    with job.timing("write"):
        save_file(weights, job.folder / WEIGHTS["best"])
    chat, lost = chat_of(config, codec)
    recipe = {
        "model": vars(config.model),
        "vocab_size": config.vocab_size,
        "eot": codec.eot,
        "training": vars(config.training),
        "seed": config.seed,
        "marks": config.marks,
        "imported": True,
        **chat,
    }
    (job.folder / "config.json").write_text(canonical(recipe) + "\n", encoding="utf-8")
    shutil.copyfile(job.inputs["tokenizer"] / "codec.json", job.folder / "codec.json")
    job.provenance["files"] = job.raw
    write_metrics(job.folder / "metrics.csv", [BEGINNING])
    write_samples(job.folder / "samples.jsonl", [])
    return {
        **parameter_count(without_values(config.model, config.vocab_size)),
        "vocab_size": config.vocab_size,
        "steps": 0,
        **dict.fromkeys(UNKNOWN),
        "status": IMPORTED,
        "remarks": [*remarks(codec, config.begins_with), *lost],
    }


def read_others(job: Job, model: SimpleNamespace, vocab_size: int) -> dict[str, Tensor]:
    """Return the weights that others trained, by their names here.

    Args:
        job: whose own files hold them.
        model: the architecture.
        vocab_size: rows of the embedding.

    Raises:
        UserError: the files do not hold the model of their config.json.
    """
    files = [path for path in map(job.own_file, job.raw) if path.suffix == ".safetensors"]
    return read_weights(files, model, vocab_size)


def chat_of(others: SimpleNamespace, codec: Codec) -> tuple[dict[str, Any], list[str]]:
    """Return what config.json says of how a model of others was taught to answer, and what to know if that
    cannot be used here.

    Args:
        others: what is known of the folder, and perhaps its `chat_template`.
        codec: its tokenizer.

    Returns:
        The key `chat`, or nothing; and remarks.
    """
    found = getattr(others, "chat_template", None)
    if found is None:
        return {}, []
    source, system = from_transformers(found)
    try:
        Conversations(codec, ChatTemplate(source, "in the folder of the model"), system)
    except UserError as error:
        return {}, [f"without its own chat template, the model reads conversations as plain lines: {error}"]
    return {"chat": {"template": source, "system": system}}, []


def check_vocabulary(codec: Codec, vocab_size: int) -> None:
    """Refuse a tokenizer that has ids which the model does not know.

    Raises:
        UserError: it has.
    """
    if codec.vocab_size > vocab_size:
        raise UserError(
            f"tokenizer.json has {codec.vocab_size:,} tokens, but config.json a vocab_size of "
            f"{vocab_size:,}: they are of different models"
        )


def remarks(codec: Codec, begins_with: int | None) -> list[str]:
    """Return what to know about the figures of a model.

    Args:
        codec: its tokenizer, whose end-of-text token begins documents here.
        begins_with: id of the token that began them in its training, if that is known.
    """
    if begins_with in (None, codec.eot):
        return []
    names = {index: name for name, index in codec.special_tokens.items()}
    name = names.get(begins_with)
    advice = f"set `eot: {name!r}` for its tokenizer" if name else "see what its training put there"
    return [
        f"documents begin with {names[codec.eot]} here, but by its config.json (bos_token_id) with the token "
        f"{name or begins_with} in its training, so that its figures may be worse than they need be; {advice}"
    ]


FORMATS: Variants[Callable[[Job], dict[str, Any]]] = Variants({"safetensors": import_safetensors})
"""The key `format` of what a cell has for a training → function that makes it."""
