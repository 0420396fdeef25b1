"""What an experiment needs: every artifact with its configuration slice and its inputs, inputs first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import Remembered
from gptgrid.config.checkpoints import TOKENIZER, read_checkpoint
from gptgrid.config.corpora import BuiltinCorpus, FilesCorpus, RandomCorpus, ShardsCorpus, UrlCorpus
from gptgrid.config.grid import Cell, Choice, cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.config.values import Section
from gptgrid.net.address import public
from gptgrid.plan.own_files import OwnFiles

DOCUMENTS = {"tales": 2000, "toy": None}
"""Built-in corpus → how many documents it has where the configuration does not say."""
LONGEST_NAME = 240
"""File systems take 255 bytes; names of logs and of files in the making are a little longer than these."""
TASKS = "data/tasks"
CROSS = "data/shards/cross"
"""Test splits, encoded for cells that were trained on another text."""
SAMPLES = "samples"
"""What is known of the samples of all cells on a text together."""
TASK_THREADS = 2
"""Cores of an evaluation with tasks, which may take longer than all else in it."""
ADDRESSES = ("url", "sha256", "train", "valid", "test")
"""Keys of a corpus from the web that say where its files lie; `files` has what counts of them."""
OF_OWN_TEXT = ("tasks", "cross", "contexts", "checkpoints")
"""Keys of `evaluation` that a score on another text has nothing of."""
TRAINING_ONLY = ("use", "continues")
"""Keys of a training recipe that do not decide a training: both weights are kept, and of its parent it is the
content that counts."""


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
        return self.folder.removeprefix("results/").removeprefix("data/")

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
        experiment = configuration.experiment
        self.results = f"results/{experiment.experiment}"
        self.cells = cells_of(configuration)
        self.texts = {cell.corpus.label: cell.corpus for cell in self.cells if has_text(cell)}
        self.by_folder: dict[str, Artifact] = {}
        self.known: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        """Object of the configuration → its values; cells share them."""
        for cell in self.cells:
            self.add_cell(cell)
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
        raw, own, addresses, left_out = {}, {}, {}, {}
        if isinstance(entry, FilesCorpus | ShardsCorpus):
            where = f"{self.configuration.origin}: corpora.{corpus.name}"
            found = {split: OwnFiles(paths, where) for split, paths in entry.files().items()}
            digests = {split: files.digests(self.digests) for split, files in found.items()}
            own["files"] = {split: list(names) for split, names in digests.items()}
            raw = {name: digest for names in digests.values() for name, digest in names.items()}
            left_out = dict(sum((Counter(files.left_out) for files in found.values()), Counter()))
        elif isinstance(entry, UrlCorpus):
            config, decided = (without(values, *ADDRESSES) for values in (config, decided))
            addresses = {file.sha256: file.url for files in entry.files().values() for file in files}
            own["files"] = {
                split: [{**file.complete(), "url": public(file.url)} for file in files]
                for split, files in entry.files().items()
            }
        elif isinstance(entry, BuiltinCorpus) and entry.documents is None:
            own["documents"] = DOCUMENTS[entry.name]
        config, decided = ({**without(values, "marks"), **own} for values in (config, decided))
        config |= {"left_out": left_out} if left_out else {}  # for the card; decides nothing
        return self.add(Artifact("corpus", folder, config, decided, raw=raw, addresses=addresses))

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
        if processes > 1 and model.dropout and training.micro_batch == "auto":
            # Which draws go to which window then depends on how the batch is cut.
            seed["processes"] = processes
        (model_values, model_slice), (values, decisive) = self.values(model), self.values(training)
        model_values = without(model_values, "huggingface")
        config = {"model": model_values, "training": without(values, *TRAINING_ONLY), **seed}
        decided = {"model": model_slice, "training": without(decisive, *TRAINING_ONLY), **seed}
        folder = f"{self.results}/cells/{cell.name}/train"
        return self.add(
            Artifact("train", folder, config, decided, inputs, threads=training.threads * processes)
        )

    def add_checkpoint(self, cell: Cell) -> Artifact:
        """Add the checkpoint of others that a cell has in place of a training."""
        model = cell.model.value
        where = f"{self.configuration.origin}: models.{cell.model.name}.huggingface"
        folder = Path(model.huggingface).expanduser()
        try:
            found = read_checkpoint(folder)
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
        files = OwnFiles(map(str, found.files), where).digests(self.digests)
        values, decisive = (without(values, "huggingface") for values in self.values(model))
        rest = {
            "format": "safetensors",
            "vocab_size": found.vocab_size,
            "begins_with": found.begins_with,
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
                {"tokenizer": tokenizer},
                raw=files,
            )
        )

    def add_cell(self, cell: Cell) -> None:
        """Add all artifacts of a cell."""
        experiment = self.configuration.experiment
        train = self.add_train(cell)
        folder, use = train.folder.removesuffix("/train"), {"use": cell.training.value.use}
        inputs = {"train": train, "shards": self.add_shards(cell), "corpus": self.add_corpus(cell.corpus)}
        inputs |= {f"task:{name}": self.add_task(name) for name in experiment.evaluation.tasks}
        read = self.values(experiment.evaluation)
        kind = {"kind": "cell", **use}
        config, decided = ({**without(values, "tasks", "cross"), **kind} for values in read)
        threads = TASK_THREADS if experiment.evaluation.tasks else 1
        self.add(Artifact("evaluate", f"{folder}/evaluate", config, decided, inputs, threads=threads))
        if experiment.evaluation.cross and has_text(cell):
            self.add_cross(cell, train)
        self.add_samples(cell, train)
        self.add_references(cell)

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
        folder = train.folder.removesuffix("/train")
        self.add(Artifact("sample", f"{folder}/sample", config, decided, inputs))

    def add_judges(self) -> None:
        """Add, for each text, how likely the best other cell finds the samples of its cells.

        One artifact for all cells of a text: which of them is the best is known once all are evaluated.
        """
        for label, corpus in self.texts.items():
            cells = [
                {
                    "cell": cell.name,
                    "group": cell.name.removesuffix(f".s{cell.seed}"),
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
            config, decided = ({**without(values, *OF_OWN_TEXT), **kind, **marks} for values, marks in read)
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
        config = {"experiment": self.configuration.experiment.experiment, "cells": cells}

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
            if artifact.stage in kinds and artifact.shown and not folder.startswith((TASKS, CROSS))
        }
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
        inputs = {**of_cells("train", "evaluate", "sample"), **crossed, **references, **judged, **data}
        compare = self.add(Artifact("compare", f"{self.results}/compare", config, config, inputs))
        inputs = {"compare": compare, **of_cells("train", "evaluate", "sample"), **data}
        self.add(Artifact("report", f"{self.results}/report", config, config, inputs))


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


def marks_of(corpus: Section) -> tuple[dict[str, str], dict[str, str]]:
    """Return the key `marks` of a corpus for what reads its text, and the same where it decides."""
    marks = {"marks": getattr(corpus, "marks", "text")}
    return marks, marks if marks["marks"] == "special" else {}


def without(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a mapping without some keys."""
    return {key: value for key, value in values.items() if key not in keys}
