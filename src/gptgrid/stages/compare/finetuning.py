"""finetuning.csv: every fine-tuned cell beside the cell that it was made from; finetuning_comparison.csv:
groups of them that differ in the seed alone, and the best of those from one base and on the same dialogues.

How a cell answers is measured on held-out dialogues, the same ones for both: the share of short answers that
are exactly right, chrF, and nats per byte of the true answers. What the base text lost are bits per byte of
its own validation and test split. Groups are compared by nats per byte of the answers, as groups of cells are
by the text, with dialogues for documents: validation dialogues choose, test dialogues tell.

Intervals of groups are of their mean over seeds. Those of shares of exact answers, and of their difference,
cover other short answers as well as other seeds, those of all other figures other seeds alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
from gptgrid.stages.compare.seeded_shares import difference_intervals, share_intervals
from gptgrid.stages.compare.selection import LEVEL, holm
from gptgrid.stages.compare.verdicts import BETTER, UNDECIDED, WORSE, with_verdicts

NAMES = ("cell", "group", "base", "finetuning", "data", "seed")
EXACT = ("exact", "exact_low", "exact_high")
"""Share of the asked short answers that are exactly right."""
LIKELIHOOD = ("val_nats_per_byte", "nats_per_byte", "content_nats_per_byte")
"""Nats of the true answers over their bytes: with the marks that end them, and without."""
OF_BOTH = (*EXACT, "chrf", "unreachable", *LIKELIHOOD, "val_bpb", "bpb")
"""What a row has of the fine-tuned cell, and with `base_` before it of its base. `unreachable`: asked
dialogues of whose reference no answer can be all, as in evaluation.json."""
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
"""What finetuning_comparison.csv gives a mean, a standard deviation and an interval over seeds."""
SHARES = ("exact", "base_exact", "exact_difference")
"""Those whose interval covers other short answers, too; of one seed, these alone."""
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
        **{name: asked.get(name) for name in (*EXACT, "items", "chrf", "unreachable")},
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
    groups["items"] = members["items"].first()
    for status in (DIVERGED, FAILED):
        groups[status] = members["status"].agg(lambda values, status=status: sum(values == status))
    groups["status"] = members["status"].agg(group_status)
    groups["reason"] = pd.Series({name: group_reason(of) for name, of in members}, dtype=object)
    finished = cells[~cells["status"].isin((DIVERGED, FAILED))]
    figures = figure_columns(finished, SUMMARIZED).reindex(groups.index)
    for end in ("chrf_low", "chrf_high"):
        # It lies in 0 … 100, whatever the interval of a few seeds says.
        figures[end] = pd.to_numeric(figures[end]).clip(0, 100)
    figures = figures.assign(**share_columns(inputs, finished, groups.index))
    ranked = pd.to_numeric(figures["val_nats_per_byte_mean"].mask(groups[DIVERGED] > 0))
    groups["rank"] = ranked.groupby(groups["text"]).rank(method="first", na_option="bottom").astype(int)
    groups["best"] = (groups["rank"] == 1) & ranked.notna()
    table = with_verdicts(groups.join(figures).reset_index(), read_scores(inputs, cells))
    return table.drop(columns="text")


def share_columns(inputs: Inputs, cells: pd.DataFrame, groups: pd.Index) -> dict[str, pd.Series]:
    """Return the ends of the intervals of shares of exact answers, and of their paired difference: column →
    group → value. They cover other short answers as well as other seeds.

    Args:
        inputs: of `compare`.
        cells: the rows of those that finished, with `text` and `group`.
        groups: the names of all groups. One without the answers of all its seeds, or their bases, has none.
    """
    base_of = {entry.cell: entry.base for entry in inputs.job.config.finetuned}
    found: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in SHARES}
    for (_, data), members in cells.groupby(["text", "data"], sort=False):
        right = right_of_all(inputs, {*members["cell"], *(base_of[cell] for cell in members["cell"])}, data)
        own, base = {}, {}
        for group, names in members["cell"].groupby(members["group"], sort=False):
            if right.keys() >= {*names}:
                own[group] = np.stack([right[name] for name in names])
            bases = [base_of[name] for name in names]
            if right.keys() >= {*bases}:
                base[group] = np.stack([right[name] for name in bases])
                # Of a model of others there is one base for all seeds; and groups share the bases' seeds.
                alone = np.stack([right[name] for name in dict.fromkeys(bases)])
                found["base_exact"] |= zip([group], share_intervals([alone]), strict=True)
        found["exact"] |= zip(own, share_intervals([*own.values()]), strict=True)
        both = [group for group in own if group in base]
        pairs = difference_intervals([own[group] for group in both], [base[group] for group in both])
        found["exact_difference"] |= zip(both, pairs, strict=True)
    return {
        f"{name}_{end}": pd.Series([of.get(group, (None, None))[place] for group in groups], groups, object)
        for name, of in found.items()
        for place, end in enumerate(("low", "high"))
    }


def right_of_all(inputs: Inputs, cells: Iterable[str], data: str) -> dict[str, np.ndarray]:
    """Return cell → whether it answered each short item right: (items,) bool, the same items, of those that
    were asked; empty if fewer than two items are common to all, of which nothing can be told."""
    asked = {cell: read_exact(inputs, f"dialogues:{cell}:{data}") for cell in cells}
    asked = {cell: answers for cell, answers in asked.items() if answers}
    items = sorted(set.intersection(*map(set, asked.values()))) if asked else []
    return {cell: np.array([own[item] for item in items]) for cell, own in asked.items() if len(items) > 1}


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
