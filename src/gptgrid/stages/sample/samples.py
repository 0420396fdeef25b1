"""Every prompt continued under every decoding, and samples.jsonl.

How the next token is chosen is the business of gptgrid.model.generate; showing samples is the report's.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from torch import nn

from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.model.device import describe_device, prepare_device
from gptgrid.model.generate import generate
from gptgrid.model.load import load_model, read_recipe
from gptgrid.model.memory import check_inference
from gptgrid.seeds import derive
from gptgrid.tokens.base import Codec
from gptgrid.tokens.codec import read_codec


def sample(job: Job) -> dict[str, Any]:
    """Write samples.jsonl, one row for each prompt and decoding; return how many there are as facts.

    Raises:
        UserError: memory does not suffice, or a decoding is out of range.
    """
    device = prepare_device(job.run.device, 1, job.run.cells_per_gpu)
    codec = read_codec(job.inputs["train"])
    recipe = read_recipe(job.inputs["train"])
    check_inference(namespace(recipe["model"]), recipe["vocab_size"], rows=1, device=device)
    module = load_model(job.inputs["train"], device, job.config.use)
    rows = []
    prompts = prompts_for(codec, job.config.prompts)
    if prompts != job.config.prompts:
        print("bare ids are no text: an empty prompt in place of `sampling.prompts`", flush=True)
    for number, prompt in enumerate(prompts, 1):
        print(f"prompt {number}/{len(prompts)}", flush=True)
        for name, decoding in vars(job.config.decodings).items():
            rows.append(continuation(module, codec, prompt, name, decoding, job.config))
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    (job.folder / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
    job.provenance["device"] = describe_device(device)
    return {"samples": len(rows), "tokens": sum(row["tokens"] for row in rows)}


def prompts_for(codec: Codec, prompts: list[str]) -> list[str]:
    """Return the prompts that a tokenizer can read: bare ids are no text, and continue an empty prompt."""
    return [""] if codec.kind == "ids" else prompts


def continuation(
    module: nn.Module,
    codec: Codec,
    prompt: str,
    name: str,
    decoding: SimpleNamespace,
    sampling: SimpleNamespace,
) -> dict[str, Any]:
    """Return a row of samples.jsonl.

    Args:
        module: the trained model.
        codec: its tokenizer.
        prompt: the text to continue.
        name: of the decoding.
        decoding: temperature, top_k, top_p, repetition_penalty.
        sampling: max_new_tokens, ignore_eos, seed, marks (what names of special tokens in a prompt are; what
            the model says is shown likewise).

    Returns:
        prompt, decoding, text (what follows the prompt), tokens (how many those are), ended (by the
        end-of-text token, before the limit).
    """
    seed = derive(sampling.seed, f"{prompt}/{name}")
    marks = sampling.marks == "special"
    limit, start = sampling.max_new_tokens, codec.begin(prompt, marks)
    ids = list(generate(module, start, decoding, limit, codec.eot, seed, sampling.ignore_eos))
    return {
        "prompt": prompt,
        "decoding": name,
        "text": codec.decode(ids, special=marks, continues=True),
        "tokens": len(ids),
        "ended": len(ids) < limit,
    }
