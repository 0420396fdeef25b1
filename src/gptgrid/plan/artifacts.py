"""What an experiment needs: every artifact with its configuration slice and its inputs, inputs first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import Remembered
from gptgrid.config.cell import Cell, Choice, Finetuned
from gptgrid.config.checkpoints import TOKENIZER, Checkpoint, read_checkpoint
from gptgrid.config.corpora import BuiltinCorpus, RandomCorpus, ShardsCorpus
from gptgrid.config.grid import cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.config.values import Section
from gptgrid.net.address import public
from gptgrid.plan.chat_templates import ChatTemplates
from gptgrid.plan.own_files import OwnFiles
from gptgrid.plan.sources import Source, source_of
from gptgrid.plan.vocabulary import check_size, count_tokens
from gptgrid.plan.weights import check_weights

DOCUMENTS = {"tales": 2000, "toy": None}
"""Built-in corpus → how many documents it has where the configuration does not say."""
LONGEST_NAME = 240
"""File systems take 255 bytes; names of logs and of files in the making are a little longer than these."""
LOGS = Path("logs")
TASKS = "data/tasks"
DIALOGUES = "data/dialogues"
TRAININGS = ("train", "finetune")
"""Stages that make the weights of a cell."""
CROSS = "data/shards/cross"
"""Test splits, encoded for cells that were trained on another text."""
SAMPLES = "samples"
"""What is known of the samples of all cells on a text together."""
TASK_THREADS = 2
"""Cores of an evaluation with tasks, which may take longer than all else in it."""
NOT_OF_A_SCORE = ("tasks", "cross", "answers")
"""Keys of `evaluation` that say what else a cell is asked: the score of its text does not read them."""
OF_OWN_TEXT = ("contexts", "checkpoints")
"""Further ones that a score on another text has nothing of."""
TRAINING_ONLY = ("use", "continues")
"""Keys of a training recipe that do not decide a training: both weights are kept, and of its parent it is the
content that counts."""
FINETUNING_ONLY = ("use", "data")
"""The same of a fine-tuning: it reads the dialogues, whatever they are called."""


@dataclass
class Artifact:
    """A folder that one stage makes."""

    stage: str
    folder: str
    """Where people see it; the name that messages use."""
    config: dict[str, Any]
    """All values that the stage reads."""
    slice: dict[str, Any]
    """Those of them that decide what it makes."""
    inputs: dict[str, Artifact] = field(default_factory=dict)
    raw: dict[str, str] = field(default_factory=dict)
    """A user's own file → sha256."""
    addresses: dict[str, str] = field(default_factory=dict)
    """sha256 → address of a file on the web, with its query, which nothing that is written may have."""
    threads: int = 1
    """Cores that its program uses."""
    partial: bool = False
    """Whether it is made from the rest where some of its inputs could not be made, as tables always are."""
    shown: bool = True
    """Whether people see it; parts of a corpus that are encoded alone are not."""

    def __hash__(self) -> int:
        return id(self)

    @property
    def name(self) -> str:
        """Return what messages call it: `small/cells/tales.bpe.llama.base.s1/train`."""
        return name_of(self.folder)

    @property
    def log(self) -> Path:
        """Return where its program keeps a log."""
        return log_of(self.folder)

    @cached_property
    def private(self) -> bool:
        """Say whether it is, or is made from, a text that is private."""
        return bool(self.config.get("private")) or any(made.private for made in self.inputs.values())

    def ancestors(self) -> Iterator[Artifact]:
        """Yield everything that it is made from, directly or not, each once."""
        seen: dict[Artifact, None] = {}
        pending = [*self.inputs.values()]
        while pending:
            artifact = pending.pop()
            if artifact not in seen:
                seen[artifact] = None
                pending.extend(artifact.inputs.values())
        return iter(seen)


class Artifacts:
    """All artifacts of an experiment by the folder in which people see them, inputs first."""

    def __init__(self, configuration: Configuration, digests: Remembered) -> None:
        """Work out the artifacts of an experiment.

        Args:
            configuration: the experiment.
            digests: what is known of the sha256 of files.

        Raises:
            UserError: the configuration, or a file that it names, cannot be used.
        """
        self.configuration, self.digests = configuration, digests
        self.tokens = Remembered("tokens.json", count_tokens)
        """How many a tokenizer.json of others has: large ones take a while to read."""
        experiment = configuration.experiment
        self.results = f"results/{experiment.experiment}"
        self.cells = cells_of(configuration)
        self.templates = ChatTemplates(configuration.origin, digests)
        self.texts = {cell.corpus.label: cell.corpus for cell in self.cells if has_text(cell)}
        self.by_folder: dict[str, Artifact] = {}
        self.known: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        """Object of the configuration → its values; cells share them."""
        for cell in self.cells:
            self.add_cell(cell)
        self.tokens.save()
        self.add_judges()
        self.add_overviews()

    def values(self, section: Section) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all values of a section of the configuration, and those that decide."""
        if id(section) not in self.known:
            self.known[id(section)] = (section.complete(), section.slice())
        return self.known[id(section)]

    def add(self, artifact: Artifact) -> Artifact:
        """Add an artifact unless there is one in its folder; return that."""
        if long := next((name for name in artifact.folder.split("/") if len(name) > LONGEST_NAME), None):
            raise ConfigError(
                f"{self.configuration.origin}: {long}: a name of {len(long)} letters, and file systems take "
                f"{LONGEST_NAME}; what is made is called after what it is made from, so give these entries "
                "shorter names, or varied values an entry of their own"
            )
        return self.by_folder.setdefault(artifact.folder, artifact)

    # ------------------------------------------------------------------------------------- data

    def add_corpus(self, corpus: Any) -> Artifact:
        """Add a corpus with the overrides of a cell."""
        folder = f"data/corpora/{corpus.label}"
        if folder in self.by_folder:
            return self.by_folder[folder]
        entry, config, decided = corpus.value, corpus.value.complete(), corpus.value.slice()
        source = source_of(entry, f"{self.configuration.origin}: corpora.{corpus.name}", self.digests)
        own = dict(source.keys)
        if isinstance(entry, BuiltinCorpus) and entry.documents is None:
            own["documents"] = DOCUMENTS[entry.name]
        read = (without(values, "marks", *source.replaced) for values in (config, decided))
        config, decided = ({**values, **own} for values in read)
        return self.add_data(folder, config, decided, source)

    def add_data(
        self, folder: str, config: dict[str, Any], decided: dict[str, Any], source: Source
    ) -> Artifact:
        """Add texts or conversations, made from what `source_of` knows of their files."""
        config |= {"left_out": source.left_out} if source.left_out else {}  # for the card; decides nothing
        return self.add(
            Artifact("corpus", folder, config, decided, raw=source.raw, addresses=source.addresses)
        )

    def add_dialogues(self, name: str) -> Artifact:
        """Add conversations."""
        folder = f"{DIALOGUES}/{name}"
        if folder in self.by_folder:
            return self.by_folder[folder]
        entry = self.configuration.entry("dialogues", name)
        source = source_of(entry, f"{self.configuration.origin}: dialogues.{name}", self.digests)
        own = {"dialogues": entry.format, **source.keys}
        config, decided = (
            {**without(values, "format", *source.replaced), **own}
            for values in (entry.complete(), entry.slice())
        )
        return self.add_data(folder, config, decided, source)

    def add_task(self, name: str) -> Artifact:
        """Add the items of a task."""
        folder = f"{TASKS}/{name}"
        if folder in self.by_folder:
            return self.by_folder[folder]
        task = self.configuration.experiment.evaluation.tasks[name]
        config = {"task": task.format, **task.model_dump(include={"members", "group", "before"})}
        if task.source == "url":
            files = [{"url": public(task.url), "sha256": task.sha256}]
            raw, addresses = {}, {task.sha256: task.url}
        else:
            where = f"{self.configuration.origin}: evaluation.tasks.{name}"
            raw, addresses = OwnFiles(task.paths, where).digests(self.digests), {}
            files = list(raw)
        config |= {"files": files}
        return self.add(Artifact("corpus", folder, config, config, raw=raw, addresses=addresses))

    def add_tokenizer(self, cell: Cell) -> Artifact:
        """Add the tokenizer of a cell."""
        entry, label = cell.tokenizer.value, cell.tokenizer.label
        config, decided = (without(values, "train_on") for values in (entry.complete(), entry.slice()))
        if cell.tokenizer_corpus is not None:
            corpus = self.add_corpus(cell.tokenizer_corpus)
            folder = f"data/tokenizers/{label}@{cell.tokenizer_corpus.label}"
            marks, decisive = marks_of(cell.tokenizer_corpus.value)
            config, decided = {**config, **marks}, {**decided, **decisive}
            return self.add(Artifact("tokenizer", folder, config, decided, {"corpus": corpus}))
        raw = {}
        if own := config.get("file"):
            where = f"{self.configuration.origin}: tokenizers.{cell.tokenizer.name}.file"
            raw = OwnFiles([own], where).digests(self.digests)
            if len(raw) > 1:
                raise ConfigError(f"{where}: {own!r} names {len(raw)} files; name the one tokenizer.json")
            config, decided = ({**values, "file": next(iter(raw))} for values in (config, decided))
        return self.add(Artifact("tokenizer", f"data/tokenizers/{label}", config, decided, raw=raw))

    def add_shards(self, cell: Cell) -> Artifact:
        """Add the encoded corpus of a cell."""
        inputs = {"corpus": self.add_corpus(cell.corpus), "tokenizer": self.add_tokenizer(cell)}
        folder = f"data/shards/{cell.tokenizer.label}@{cell.corpus.label}"
        shards, whole = cell.corpus.value.shards, {"splits": None}
        parts = {}
        marks, decisive = marks_of(cell.corpus.value)
        for number in range(shards if shards > 1 else 0):
            name, part = f"shard-{number:05d}", {"shard": number}
            config, decided = {**part, **whole, **marks}, {**part, **decisive}
            parts[name] = self.add(
                Artifact("encode", f"{folder}/{name}", config, decided, inputs, threads=4, shown=False)
            )
        # Decides what the description of the shards may show, and counts only where it is true.
        private = is_private(cell)
        config, decided = {"shard": None, "private": private, **marks}, {"shard": None, **decisive}
        decided |= {"private": True} if private else {}
        return self.add(Artifact("encode", folder, config | whole, decided, {**inputs, **parts}, threads=4))

    def add_cross_shards(self, cell: Cell, corpus: Choice) -> Artifact:
        """Add the test split of another corpus, encoded for a cell.

        Even where all of that corpus is encoded so for another cell: what else the grid has changes nothing.
        """
        inputs = {"corpus": self.add_corpus(corpus), "tokenizer": self.add_tokenizer(cell)}
        # With the corpus that the tokenizer learned from, if any.
        folder = f"{CROSS}/{inputs['tokenizer'].folder.split('/')[-1]}@{corpus.label}"
        read = marks_of(corpus.value)
        config, decided = ({"shard": None, "splits": ["test"], **marks} for marks in read)
        return self.add(Artifact("encode", folder, config, decided, inputs, threads=4))

    # ------------------------------------------------------------------------------------ cells

    def add_train(self, cell: Cell) -> Artifact:
        """Add the training of a cell, after that of the training that it continues."""
        if cell.imported:
            return self.add_checkpoint(cell)
        inputs = {"shards": self.add_shards(cell), "tokenizer": self.add_tokenizer(cell)}
        parent = parent_of(self.configuration, cell)
        if parent is not None:
            inputs["parent"] = self.add_train(parent)
        model, training, seed = cell.model.value, cell.training.value, {"seed": cell.seed}
        processes = self.configuration.experiment.run.processes
        seed |= self.deciding_processes(model.dropout, training.micro_batch)
        (model_values, model_slice), (values, decisive) = self.values(model), self.values(training)
        model_values = without(model_values, "huggingface")
        raw = {}
        if cell.starts:
            found, raw = self.checkpoint(cell)
            seed["start"] = of_others(found)
        config = {"model": model_values, "training": without(values, *TRAINING_ONLY), **seed}
        decided = {"model": model_slice, "training": without(decisive, *TRAINING_ONLY), **seed}
        folder = f"{self.results}/cells/{cell.name}/train"
        return self.add(
            Artifact("train", folder, config, decided, inputs, raw, threads=training.threads * processes)
        )

    def deciding_processes(self, dropout: float, micro_batch: str | int) -> dict[str, int]:
        """Return how many processes share a training where that decides what it makes.

        Which draws go to which row depends on how a batch is cut.
        """
        processes = self.configuration.experiment.run.processes
        drawn = processes > 1 and dropout and micro_batch == "auto"
        return {"processes": processes} if drawn else {}

    def checkpoint(self, cell: Cell) -> tuple[Checkpoint, dict[str, str]]:
        """Return the checkpoint of others that the model of a cell is, and its files → sha256.

        Raises:
            ConfigError: it cannot be used, or the tokenizer of the cell is not its own.
        """
        model = cell.model.value
        where = f"{self.configuration.origin}: models.{cell.model.name}.huggingface"
        folder = Path(model.huggingface).expanduser()
        try:
            found = read_checkpoint(folder)
            check_weights(found)
            check_size(self.tokens.of(folder / TOKENIZER), found.vocab_size)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
        tokenizer = self.add_tokenizer(cell)
        (own,) = OwnFiles([str(folder / TOKENIZER)], where).digests(self.digests).values()
        if own not in (*tokenizer.raw.values(), tokenizer.config["sha256"]):
            raise ConfigError(
                f"{self.configuration.origin}: cell {cell.name}: tokenizer {cell.tokenizer.name} is not the "
                f"one of model {cell.model.name}, so that its ids mean other tokens; give it "
                f"{{kind: huggingface, file: {model.huggingface}/{TOKENIZER}}}"
            )
        return found, OwnFiles(map(str, found.files), where).digests(self.digests)

    def add_checkpoint(self, cell: Cell) -> Artifact:
        """Add the checkpoint of others that a cell has in place of a training."""
        found, files = self.checkpoint(cell)
        values, decisive = (without(values, "huggingface") for values in self.values(cell.model.value))
        rest = {
            "format": "safetensors",
            **of_others(found),
            "training": without(cell.training.value.complete(), *TRAINING_ONLY),
            "seed": cell.seed,
        }
        marks, decisive_marks = marks_of(cell.corpus.value)
        return self.add(
            Artifact(
                "train",
                f"{self.results}/cells/{cell.name}/train",
                {"model": values, **rest, **marks},
                {"model": decisive, **rest, **decisive_marks},
                {"tokenizer": self.add_tokenizer(cell)},
                raw=files,
            )
        )

    def add_cell(self, cell: Cell) -> None:
        """Add all artifacts of a cell, and of what is fine-tuned from it."""
        train, use = self.add_train(cell), cell.training.value.use
        self.add_evaluation(cell, train, use)
        if self.configuration.experiment.evaluation.cross and has_text(cell):
            self.add_cross(cell, train)
        self.add_samples(cell, train)
        self.add_references(cell)
        for made in cell.finetuned:
            recipe = made.finetuning.value
            self.add_answers(cell, train, use, recipe.data)
            finetune = self.add_finetune(cell, train, made)
            self.add_evaluation(cell, finetune, recipe.use)
            self.add_answers(cell, finetune, recipe.use, recipe.data)

    def add_evaluation(self, cell: Cell, train: Artifact, use: str) -> None:
        """Add the scores of a cell, or of what is fine-tuned from it, on the text of the cell.

        Args:
            cell: the cell.
            train: its training, or the fine-tuning.
            use: which of its weights.
        """
        evaluation = self.configuration.experiment.evaluation
        inputs = {"train": train, "shards": self.add_shards(cell), "corpus": self.add_corpus(cell.corpus)}
        inputs |= {f"task:{name}": self.add_task(name) for name in evaluation.tasks}
        kind = {"kind": "cell", "use": use}
        config, decided = ({**without(read, *NOT_OF_A_SCORE), **kind} for read in self.values(evaluation))
        threads = TASK_THREADS if evaluation.tasks else 1
        folder = f"{home_of(train)}/evaluate"
        self.add(Artifact("evaluate", folder, config, decided, inputs, threads=threads))

    def add_finetune(self, cell: Cell, train: Artifact, made: Finetuned) -> Artifact:
        """Add what is fine-tuned from a cell.

        Args:
            cell: the cell.
            train: its training.
            made: what is fine-tuned from it.
        """
        self.templates.check_tokens(cell, made)
        template, raw = self.templates.of(made)
        recipe = made.finetuning.value
        named = {"template": template.name}
        dropout = cell.model.value.dropout or (recipe.lora.dropout if recipe.lora else 0.0)
        own = {"use": cell.training.value.use, "seed": made.seed}
        own |= self.deciding_processes(dropout, recipe.micro_batch)
        config, decided = (
            {"finetuning": {**without(values, *FINETUNING_ONLY), **named}, **own}
            for values in self.values(recipe)
        )
        # Decides whether what the model says may be shown, and counts only where it is true.
        private = is_private(cell) or self.configuration.entry("dialogues", recipe.data).private
        config, decided = config | {"private": private}, decided | ({"private": True} if private else {})
        inputs = {"train": train, "dialogues": self.add_dialogues(recipe.data)}
        folder = f"{self.results}/cells/{made.name}/finetune"
        threads = recipe.threads * self.configuration.experiment.run.processes
        return self.add(Artifact("finetune", folder, config, decided, inputs, raw, threads=threads))

    def add_answers(self, cell: Cell, train: Artifact, use: str, data: str) -> None:
        """Add how a cell, or what is fine-tuned from it, answers held-out dialogues.

        Args:
            cell: the cell.
            train: its training, or the fine-tuning.
            use: which of its weights.
            data: name of the dialogues.
        """
        private = is_private(cell) or self.configuration.entry("dialogues", data).private
        asked = self.configuration.experiment.evaluation.answers.complete()
        decided = {"kind": "dialogues", "use": use, **asked}
        config = {**decided, "private": private}
        # Decides whether texts may be shown, and counts only where it is true.
        decided |= {"private": True} if private else {}
        inputs = {"train": train, "dialogues": self.add_dialogues(data)}
        folder = f"{home_of(train)}/dialogues/{data}"
        self.add(Artifact("evaluate", folder, config, decided, inputs))

    def add_samples(self, cell: Cell, train: Artifact) -> None:
        """Add the samples of a cell, which are held against the documents of its corpus."""
        read = zip(
            self.values(self.configuration.experiment.sampling), marks_of(cell.corpus.value), strict=True
        )
        kind, private = {"kind": "cell", "use": cell.training.value.use}, is_private(cell)
        config, decided = ({**values, **kind, **marks} for values, marks in read)
        # Decides whether passages of the training text may be shown, and counts only where it is true.
        config, decided = config | {"private": private}, decided | ({"private": True} if private else {})
        inputs = {"train": train, "corpus": self.add_corpus(cell.corpus)}
        self.add(Artifact("sample", f"{home_of(train)}/sample", config, decided, inputs))

    def add_judges(self) -> None:
        """Add, for each text, how likely the best other cell finds the samples of its cells.

        One artifact for all cells of a text: which of them is the best is known once all are evaluated.
        """
        for label, corpus in self.texts.items():
            cells = [
                {
                    "cell": cell.name,
                    "group": cell.group,
                    "use": cell.training.value.use,
                }
                for cell in self.cells
                if cell.corpus.label == label
            ]
            if len({cell["group"] for cell in cells}) == 1:
                continue  # there is no other cell
            inputs = {
                f"{stage}:{cell['cell']}": self.by_folder[f"{self.results}/cells/{cell['cell']}/{stage}"]
                for cell in cells
                for stage in ("train", "evaluate", "sample")
            }
            marks, decisive = marks_of(corpus.value)
            own = {"kind": "judge", "cells": cells}
            folder = f"{self.results}/{SAMPLES}/{label}"
            self.add(Artifact("sample", folder, own | marks, own | decisive, inputs, partial=True))

    def add_cross(self, cell: Cell, train: Artifact) -> None:
        """Add the scores of a cell on all other texts of the grid."""
        # What a checkpoint of others was trained on is not known.
        trained_on = {} if cell.imported else {"trained_on": self.add_corpus(cell.corpus)}
        kind = {"kind": "cross", "use": cell.training.value.use}
        for label, corpus in self.texts.items():
            if label == cell.corpus.label:
                continue
            inputs = {"train": train, "shards": self.add_cross_shards(cell, corpus)}
            inputs |= {"corpus": self.add_corpus(corpus), **trained_on}
            read = zip(
                self.values(self.configuration.experiment.evaluation), marks_of(corpus.value), strict=True
            )
            config, decided = (
                {**without(values, *NOT_OF_A_SCORE, *OF_OWN_TEXT), **kind, **marks} for values, marks in read
            )
            folder = f"{self.results}/cells/{cell.name}/cross/{label}"
            self.add(Artifact("evaluate", folder, config, decided, inputs))

    def add_references(self, cell: Cell) -> None:
        """Add what the text of a cell takes without a network: its tokens, and its bytes, if it has any."""
        corpus, shards = self.add_corpus(cell.corpus), self.add_shards(cell)
        inputs = {"ngram": {"shards": shards}}
        if has_text(cell):
            inputs["xz"] = {"corpus": corpus}
        read = [
            {key: values[key] for key in ("bytes",) if key in values}
            for values in self.values(self.configuration.experiment.evaluation)
        ]
        for kind, made_from in inputs.items():
            (artifact,) = made_from.values()
            folder = f"{self.results}/references/{artifact.folder.split('/')[-1]}"
            config, decided = ({"kind": kind, **values} for values in read)
            self.add(Artifact("evaluate", folder, config, decided, made_from))

    def add_overviews(self) -> None:
        """Add the tables and the report, which show all cells."""
        cells = [
            {
                "cell": cell.name,
                "corpus": cell.corpus.name,
                "tokenizer": cell.tokenizer.name,
                "model": cell.model.name,
                "training": cell.training.name,
                "seed": cell.seed,
                "use": cell.training.value.use,
                "overrides": cell.overrides,
                **({"repeated": cell.repeated} if cell.repeated else {}),
                "path": f"{self.results}/cells/{cell.name}",
                "shards": f"{cell.tokenizer.label}@{cell.corpus.label}",
                "private": is_private(cell),
            }
            for cell in self.cells
        ]
        finetuned = [
            {
                "cell": made.name,
                "base": cell.name,
                "finetuning": made.finetuning.name,
                "data": made.finetuning.value.data,
                "seed": made.seed,
                "use": made.finetuning.value.use,
                "overrides": made.overrides,
                "path": f"{self.results}/cells/{made.name}",
                "private": is_private(cell)
                or self.configuration.entry("dialogues", made.finetuning.value.data).private,
            }
            for cell in self.cells
            for made in cell.finetuned
        ]
        config = {"experiment": self.configuration.experiment.experiment, "cells": cells}
        config |= {"finetuned": finetuned} if finetuned else {}

        def of_cells(*stages: str) -> dict[str, Artifact]:
            return {
                f"{stage}:{cell['cell']}": self.by_folder[f"{cell['path']}/{stage}"]
                for cell in cells
                for stage in stages
            }

        kinds = {"corpus": "corpus", "tokenizer": "tokenizer", "encode": "shards"}
        data = {
            f"{kinds[artifact.stage]}:{folder.split('/')[-1]}": artifact
            for folder, artifact in self.by_folder.items()
            if artifact.stage in kinds
            and artifact.shown
            and not folder.startswith((f"{TASKS}/", f"{DIALOGUES}/", f"{CROSS}/"))
        }
        answers = {
            f"dialogues:{each[role]}:{each['data']}": self.by_folder[
                f"{self.results}/cells/{each[role]}/dialogues/{each['data']}"
            ]
            for each in finetuned
            for role in ("base", "cell")
        }
        taught = {
            f"{stage}:{each['cell']}": self.by_folder[f"{each['path']}/{stage}"]
            for each in finetuned
            for stage in ("finetune", "evaluate")
        }
        taught |= answers
        crossed = {
            f"cross:{label}:{cell['cell']}": self.by_folder[folder]
            for cell in cells
            for label in self.texts
            if (folder := f"{cell['path']}/cross/{label}") in self.by_folder
        }
        references = {
            f"references:{folder.split('/')[-1]}": artifact
            for folder, artifact in self.by_folder.items()
            if folder.startswith(f"{self.results}/references/")
        }
        judged = {
            f"judged:{folder.split('/')[-1]}": artifact
            for folder, artifact in self.by_folder.items()
            if folder.startswith(f"{self.results}/{SAMPLES}/")
        }
        inputs = {**of_cells("train", "evaluate", "sample"), **taught}
        inputs |= {**crossed, **references, **judged, **data}
        compare = self.add(Artifact("compare", f"{self.results}/compare", config, config, inputs))
        inputs = {"compare": compare, **of_cells("train", "evaluate", "sample"), **taught, **data}
        self.add(Artifact("report", f"{self.results}/report", config, config, inputs))


def name_of(folder: str) -> str:
    """Return what messages call what people see in a folder."""
    return folder.removeprefix("results/").removeprefix("data/")


def log_of(folder: str) -> Path:
    """Return the log of what people see in a folder."""
    return LOGS / f"{name_of(folder)}.log"


def home_of(train: Artifact) -> str:
    """Return the folder of the cell that a training, or a fine-tuning, is of."""
    return train.folder.rsplit("/", 1)[0]


def base_of(train: Artifact) -> Artifact:
    """Return the training that a fine-tuning starts from; of a training itself."""
    return train.inputs["train"] if train.stage == "finetune" else train


def has_text(cell: Cell) -> bool:
    """Say whether a cell is on a text, not on bare ids."""
    return not isinstance(cell.corpus.value, RandomCorpus | ShardsCorpus)


def is_private(cell: Cell) -> bool:
    """Say whether a cell is made from private text: its own, or that which its tokenizer learned from."""
    corpora = (cell.corpus, cell.tokenizer_corpus)
    return any(corpus.value.private for corpus in corpora if corpus is not None)


def is_imported(train: Artifact) -> bool:
    """Say whether what a cell has for a training is a checkpoint of others."""
    return "format" in train.config


def of_others(found: Checkpoint) -> dict[str, Any]:
    """Return what the folder of a checkpoint says beside its architecture, perhaps a chat template."""
    chat = {} if found.chat_template is None else {"chat_template": found.chat_template}
    return {"vocab_size": found.vocab_size, "begins_with": found.begins_with, **chat}


def marks_of(corpus: Section) -> tuple[dict[str, str], dict[str, str]]:
    """Return the key `marks` of a corpus for what reads its text, and the same where it decides."""
    marks = {"marks": getattr(corpus, "marks", "text")}
    return marks, marks if marks["marks"] == "special" else {}


def without(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a mapping without some keys."""
    return {key: value for key, value in values.items() if key not in keys}
