"""What an unknown name may mean: one that is spelt alike, one of another project, a key of another place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from gptgrid.config.corpora import Clean, Split
from gptgrid.config.experiment import VARIANTS, Decoding, Evaluation, Run, Sampling
from gptgrid.config.models import Model
from gptgrid.config.tasks import Task
from gptgrid.config.training import Training
from gptgrid.config.values import Section

SYNONYMS = {
    "block_size": "context",
    "max_seq_len": "context",
    "context_length": "context",
    "max_position_embeddings": "context",
    "n_ctx": "context",
    "seq_len": "context",
    "n_embd": "d_model",
    "emb_dim": "d_model",
    "hidden_size": "d_model",
    "dim": "d_model",
    "sequence_length": "context",
    "n_layers": "n_layer",
    "num_layers": "n_layer",
    "num_hidden_layers": "n_layer",
    "n_heads": "n_head",
    "num_heads": "n_head",
    "num_attention_heads": "n_head",
    "n_kv_heads": "n_kv_head",
    "num_key_value_heads": "n_kv_head",
    "intermediate_size": "d_ff",
    "drop_rate": "dropout",
    "qkv_bias": "bias",
    "max_iters": "steps",
    "max_steps": "steps",
    "num_steps": "steps",
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "learning_rate": "lr",
    "batch_size": "batch_tokens",
    "shuffle": "windows",
    "warmup_iters": "warmup",
    "warmup_steps": "warmup",
    "warmup_ratio": "warmup",
    "lr_min": "min_lr",
    "final_lr": "min_lr",
    "beta1": "betas",
    "beta2": "betas",
    "wd": "weight_decay",
    "early_stopping": "patience",
    "ema_decay": "ema",
    "eval_interval": "eval_every",
    "eval_steps": "eval_every",
    "dtype": "precision",
    "use_amp": "precision",
    "amp": "precision",
    "fp16": "precision",
    "bf16": "precision",
    "max_grad_norm": "grad_clip",
    "gradient_accumulation_steps": "micro_batch",
    "lr_scheduler_type": "schedule",
    "log_interval": "log_every",
    "logging_steps": "log_every",
    "save_every": "checkpoint_every",
    "save_interval": "checkpoint_every",
    "save_steps": "checkpoint_every",
    "num_workers": "workers",
}
"""What other projects call our keys (nanoGPT, LLMs-from-scratch, llama, transformers)."""

DISCRIMINATORS = {"corpora": "source", "tokenizers": "kind"}
"""Section → the key that says which other keys an entry has."""
NO_KEYS = {
    "eval_tokens": "`eval_bytes` takes its place: so many bytes of whole documents are the same text for "
    "every tokenizer, so many tokens are not",
    "seed": "seeds of cells stand in a block of `grid`: `seed: [1, 2]`",
    "resume": "leave it out: a training that was killed goes on by itself, and `continues` makes one longer",
}
"""What other projects have a key for, where it is no key here → what there is in its place."""

PLACES: dict[str, tuple[type[Section], ...]] = {
    "models.NAME": (Model,),
    "training.NAME": (Training,),
    "run": (Run,),
    "sampling.decodings.NAME": (Decoding,),
    "sampling": (Sampling,),
    "evaluation.tasks.NAME": (Task,),
    "evaluation": (Evaluation,),
    "tokenizers.NAME": tuple(VARIANTS["tokenizers"].values()),
    "corpora.NAME.split": (Split,),
    "corpora.NAME.clean": (Clean,),
    "corpora.NAME": tuple(VARIANTS["corpora"].values()),
}
"""Where keys belong → classes that have them."""


def unknown(name: Any, known: Iterable[Any], what: str = "name") -> str:
    """Return what to say about a name that is not defined, with the nearest that is."""
    known = [str(key) for key in known]
    nearest = closest(name, known)
    hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
    return f"unknown {what} {name!r}; {hint}"


def unknown_key(key: str, known: list[str], section: str = "") -> str:
    """Return what to say about a key that is not valid where it stands.

    Args:
        key: the key.
        known: the keys that are valid there.
        section: the top-level key that it stands in; "" at the top.
    """
    ours = SYNONYMS.get(key, key)
    if ours in known or (key not in SYNONYMS and (ours := closest(key, known, cutoff=0.8))):
        return f"unknown key {key!r}; did you mean {ours!r}?"
    entry = DISCRIMINATORS.get(section) in known
    variants = [tag for tag, kind in VARIANTS.get(section, {}).items() if key in kind.model_fields]
    if entry and variants:
        return f"unknown key {key!r}; it goes with {DISCRIMINATORS[section]} {', '.join(variants)}"
    # The same section first: `temperature` in sampling belongs to a decoding.
    places = sorted(places_of(key), key=lambda place: place.split(".")[0] != section)
    if key in NO_KEYS and not any(place.startswith(f"{section}.") for place in places):
        return f"unknown key {key!r}; {NO_KEYS[key]}"
    if places:
        return f"unknown key {key!r}; write it as `{places[0]}`"
    return unknown(key, known, "key")


def places_of(key: str) -> list[str]:
    """Return every place where a key, or what we call it, is valid: `lr` → [`training.NAME.lr`]."""
    ours = SYNONYMS.get(key, key)
    return [
        f"{place}.{ours}"
        for place, kinds in PLACES.items()
        if any(ours in kind.model_fields for kind in kinds)
    ]


def closest(name: Any, known: list[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is spelt most like this one; None if none is like it."""
    return next(iter(difflib.get_close_matches(str(name), known, n=1, cutoff=cutoff)), None)
