"""A finished grid for tests, as the stages before `compare` leave it, without any training."""

import csv
import itertools
import json
import math
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.identity import canonical, content_digest, digest, namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.compare.tables import compare
from gptgrid.stages.report.make import make_report
from gptgrid.tokens.document_scores import nats_column, write_document_scores

BYTES = {"train": 900_000, "valid": 100_000, "test": 110_000}
BYTES_PER_TOKEN = {"char": 1.0, "bpe": 3.1, "ids": None}
VOCAB_SIZE = {"char": 92, "bpe": 1024, "ids": 50}
ENTROPY = {"tales": 0.9, "toy": 2.4, "noise": 5.6}
"""Bits per byte (of ids: nats per token) that the best imaginable model would reach."""
ADVANTAGE = {"llama": 0.0, "gpt2": 0.06, "encoder": 0.25, "bpe": 0.0, "char": 0.09, "ids": 0.0}
PARAMETERS = {"llama": 823_000, "gpt2": 801_000, "encoder": 811_000}
GUESSING = 7.0
"""Bits per byte (of ids: nats per token) that guessing tokens by their frequency takes."""
STEPS = 60
STORY = "there was a fox <b>& a “lamp”</b> 狐狸 who said: </script><script>alert(1)</script> and went home"


CARD = "---\n---\n\n# Data card\n\n## Documents\n\n| split | words |\n|---|---:|\n| train | 7 |\n\n    [a](http://b) <b>\n"


class Experiment:
    """Artifacts under a root folder, and the jobs of the two stages that read all of them."""

    def __init__(
        self,
        root: Path,
        corpora: tuple[str, ...] = ("tales", "toy"),
        tokenizers: tuple[str, ...] = ("char", "bpe"),
        models: tuple[str, ...] = ("gpt2", "llama", "encoder"),
        seeds: tuple[int, ...] = (1, 2),
        overrides: tuple[dict[str, Any], ...] = ({},),
        private: tuple[str, ...] = (),
        diverged: tuple[str, ...] = (),
        stopped: tuple[str, ...] = (),
        failed: dict[str, str] | None = None,
        accepted: dict[str, str] | None = None,
        cautions: tuple[str, ...] = (),
    ) -> None:
        """Write the artifacts of a cross product; the corpus `noise` gets ids in place of text.

        The names of the cells that diverged, or stopped early, end in what is given.

        Args:
            failed: input that could not be made → the reason; what is made from a training fails with it.
            accepted: input that was made by an older source → a sentence on it.
            cautions: what the corpus stage found on each text.
        """
        self.root, self.private, self.diverged, self.stopped = root, private, diverged, stopped
        self.cautions = cautions
        self.failed, self.accepted = with_descendants(failed or {}), accepted or {}
        self.inputs: dict[str, Path] = {}
        self.cells: list[dict[str, Any]] = []
        self.finetuned: list[dict[str, Any]] = []
        for corpus in corpora:
            self.write_corpus(corpus)
            kinds = ("ids",) if corpus == "noise" else tokenizers
            for tokenizer in kinds:
                self.write_shards(corpus, tokenizer)
            for point in itertools.product(kinds, models, overrides, seeds):
                self.write_cell(corpus, *point)

    # ------------------------------------------------------------------------------------- jobs

    def job(self, stage: str, *kinds: str) -> Job:
        """Return the job of a stage that reads all artifacts of some kinds."""
        folder = self.root / "results" / stage
        folder.mkdir(parents=True, exist_ok=True)
        of_kinds = {name: path for name, path in self.inputs.items() if name.split(":")[0] in kinds}
        config = {"experiment": "small", "cells": self.cells}
        config |= {"finetuned": self.finetuned} if self.finetuned else {}
        return Job(
            config=namespace(config),
            inputs={name: path for name, path in of_kinds.items() if name not in self.failed},
            failed={name: reason for name, reason in self.failed.items() if name in of_kinds},
            accepted=self.accepted,
            folder=folder,
            scratch=folder,
        )

    def compare_job(self) -> Job:
        of_cells, of_data = ("train", "evaluate", "sample", "cross"), ("corpus", "tokenizer", "shards")
        kinds = (*of_cells, "finetune", "dialogues", "references", "judged", *of_data)
        return self.job("compare", *kinds)

    def report_job(self) -> Job:
        """Return the report's job; the tables of `compare` must be there."""
        self.inputs["compare"] = self.root / "results" / "compare"
        of_cells = ("train", "evaluate", "sample", "finetune", "dialogues")
        return self.job("report", "compare", *of_cells, "corpus", "tokenizer", "shards")

    def report(self) -> str:
        """Run compare and report; return the page."""
        compare(self.compare_job())
        job = self.report_job()
        make_report(job)
        return (job.folder / "report.html").read_text(encoding="utf-8")

    # -------------------------------------------------------------------------------- artifacts

    def put(
        self, name: str, facts: dict, inputs: dict | None = None, config: dict | None = None, **files: str
    ) -> dict[str, Any]:
        """Write an artifact: its files (`metrics_csv` is metrics.csv), manifest and provenance."""
        folder = self.inputs[name] = self.root / name.replace(":", "/")
        folder.mkdir(parents=True)
        files = {key.replace("_", "."): text for key, text in files.items()}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        outputs = {
            file: {"sha256": digest(text), "bytes": len(text.encode())} for file, text in files.items()
        }
        manifest = {
            "stage": name.split(":")[0],
            "identity": digest(name),
            "config": config or {},
            "inputs": inputs or {},
            "outputs": outputs,
            "facts": facts,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return manifest

    def change(self, name: str, part: str = "facts", **changes: Any) -> None:
        """Change facts of an artifact, or another part of its manifest; or its provenance."""
        path = self.inputs[name] / ("provenance.json" if part == "provenance" else "manifest.json")
        values = json.loads(path.read_text())
        (values if part == "provenance" else values[part]).update(changes)
        path.write_text(json.dumps(values))

    def write_corpus(self, corpus: str) -> None:
        text = corpus != "noise"
        splits = {
            split: {
                "documents": size // 600,
                "characters": size if text else None,
                "bytes": size if text else None,
                "words": size // 5 if text else None,
                "newlines": size // 90 if text else None,
                "spaceless": 0 if text else None,
            }
            for split, size in BYTES.items()
        }
        about = {"source": {"name": corpus}, "license": "MIT", "private": corpus in self.private}
        if text:
            about |= {"dropped": {"empty": 3}, "leakage": {"share": 0.0123}}
        about["cautions"] = list(self.cautions)
        self.put(f"corpus:{corpus}", {"splits": splits, "about": about}, card_md=CARD)

    def write_shards(self, corpus: str, tokenizer: str) -> None:
        ratio = BYTES_PER_TOKEN[tokenizer]
        vocab = {"vocab_size": VOCAB_SIZE[tokenizer], "eot": 0 if ratio else None}
        splits = {
            split: {
                "tokens": round(size / (ratio or 4)),
                "documents": size // 600,
                **{key: size // divisor if ratio else None for key, divisor in WORDLIKE.items()},
            }
            for split, size in BYTES.items()
        }
        config = {"kind": tokenizer} | ({"vocab_size": VOCAB_SIZE["bpe"]} if tokenizer == "bpe" else {})
        facts = {"kind": tokenizer, **vocab}
        made = self.put(f"tokenizer:{tokenizer}@{corpus}", facts, config=config, codec_json=tokenizer)
        about = {
            "used": 0.5,
            "single_bytes": 0.25,
            "by_script": {"train": {"Han": 2.5}, "test": {"Han": 2.25}},
        }
        if corpus not in self.private:
            about |= {"longest": [["今天<b>", 6]], "most_frequent": [[" the", 123456]]}
        facts = {"tokenizer": made["outputs"]["codec.json"]["sha256"], **vocab, "splits": splits}
        if ratio:
            facts["about"] = about
        self.put(f"shards:{tokenizer}@{corpus}", facts, train_bin=f"{corpus}{tokenizer}")

    def write_cell(self, corpus: str, tokenizer: str, model: str, changes: dict[str, Any], seed: int) -> None:
        label = model + "".join(f"+{key.split('.')[1]}={value}" for key, value in changes.items())
        cell = f"{corpus}.{tokenizer}.{label}.base.s{seed}"
        parts = {"corpus": corpus, "tokenizer": tokenizer, "model": model, "training": "base", "seed": seed}
        self.cells.append(
            {
                "cell": cell,
                **parts,
                "use": "best",
                "overrides": changes,
                "path": f"results/small/cells/{cell}",
                "shards": f"{tokenizer}@{corpus}",
                "private": corpus in self.private,
            }
        )
        layers = changes.get("model.n_layer", 4)
        status = "diverged" if cell.endswith(self.diverged) else "finished"
        status = "stopped early" if cell.endswith(self.stopped) else status
        run = Curve(corpus, tokenizer, model, layers, cell, status)
        shards = json.loads((self.inputs[f"shards:{tokenizer}@{corpus}"] / "manifest.json").read_text())
        facts = run.facts(shards["facts"]["splits"]["valid"])

        def of(part: str) -> dict[str, Any]:
            """Return the overrides of a part of the cell."""
            return {key.split(".")[1]: value for key, value in changes.items() if key.startswith(f"{part}.")}

        self.put(
            f"train:{cell}",
            facts,
            {"shards": content_digest(shards)},
            {"model": {"preset": model, **of("model")}, "training": {"schedule": "cosine", **of("training")}},
            metrics_csv=run.metrics(),
            samples_jsonl=lines({"step": n, "prompt": "Once", "text": STORY[:n]} for n in (20, 40, 60)),
        )
        volatile = {
            "time": "2026-01-02T03:04:05+00:00",
            "host": "node-7",
            "cpu": "Some CPU",
            "python": "3.11.7",
            "system": "Linux",
            "libraries": {"torch": "2.13.0", "numpy": "2.4.6"},
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "dirty": seed == 2,
            "device": "cpu",
            "precision": "fp32",
            "threads": 1,
            "tokens_per_second": 30_000.123456789,
            "train_seconds": 12.5,
            "peak_memory_mb": 340.53125,
        }
        (self.inputs[f"train:{cell}"] / "provenance.json").write_text(json.dumps(volatile))
        splits = shards["facts"]["splits"]
        evaluation = run.evaluation(splits["valid"], splits["test"])
        self.put(f"evaluate:{cell}", {}, evaluation_json=canonical(evaluation))
        scored_with = {key: volatile[key] for key in ("libraries", "device", "precision")}
        (self.inputs[f"evaluate:{cell}"] / "provenance.json").write_text(json.dumps(scored_with))
        write_document_scores(
            self.inputs[f"evaluate:{cell}"],
            {
                "valid": run.by_document("valid", splits["valid"], evaluation["valid"]["val_loss"]),
                "test": run.by_document("test", splits["test"], evaluation["test_loss"]),
            },
        )
        prompts = ("Once upon a time", "今天") if corpus != "noise" else ("",)
        rows = [
            {
                "prompt": prompt,
                "decoding": decoding,
                "text": f" {STORY} ({cell})",
                "tokens": 24,
                "ended": ended,
                "longest_copy": 9 if ended else 0,
            }
            for prompt in prompts
            for decoding, ended in (("greedy", False), ("nucleus", True))
        ]
        facts = {"samples": len(rows), "unit": "ids" if corpus == "noise" else "words", "run": 8}
        facts["decodings"] = {"greedy": worth(0.25), "nucleus": worth(0.75)}
        facts["truth"] = {**worth(0.875), "ended": None, "mean_tokens": None}
        self.put(f"sample:{cell}", facts, samples_jsonl=lines(rows))
        sampled_with = {key: volatile[key] for key in ("device", "cpu")}
        sampled_with |= {} if corpus == "noise" else {"bytes_per_second": 4_000.0}
        (self.inputs[f"sample:{cell}"] / "provenance.json").write_text(json.dumps(sampled_with))

    def judge(self, corpus: str, truth: dict[str, float] | None = None, **figures: float) -> None:
        """Let the first cell on a text judge the samples of all others.

        Args:
            corpus: the text.
            truth: judge → bits per byte of true continuations.
            figures: decoding → bits per byte.
        """
        own = [cell["cell"] for cell in self.cells if cell["corpus"] == corpus]
        judged = {
            name: {"bits_per_byte": bits, "perplexity": 2**bits, "bytes": 9, "judge": own[0]}
            for name, bits in figures.items()
        }
        truths = {
            cell: {"bits_per_byte": bits, "perplexity": 2**bits, "bytes": 9, "judge": cell}
            for cell, bits in (truth or {}).items()
        }
        found = {**dict.fromkeys(own[1:], judged), "truth": truths}
        self.put(f"judged:{corpus}", {}, judged_json=json.dumps(found))

    def finetune(self, data: str = "qa", diverged: tuple[str, ...] = (), **recipes: float) -> None:
        """Fine-tune every cell.

        Args:
            data: the dialogues.
            diverged: ends of the names of cells whose fine-tuning did.
            recipes: name → nats per byte of the true answers, of which those of a base are 2.
        """
        for cell in self.cells:
            base, seed = cell["cell"], cell["seed"]
            self.write_answers(base, data, 2.0, right=5)
            for name, nats in recipes.items():
                made = f"{base}.{name}"
                self.finetuned.append(
                    {
                        "cell": made,
                        "base": base,
                        "finetuning": name.split("+")[0],
                        "data": data,
                        "seed": seed,
                        "use": "best",
                        "overrides": {},
                        "path": f"results/small/cells/{made}",
                        "private": cell["private"],
                    }
                )
                self.write_finetuning(made, "diverged" if made.endswith(diverged) else "finished")
                evaluation = json.loads((self.inputs[f"evaluate:{base}"] / "evaluation.json").read_text())
                text = {"bpb": evaluation["bpb"] + 0.25, "valid": {"bpb": evaluation["valid"]["bpb"] + 0.5}}
                self.put(f"evaluate:{made}", {}, evaluation_json=canonical(text))
                self.write_answers(made, data, nats, right=20)

    def write_finetuning(self, cell: str, status: str) -> None:
        facts = {
            "parameters": 1000,
            "trained_parameters": 100,
            "answer_tokens": 4321,
            "dialogues": {split: {"used": 90, "dropped": 7, "cut": 3} for split in ("train", "valid")},
            "steps": 200,
            "status": status,
            "ended": ENDED[status],
        }
        self.put(f"finetune:{cell}", facts)

    def write_answers(self, cell: str, data: str, nats: float, right: int) -> None:
        """Write how a cell answers: in 30 dialogues, of which 25 are short, so many are right."""
        rows, columns = [], {}
        private = next(each["private"] for each in self.cells if cell.startswith(each["cell"]))
        for number in range(30):
            row = {"dialogue": number, "exact": number < right if number < 25 else None, "ended": True}
            if not private:
                row["messages"] = [{"role": "user", "content": f"Who <b>{number}</b>?"}]
                row |= {"reference": f"狐狸 {number}", "answer": f"{cell} says {number}"}
            rows.append(row)
        for split in ("valid", "test"):
            text, own = random.Random(f"dialogues {split}"), random.Random(f"{cell} {split}")
            sizes = [text.randint(20, 60) for _ in range(80)]
            of_each = [nats * size * text.uniform(0.8, 1.2) * (1 + own.gauss(0, 0.01)) for size in sizes]
            columns[split] = {"document": list(range(80)), "tokens": sizes, "bytes": sizes}
            columns[split] |= {nats_column("answers"): of_each, nats_column("contents"): of_each}
        per_byte = {
            split: sum(each[nats_column("answers")]) / sum(each["bytes"]) for split, each in columns.items()
        }
        figures = {
            split: {"nats_per_byte": nats, "content_nats_per_byte": 0.9 * nats}
            for split, nats in per_byte.items()
        }
        share = right / 25
        asked = {
            "asked": 30,
            "items": 25,
            "exact": share,
            "exact_low": share - 0.1,
            "exact_high": share + 0.1,
        }
        based = any(cell == each["cell"] for each in self.cells)
        asked |= {"chrf": 10.0 + right, "unreachable": 3 if based else 0}
        evaluation = {**figures["test"], "valid": figures["valid"], "asked": asked}
        evaluation |= {"dialogues": 80, "template": "plain" if based else "chat"}
        evaluation["definitions"] = {"exact": "The share <of> short answers.", "chrf": "By sacrebleu."}
        name = f"dialogues:{cell}:{data}"
        self.put(name, {}, evaluation_json=canonical(evaluation), answers_jsonl=lines(rows))
        write_document_scores(self.inputs[name], columns)


def worth(distinct: float) -> dict[str, Any]:
    """Return what a manifest says of the samples of a decoding, of which so many pairs are different."""
    lacking = {"self_bleu": "there is one", "bleu": "the prompts are texts", "chrf": "the prompts are texts"}
    return {
        "samples": 2,
        "ended": 1,
        "mean_tokens": 24.0,
        "mean_bytes": 99.5,
        "distinct_1": distinct / 2,
        "distinct_2": distinct,
        "distinct_3": 1.0,
        "repetition": 1 - distinct,
        "copied": 0.125,
        "longest_copy": 9,
        **dict.fromkeys(lacking),
        "reasons": lacking,
    }


ENDED = {
    "finished": None,
    "stopped early": "no lower validation loss for 3 validations; stopped at step 30 of 60",
    "diverged": "the loss was nan at step 30, learning rate 0.3; lower training.lr <or> lengthen training.warmup",
}
"""Status → what a manifest says of it."""
TALES = {
    "format": "choice",
    "items": 60,
    "accuracy": 0.4,
    "low": 0.29,
    "high": 0.52,
    "chance": 0.25,
    "ties": 0,
    "per_byte": {"accuracy": 0.45, "low": 0.33, "high": 0.57},
    "by_group": {
        "objects <b>": {"items": 40, "accuracy": 0.3, "low": 0.1, "high": 0.5, "chance": 0.25},
        "people": {"items": 20, "accuracy": 0.6, "low": 0.4, "high": 0.8, "chance": 0.25},
    },
}
"""What an evaluation says of the questions of tales."""
LAST = 1.02
"""The validation loss of the last weights, as a multiple of that of the best."""
WORDLIKE = {"bytes": 1, "words": 5, "newlines": 90}
"""Count of a split → bytes per one of it."""


def per_token(tokenizer: str) -> float:
    """Return the nats per token that a bit per byte is; ids, which have no bytes, are measured in nats."""
    return math.log(2) * BYTES_PER_TOKEN[tokenizer] if BYTES_PER_TOKEN[tokenizer] else 1.0


class Curve:
    """The losses of one cell: a power law down to the entropy of the text, with noise from its name.

    What diverged or stopped early did so halfway.
    """

    def __init__(self, corpus: str, tokenizer: str, model: str, layers: int, cell: str, status: str) -> None:
        self.status, self.cell = status, cell
        self.steps = STEPS if status == "finished" else STEPS // 2
        noise = random.Random(cell).gauss(0, 0.008)
        self.random = random.Random(cell)
        self.floor = ENTROPY[corpus] + ADVANTAGE[tokenizer] + ADVANTAGE[model] + 0.3 / layers + noise
        # Bits per byte → nats per token; ids have no bytes.
        self.per_token = per_token(tokenizer)
        self.size = round(PARAMETERS[model] * layers / 4)
        self.vocab_size = VOCAB_SIZE[tokenizer]

    def loss(self, step: int) -> float:
        return (self.floor + 3 * step**-0.6) * self.per_token

    def metrics(self) -> str:
        rows = []
        for step in range(2, self.steps + 1, 2):
            train = self.loss(step) * (1 + self.random.gauss(0, 0.01))
            valid = self.loss(step) if step % 6 == 0 else None
            rows.append((step, step * 2048, step / STEPS, 2e-3, train, valid, 0.5))
        if self.status == "diverged":
            rows[-1] = (*rows[-1][:4], None, None, None)
        return table(("step", "tokens", "epoch", "lr", "train_loss", "val_loss", "grad_norm"), rows)

    def facts(self, valid: dict[str, Any]) -> dict[str, Any]:
        loss = None if self.status == "diverged" else self.loss(self.steps)
        per_byte = (valid["tokens"] - 1) / (math.log(2) * valid["bytes"]) if valid["bytes"] else None
        return {
            "parameters": self.size + self.vocab_size * 128,
            "non_embedding_parameters": self.size,
            "vocab_size": self.vocab_size,
            "steps": self.steps,
            "train_tokens": self.steps * 2048,
            "train_flops": 6 * self.size * self.steps * 2048,
            "val_loss": loss,
            "val_bpb": loss * per_byte if loss and per_byte else None,
            "best_step": self.steps,
            "last_val_loss": loss * LAST if loss else None,
            "last_val_bpb": loss * LAST * per_byte if loss and per_byte else None,
            "val_tokens": valid["tokens"] - 1,
            "val_bytes": valid["bytes"],
            "status": self.status,
            "ended": ENDED[self.status],
        }

    def evaluation(self, valid: dict[str, Any], test: dict[str, Any]) -> dict[str, Any]:
        loss = self.loss(self.steps) * 1.01
        nats, size = loss * (test["tokens"] - 1), test["bytes"]
        facts = self.facts(valid)
        return {
            "weights": "best",
            "convention": "sliding",
            "sliding": {
                "definition": "Windows start every 64 tokens, across documents <b>.",
                "context": 128,
                "bpb": nats / (math.log(2) * size) if size else None,
                "test_loss": loss,
            },
            "in_train": {"documents": 0, "share": 0.0, "size_share": 0.0},
            "breakdowns": breakdowns(test["tokens"] - 1, loss),
            "text_digest": "5e57",
            **whole(test),
            "guessing": GUESSING * self.per_token,
            "valid": {
                **whole(valid),
                "guessing": GUESSING * self.per_token,
                "val_loss": facts["val_loss"],
                "bpb": facts["val_bpb"],
                "scored_tokens": valid["tokens"] - 1,
                "text_digest": "7a11d",
            },
            "scored_tokens": test["tokens"] - 1,
            "test_loss": loss,
            "perplexity": math.exp(loss),
            "bpb": nats / (math.log(2) * size) if size else None,
            "tasks": {"tales": TALES} if size else {},
            "word_perplexity": math.exp(nats / test["words"]) if size else None,
        }

    def by_document(self, split: str, counts: dict[str, Any], loss: float | None) -> dict[str, Any]:
        """Return the columns of documents.parquet: what is hard is so for all, with noise of each cell."""
        text, own = random.Random(split), random.Random(f"{self.cell} {split}")
        documents, targets = counts["documents"], counts["tokens"] - 1
        lengths = [text.uniform(0.5, 1.5) for _ in range(documents)]
        nats = [length * text.uniform(0.8, 1.2) * (1 + own.gauss(0, 0.01)) for length in lengths]
        columns = {
            "document": list(range(documents)),
            "tokens": shares(targets, lengths),
            **{
                name: shares(counts[size], lengths) if counts[size] else None
                for name, size in (("characters", "bytes"), *((name, name) for name in WORDLIKE))
            },
        }
        of_each = [loss * targets * part / sum(nats) for part in nats] if loss else None
        # A cell whose evaluation a test changes may be under any.
        return columns | {nats_column(name): of_each for name in ("sliding", "disjoint", "document")}


def breakdowns(tokens: int, loss: float) -> dict[str, Any]:
    """Return the parts of a text whose later tokens of a window are easier."""

    def part(share: float, times: float) -> dict[str, Any]:
        return {"tokens": round(tokens * share), "nats": round(tokens * share) * loss * times}

    positions = [{"from": 1, "to": 1, **part(0.1, 1.45)}, {"from": 2, "to": 255, **part(0.9, 0.95)}]
    scripts = [{"script": "Latin", **part(0.8, 0.9)}, {"script": "marks", **part(0.2, 1.4)}]
    return {
        kind: {"definition": f"scored tokens <by> {kind}", "sliding": parts, "disjoint": parts}
        for kind, parts in (("position", positions), ("script", scripts))
    }


def shares(total: int, weights: list[float]) -> list[int]:
    """Return whole numbers with a sum, about in proportion to weights."""
    ends = [round(total * part / sum(weights)) for part in itertools.accumulate(weights)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def whole(counts: dict[str, Any]) -> dict[str, Any]:
    """Return what an evaluation says of how much it scored: all of a split."""
    of_split = {f"{key}_of_split": counts[key] for key in ("documents", "bytes")}
    return {key: counts[key] for key in ("documents", "bytes")} | of_split | {"word_perplexity_reason": None}


def with_descendants(failed: dict[str, str]) -> dict[str, str]:
    """Return inputs that could not be made, with what is made from a training that could not."""
    cells = {name.partition(":")[2]: reason for name, reason in failed.items() if name.startswith("train:")}
    return failed | {f"{kind}:{cell}": cells[cell] for cell in cells for kind in ("evaluate", "sample")}


def table(header: tuple[str, ...], rows: list[tuple]) -> str:
    """Return a CSV table as text."""
    text = [",".join(header)]
    text += [",".join("" if value is None else repr(value) for value in row) for row in rows]
    return "\n".join(text) + "\n"


def lines(rows) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_table(path: Path) -> list[SimpleNamespace]:
    """Return the rows of a CSV table as text."""
    with path.open(newline="", encoding="utf-8") as file:
        return [SimpleNamespace(**row) for row in csv.DictReader(file)]
