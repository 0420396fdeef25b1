"""What an experiment costs: parameters, tokens, floating point operations, seconds.

How long a training is follows from the trainer's own functions, on the shards where they are there, so that
plan and training cannot differ. What is decided by a text that is not encoded yet is None.

Not counted: the questions of an evaluation, what needs no network, reading prompts, and starting programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import canonical, namespace
from gptgrid.model import score
from gptgrid.model.cost import count_parameters, flops_per_token, without_values
from gptgrid.plan.artifacts import Artifact, base_of, home_of, is_imported
from gptgrid.plan.cost_finetune import Read, read_of, steps_of, tokens_per_byte
from gptgrid.plan.plan import Plan
from gptgrid.plan.speed import FORWARD, Speeds
from gptgrid.stages.evaluate.contexts import can_see
from gptgrid.stages.sample.prompts import BYTES_PER_TOKEN
from gptgrid.stages.train.pretraining import SAMPLE_TOKENS
from gptgrid.stages.train.windows import Windows
from gptgrid.tokens.document_table import read_document_table
from gptgrid.tokens.shards import Shards, open_shards
from gptgrid.trainer import intervals, power_laws
from gptgrid.trainer.budget import longer_than_asked, remarks, total_steps

BYTES_AND_EOT, GPT2_VOCABULARY = 257, 50257
WINDOWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Budget:
    """How long a training is; of one that continues another, what is new."""

    steps: int
    """From the first one of all."""
    begin: int
    """Steps that were made before it begins."""
    positions: int
    """Tokens that go through the model, padding among them."""
    tokens: int | None
    """Targets that are scored, which padding is not; None where the documents are not known yet."""
    remarks: tuple[str, ...] = ()
    """Where it is not quite what was asked for."""
    steps_per_epoch: Fraction | None = None
    """None before the text is encoded."""


@dataclass(frozen=True)
class Cost:
    """What a cell costs; None where that is not known."""

    parameters: int | None
    """None before the tokenizer is made, where that alone says how large the vocabulary is."""
    tokens: int | None
    """Of its training, at most: it may stop early. None before the text is encoded, where that decides."""
    flops: float | None = None
    """Of those of its stages that would run."""
    seconds: float | None = None
    """The same; None, too, where no earlier training says how fast it would be."""
    complete: bool = True
    """Whether flops and seconds count all: before the text is encoded they count the training alone."""
    guessed: bool = False
    """Whether tokens are what dialogues take, about."""
    problem: str | None = None
    """Why the training would fail."""
    remarks: tuple[str, ...] = ()
    """Where a training that would run is not quite what was asked for."""


@dataclass(frozen=True)
class Size:
    """What a model takes."""

    parameters: int
    flops: int
    """Of one training token."""
    caches: bool
    """Whether it generates without reading each token again."""


class Costs:
    """The costs of the cells of a plan."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to count; nothing is read before it is needed, and then once."""
        self.plan = plan
        self.manifests: dict[Artifact, dict[str, Any] | None] = {}
        self.texts: dict[Artifact, Shards] = {}
        self.scored_once: dict[tuple, int] = {}
        self.sizes: dict[str, Size] = {}
        self.speeds = Speeds(plan.store, plan.run["device"])

    def of_cell(self, artifacts: dict[str, Artifact]) -> Cost:
        """Return what a cell costs.

        Args:
            artifacts: folder → artifact of the cell, `train` or `finetune`, `cross/<corpus>` and the like;
                what is only continued has a training alone.
        """
        train = artifacts.get("train") or artifacts["finetune"]
        taught = train.stage == "finetune"
        guessed = taught and self.facts(train) is None
        size, budget, problem = self.size(train), None, None
        try:
            budget = self.budget(train)
        except UserError as error:
            problem = str(error)
        parameters, tokens = size and size.parameters, budget and budget.tokens
        runs = {name: made for name, made in artifacts.items() if self.plan.action(made) == "run"}
        trains = train in runs.values()
        notes: tuple[str, ...] = ()
        if budget and trains and not taught and not is_imported(train):
            recipe = namespace(train.config["training"])
            # Where an epoch is not known yet, nothing is said of what it is too long for.
            per_epoch = budget.steps_per_epoch or Fraction(1)
            notes = (*budget.remarks, *intervals.remarks_on_steps(recipe, budget.steps, per_epoch))
        if size is None or tokens is None or not runs:
            return Cost(parameters, tokens, problem=problem, guessed=guessed, remarks=notes)
        try:
            scored = self.scored(runs, budget)
        except UserError as error:
            return Cost(parameters, tokens, problem=str(error), remarks=notes)
        samples = self.samples(runs, budget)
        read = sum(sampled_positions(length, context_of(train), size.caches) for length in samples)
        forward = FORWARD * size.flops * (scored or 0)
        # Padding is no target, but takes its time. So does what is asked, which the model must read, too.
        computed = size.flops * budget.positions * trains + forward
        flops = computed if taught else size.flops * tokens * trains + forward
        flops += FORWARD * size.flops * read
        seconds = self.speeds.seconds(size.flops, train.threads, computed, sum(samples))
        return Cost(
            parameters, tokens, flops, seconds, complete=scored is not None, guessed=guessed, remarks=notes
        )

    def unlike(self, train: Artifact) -> float:
        """Return how many times larger, or smaller, the model is than the nearest that was trained before.

        Args:
            train: a training whose cost has seconds.
        """
        flops = self.size(train).flops
        nearest = self.speeds.nearest(flops, train.threads)[0].flops
        return max(flops / nearest, nearest / flops)

    # ----------------------------------------------------------------------------------- training

    def budget(self, train: Artifact, begin: int | None = None) -> Budget | None:
        """Return how long a training is; None where that is decided by a text that is not encoded yet.

        Args:
            train: the training.
            begin: steps that were made before; default: those of the training that it continues.

        Raises:
            UserError: recipe, model and text do not go together.
        """
        if train.stage == "finetune":
            return self.taught(train)
        if is_imported(train):
            return Budget(steps=0, begin=0, positions=0, tokens=0)
        begin = self.steps_before(train) if begin is None else begin
        windows = self.windows(train)
        if begin is None:
            return None
        training, context = namespace(train.config["training"]), context_of(train)
        if windows is None:
            return budget_before_encoding(training, context, begin)
        steps = total_steps(training, windows)
        tokens = windows.targets(steps) - windows.targets(min(begin, steps))
        positions = max(0, steps - begin) * windows.rows * context
        notes = tuple(remarks(training, windows, steps))
        return Budget(steps, begin, positions, tokens, notes, windows.steps_per_epoch)

    def taught(self, finetune: Artifact) -> Budget | None:
        """Return how long a fine-tuning is: as made, or about so; None where what decides is not made yet."""
        recipe, read = namespace(finetune.config["finetuning"]), self.dialogues(finetune, "train")
        steps = steps_of(recipe, read)
        if steps is None:
            return None
        positions = steps * recipe.batch_tokens
        if facts := self.facts(finetune):
            return Budget(facts["steps"], 0, positions, facts["train_tokens"])
        if read is None:
            return Budget(steps, 0, positions, None)
        per_epoch = Fraction(read.tokens / recipe.batch_tokens)
        answers = round(positions * read.answers / read.tokens)
        return Budget(steps, 0, positions, answers, steps_per_epoch=per_epoch)

    def dialogues(self, made: Artifact, split: str) -> Read | None:
        """Return what a split of dialogues takes, about; None where that is not known yet.

        Args:
            made: from the dialogues: a fine-tuning, or an evaluation.
            split: of the dialogues.
        """
        base = base_of(base_of(made) if made.stage == "finetune" else made.inputs["train"])
        # What others trained has no text of its own, but one that it is scored on.
        scored = self.plan.artifacts.get(f"{home_of(base)}/evaluate", base)
        text, dialogues = self.facts(scored.inputs["shards"]), self.facts(made.inputs["dialogues"])
        return text and dialogues and read_of(dialogues["splits"][split], tokens_per_byte(text))

    def steps_before(self, train: Artifact) -> int | None:
        """Return the steps of the training that this one continues: 0 without one, None if not known."""
        parent = train.inputs.get("parent")
        if parent is None:
            return 0
        if facts := self.facts(parent):
            return facts["steps"]
        budget = self.budget(parent)
        return budget and budget.steps

    def windows(self, train: Artifact) -> Windows | None:
        """Return the batches of a training; None before its text is encoded."""
        shards = train.inputs["shards"]
        facts = self.facts(shards)
        if facts is None:
            return None
        if shards not in self.texts:
            folder = self.plan.store.folder("encode", self.plan.receipts[shards].identity)
            self.texts[shards] = open_shards(folder, "train")
        training, seed = namespace(train.config["training"]), train.config["seed"]
        return Windows(self.texts[shards], training, context_of(train), seed, facts["eot"])

    # ---------------------------------------------------------------------------- scoring, sampling

    def scored(self, runs: dict[str, Artifact], budget: Budget) -> int | None:
        """Return the tokens that validations and evaluations read; None before their text is encoded.

        Args:
            runs: folder → artifact of a cell, for what would run.
            budget: of its training.

        Raises:
            UserError: a part is to be scored of what has no bytes.
        """
        total = 0
        if (train := runs.get("train")) is not None and not is_imported(train):
            training, context = train.config["training"], context_of(train)
            part = (training["eval_bytes"], "training.eval_bytes")
            targets = self.positions(train, train.inputs["shards"], "valid", *part, context, context)
            if targets is None:
                return None
            every = training["eval_every"] or ceil(budget.steps / 10)
            total += times_due(every, budget) * targets
        if (finetune := runs.get("finetune")) is not None:
            if (read := self.dialogues(finetune, "valid")) is None:
                return None
            every = finetune.config["finetuning"]["eval_every"] or ceil(budget.steps / 10)
            total += times_due(every, budget) * round(read.tokens)
        for evaluate in (made for made in runs.values() if made.stage == "evaluate"):
            positions = self.evaluated(evaluate, budget)
            if positions is None:
                return None
            total += positions
        return total

    def evaluated(self, evaluate: Artifact, budget: Budget) -> int | None:
        """Return the tokens that an evaluation of a cell reads; None before its text is encoded.

        Args:
            evaluate: the evaluation.
            budget: of the training of the cell.

        Raises:
            UserError: a part is to be scored of what has no bytes.
        """
        train, config = evaluate.inputs["train"], evaluate.config
        if config["kind"] == "dialogues":
            read = [self.dialogues(evaluate, split) for split in ("valid", "test")]
            return None if None in read else round(sum(each.tokens for each in read))
        shards = evaluate.inputs["shards"]
        context, asked = context_of(train), config["stride"]
        splits = ("test",) if config["kind"] == "cross" else ("valid", "test")
        overlapping = asked or score.default_stride(context)
        headline = list(product(splits, (context,), (overlapping,)))
        scored = [
            *product(splits, (context,), (overlapping, context)),
            *headline * (kept_on_the_way(train, budget) if config.get("checkpoints") == "all" else 0),
            *(
                ("test", length, min(asked or score.default_stride(length), length))
                for length in dict.fromkeys(config.get("contexts", ()))
                if can_see(base_of(train).config["model"], length)
            ),
        ]
        total = 0
        for split, length, stride in scored:
            part = (config["bytes"], "evaluation.bytes")
            positions = self.positions(train, shards, split, *part, length, stride)
            if positions is None:
                return None
            total += positions
        return total

    def positions(
        self,
        train: Artifact,
        shards: Artifact,
        split: str,
        least_bytes: int | None,
        key: str,
        context: int,
        stride: int,
    ) -> int | None:
        """Return the tokens that a model reads so that a split is scored once; None before it is encoded.

        Args:
            train: a training, for whether it is scored by documents.
            shards: the text.
            split: valid or test.
            least_bytes: of the documents that are scored; None for all.
            key: of the configuration that sets them.
            context: inputs of a window.
            stride: tokens between the starts of windows.

        Raises:
            UserError: a part is to be scored of what has no bytes.
        """
        by_document = base_of(train).config["training"]["windows"] == "document"
        if (facts := self.facts(shards)) is None:
            return None
        known = (shards, split, least_bytes, by_document, context, stride)
        if known not in self.scored_once:
            starts, tokens = score.WHOLE, facts["splits"][split]["tokens"]
            if by_document or least_bytes is not None:
                folder = self.plan.store.folder("encode", self.plan.receipts[shards].identity)
                table = read_document_table(folder, split, facts["splits"][split])
                table = table.take(table.draw(least_bytes, key))
                tokens = table.totals["tokens"]
                starts = table.starts if by_document else starts
            self.scored_once[known] = scored_positions(tokens - 1, context, stride, starts)
        return self.scored_once[known]

    def samples(self, runs: dict[str, Artifact], budget: Budget) -> list[int]:
        """Return the tokens of each sample during and after a training, if none ends early.

        A beam search has as many of them as beams.

        Args:
            runs: folder → artifact of a cell, for what would run.
            budget: of its training.
        """
        lengths: list[int] = []
        if (train := runs.get("train")) is not None and (
            every := train.config["training"].get("sample_every")
        ):
            lengths += [SAMPLE_TOKENS] * times_due(every, budget)
        if (sample := runs.get("sample")) is not None:
            prompts = sample.config["prompts"]
            number = len(prompts) if isinstance(prompts, list) else prompts["documents"]
            if sample.inputs["train"].inputs["tokenizer"].config["kind"] == "ids":
                number = 1  # an empty one
            for decoding in sample.config["decodings"].values():
                beams = decoding.get("beams", 1)
                draws = decoding["temperature"] > 0 and beams == 1
                rows = sample.config.get("count", 1) if draws else beams
                lengths += [self.sample_length(sample, beams)] * number * rows
        for evaluate in (made for made in runs.values() if made.config.get("kind") == "dialogues"):
            read = self.dialogues(evaluate, "test")
            number = min(evaluate.config["documents"], read.dialogues) if read else 0
            lengths += [evaluate.config["max_new_tokens"]] * number
        return lengths

    def sample_length(self, sample: Artifact, beams: int) -> int:
        """Return the tokens of a sample of a cell at most, as far as its text is known.

        The continuation of a document is cut after so many bytes; beams are searched for as many tokens as a
        text of that size may have.
        """
        tokens, train = sample.config["max_new_tokens"], sample.inputs["train"]
        if isinstance(sample.config["prompts"], list):
            return tokens
        size = BYTES_PER_TOKEN * tokens
        if beams > 1:
            return size
        encoded = train.inputs.get("shards")
        facts = encoded and self.facts(encoded)
        counts = facts["splits"][sample.config["prompts"]["from"]] if facts else {}
        # Bare ids have no bytes, and continue an empty prompt.
        return ceil(size * counts["tokens"] / counts["bytes"]) if counts.get("bytes") else tokens

    # ------------------------------------------------------------------------------------- model

    def size(self, train: Artifact) -> Size | None:
        """Return what the model of a training takes; None before its vocabulary is known."""
        vocab_size = self.rows_of_embedding(train)
        if vocab_size is None:
            return None
        key = canonical([base_of(train).config["model"], vocab_size])
        if key not in self.sizes:
            model = namespace(base_of(train).config["model"])
            self.sizes[key] = Size(
                parameters=count_parameters(model, vocab_size),
                flops=flops_per_token(model, vocab_size),
                caches=hasattr(without_values(model, vocab_size), "new_cache"),
            )
        return self.sizes[key]

    def rows_of_embedding(self, train: Artifact) -> int | None:
        """Return how many tokens the model of a training knows; None before that is known.

        A fine-tuning may add a few that are not counted before it is made.
        """
        if train.stage == "finetune":
            facts = self.facts(train)
            return facts["vocab_size"] if facts else self.rows_of_embedding(base_of(train))
        # The embedding of an imported model may have more rows than its tokenizer has tokens.
        imported = train.config.get("start", train.config).get("vocab_size")
        return imported or self.vocab_size(train.inputs["tokenizer"])

    def vocab_size(self, tokenizer: Artifact) -> int | None:
        """Return the size of a vocabulary: as made, or, where its configuration says it, as it will be.

        A small text may have fewer pairs than a vocabulary of `bpe` has room for.
        """
        if facts := self.facts(tokenizer):
            return facts["vocab_size"]
        match tokenizer.config["kind"]:
            case "bytes":
                return BYTES_AND_EOT + len(tokenizer.config["special_tokens"])
            case "bpe":
                return tokenizer.config["vocab_size"]
            case "tiktoken":
                return GPT2_VOCABULARY
            case "ids":
                return tokenizer.inputs["corpus"].config["vocab_size"]
        return None

    def facts(self, artifact: Artifact) -> dict[str, Any] | None:
        """Return the facts of an artifact that the store has; else None."""
        if artifact not in self.manifests:
            self.manifests[artifact] = self.plan.manifest(artifact)
        manifest = self.manifests[artifact]
        return manifest and manifest["facts"]


def context_of(train: Artifact) -> int:
    """Return the tokens that the model of a training sees at once."""
    return base_of(train).config["model"]["context"]


def budget_before_encoding(training: SimpleNamespace, context: int, begin: int) -> Budget | None:
    """Return how long a training is where its recipe alone decides that; else None.

    Args:
        training: the recipe.
        context: tokens in a window.
        begin: steps that were made before.
    """
    by_documents = training.windows == "document"
    if training.epochs or (training.tokens and by_documents):
        return None
    batch, notes = training.batch_tokens, []
    if batch == "auto":
        batch = power_laws.batch_rows(training.tokens, context) * context
    steps = training.steps or ceil(training.tokens / batch)
    if training.tokens:
        notes = longer_than_asked("tokens", training.tokens, steps * batch, steps)
    positions = max(0, steps - begin) * batch
    return Budget(steps, begin, positions, None if by_documents else positions, tuple(notes))


def kept_on_the_way(train: Artifact, budget: Budget) -> int:
    """Return how many weights a training keeps on its way."""
    checkpoints = train.config.get("training", {}).get("checkpoints")
    if not checkpoints:
        return 0
    per_epoch = budget.steps_per_epoch or Fraction(budget.steps)
    first, last = (
        intervals.times_due(checkpoints["every"], n, per_epoch) for n in (budget.begin, budget.steps)
    )
    return last - first if checkpoints["keep"] == "all" else min(checkpoints["keep"], last - first)


def times_due(every: int | str, budget: Budget) -> int:
    """Return how often something is due that is due every so many steps or epoch, and at the last step."""
    per_epoch = budget.steps_per_epoch or Fraction(budget.steps)
    earlier = intervals.times_due(every, budget.begin, per_epoch)
    before_last = intervals.times_due(every, budget.steps - 1, per_epoch)
    return before_last - earlier + 1


def scored_positions(targets: int, context: int, stride: int, starts: np.ndarray = score.WHOLE) -> int:
    """Return the tokens that go through a model so that all targets of a text are scored once.

    The little that pads short documents is not counted.
    """
    batches = score.windows(targets, context, stride, WINDOWS_AT_ONCE, starts)
    return sum(int(batch.lengths.sum()) for batch in batches)


def sampled_positions(new_tokens: int, context: int, caches: bool) -> int:
    """Return the tokens that go through a model to continue an empty prompt; see gptgrid.model.generate."""
    start = seen = total = 0
    for length in range(1, new_tokens + 1):
        if length - start > context:
            start = seen = length - max(1, context // 2)
        total += length - (seen if caches else start)
        seen = length
    return total
