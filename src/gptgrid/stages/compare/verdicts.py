"""Columns of comparison.csv: how far each group is from the best on its text, and how sure that is.

Validation chooses the best. Differences are those of the test documents, in the unit of the figures: bits
per byte, or nats per token for bare ids; positive is worse. An interval is that of one difference. p and
verdict are corrected for all comparisons on the text, so that an interval may leave out 0 where the verdict
is not sure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gptgrid.stages.compare.contrasts import spread_of
from gptgrid.stages.compare.documents import Scores
from gptgrid.stages.compare.power import least_difference, seeds_needed
from gptgrid.stages.compare.selection import LEVEL, compare_with_chosen, half_width

BEST, WORSE, UNDECIDED = "best", "worse", "not distinguishable"
BETTER = "better"
"""Than the one that validation chose: seldom, and a sign that the test is text of another kind."""
COLUMNS = (
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "verdict",
    "detectable",
    "seeds_needed",
    "df",
    "covers",
    "unsteady",
    "val_difference",
)
"""What they say, where the name does not.

`detectable`: the difference that is told with a chance of 80 %. `seeds_needed`: how many seeds of every group
would tell this one so; empty where it is told, and where no number would. `df`: degrees of freedom. `covers`:
whether the interval stands for other seeds, other documents or both. `unsteady`: whether the seeds of the
group spread so much more than those of others that its own spread stands for it, not that of all.
`val_difference`: on validation, which chose by it, so that it flatters the best.
"""


def with_verdicts(groups: pd.DataFrame, scores: dict[str, dict[str, Scores]]) -> pd.DataFrame:
    """Return the rows of all groups with `COLUMNS`: empty without a best on the text, or without figures.

    Args:
        groups: the rows, with `text`, `group` and `best`.
        scores: text → split → what its groups take by document.
    """
    rows: dict[str, dict[str, Any]] = {}
    for best, text in groups.loc[groups["best"], ["group", "text"]].itertuples(index=False):
        of_text = scores.get(text, {})
        rows |= verdicts(of_text, best) if of_text and best in of_text["test"].groups else {}
        kept = ("covers", "unsteady")
        rows[best] = {name: rows.get(best, {}).get(name) for name in kept} | {"verdict": BEST}
    # Not `from_dict` by rows, which makes floats of integers beside gaps, objects or not.
    columns = {name: [row.get(name) for row in rows.values()] for name in COLUMNS}
    table = pd.DataFrame(columns, index=list(rows), dtype=object)
    return groups.join(table, on="group")


def verdicts(scores: dict[str, Scores], best: str) -> dict[str, dict[str, Any]]:
    """Return group → values of `COLUMNS` for all groups of a text.

    Args:
        scores: split → what the groups take by document.
        best: the group that validation chose.
    """
    valid, test = ((list(part.groups.values()), part.size) for part in (scores["valid"], scores["test"]))
    names, unit = list(scores["test"].groups), scores["test"].unit
    chosen = names.index(best)
    compared = compare_with_chosen(valid, test, chosen)
    found, spread, told = compared.differences, spread_of(test[0]), compared.p < LEVEL
    half = half_width(found.error, found.df, compared.single)
    figures = np.array([group.ratios.mean() for group in valid[0]])
    needed = np.where(told, np.nan, seeds_needed(compared, spread, chosen))
    table = {
        "difference": found.value * unit,
        "difference_low": (found.value - half) * unit,
        "difference_high": (found.value + half) * unit,
        "p": compared.p,
        "verdict": np.where(told, np.where(found.value > 0, WORSE, BETTER), UNDECIDED),
        "detectable": least_difference(found.error, found.df, compared.joint) * unit,
        # As objects: integers beside a gap would become floats.
        "seeds_needed": [None if np.isnan(count) else int(count) for count in needed],
        "df": found.df,
        "covers": found.covers,
        "unsteady": spread.apart,
        "val_difference": (figures - figures[chosen]) * unit,
    }
    return pd.DataFrame(table, index=names, dtype=object).to_dict("index")
