"""What an experiment needs: every artifact with its configuration slice and its inputs, inputs first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gptgrid.artifact.files import Remembered
from gptgrid.config.corpora import BuiltinCorpus, FilesCorpus, ShardsCorpus, UrlCorpus
from gptgrid.config.grid import Cell, cells_of, parent_of
from gptgrid.config.read import ConfigError, Configuration
from gptgrid.config.values import Section

DOCUMENTS = {"tales": 2000, "toy": None}
"""Built-in corpus → how many documents it has where the configuration does not say."""
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
    threads: int = 1
    """Cores that its program uses."""
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
        self.by_folder: dict[str, Artifact] = {}
        self.known: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        """Object of the configuration → its values; cells share them."""
        for cell in self.cells:
            self.add_cell(cell)
        self.add_overviews()

    def values(self, section: Section) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all values of a section of the configuration, and those that decide."""
        if id(section) not in self.known:
            self.known[id(section)] = (section.complete(), section.slice())
        return self.known[id(section)]

    def add(self, artifact: Artifact) -> Artifact:
        """Add an artifact unless there is one in its folder; return that."""
        return self.by_folder.setdefault(artifact.folder, artifact)

    # ------------------------------------------------------------------------------------- data

    def add_corpus(self, corpus: Any) -> Artifact:
        """Add a corpus with the overrides of a cell."""
        folder = f"data/corpora/{corpus.label}"
        if folder in self.by_folder:
            return self.by_folder[folder]
        entry, config, decided = corpus.value, corpus.value.complete(), corpus.value.slice()
        raw, own = {}, {}
        if isinstance(entry, FilesCorpus | ShardsCorpus):
            where = f"{self.configuration.origin}: corpora.{corpus.name}"
            own["files"] = {split: expand_globs(globs, where) for split, globs in entry.files().items()}
            raw = {path: self.digests.of(Path(path)) for paths in own["files"].values() for path in paths}
        elif isinstance(entry, UrlCorpus):
            own["files"] = {
                split: [file.complete() for file in files] for split, files in entry.files().items()
            }
        elif isinstance(entry, BuiltinCorpus) and entry.documents is None:
            own["documents"] = DOCUMENTS[entry.name]
        return self.add(Artifact("corpus", folder, {**config, **own}, {**decided, **own}, raw=raw))

    def add_tokenizer(self, cell: Cell) -> Artifact:
        """Add the tokenizer of a cell."""
        entry, label = cell.tokenizer.value, cell.tokenizer.label
        config, decided = (without(values, "train_on") for values in (entry.complete(), entry.slice()))
        if cell.tokenizer_corpus is not None:
            corpus = self.add_corpus(cell.tokenizer_corpus)
            folder = f"data/tokenizers/{label}@{cell.tokenizer_corpus.label}"
            return self.add(Artifact("tokenizer", folder, config, decided, {"corpus": corpus}))
        raw = {}
        if own := config.get("file"):
            where = f"{self.configuration.origin}: tokenizers.{cell.tokenizer.name}.file"
            raw = {path: self.digests.of(Path(path)) for path in expand_globs([own], where)}
        return self.add(Artifact("tokenizer", f"data/tokenizers/{label}", config, decided, raw=raw))

    def add_shards(self, cell: Cell) -> Artifact:
        """Add the encoded corpus of a cell."""
        inputs = {"corpus": self.add_corpus(cell.corpus), "tokenizer": self.add_tokenizer(cell)}
        folder = f"data/shards/{cell.tokenizer.label}@{cell.corpus.label}"
        shards = cell.corpus.value.shards
        parts = {}
        for number in range(shards if shards > 1 else 0):
            name, config = f"shard-{number:05d}", {"shard": number}
            parts[name] = self.add(
                Artifact("encode", f"{folder}/{name}", config, config, inputs, threads=4, shown=False)
            )
        config = {"shard": None}
        return self.add(Artifact("encode", folder, config, config, {**inputs, **parts}, threads=4))

    # ------------------------------------------------------------------------------------ cells

    def add_train(self, cell: Cell) -> Artifact:
        """Add the training of a cell, after that of the training that it continues."""
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
        config = {"model": model_values, "training": without(values, *TRAINING_ONLY), **seed}
        decided = {"model": model_slice, "training": without(decisive, *TRAINING_ONLY), **seed}
        folder = f"{self.results}/cells/{cell.name}/train"
        return self.add(
            Artifact("train", folder, config, decided, inputs, threads=training.threads * processes)
        )

    def add_cell(self, cell: Cell) -> None:
        """Add all artifacts of a cell."""
        experiment = self.configuration.experiment
        train = self.add_train(cell)
        folder, use = train.folder.removesuffix("/train"), {"use": cell.training.value.use}
        inputs = {"train": train, "shards": self.add_shards(cell)}
        if asks_questions(cell.corpus.value):
            inputs["corpus"] = self.add_corpus(cell.corpus)
        config, decided = ({**values, **use} for values in self.values(experiment.evaluation))
        self.add(Artifact("evaluate", f"{folder}/evaluate", config, decided, inputs))
        config, decided = ({**values, **use} for values in self.values(experiment.sampling))
        self.add(Artifact("sample", f"{folder}/sample", config, decided, {"train": train}))

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
                "path": f"{self.results}/cells/{cell.name}",
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
            if artifact.stage in kinds and artifact.shown
        }
        inputs = of_cells("train", "evaluate")
        compare = self.add(Artifact("compare", f"{self.results}/compare", config, config, inputs))
        inputs = {"compare": compare, **of_cells("train", "sample"), **data}
        self.add(Artifact("report", f"{self.results}/report", config, config, inputs))


def without(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a mapping without some keys."""
    return {key: value for key, value in values.items() if key not in keys}


def asks_questions(corpus: Any) -> bool:
    """Say whether a corpus brings questions that an evaluation can ask."""
    return isinstance(corpus, BuiltinCorpus) and corpus.name == "tales"


def expand_globs(globs: list[str], where: str) -> list[str]:
    """Return the files that the patterns name, sorted within each pattern, each once; of a folder all in it.

    Raises:
        ConfigError: a pattern matches no file.
    """
    files: dict[str, None] = {}
    for pattern in globs:
        absolute = Path(pattern).is_absolute()
        root = Path(Path(pattern).anchor) if absolute else Path()
        matches = sorted(root.glob(str(Path(pattern).relative_to(root)) if absolute else pattern))
        matches = [f for path in matches for f in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        matches = [path for path in matches if path.is_file()]
        if not matches:
            raise ConfigError(
                f"{where}: no file matches {pattern!r} (looked in {Path.cwd()}); check the path"
            )
        files.update(dict.fromkeys(map(str, matches)))
    return list(files)
