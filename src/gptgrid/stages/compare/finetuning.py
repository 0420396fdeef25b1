"""finetuning.csv: every fine-tuned cell beside the cell that it was made from; finetuning_comparison.csv:
groups of them that differ in the seed alone, and the best of those from one base and on the same dialogues.

How a cell answers is measured on held-out dialogues, the same ones for both: the share of short answers that
are exactly right, chrF, and nats per byte of the true answers. What the base text lost are bits per byte of
its own validation and test split. Groups are compared by nats per byte of the answers, as groups of cells are
by the text, with dialogues for documents: validation dialogues choose, test dialogues tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from gptgrid.stages.compare.cells import DIVERGED, FAILED, Row, overridden_keys, override_text
from gptgrid.stages.compare.documents import Scores, add_group, read_cell
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.groups import figure_columns, group_reason, group_status
from gptgrid.stages.compare.paired import paired_difference
from gptgrid.stages.compare.selection import LEVEL, holm
from gptgrid.stages.compare.verdicts import BETTER, UNDECIDED, WORSE, with_verdicts

NAMES = ("cell", "group", "base", "finetuning", "data", "seed")
EXACT = ("exact", "exact_low", "exact_high")
"""Share of the asked short answers that are exactly right."""
LIKELIHOOD = ("val_nats_per_byte", "nats_per_byte", "content_nats_per_byte")
"""Nats of the true answers over their bytes: with the marks that end them, and without."""
OF_BOTH = (*EXACT, "chrf", *LIKELIHOOD, "val_bpb", "bpb")
"""What a row has of the fine-tuned cell, and with `base_` before it of its base."""
DIFFERENCE = ("exact_difference", "exact_difference_low", "exact_difference_high", "p", "verdict")
"""Of `exact` to that of the base, on the same dialogues; positive is better. p and verdict are corrected for
all fine-tuned cells on the dialogues (Holm)."""
TAUGHT = ("dialogues", "dropped", "cut", "answer_tokens")
"""Training dialogues that were used, left out as too long, and cut; tokens of their answers."""
COLUMNS = (
    *("items", *OF_BOTH, *(f"base_{name}" for name in OF_BOTH), *DIFFERENCE, "val_bpb_lost", "bpb_lost"),
    *("parameters", "trained_parameters", *TAUGHT, "identity", "path", "status", "reason"),
)
"""`items`: asked dialogues with a short reference. `bpb_lost`: bits per byte of the base text, after less
before."""
SUMMARIZED = (
    *("val_nats_per_byte", "nats_per_byte", "content_nats_per_byte"),
    *("exact", "base_exact", "exact_difference", "chrf", "val_bpb_lost", "bpb_lost"),
)
"""What finetuning_comparison.csv gives a mean, a standard deviation and an interval."""
NATS = "answers"
"""The column of documents.parquet that groups are compared by."""
Entry = SimpleNamespace
"""What the configuration says of a fine-tuned cell: cell, base, finetuning, data, seed, overrides, path."""


def finetuning_tables(inputs: Inputs) -> dict[str, pd.DataFrame]:
    """Return file → table; none where nothing is fine-tuned.

    Args:
        inputs: of `compare`.

    Raises:
        UserError: a table of scores is damaged, or not of the same dialogues as others.
    """
    entries = getattr(inputs.job.config, "finetuned", [])
    if not entries:
        return {}
    keys = overridden_keys(entries)
    cells = with_differences(inputs, entries, cell_table(inputs, entries, keys))
    return {"finetuning.csv": cells, "finetuning_comparison.csv": group_table(inputs, cells, keys)}


# ------------------------------------------------------------------------------------------ cells


def cell_table(inputs: Inputs, entries: Sequence[Entry], keys: list[str]) -> pd.DataFrame:
    """Return the rows of all fine-tuned cells, in order, without what pairs a cell with its base.

    Columns hold objects: a column of integers with a gap would become one of floats.
    """
    rows = [cell_row(inputs, entry) for entry in entries]
    table = pd.DataFrame(rows, columns=[*NAMES, *keys, *COLUMNS], dtype=object)
    table.loc[table["status"].isin((DIVERGED, FAILED)), [*OF_BOTH, "items"]] = None
    for name in ("val_bpb", "bpb"):
        pairs = zip(table[name], table[f"base_{name}"], strict=True)
        lost = [None if pd.isna(own) or pd.isna(base) else own - base for own, base in pairs]
        table[f"{name}_lost"] = pd.Series(lost, dtype=object)
    return table


def cell_row(inputs: Inputs, entry: Entry) -> Row:
    """Return what is known of one fine-tuned cell, and of its base."""
    training, answers = f"finetune:{entry.cell}", f"dialogues:{entry.cell}:{entry.data}"
    row = {name: getattr(entry, name) for name in ("cell", "base", "finetuning", "data", "seed", "path")}
    row |= {key: override_text(value) for key, value in vars(entry.overrides).items()}
    row |= {"group": group_of(entry), **figures_of(inputs, entry.cell, entry.data)}
    of_base = figures_of(inputs, entry.base, entry.data)
    row |= {f"base_{name}": of_base.get(name) for name in OF_BOTH}
    if training not in inputs:
        return row | {"status": FAILED, "reason": inputs.job.failed.get(training)}
    row |= training_row(inputs, training)
    # What a diverged training answers is not what its recipe gives.
    if row["status"] == DIVERGED:
        return row
    if answers not in inputs:
        return row | {"status": FAILED, "reason": inputs.job.failed.get(answers)}
    lacking = [
        f"{said}: {inputs.job.failed[name]}"
        for said, name in (
            ("its text was not scored", f"evaluate:{entry.cell}"),
            ("its base was not asked", f"dialogues:{entry.base}:{entry.data}"),
            ("the text of its base was not scored", f"evaluate:{entry.base}"),
        )
        if name in inputs.job.failed
    ]
    return row | {"reason": "; ".join(filter(None, [row["reason"], *lacking])) or None}


def group_of(entry: Entry) -> str:
    """Return the name of a fine-tuned cell without the seed."""
    # The base need not have its seed: of a model of others there is one for all.
    label = entry.cell.removeprefix(f"{base_group(entry)}.s{entry.seed}.")
    return f"{base_group(entry)}.{label}"


def base_group(entry: Entry) -> str:
    """Return the name of the base of a fine-tuned cell without the seed."""
    return entry.base.rpartition(".")[0]


def figures_of(inputs: Inputs, cell: str, data: str) -> Row:
    """Return how a cell answers, and what its text takes."""
    answers, text = inputs.answers(cell, data), inputs.evaluation(cell)
    asked = answers.get("asked", {})
    return {
        **{name: asked.get(name) for name in (*EXACT, "items", "chrf")},
        "val_nats_per_byte": answers.get("valid", {}).get("nats_per_byte"),
        **{name: answers.get(name) for name in ("nats_per_byte", "content_nats_per_byte")},
        "val_bpb": text.get("valid", {}).get("bpb"),
        "bpb": text.get("bpb"),
    }


def training_row(inputs: Inputs, name: str) -> Row:
    """Return size and end of a fine-tuning, and what it was taught with."""
    manifest = inputs.manifest(name)
    facts = manifest["facts"]
    used = facts["dialogues"]["train"]
    return {
        **{key: facts[key] for key in ("parameters", "trained_parameters", "answer_tokens")},
        **{"dialogues": used["used"], "dropped": used["dropped"], "cut": used["cut"]},
        "identity": manifest["identity"],
        "status": facts["status"],
        "reason": facts["ended"],
    }


def with_differences(inputs: Inputs, entries: Sequence[Entry], cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with DIFFERENCE: empty where one of both was asked nothing that is short."""
    found: dict[str, list[Any]] = {name: [None] * len(cells) for name in DIFFERENCE}
    of_data: dict[str, list[int]] = {}
    for place, (entry, status) in enumerate(zip(entries, cells["status"], strict=True)):
        pairs = [] if status in (DIVERGED, FAILED) else right_of_both(inputs, entry)
        if not len(pairs):
            continue
        for name, value in zip(DIFFERENCE[:4], paired_difference(*pairs.T), strict=True):
            found[name][place] = value
        of_data.setdefault(entry.data, []).append(place)
    for places in of_data.values():
        corrected = holm(np.array([found["p"][place] for place in places]))
        for place, p in zip(places, corrected.tolist(), strict=True):
            better = found["exact_difference"][place] > 0
            found["p"][place] = p
            found["verdict"][place] = UNDECIDED if p >= LEVEL else BETTER if better else WORSE
    return cells.assign(**{name: pd.Series(values, dtype=object) for name, values in found.items()})


def right_of_both(inputs: Inputs, entry: Entry) -> np.ndarray:
    """Return whether a fine-tuned cell, and its base, answered each short item right: (items, 2) bool.

    None is of both where one was not asked.
    """
    own, base = (read_exact(inputs, f"dialogues:{cell}:{entry.data}") for cell in (entry.cell, entry.base))
    return np.array([(own[number], base[number]) for number in own if number in base], bool).reshape(-1, 2)


def read_exact(inputs: Inputs, name: str) -> dict[int, bool]:
    """Return dialogue → whether its short answer was right, of those that were asked; empty if none was."""
    if name not in inputs:
        return {}
    with (inputs.job.inputs[name] / "answers.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return {row["dialogue"]: row["exact"] for row in rows if row["exact"] is not None}


# ----------------------------------------------------------------------------------------- groups


def group_table(inputs: Inputs, cells: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows of all groups, in order, with the verdicts of comparison.csv in nats per byte.

    Groups compare that were made from one base group and on the same dialogues. They are ranked by their mean
    on the validation dialogues.
    """
    bases = [base_group(entry) for entry in inputs.job.config.finetuned]
    cells = cells.assign(base=bases, text=[*map(" ".join, zip(bases, cells["data"], strict=True))])
    members = cells.groupby("group", sort=False)
    groups = members[["text", "base", "finetuning", "data", *keys]].first()
    groups["seeds"] = members.size()
    for status in (DIVERGED, FAILED):
        groups[status] = members["status"].agg(lambda values, status=status: sum(values == status))
    groups["status"] = members["status"].agg(group_status)
    groups["reason"] = pd.Series({name: group_reason(of) for name, of in members}, dtype=object)
    finished = cells[~cells["status"].isin((DIVERGED, FAILED))]
    figures = figure_columns(finished, SUMMARIZED).reindex(groups.index)
    for name in ("exact", "base_exact"):
        # No share lies outside 0 … 1, whatever the interval of a few seeds says.
        for end in (f"{name}_low", f"{name}_high"):
            figures[end] = pd.to_numeric(figures[end]).clip(0, 1)
    ranked = pd.to_numeric(figures["val_nats_per_byte_mean"].mask(groups[DIVERGED] > 0))
    groups["rank"] = ranked.groupby(groups["text"]).rank(method="first", na_option="bottom").astype(int)
    groups["best"] = (groups["rank"] == 1) & ranked.notna()
    table = with_verdicts(groups.join(figures).reset_index(), read_scores(inputs, cells))
    return table.drop(columns="text")


def read_scores(inputs: Inputs, cells: pd.DataFrame) -> dict[str, dict[str, Scores]]:
    """Return text → split → what its groups take on the dialogues, in nats per byte of the answers.

    A group is left out if one of its cells diverged. Failed cells are left out of their group.

    Args:
        inputs: of `compare`.
        cells: the rows of all fine-tuned cells, with `text` and `group`.

    Raises:
        UserError: documents.parquet is damaged, or not of the same dialogues as others.
    """
    found: dict[str, dict[str, Scores]] = {}
    for (text, group), members in cells.groupby(["text", "group"], sort=False):
        finished = members[members["status"] != FAILED]
        if not len(finished) or (members["status"] == DIVERGED).any():
            continue
        names = finished["cell"] + ":" + finished["data"]
        folders = [inputs.job.inputs[f"dialogues:{name}"] for name in names]
        add_group(found.setdefault(text, {}), group, folders, [read_cell(folder, NATS) for folder in folders])
    return {
        text: {split: replace(scores, unit=1.0) for split, scores in of_text.items()}
        for text, of_text in found.items()
    }
