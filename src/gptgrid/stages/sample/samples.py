"""Every prompt continued under every decoding: samples.jsonl, and what the samples are worth as facts.

How the next token is chosen is the business of gptgrid.model; showing samples is the report's. How likely
another cell finds them is known once that one is evaluated: see `judge`.
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import rows_that_fit
from gptgrid.model.precision import round_for_prediction
from gptgrid.seeds import derive
from gptgrid.stages.sample.continuing import continue_all, decoding_of
from gptgrid.stages.sample.prompts import BYTES_PER_TOKEN, Prompt, document_prompts
from gptgrid.stages.sample.units import unit_of
from gptgrid.stages.sample.worth import Sample, measure
from gptgrid.tokens.codec import read_codec
from gptgrid.words import counted

BASELINE = SimpleNamespace(documents=50, take=0.5, **{"from": "test"})
"""The documents whose second halves show what a fresh text has, where prompts are given texts."""


def sample(job: Job) -> dict[str, Any]:
    """Write samples.jsonl, one row for each prompt, decoding and number; return the figures on them as facts.

    Raises:
        UserError: memory does not suffice, or a decoding is out of range.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    config, codec, recipe = job.config, read_codec(job.inputs["train"]), read_recipe(job.inputs["train"])
    unit = unit_of(job.manifest("corpus")["facts"]["splits"]["train"])
    from_documents = not isinstance(config.prompts, list)
    chosen = config.prompts if from_documents else BASELINE
    documents = document_prompts(
        job.inputs["corpus"],
        getattr(chosen, "from"),
        chosen.documents,
        chosen.take,
        BYTES_PER_TOKEN * config.max_new_tokens,
        unit,
        config.seed,
    )
    prompts = prompts_of(config.prompts, documents, codec.kind)
    decodings = {name: decoding_of(settings) for name, settings in vars(config.decodings).items()}
    rows = rows_that_fit(
        namespace(recipe["model"]), recipe["vocab_size"], len(prompts) * config.count, device
    )
    module = load_model(job.inputs["train"], device, config.use)
    job.provenance["precision"] = round_for_prediction(module, config.precision)
    samples: list[Sample] = []
    start = time.perf_counter()
    for name, decoding in decodings.items():
        # Nothing is drawn by a greedy decoding: its continuations of a prompt are all the same.
        count = config.count if decoding.temperature and decoding.beams == 1 else 1
        asked = [(prompt, number) for prompt in prompts for number in range(count)]
        print(f"{name}: {counted(len(asked), 'continuation')}", flush=True)
        written = continue_all(
            module,
            codec,
            [prompt.text for prompt, _ in asked],
            [None if prompt.truth is None else len(prompt.truth.encode()) for prompt, _ in asked],
            decoding,
            config.max_new_tokens,
            [seed_of(config.seed, prompt, name, number) for prompt, number in asked],
            rows,
            config.ignore_eos,
            config.marks == "special",
        )
        samples += [
            Sample(prompt, name, number, found.text, found.tokens, found.ended)
            for (prompt, number), found in zip(asked, written, strict=True)
        ]
    tokens = sum(found.tokens for found in samples)
    job.timings["sample"] = time.perf_counter() - start
    job.provenance["tokens_per_second"] = tokens / job.timings["sample"]
    if codec.kind != "ids":
        size = sum(len(found.text.encode()) for found in samples)
        job.provenance["bytes_per_second"] = size / job.timings["sample"]
    job.provenance["device"] = describe_device(device)
    with job.timing("measure"):
        facts = measure(job, samples, documents, unit)
    order = {id(prompt): place for place, prompt in enumerate(prompts)}
    samples.sort(key=lambda found: order[id(found.prompt)])
    lines = [json.dumps(found.row(), ensure_ascii=False, allow_nan=False) + "\n" for found in samples]
    (job.folder / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
    return {"samples": len(samples), "tokens": tokens, **facts}


def seed_of(seed: int, prompt: Prompt, decoding: str, number: int) -> int:
    """Return the seed of the draws of a continuation.

    Documents that begin alike have different ones: their continuations are no copies of each other.
    """
    name = f"{prompt.text}/{decoding}"
    return derive(seed, f"{name}/{prompt.occurrence}" if prompt.occurrence else name, number)


def prompts_of(asked: list[str] | SimpleNamespace, documents: list[Prompt], kind: str) -> list[Prompt]:
    """Return what is continued; an empty prompt where there is no text to continue.

    Args:
        asked: texts, or which documents.
        documents: those of the split.
        kind: of the tokenizer.
    """
    reason = None
    if kind == "ids":
        reason = "bare ids are no text" if asked != [""] else None
        prompts = []
    elif isinstance(asked, list):
        prompts = [Prompt(text) for text in asked]
    else:
        prompts, split = documents, getattr(asked, "from")
        enough = f"of the {split} split with text enough for a prompt and a continuation"
        if not documents:
            reason = f"there is no document {enough}"
        elif len(documents) < asked.documents:
            print(
                f"`sampling.prompts` asks for {asked.documents} documents, and there are {len(documents)} "
                f"{enough}: all of them are taken",
                flush=True,
            )
    if reason:
        print(f"{reason}: an empty prompt in place of `sampling.prompts`", flush=True)
    return prompts or [Prompt("")]
