"""What needs no network, beside the cells: rows that nothing ranks, and which cells and groups lose to them.

A cell is held against the references over its own tokens, `unigram` and `kneser-ney`, and against `xz` on its
text. What counts is the test split, which chose neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gptgrid.stages.compare.cells import DEFINITION, FIGURES, SCORED, TEST, VALIDATION
from gptgrid.stages.compare.facts import Inputs
from gptgrid.words import counted, verb

REFERENCE = "reference"
"""The status of their rows."""
LOSES_TO = "loses_to"
"""Column of the references that take less than a cell or a group."""
OF_TOKENS, OF_TEXT = ("unigram", "kneser-ney"), ("xz",)
Row = dict[str, Any]


class References:
    """The references of an experiment."""

    def __init__(self, inputs: Inputs, cells: pd.DataFrame) -> None:
        """Read them.

        Args:
            inputs: of `compare`.
            cells: the rows of all cells, with `group` and `text`.
        """
        self.of_source: dict[str, list[Row]] = {}
        """An encoded corpus, or a corpus → the rows of what was measured on it."""
        self.sources: dict[str, tuple[str, str]] = {}
        """Cell or group → both of those that it is on."""
        for row, cell in zip(cells.to_dict("records"), inputs.job.config.cells, strict=True):
            corpus = cell.shards.split("@", 1)[1]
            self.sources |= dict.fromkeys((row["cell"], row["group"]), (cell.shards, corpus))
            for source, names, parts in (
                (cell.shards, OF_TOKENS, ("corpus", "tokenizer")),
                (corpus, OF_TEXT, ("corpus",)),
            ):
                if source not in self.of_source:
                    shared = {key: row[key] for key in row if key.split(".")[0] in ("text", *parts)}
                    shared["path"] = str(Path(cell.path).parents[1] / "references" / source)
                    self.of_source[source] = [shared | each for each in rows_of(inputs, source, names)]

    def marked(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of cells, or of groups, with the names of the references to which each loses."""
        name, mean = ("cell", "") if "cell" in table else ("group", "_mean")
        lost = [", ".join(self.better(row[name], row, mean)) or None for row in table.to_dict("records")]
        return table.assign(**{LOSES_TO: pd.Series(lost, index=table.index, dtype=object)})

    def better(self, name: str, row: Row, mean: str) -> Iterator[str]:
        """Yield the references that take less than a cell or a group on the same documents.

        Args:
            name: of the cell or group.
            row: what the table says of it.
            mean: what the names of its figures end in.
        """
        # Of bare ids there are no bits per byte.
        figure = "test_loss" if pd.isna(row[f"bpb{mean}"]) else "bpb"
        own = row[f"{figure}{mean}"]
        for reference in (each for source in self.sources[name] for each in self.of_source[source]):
            its = reference.get(figure)
            same = reference.get("test_documents") == row["test_documents"]
            if same and pd.notna(own) and its is not None and its < own:
                yield reference["model"]

    def below(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of cells, or of groups, with those of the references below them."""
        rows = [row for rows in self.of_source.values() for row in rows]
        if "cell" not in table:
            rows = [row | {f"{figure}_mean": row.get(figure) for figure in FIGURES} for row in rows]
            rows = [row | {"best": False, "reason": None} for row in rows]
        # As objects: a gap would make floats of integers.
        added = pd.DataFrame(rows, dtype=object).reindex(columns=table.columns)
        return pd.concat([table.astype(object), added], ignore_index=True) if rows else table


def rows_of(inputs: Inputs, source: str, names: tuple[str, ...]) -> Iterator[Row]:
    """Yield what is known of the references on a corpus; nothing where none were asked for.

    Args:
        inputs: of `compare`.
        source: the corpus, encoded or not.
        names: of the references.
    """
    artifact, job = f"references:{source}", inputs.job
    label = ".".join(reversed(source.split("@", 1)))
    found = {}
    if artifact in inputs:
        found = json.loads((job.inputs[artifact] / "references.json").read_text(encoding="utf-8"))
    for name in names:
        row = {"cell": f"{label}.{name}", "group": f"{label}.{name}", "model": name, "status": REFERENCE}
        if artifact in job.failed:
            yield row | {"reason": f"could not be made: {job.failed[artifact]}"}
        elif name in found:
            yield row | {"identity": inputs.manifest(artifact)["identity"]} | figures_of(found[name])


def figures_of(reference: Row) -> Row:
    """Return what references.json says of one, under the names of columns."""
    valid, test = reference.get("valid", {}), reference["test"]
    scored = {"valid": valid, "test": test}
    return {
        "vocab_size": reference.get("vocab_size"),
        "train_tokens": reference.get("train_tokens"),
        **{key: valid.get("bpb" if key == "val_bpb" else key) for key in VALIDATION},
        **{key: test.get(key) for key in TEST},
        **{key: scored[key.split("_")[0]].get(key.split("_", 1)[1]) for key in SCORED},
        DEFINITION: reference["definition"],
        "reason": reference["definition"],
    }


def of_references(rivals: list[Row]) -> Iterator[str]:
    """Yield that groups of a text take more than what needs no network.

    Args:
        rivals: the rows of the groups, by rank.
    """
    lost = [f"{group['group']} than {group[LOSES_TO]}" for group in rivals if pd.notna(group[LOSES_TO])]
    if lost:
        more = "; …" if len(lost) > 3 else ""
        text = any(pd.notna(group["bpb_mean"]) for group in rivals)
        unit = "bits per byte" if text else "nats per token"  # of bare ids
        yield (
            f"{len(lost)} of {counted(len(rivals), 'group')} {verb(len(lost), 'take')} more {unit} on the "
            f"test split than what needs no network ({'; '.join(lost[:3])}{more}); train them longer, on "
            "more text, or take a larger model"
        )
