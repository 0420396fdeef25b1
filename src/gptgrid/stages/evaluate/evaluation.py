"""Score the test split with a trained cell, under two conventions, and write evaluation.json.

The headline figures are those of overlapping windows. Test figures describe what was chosen on validation;
nothing here chooses. The windows are defined in gptgrid.model.score, the figures in gptgrid.metrics.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS, figures
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import check_inference
from gptgrid.model.precision import choose_precision, round_weights
from gptgrid.model.score import default_stride, rows_at_once, score
from gptgrid.stages.evaluate.questions import ask
from gptgrid.tokens.codec import read_codec
from gptgrid.tokens.shards import Shards, open_shards

HEADLINE = "sliding"
DEFINITIONS = {
    "sliding": "Windows of {context} tokens start every {stride} tokens, and each scores what no earlier one "
    "has scored: every token but the first once, from at least {least} tokens where so many stand before it.",
    "disjoint": "Windows of {context} tokens stand side by side: every token but the first is scored once, "
    "from the tokens before it in its own window.",
}


def evaluate(job: Job) -> dict[str, Any]:
    """Write evaluation.json; return the headline figures as facts.

    Raises:
        UserError: tokens and model do not go together, memory does not suffice, or the loss of a finished
            training is not finite.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    recipe = read_recipe(job.inputs["train"])
    context, vocab_size = recipe["model"]["context"], recipe["vocab_size"]
    counts = job.manifest("shards")["facts"]["splits"]["test"]
    shards = open_shards(job.inputs["shards"], "test")
    check_tokens(shards, counts["tokens"], vocab_size)
    check_inference(namespace(recipe["model"]), vocab_size, rows_at_once(vocab_size, context), device)
    module = load_model(job.inputs["train"], device, job.config.use)
    # No weight is updated: what would be autocast in training can as well be rounded once.
    precision = "fp32" if choose_precision(job.config.precision, device) == "fp32" else "bf16_weights"
    round_weights(module, precision)
    diverged = job.manifest("train")["facts"]["status"] == "diverged"
    strides = {HEADLINE: job.config.stride or default_stride(context), "disjoint": context}
    start = time.perf_counter()
    results = {}
    for name, stride in strides.items():
        with job.timing(name):
            nats = score(module, shards, context, stride)
        results[name] = result(name, finite(float(nats.sum()), diverged), context, stride, counts)
    seconds = time.perf_counter() - start
    answers = None
    if (questions := job.inputs.get("corpus")) is not None:
        with job.timing("questions"):
            codec = read_codec(job.inputs["train"])
            answers = ask(module, codec, questions / "questions.jsonl", context)
    job.provenance["device"] = describe_device(device)
    job.provenance["precision"] = precision
    job.provenance["tokens_per_second"] = len(strides) * (len(shards) - 1) / seconds
    return write(job, results, counts, answers)


def check_tokens(shards: Shards, expected: int, vocab_size: int) -> None:
    """Refuse a test split that is not what its manifest says, or that the model cannot read.

    Raises:
        UserError: the count differs, there are no two tokens, or an id is beyond the vocabulary.
    """
    if len(shards) != expected:
        raise UserError(
            f"the test shards hold {len(shards)} tokens, but their manifest says {expected}; delete the "
            "folder and run snakemake again"
        )
    if len(shards) < 2:
        raise UserError(
            f"the test split has {len(shards)} tokens, and the first is never scored; use a larger corpus or "
            "a larger share for the test"
        )
    highest = max(int(array.max()) for array in shards.arrays if len(array))
    if highest >= vocab_size:
        raise UserError(
            f"the test shards hold the id {highest}, but the model's vocabulary ends at {vocab_size - 1}; "
            "evaluate with the shards of the tokenizer that the cell was trained with"
        )


def finite(nats: float, diverged: bool) -> float | None:
    """Return nats that are finite; None where a training that diverged left weights without probabilities.

    Raises:
        UserError: the nats are not finite, and the training did not diverge.
    """
    if math.isfinite(nats):
        return nats
    if diverged:
        return None
    raise UserError(
        f"the test loss is {nats}: the weights give no probabilities; lower training.lr and train again"
    )


def result(
    name: str, nats: float | None, context: int, stride: int, counts: dict[str, Any]
) -> dict[str, Any]:
    """Return what evaluation.json says about one convention.

    Args:
        name: of the convention.
        nats: sum over the scored tokens; None where it is not finite.
        context: tokens in a window.
        stride: tokens between the starts of windows.
        counts: tokens, bytes, words and newlines of the test split.
    """
    return {
        "definition": DEFINITIONS[name].format(context=context, stride=stride, least=context - stride + 1),
        "context": context,
        "stride": stride,
        "nats": nats,
        **figures(nats, counts["tokens"] - 1, counts["bytes"], counts["words"], counts["newlines"]),
    }


def write(
    job: Job, results: dict[str, dict[str, Any]], counts: dict[str, Any], answers: dict[str, float] | None
) -> dict[str, Any]:
    """Write evaluation.json; return its headline figures."""
    described = ("definition", "context", "stride")
    headline = {key: value for key, value in results[HEADLINE].items() if key not in described}
    headline |= {"scored_tokens": counts["tokens"] - 1, "convention": HEADLINE}
    text = {key: counts[key] for key in ("bytes", "words", "newlines")}
    notes = {"weights": job.config.use, "questions": answers, "denominators": DENOMINATORS}
    document = {**headline, **text, **notes, **results}
    (job.folder / "evaluation.json").write_text(
        json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    return headline
