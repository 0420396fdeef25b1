"""Score the validation and the test split with a trained cell: evaluation.json, documents.parquet beside it.

Both splits are scored under two conventions, the test split perhaps at other context lengths, too. The
headline figures are those of overlapping windows. Tables rank by the validation figures. Test figures
describe what was chosen by them; nothing here chooses. The windows are defined in gptgrid.model.score, the
figures in gptgrid.metrics, and `audit` counts everything a second time.
"""

from __future__ import annotations

import json
import time
from typing import Any

import torch
from torch import nn

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import ABOUT, namespace
from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import kept_steps, load_model, read_recipe
from gptgrid.model.memory import check_inference
from gptgrid.model.precision import round_for_prediction
from gptgrid.model.score import rows_at_once
from gptgrid.stages.evaluate.audit import check_text, in_train
from gptgrid.stages.evaluate.breakdowns import Bins, Breakdowns
from gptgrid.stages.evaluate.contexts import score_contexts
from gptgrid.stages.evaluate.conventions import conventions_of
from gptgrid.stages.evaluate.spelling import Spelling
from gptgrid.stages.evaluate.splits import ScoredSplit
from gptgrid.stages.evaluate.tasks import ask_all
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.document_scores import write_document_scores
from gptgrid.tokens.document_table import ScoredText, open_scored_text
from gptgrid.tokens.frequencies import guessing, token_counts
from gptgrid.tokens.shards import Shards, open_shards


def evaluate(job: Job) -> dict[str, Any]:
    """Write evaluation.json and documents.parquet; return the headline figures as facts.

    Raises:
        UserError: tokens and model do not go together, memory does not suffice, the loss of a finished
            training is not finite, or the audit finds another text or another count.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    recipe, codec = read_recipe(job.inputs["train"]), read_codec(job.inputs["train"])
    vocab_size = recipe["vocab_size"]
    spelling = None if codec.kind == "ids" else Spelling(codec, recipe.get("marks") == "special")
    texts = {split: open_text(job, split, vocab_size) for split in ("valid", "test")}
    with job.timing("audit"):
        for split, text in texts.items():
            check_text(text, spelling, codec.eot, job.inputs["corpus"], split)
    module, precision = read_model(job, recipe, device, job.config.use)
    diverged = job.manifest("train")["facts"]["status"] == "diverged"
    counts = token_counts(open_shards(job.inputs["shards"], "train"), vocab_size)
    breakdowns = Breakdowns(texts["test"], spelling, counts)
    splits = {name: ScoredSplit(name, text, diverged) for name, text in texts.items()}
    conventions = conventions_of(recipe, job.config.stride)
    parts: dict[str, dict[str, Bins] | None] = {}
    start = time.perf_counter()
    for name, split in splits.items():
        with job.timing(name):
            for convention in conventions:
                scores = split.add(module, convention)
                if name == "test":
                    parts[convention.name] = breakdowns.of(scores)
    seconds = time.perf_counter() - start
    with job.timing("contexts"):
        contexts = score_contexts(module, recipe, splits["test"], job.config.contexts, job.config.stride)
    with job.timing("checkpoints"):
        every = job.config.checkpoints == "all"
        checkpoints = score_checkpoints(job, recipe, device, splits) if every else []
    tasks = ask_all(job, module, codec, recipe["model"]["context"], conventions[0].stride, diverged)
    job.provenance["device"] = describe_device(device)
    job.provenance["precision"] = precision
    targets = sum(len(text.tokens) - 1 for text in texts.values())
    job.provenance["tokens_per_second"] = len(conventions) * targets / seconds
    write_document_scores(job.folder, {name: split.by_document() for name, split in splits.items()})
    about = job.manifest("corpus")["facts"][ABOUT]
    results = {
        name: {
            **split.describe(),
            "guessing": guessing(counts, split.text.tokens),
            "in_train": in_train(about, name),
        }
        for name, split in splits.items()
    }
    notes = {
        "breakdowns": breakdowns.describe(parts),
        "contexts": contexts,
        "checkpoints": checkpoints,
        "weights": job.config.use,
        "tasks": tasks,
        "denominators": DENOMINATORS,
    }
    return write(job, results, notes)


def score_checkpoints(
    job: Job, recipe: dict[str, Any], device: torch.device, splits: dict[str, ScoredSplit]
) -> list[dict[str, Any]]:
    """Return the figures of the weights that a training kept on its way, in the headline convention.

    Returns:
        for each its `step`, and `valid` and `test`, the figures of the whole splits.
    """
    convention = conventions_of(recipe, job.config.stride)[0]
    found = []
    for step, path in kept_steps(job.inputs["train"]).items():
        module, _ = read_model(job, recipe, device, path.name)
        figures = {name: split.score(module, convention)[2] for name, split in splits.items()}
        found.append({"step": step, **figures})
    return found


def read_model(job: Job, recipe: dict[str, Any], device: torch.device, use: str) -> tuple[nn.Module, str]:
    """Return the trained model, and the precision that it computes in.

    Args:
        job: of the evaluation.
        recipe: config.json of the cell.
        device: where it computes.
        use: which weights, as for `load_model`.

    Raises:
        UserError: memory does not suffice, or the weights cannot be read.
    """
    context, vocab_size = recipe["model"]["context"], recipe["vocab_size"]
    check_inference(namespace(recipe["model"]), vocab_size, rows_at_once(vocab_size, context), device)
    module = load_model(job.inputs["train"], device, use)
    return module, round_for_prediction(module, job.config.precision)


def open_text(job: Job, split: str, vocab_size: int) -> ScoredText:
    """Open what is scored of a split.

    Raises:
        UserError: it is not what its manifest says, has no two tokens, or the model cannot read it.
    """
    counts = job.manifest("shards")["facts"]["splits"][split]
    text = open_scored_text(job.inputs["shards"], split, counts, job.config.bytes, "evaluation.bytes")
    check_ids(text.tokens, split, vocab_size)
    return text


def check_ids(shards: Shards, split: str, vocab_size: int) -> None:
    """Refuse ids that the model does not know.

    Raises:
        UserError: one is beyond the vocabulary.
    """
    highest = max(int(array.max()) for array in shards.arrays if len(array))
    if highest >= vocab_size:
        raise UserError(
            f"the {split} shards hold the id {highest}, but the model's vocabulary ends at {vocab_size - 1}; "
            "evaluate with the shards of the tokenizer that the cell was trained with"
        )


def write(job: Job, results: dict[str, dict[str, Any]], notes: dict[str, Any]) -> dict[str, Any]:
    """Write evaluation.json; return its headline figures."""
    test, valid = results["test"], results["valid"]
    (job.folder / "evaluation.json").write_text(
        json.dumps({**test, "valid": valid, **notes}, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    headline = ("nats", *DENOMINATORS, "scored_tokens", "convention")
    chosen_by = {"val_loss": valid["val_loss"], "val_bpb": valid["bpb"]}
    return {**{key: test[key] for key in headline}, **chosen_by}
