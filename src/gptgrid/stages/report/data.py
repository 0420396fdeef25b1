"""What the page says about corpora, and about tokenizers on each of them."""

from __future__ import annotations

from gptgrid.artifact.identity import ABOUT, CARD
from gptgrid.artifact.job import Job
from gptgrid.stages.report.tables import Row
from gptgrid.text.documents import why_no_words


def inputs_of(job: Job, kind: str) -> list[str]:
    """Return the names of the inputs of one kind."""
    return [name for name in job.inputs if name.startswith(f"{kind}:")]


def corpus_rows(job: Job) -> list[Row]:
    """Return the rows of the table of corpora."""
    return [corpus_row(job, name) for name in inputs_of(job, "corpus")]


def corpus_row(job: Job, name: str) -> Row:
    """Return what the table of corpora says about one, and its data card."""
    facts = job.manifest(name)["facts"]
    about = facts[ABOUT]
    return {
        "name": name.removeprefix("corpus:"),
        "sources": source_names(about["source"]),
        "license": about["license"],
        "dropped": sum(about.get("dropped", {}).values()),
        "leakage": about.get("leakage", {}).get("share"),
        "generator": about.get("generator_bpb", {}).get("test"),
        "card": (job.inputs[name] / CARD).read_text(encoding="utf-8"),
        **{split: with_countable_words(counts) for split, counts in facts["splits"].items()},
    }


def with_countable_words(counts: Row) -> Row:
    """Return the counts of a split; its words are None where blanks do not separate them."""
    return {**counts, "words": None} if why_no_words(counts) else counts


def source_names(source: Row) -> list[str]:
    """Return the names of what a corpus was read from."""
    return [file["name"] for file in source["files"]] if "files" in source else [source["name"]]


def encoding_rows(job: Job) -> list[Row]:
    """Return the rows of the table of tokenizers, one for each tokenizer on each corpus."""
    manifests = [job.manifest(name) for name in inputs_of(job, "tokenizer")]
    kinds = {manifest["outputs"]["codec.json"]["sha256"]: manifest["facts"]["kind"] for manifest in manifests}
    return [encoding_row(job, name, kinds) for name in inputs_of(job, "shards")]


def encoding_row(job: Job, name: str, kinds: dict[str, str]) -> Row:
    """Return what the table of tokenizers says about one on one corpus.

    Args:
        job: what has the shards among its inputs.
        name: of that input.
        kinds: sha256 of a codec → kind of its tokenizer.
    """
    facts = job.manifest(name)["facts"]
    tokenizer, corpus = name.removeprefix("shards:").split("@", 1)
    splits, about = facts["splits"], facts.get(ABOUT, {})
    return {
        "tokenizer": tokenizer,
        "corpus": corpus,
        "kind": kinds.get(facts["tokenizer"]),
        "vocab_size": facts["vocab_size"],
        "about": about if "by_script" in about else None,
        "tokens": {split: counts["tokens"] for split, counts in splits.items()},
        "bytes_per_token": {split: bytes_per_token(counts, facts["eot"]) for split, counts in splits.items()},
    }


def bytes_per_token(counts: Row, eot: int | None) -> float | None:
    """Return bytes per token of text, end-of-text tokens aside; None where there are no bytes."""
    tokens = counts["tokens"] - (counts["documents"] if eot is not None else 0)
    return counts["bytes"] / tokens if counts["bytes"] and tokens else None
