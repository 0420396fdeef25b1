"""What changing one thing alone changes: effects.csv, and interactions.csv for two things at a time.

The effect of a value is its mean difference to a reference, another value of its axis, over all pairs of
groups that differ in nothing else. The reference is the value in most such pairs, the first of a full grid;
values that never meet it have another. An effect is of the test documents and in the unit of the figures;
positive is worse. Its interval is that of one effect, for other seeds and documents; other settings of the
rest of the grid may have other effects. An interaction is how much an effect differs between two values of
another axis, given where every combination of the two was run.
"""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pandas as pd

from gptgrid.stages.compare.cells import NAMES
from gptgrid.stages.compare.contrasts import contrasts
from gptgrid.stages.compare.documents import Scores
from gptgrid.stages.compare.selection import LEVEL, half_width

UNSET = "not overridden"
"""The value of an overridden key where it is not."""
FOUND = ["pairs", "effect", "effect_low", "effect_high", "df", "covers"]
EFFECTS = ["text", "axis", "value", "reference", *FOUND]
INTERACTIONS = ["text", "axis", "value", "other_axis", "other_value", *FOUND]
Weights = dict[str, float]
"""Group → its weight in a contrast."""


def effect_tables(
    groups: pd.DataFrame,
    keys: list[str],
    scores: dict[str, dict[str, Scores]],
    repeated: dict[str, list[str]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the effects and the interactions on all texts.

    Args:
        groups: the rows of all groups.
        keys: overridden keys.
        scores: text → split → what its groups take by document.
        repeated: group → overridden keys that change nothing in their entry: it is as if they were not.
    """
    axes = [name for name in NAMES if name not in ("cell", "corpus", "seed")]
    axes += [key for key in keys if not key.startswith("corpus.")]
    effects, interactions = [pd.DataFrame(columns=EFFECTS)], [pd.DataFrame(columns=INTERACTIONS)]
    for text, of_text in scores.items():
        grid = as_resolved(groups.set_index("group").loc[list(of_text["test"].groups), axes], repeated)
        grid = grid.loc[:, grid.nunique() > 1]
        for tables, columns, rows in (
            (effects, EFFECTS, effects_of(grid)),
            (interactions, INTERACTIONS, interactions_of(grid)),
        ):
            tables.append(estimated(text, columns, rows, of_text["test"]))
    return tuple(pd.concat(tables, ignore_index=True) for tables in (effects, interactions))


def as_resolved(grid: pd.DataFrame, repeated: dict[str, list[str]]) -> pd.DataFrame:
    """Return the values of the axes: one value where a key is overridden by what its entry has anyway, and
    where it is not overridden.

    Args:
        grid: the values of the axes as they are written: (groups, axes).
        repeated: see `effect_tables`.
    """
    found = grid.copy()
    for key in grid:
        unset = grid[key].isna()
        same = [group for group in grid.index if key in repeated.get(group, ())]
        if unset.any():
            found.loc[same, key] = None
    # Groups that are one recipe under several names are there once.
    return found.fillna(UNSET).drop_duplicates()


def effects_of(grid: pd.DataFrame) -> list[tuple[dict[str, str], list[Weights]]]:
    """Return for the values of each axis what they are, and the pairs of groups with their reference.

    A value that is in no pair is left out: the figures do not tell its effect from that of another axis.

    Args:
        grid: the values of the axes that vary: (groups, axes).
    """
    rows = []
    for axis in grid:
        places, values = placed(grid, [axis]), list(grid[axis].unique())
        met: dict[tuple[str, str], list[Weights]] = {}
        for of in places:
            for (value,), (reference,) in permutations(of, 2):
                met.setdefault((value, reference), []).append({of[value,]: 1.0, of[reference,]: -1.0})
        for value, reference in references_of(values, {pair: len(pairs) for pair, pairs in met.items()}):
            names = {"axis": axis, "value": value, "reference": reference}
            rows.append((names, met[value, reference]))
    return rows


def references_of(values: list[str], met: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return values with the reference of each, in grid order.

    The reference is the value in most pairs, the first of several. Those that never meet it have as theirs
    the one in most pairs with them, and so on. Values that nothing connects have references of their own.

    Args:
        values: of an axis, in grid order.
        met: two values, in both orders → how many pairs of groups differ in them alone.
    """
    found: dict[str, str] = {}
    left = list(values)
    while left:
        pairs = {value: sum(met.get((other, value), 0) for other in left) for value in values}
        # One that has an effect, or is a reference, before one that would stand apart.
        reference = max(values, key=lambda value: (pairs[value] > 0 and value not in left, pairs[value]))
        if not pairs[reference]:
            break
        found |= {value: reference for value in left if (value, reference) in met}
        left = [value for value in left if value not in found and value != reference]
    return [(value, found[value]) for value in values if value in found]


def interactions_of(grid: pd.DataFrame) -> list[tuple[dict[str, str], list[Weights]]]:
    """Return for each two values of two axes what they are, and the fours of groups, where all were run."""
    rows = []
    for axis, other in combinations(grid, 2):
        values, others = grid[axis].unique(), grid[other].unique()
        places = placed(grid, [axis, other])
        if any(len(of) < len(values) * len(others) for of in places):
            continue
        for value, beside in product(values[1:], others[1:]):
            fours = [
                {
                    of[value, beside]: 1.0,
                    of[value, others[0]]: -1.0,
                    of[values[0], beside]: -1.0,
                    of[values[0], others[0]]: 1.0,
                }
                for of in places
            ]
            names = {"axis": axis, "value": value, "other_axis": other, "other_value": beside}
            rows.append((names, fours))
    return rows


def placed(grid: pd.DataFrame, axes: list[str]) -> list[dict[tuple, str]]:
    """Return for each setting of the other axes: values of some axes → the group."""
    found: dict[tuple, dict[tuple, str]] = {}
    rest = [axis for axis in grid if axis not in axes]
    for group, values, others in zip(
        grid.index,
        grid[axes].itertuples(index=False, name=None),
        grid[rest].itertuples(index=False, name=None) if rest else [()] * len(grid),
        strict=True,
    ):
        found.setdefault(others, {})[values] = group
    return list(found.values())


def estimated(
    text: str, columns: list[str], rows: list[tuple[dict[str, str], list[Weights]]], scores: Scores
) -> pd.DataFrame:
    """Return the table of the means of some contrasts on a text, without those that no groups show."""
    shown = [(names, pairs) for names, pairs in rows if pairs]
    if not shown:
        return pd.DataFrame(columns=columns)
    number = {group: place for place, group in enumerate(scores.groups)}
    weights = np.zeros((len(shown), len(number)))
    for row, (_, pairs) in zip(weights, shown, strict=True):
        for pair in pairs:
            for group, weight in pair.items():
                row[number[group]] += weight / len(pairs)
    found = contrasts(weights, list(scores.groups.values()), scores.size)
    half = half_width(found.error, found.df, LEVEL)
    table = pd.DataFrame([names for names, _ in shown])
    return table.assign(
        text=text,
        pairs=[len(pairs) for _, pairs in shown],
        effect=found.value * scores.unit,
        effect_low=(found.value - half) * scores.unit,
        effect_high=(found.value + half) * scores.unit,
        df=found.df,
        covers=found.covers,
    )[columns]
