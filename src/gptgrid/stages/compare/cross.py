"""cross.csv: every group on the test split of every text, its own among them, in bits per byte.

A group has the figures of comparison.csv on the text that it was trained on. On another, its difference is
that to the best of the groups which were trained there. Validation chose that one, and the test shares the
luck of its seeds: p and interval are corrected for all pairs of a group of another text with one of this
text, by the rules of Bonferroni and Holm. One that was trained on a good part of the text has no difference.
What another seed would change is known by the groups of the text together with those of other texts whose
seeds spread no further on it; those that are lost there, as in a language that they never saw, are taken
together by themselves, as far as they spread alike.

What a checkpoint of others was trained on is not known. It is the same whichever text's cells have it, so
that it has one row on each text: that of the text's own group, if there is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from gptgrid.stages.compare.cells import (
    CONVENTION,
    DIVERGED,
    FAILED,
    IMPORTED,
    TAKE_BACK,
    overridden_keys,
)
from gptgrid.stages.compare.contrasts import Group, contrasts, spread_of, summarize_group
from gptgrid.stages.compare.documents import Scores, nats_on, read_cell
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.groups import STATISTICS, summarize
from gptgrid.stages.compare.selection import LEVEL, half_width, holm, two_sided
from gptgrid.stages.compare.verdicts import BETTER, UNDECIDED, WORSE
from gptgrid.words import counted, verb

FIGURES = tuple(f"bpb_{statistic}" for statistic in STATISTICS)
FOUND = ("difference", "difference_low", "difference_high", "p", "verdict", "df", "covers")
"""As in comparison.csv."""
COLUMNS = (
    *("text", "group", "trained_on", "seeds", DIVERGED, FAILED, *FIGURES, *FOUND),
    *(CONVENTION, "test_documents", "in_train", "status", "reason"),
)
"""`trained_on`: the text of the group; empty for a checkpoint of others. `in_train`: the share of the
documents that stand in the training text of the group. `status`: finished, diverged or failed, of what the
figures are of."""
SCORED = "finished"
SEEN = "seen in training"
"""In place of a verdict: the group was trained on so much of the text that figures on it prove nothing."""
MUCH = 0.1
"""Share of the bytes of a text from which on that is so. Short lines that many texts have are less."""
Row = dict[str, Any]


def cross_table(
    inputs: Inputs, cells: pd.DataFrame, groups: pd.DataFrame, scores: dict[str, dict[str, Scores]]
) -> pd.DataFrame:
    """Return the rows of all groups on all texts; none where the experiment does not ask for it.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
        groups: the rows of all groups, with verdicts.
        scores: text → split → what its groups take by document.
    """
    asked = inputs.job.config.cells
    labels = {cell.shards.split("@", 1)[1]: text for cell, text in zip(asked, cells["text"], strict=True)}
    there = {*inputs.job.inputs, *inputs.job.failed}
    groups = groups.assign(trained_on=groups["text"].mask(groups["group"].isin(of_others(inputs, cells))))
    parts = ["tokenizer", "model", "training"]
    parts += [key for key in overridden_keys(asked) if not key.startswith("corpus.")]
    rows: list[Row] = []
    for label, text in labels.items():
        named = cells.assign(name=[f"cross:{label}:{cell}" for cell in cells["cell"]])
        foreign = named[named["name"].isin(there)]
        if len(foreign):
            shown = once(groups, text, parts)
            rows += on_text(inputs, text, named, foreign, shown, scores.get(text, {}).get("test"))
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def of_others(inputs: Inputs, cells: pd.DataFrame) -> set[str]:
    """Return the groups that are checkpoints of others, whatever became of their evaluations."""
    return {
        group
        for cell, group in zip(cells["cell"], cells["group"], strict=True)
        if (inputs.facts(f"train:{cell}") or {}).get("status") == IMPORTED
    }


def once(groups: pd.DataFrame, text: str, parts: list[str]) -> pd.DataFrame:
    """Return the groups with a row on a text, in grid order: of each checkpoint of others one.

    Args:
        groups: the rows of all groups, with `trained_on`.
        text: whose own groups go before others.
        parts: columns in which the groups of one checkpoint are alike.
    """
    own_first = groups.sort_values("text", key=lambda texts: texts != text, kind="stable")
    again = own_first.duplicated(parts) & own_first["trained_on"].isna()
    return groups[~again.reindex(groups.index)]


def on_text(
    inputs: Inputs,
    text: str,
    cells: pd.DataFrame,
    foreign: pd.DataFrame,
    groups: pd.DataFrame,
    scores: Scores | None,
) -> Iterator[Row]:
    """Yield the rows of a text in grid order.

    Args:
        inputs: of `compare`.
        text: its name.
        cells: the rows of all cells.
        foreign: those of other texts, with `name`, the input that has their scores on this one.
        groups: the rows of the groups with a row there, with `trained_on`.
        scores: what the groups of the text take by document; None where that is not known.
    """
    native = cells[cells["text"] == text]
    digest = digest_of(inputs, native)
    members: dict[str, list[Row]] = {}
    for cell in foreign[foreign["group"].isin(groups["group"])].to_dict("records"):
        members.setdefault(cell["group"], []).append(scored_cell(inputs, cell, digest))
    own = groups[groups["text"] == text]
    found = differences(list(own["group"][own["best"].astype(bool)]), members, scores)
    for group in groups.to_dict("records"):
        shared = {"text": text, "group": group["group"], "trained_on": group["trained_on"]}
        if group["text"] == text:
            yield own_row(inputs, group, native[native["group"] == group["group"]]) | shared
        elif group["group"] in members:
            yield summary(members[group["group"]]) | found.get(group["group"], {}) | shared


def digest_of(inputs: Inputs, cells: pd.DataFrame) -> str | None:
    """Return what says which documents of a text its own cells were scored on; None where none was."""
    kept = cells["cell"][cells["status"] != FAILED]
    return next((found for cell in kept if (found := inputs.evaluation(cell).get("text_digest"))), None)


def scored_cell(inputs: Inputs, cell: Row, digest: str | None) -> Row:
    """Return how a cell does on another text: status, reason, figures, and the folder that has them.

    Args:
        inputs: of `compare`.
        cell: its row, with `name`.
        digest: of the documents on which the cells of the text were scored.
    """
    if cell["status"] == DIVERGED:
        return {"status": DIVERGED, "reason": cell["reason"]}
    if cell["name"] not in inputs:
        return {"status": FAILED, "reason": inputs.job.failed[cell["name"]]}
    folder = inputs.job.inputs[cell["name"]]
    found = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    if digest is not None and found["text_digest"] != digest:
        other = f"it was scored on other documents than the cells of this text; {TAKE_BACK}"
        return {"status": FAILED, "reason": other}
    return {"status": SCORED, "reason": "; ".join(doubts(found)) or None, "folder": folder, **found}


def doubts(found: Row) -> Iterator[str]:
    """Yield what stands against the figures of a cell on another text.

    Args:
        found: its evaluation.json.
    """
    if seen := (found["in_train"] or {}).get("documents"):
        share = found["in_train"]["share"]
        yield (
            f"{seen:,} of these documents ({share:.2%}) {verb(seen, 'stand')} in the text that it was "
            "trained on"
        )
    if marks := found["strange_marks"]:
        yield (
            f"{counted(marks, 'token')} of this text {verb(marks, 'are')} marks, which it has never "
            "seen: it was trained on a text of `marks: text`"
        )


def summary(members: list[Row]) -> Row:
    """Return the columns of a group on another text but its differences: figures over the cells that did not
    fail; none if one diverged."""
    statuses = [member["status"] for member in members]
    scored = [member for member in members if member["status"] == SCORED]
    figures = [member.get("bpb") for member in members if member["status"] != FAILED]
    first = scored[0] if scored else {}
    return {
        "seeds": len(members),
        DIVERGED: statuses.count(DIVERGED),
        FAILED: statuses.count(FAILED),
        **dict(zip(FIGURES, summarize(figures or [None]).values(), strict=True)),
        CONVENTION: first.get(CONVENTION),
        "test_documents": first.get("documents"),
        "in_train": (first.get("in_train") or {}).get("share"),
        "status": DIVERGED if DIVERGED in statuses else SCORED if scored else FAILED,
        "reason": "; ".join(dict.fromkeys(m["reason"] for m in members if m["reason"])) or None,
    }


def own_row(inputs: Inputs, group: Row, cells: pd.DataFrame) -> Row:
    """Return the columns of a group on its own text, as comparison.csv has them.

    Args:
        inputs: of `compare`.
        group: its row.
        cells: the rows of its cells.
    """
    # What a checkpoint of others was trained on is not known.
    known = cells["cell"][~cells["status"].isin((FAILED, IMPORTED))]
    shares = ((inputs.evaluation(cell).get("in_train") or {}).get("share") for cell in known)
    status = DIVERGED if group[DIVERGED] else SCORED if group["seeds"] > group[FAILED] else FAILED
    reasons = "; ".join(cells["reason"][cells["status"] == status].dropna().unique()) or None
    return {
        **{column: group.get(column) for column in COLUMNS},
        "in_train": next(shares, None),
        "status": status,
        "reason": None if status == SCORED else reasons,
    }


# ------------------------------------------------------------------------------------- differences


def differences(best: list[str], members: dict[str, list[Row]], scores: Scores | None) -> dict[str, Row]:
    """Return group of another text → its difference to the best of the text; of those that have any.

    Args:
        best: the best of the text; empty where there is none.
        members: group of another text → its cells.
        scores: what the groups of the text take by document.
    """
    folders = {
        group: [(cell["folder"], cell[CONVENTION]) for cell in cells if cell["status"] == SCORED]
        for group, cells in members.items()
        if not any(cell["status"] == DIVERGED for cell in cells)
    }
    folders = {group: read for group, read in folders.items() if read}
    seen = {group: {"verdict": SEEN} for group in folders if has_seen(members[group])}
    folders = {group: read for group, read in folders.items() if group not in seen}
    if scores is None or not folders or not best or best[0] not in scores.groups:
        return seen
    others = []
    for read in folders.values():
        nats = [nats_on(scores, "test", cell[0], read_cell(*cell)["test"]) for cell in read]
        others.append(summarize_group(np.stack(nats), scores.size))
    chosen = list(scores.groups).index(best[0])
    found = to_the_best(list(scores.groups.values()), chosen, others, scores.size)
    in_units = {name: found[name] * scores.unit for name in FOUND[:3]}
    return seen | pd.DataFrame(found | in_units, index=list(folders), dtype=object).to_dict("index")


def has_seen(cells: list[Row]) -> bool:
    """Say whether cells were trained on much of the text that they were scored on."""
    scored = [cell["in_train"] or {} for cell in cells if cell["status"] == SCORED]
    return any(seen.get("size_share", 0.0) >= MUCH for seen in scored)


def to_the_best(own: list[Group], chosen: int, others: list[Group], size: np.ndarray) -> dict[str, Any]:
    """Return the columns FOUND of the differences of groups of other texts to the best of the text's own:
    (others,) each, in nats per byte.

    Args:
        own: what the groups of the text take.
        chosen: the number of the best of them.
        others: what the groups of other texts take.
        size: of the documents: (documents,).
    """
    rivals, groups = len(own), [*own, *others]
    weights = np.eye(len(groups))[rivals:]
    weights[:, chosen] = -1
    found = contrasts(weights, groups, size, spread_of(groups, sure=np.arange(len(groups)) < rivals))
    half = half_width(found.error, found.df, LEVEL / rivals)
    p = holm(rivals * two_sided(found.value, found.error, found.df))
    return {
        "difference": found.value,
        "difference_low": found.value - half,
        "difference_high": found.value + half,
        "p": p,
        "verdict": np.where(p < LEVEL, np.where(found.value > 0, WORSE, BETTER), UNDECIDED),
        "df": found.df,
        "covers": found.covers,
    }


def of_cross(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return text and caution for each group that was scored on a text and may not be taken at its word."""
    doubtful = table[(table["status"] == SCORED) & table["reason"].notna()]
    return [
        (row["text"], f"cross.csv, {row['group']}: {row['reason']}") for row in doubtful.to_dict("records")
    ]
