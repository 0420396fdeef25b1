"""What an unknown name may mean: one that is spelt alike, one of another project, a key of another place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from gptgrid.config.corpora import Clean, Split
from gptgrid.config.dialogues import DialogueSplit
from gptgrid.config.experiment import (
    VARIANTS,
    Answers,
    ConfigurationFile,
    Decoding,
    Evaluation,
    Run,
    Sampling,
)
from gptgrid.config.finetuning import Finetuning, Lora
from gptgrid.config.models import Model
from gptgrid.config.tasks import Task
from gptgrid.config.tokenizers import HuggingFaceTokenizer
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
    "per_device_train_batch_size": "batch_tokens",
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
    "max_len": "context",
    "max_length": "context",
    "embed_dim": "d_model",
    "embedding_dim": "d_model",
    "hidden_dim": "d_ff",
    "ffn_dim": "d_ff",
    "dim_feedforward": "d_ff",
    "nhead": "n_head",
    "rope_base": "rope_theta",
    "max_tokens": "max_new_tokens",
    "grad_accum_steps": "micro_batch",
    "accumulation_steps": "micro_batch",
    "clip": "grad_clip",
    "clip_grad": "grad_clip",
    "eval_freq": "eval_every",
    "val_interval": "eval_every",
    "sample_interval": "sample_every",
    "generate_every": "sample_every",
    "save_checkpoint_every": "checkpoints",
    "r": "rank",
    "lora_r": "rank",
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "target_modules": "targets",
    "lora_target": "targets",
    "peft_config": "lora",
    "max_seq_length": "context",
    "cutoff_len": "context",
    "chat_template": "template",
    "chat_template_path": "template",
    "truncation": "too_long",
    "truncation_mode": "too_long",
    "n_embed": "d_model",
    "d_embed": "d_model",
    "embed_size": "d_model",
    "embedding_size": "d_model",
    "ff_dim": "d_ff",
    "d_ffn": "d_ff",
    "ffn_hidden": "d_ff",
    "num_blocks": "n_layer",
    "n_blocks": "n_layer",
    "n_positions": "context",
    "seq_length": "context",
    "norm_type": "norm",
    "pos_encoding": "position",
    "pos_emb": "position",
    "tie_weights": "tie_embeddings",
    "weight_tying": "tie_embeddings",
    "tie_word_embeddings": "tie_embeddings",
    "num_iters": "steps",
    "iterations": "steps",
    "train_batch_size": "batch_tokens",
    "grad_accum": "micro_batch",
    "gradient_accumulation": "micro_batch",
    "accumulate_grad_batches": "micro_batch",
    "adam_beta1": "betas",
    "adam_beta2": "betas",
    "clip_grad_norm": "grad_clip",
    "early_stopping_patience": "patience",
    "print_every": "log_every",
    "eval_strategy": "eval_every",
    "evaluation_strategy": "eval_every",
    "save_total_limit": "checkpoints",
    "file": "paths",
    "files": "paths",
    "path": "paths",
    "file_path": "paths",
    "filepath": "paths",
    "filename": "paths",
    "data_file": "paths",
    "data_files": "paths",
    "text_file": "paths",
    "input_file": "paths",
    "folder": "paths",
    "directory": "paths",
    "text_column": "field",
    "dataset_text_field": "field",
}
"""What other projects call our keys (nanoGPT, LLMs-from-scratch, llama, transformers, PyTorch, peft, trl)."""


ROWS = "tokens, not rows: rows × context, so 32 rows of 128 are 4096"
AT_ONCE = "rows that go through at once; batch_tokens stays the whole batch"
BOTH = "both in one list: [0.9, 0.95]"
PRECISION = "a word: fp32 or auto, in a training also bf16 or fp16"
CONVERSIONS = {
    "batch_size": ROWS,
    "train_batch_size": ROWS,
    "per_device_train_batch_size": "tokens of a whole step, not rows of a device: rows × devices × "
    "gradient_accumulation_steps × context",
    "shuffle": "`shuffled` is the default",
    "gradient_accumulation_steps": AT_ONCE,
    "beta1": BOTH,
    "beta2": BOTH,
    "warmup_ratio": "a share of the steps where it is below 1",
    "use_amp": PRECISION,
    "amp": PRECISION,
    "fp16": PRECISION,
    "bf16": PRECISION,
    "save_every": "seconds between the states from which a killed training goes on; weights to keep are "
    "`training.NAME.checkpoints`",
    "save_interval": "seconds between the states from which a killed training goes on; weights to keep are "
    "`training.NAME.checkpoints`",
    "save_steps": "seconds between the states from which a killed training goes on; weights to keep are "
    "`training.NAME.checkpoints`",
    "log_interval": "seconds between lines of progress, not steps",
    "logging_steps": "seconds between lines of progress, not steps",
    "grad_accum_steps": AT_ONCE,
    "accumulation_steps": AT_ONCE,
    "grad_accum": AT_ONCE,
    "gradient_accumulation": AT_ONCE,
    "accumulate_grad_batches": AT_ONCE,
    "adam_beta1": BOTH,
    "adam_beta2": BOTH,
    "dtype": PRECISION,
    "lr_scheduler_type": "constant, linear, cosine or wsd; `warmup` is a key of its own",
    "save_checkpoint_every": "keys: `{every: 1000, keep: all}`, in steps",
    "save_total_limit": "keys: `{every: epoch, keep: 3}`",
    "eval_strategy": "`epoch`, or a number of steps",
    "evaluation_strategy": "`epoch`, or a number of steps",
    "print_every": "seconds between lines of progress, not steps",
    "qkv_bias": "of all linear layers and layer norms",
    "early_stopping": "validations without a lower loss",
    "lora_alpha": "the product is multiplied by alpha / rank",
    "target_modules": "parts of a block: attention, feed_forward",
    "lora_target": "parts of a block: attention, feed_forward",
    "peft_config": "keys: `{rank: 8, alpha: 16}`",
    "max_seq_length": "rows are as long as the model's context",
    "cutoff_len": "rows are as long as the model's context",
    "truncation": "a word: drop, cut or refuse",
    "truncation_mode": "a word: drop, cut or refuse",
    **{name: "a list of files, folders or globs" for name, ours in SYNONYMS.items() if ours == "paths"},
}
"""Name in other projects → how its value becomes ours, where it is another one."""

DISCRIMINATORS = {"corpora": "source", "tokenizers": "kind", "dialogues": "source"}
"""Section → the key that says which other keys an entry has."""
RESUMED = "leave it out: a training that was killed goes on by itself, and `continues` makes one longer"
RESULTS = "leave it out: results lie under results/<experiment>/cells; `experiment` names them"
BEST = "leave it out: model.safetensors has the weights of the lowest validation loss"
UNQUANTIZED = "leave it out: nothing is quantized in training; `precision` says how products are computed"
BYTES = "so many bytes of whole documents are the same text for every tokenizer, so many tokens are not"
NO_KEYS = {
    "eval_tokens": f"`eval_bytes` takes its place: {BYTES}",
    "seed": "seeds of cells stand in a block of `grid`: `seed: [1, 2]`",
    "resume": RESUMED,
    "eval_iters": "leave it out: a validation scores the whole split; `eval_bytes` takes a part of it",
    "save_dir": RESULTS,
    "out_dir": RESULTS,
    "output_dir": RESULTS,
    "data_path": "texts stand in `corpora`: `mine: {source: files, paths: [FILE]}`",
    "data_dir": "texts stand in `corpora`: `mine: {source: files, paths: [FOLDER]}`",
    "save_best": "leave it out: `use: best` takes the weights of the lowest validation loss, which are kept",
    "best_model_path": BEST,
    "best.pt": BEST,
    "load_best_model_at_end": BEST,
    "last.pt": "leave it out: last.safetensors has the last weights; `use: last` takes them",
    "resume_from": RESUMED,
    "resume_from_checkpoint": RESUMED,
    "checkpoint_dir": RESULTS,
    "ckpt_dir": RESULTS,
    "lora_dropout": "write it as `finetuning.NAME.lora.dropout`",
    "packing": "leave it out: whole conversations are packed into rows, and none sees another",
    "padding_free": "leave it out: whole conversations are packed into rows, and none sees another",
    "assistant_only_loss": "leave it out: the loss counts answers alone",
    "completion_only_loss": "leave it out: the loss counts answers alone",
    "train_on_inputs": "leave it out: the loss counts answers alone",
    "response_template": "leave it out: the template says what an answer is, by `{% generation %}`",
    "eos_token": "leave it out: the template says what ends an answer",
    "use_rslora": "leave it out, and give `alpha` times √rank: the product is multiplied by alpha / rank",
    "use_dora": "leave it out: there is LoRA alone",
    "init_lora_weights": "leave it out: one matrix starts random, the other at zero, as in peft",
    "modules_to_save": "leave it out: beside LoRA the embeddings of the template's special tokens learn, and "
    "no other weights",
    "task_type": "leave it out: every model here goes on with a text",
    "load_in_4bit": UNQUANTIZED,
    "load_in_8bit": UNQUANTIZED,
    "neftune_noise_alpha": "leave it out: no noise is added to embeddings; `dropout` of the model, or of "
    "`lora`, is what there is against learning by heart",
}
"""What other projects have a key for, where it is no key here → what there is in its place."""
NO_BIAS = "leave it out: biases learn where all weights do, and none with `lora` (`bias: none` in peft)"
IN_PLACE: dict[type[Section], dict[str, str]] = {
    ConfigurationFile: {"name": "did you mean 'experiment'?"},
    HuggingFaceTokenizer: dict.fromkeys(("files", "tokenizer_file"), "did you mean 'file'?"),
    Lora: {"bias": NO_BIAS},
    Finetuning: {"bias": NO_BIAS},
    Evaluation: dict.fromkeys(("tokens", "eval_tokens"), f"`bytes` takes its place: {BYTES}"),
    Answers: dict.fromkeys(
        ("temperature", "top_k", "top_p", "min_p", "stop", "decodings", "do_sample", "num_beams"),
        "leave it out: dialogues are answered greedily, so that nothing is drawn",
    ),
}
"""Class of a section → key that it has not, though another may → what there is in its place."""
VALUES = {
    "sharegpt": "messages",
    "openai": "messages",
    "chatml": "messages",
    "chat": "messages",
    "conversations": "messages",
    "conversational": "messages",
    "alpaca": "instruction",
    "prompt-completion": "question",
    "prompt_completion": "question",
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "bf16": "auto",
    "bf16_weights": "auto",
}
"""What others, or other sections, call a format of dialogues or a precision → its name here; where that is no
valid value, it is looked up in turn."""

PLACES: dict[str, tuple[type[Section], ...]] = {
    "models.NAME": (Model,),
    "training.NAME": (Training,),
    "finetuning.NAME.lora": (Lora,),
    "finetuning.NAME": (Finetuning,),
    "run": (Run,),
    "sampling.decodings.NAME": (Decoding,),
    "sampling": (Sampling,),
    "evaluation.answers": (Answers,),
    "evaluation": (Evaluation,),
    "tokenizers.NAME": tuple(VARIANTS["tokenizers"].values()),
    "corpora.NAME.split": (Split,),
    "corpora.NAME.clean": (Clean,),
    "corpora.NAME": tuple(VARIANTS["corpora"].values()),
    "dialogues.NAME.split": (DialogueSplit,),
    "dialogues.NAME": tuple(VARIANTS["dialogues"].values()),
    "evaluation.tasks.NAME": (Task,),
}
"""Where keys belong → classes that have them; where several have a key, the first is named."""


def unknown(name: Any, known: Iterable[Any], what: str = "name") -> str:
    """Return what to say about a name that is not defined, with the nearest that is."""
    return f"unknown {what} {name!r}; {nearest(name, [str(key) for key in known])}"


def nearest(name: Any, known: list[str]) -> str:
    """Return a question after the known name that is spelt most like this one, or all that are known."""
    alike = closest(name, known)
    return f"did you mean {alike!r}?" if alike else f"known: {', '.join(known)}"


def unknown_key(key: str, known: list[str], section: str = "") -> str:
    """Return what to say about a key that is not valid where it stands.

    Args:
        key: the key; it may be written as on a command line, `--batch-size`.
        known: the keys that are valid there.
        section: the top-level key that it stands in; "" at the top.
    """
    return f"unknown key {key!r}; {instead(key.lstrip('-').replace('-', '_'), known, section)}"


def instead(key: str, known: list[str], section: str) -> str:
    """Return what to write in place of a key; see `unknown_key`."""
    for kind, words in IN_PLACE.items():
        if key in words and known == list(kind.model_fields):
            return words[key]
    ours = SYNONYMS.get(key, key)
    alike = None if key in SYNONYMS or key in NO_KEYS else closest(key, known, cutoff=0.8)
    if ours in known or (ours := alike):
        return f"did you mean {ours!r}?{conversion(key)}"
    entry = DISCRIMINATORS.get(section) in known
    for name in (key, SYNONYMS.get(key)):  # its own name first: `file` is a key of tokenizers, too
        variants = [tag for tag, kind in VARIANTS.get(section, {}).items() if name in kind.model_fields]
        if entry and variants:
            return f"`{name}` goes with {DISCRIMINATORS[section]} {', '.join(variants)}"
    # The same section first: `temperature` in sampling belongs to a decoding.
    places = sorted(places_of(key), key=lambda place: place.split(".")[0] != section)
    if key in NO_KEYS and not any(place.startswith(f"{section}.") for place in places):
        return NO_KEYS[key]
    if places:
        return f"write it as `{places[0]}`{conversion(key)}"
    return nearest(key, known)


def variants_with(section: str, entry: dict[str, Any]) -> list[str]:
    """Return the values of the key that says what an entry is, `files` of `source`, that its other keys go
    with; none where there are no others."""
    return [
        tag
        for tag, kind in VARIANTS[section].items()
        if entry and all({key, SYNONYMS.get(key)} & kind.model_fields.keys() for key in entry)
    ]


def conversion(key: str) -> str:
    """Return how the value of another project's key becomes ours, in parentheses; "" where it is the same."""
    return f" ({CONVERSIONS[key]})" if key in CONVERSIONS else ""


def meant(value: Any, known: Iterable[Any]) -> str | None:
    """Return which of the valid values another project's word for one means; None if none is."""
    ours, valid = str(value).lower(), set(known)
    while ours in VALUES and ours not in valid:
        ours = VALUES[ours]
    return ours if ours in valid else None


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
