"""Scaling laws of an experiment, one for each recipe that was trained at several sizes or budgets.

Losses are nats per token of the validation split, as evaluated. N are all parameters, D the tokens that the
training's loss counts. A law is not fitted where the losses cannot tell it; the table then says why.
Parabolas through losses at equal FLOPs are no substitute: their minima are biased.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.scaling_law import EXPONENTS, HUBER, LEAST, Law, bootstrap, fit
from gptgrid.stages.compare.studies import NEAR, SCALES, STUDY, steps, studies, why_left_out
from gptgrid.words import counted, verb

LETTERS = {"parameters": ("A", "alpha"), "train_tokens": ("B", "beta")}
"""What a term of the law is of → its coefficient and its exponent."""
FORMS = {
    ("parameters",): "E + A/N^alpha",
    ("train_tokens",): "E + B/D^beta",
    SCALES: "E + A/N^alpha + B/D^beta",
}
FEWEST, FEWEST_BUDGETS, FEWEST_PLACES = 5, 3, 8
"""Sizes, or budgets without sizes; budgets beside sizes; pairs of both, where the law has both."""
EPOCHS = 4
"""Passes over a text up to which a token read again is worth about as much as a new one (Muennighoff et al.
2023, Scaling Data-Constrained Language Models)."""
FACTORS = (2, 10)
"""How much larger than the largest cells the law is asked to predict."""
MISSED = 0.02
"""Root mean square of the relative residuals beyond which the losses are hardly of the law's form."""
INTERVAL = (2.5, 97.5)
COUNTS = ("cells", "sizes", "budgets", "largest_parameters", "largest_train_tokens")
VALUES = ("E", *(name for names in LETTERS.values() for name in names))
HELD_OUT = ("held_out", "held_out_predicted", "held_out_measured", "held_out_error")
PREDICTED = tuple(f"loss_at_{factor}_times" for factor in FACTORS)
COLUMNS = (
    *STUDY,
    "form",
    "reason",
    *COUNTS,
    *(f"{name}{end}" for name in VALUES for end in ("", "_low", "_high")),
    *(f"{name}_huber" for name in VALUES),
    "residual",
    *HELD_OUT,
    *(f"{name}{end}" for name in PREDICTED for end in ("", "_low", "_high")),
    "cautions",
)
OF_CELLS = (*STUDY, "group", "cell", "parameters", "train_tokens", "val_loss", "predicted", "reason")
Row = dict[str, Any]


def scaling_tables(inputs: Inputs, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the laws, and the cells that they were fitted to.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.

    Returns:
        one row for each text, tokenizer and recipe: the law, its intervals, and what it predicts, with the
        error that it makes at the largest cells when it is fitted to the others; or the reason why there is
        none. And one row for each trained cell: its loss and that of the law, or the reason why it does not
        count.
    """
    laws, fitted = [], []
    for study, members in studies(inputs, cells).groupby(list(STUDY), sort=False):
        place = dict(zip(STUDY, study, strict=True))
        members = members.assign(reason=why_left_out(members))
        used = members[members["reason"].isna()]
        row, law = law_row(used)
        if law is not None:
            members.loc[used.index, "predicted"] = law.predict(used[list(scales_of(row))].to_numpy(float))
        laws.append({**place, **row})
        fitted.append(members)
    points = pd.concat(fitted) if fitted else pd.DataFrame(columns=OF_CELLS)
    return pd.DataFrame(laws, columns=COLUMNS, dtype=object), points.reindex(columns=OF_CELLS)


def law_row(used: pd.DataFrame) -> tuple[Row, Law | None]:
    """Return what scaling.csv says of a study, and its law, if it has one.

    Args:
        used: the rows of the cells that count.
    """
    sizes, budgets = (steps(used[scale]) for scale in SCALES)
    row: Row = {"cells": len(used), "sizes": sizes.nunique(), "budgets": budgets.nunique()}
    scales, reason = terms_of(used, sizes, budgets)
    if reason is not None:
        return {**row, "reason": reason}, None
    points, losses = used[list(scales)].to_numpy(float), used["val_loss"].to_numpy(float)
    law = fit(points, losses)
    samples = bootstrap(law, points, losses)
    found = with_intervals(values_of(law, scales), values_of(samples, scales))
    if reason := why_undetermined(found, scales):
        return {**row, "reason": reason}, None
    row |= {"form": FORMS[scales], **{f"largest_{scale}": used[scale].max() for scale in SCALES}, **found}
    robust = values_of(fit(points, losses, HUBER), scales)
    row |= {f"{name}_huber": float(value) for name, value in robust.items()}
    row["residual"] = float(np.sqrt(np.mean(np.log(law.predict(points) / losses) ** 2)))
    row |= held_out(used, points, losses, scales)
    larger = np.outer(FACTORS, points.max(axis=0))
    predicted = (dict(zip(PREDICTED, of.predict(larger).T, strict=True)) for of in (law, samples))
    row |= with_intervals(*predicted)
    row["cautions"] = "; ".join(cautions(used, law, scales, row)) or None
    return row, law


def scales_of(row: Row) -> tuple[str, ...]:
    """Return what the terms of a law are of."""
    return next(scales for scales, form in FORMS.items() if form == row["form"])


def terms_of(used: pd.DataFrame, sizes: pd.Series, budgets: pd.Series) -> tuple[tuple[str, ...], str | None]:
    """Return what the terms of the law are of, and why it cannot be fitted, if it cannot."""
    n, d = sizes.nunique(), budgets.nunique()
    both = pd.concat([sizes, budgets], axis=1).drop_duplicates()
    if n < FEWEST and not (n == 1 and d >= FEWEST):
        return (), f"{n} sizes and {d} budgets; it takes {FEWEST} sizes, or {FEWEST} budgets of one size"
    if n == 1 or d == 1:
        return (("train_tokens",) if n == 1 else ("parameters",)), None
    if (slope := common_slope(used)) > 0:
        return ("parameters",), None
    if slope < 0:
        return (), "budgets fall in step with sizes, which hides what each does; vary one alone, too"
    if d < FEWEST_BUDGETS:
        return (), f"{d} budgets; it takes one, or {FEWEST_BUDGETS}"
    if len(both) < FEWEST_PLACES:
        return (), f"{counted(len(both), 'pair')} of size and budget; it takes {FEWEST_PLACES}"
    return SCALES, None


def why_undetermined(found: Row, scales: tuple[str, ...]) -> str | None:
    """Return why the losses do not tell a law; None if they do.

    Args:
        found: its values, with intervals.
        scales: what its terms are of.
    """
    least, most = EXPONENTS[0], EXPONENTS[-1]
    for scale in scales:
        exponent = LETTERS[scale][1]
        low, high = found[f"{exponent}_low"], found[f"{exponent}_high"]
        if low < least or high > most:
            return (
                f"the losses do not tell {exponent}, whose interval goes from {low:.3g} to {high:.3g}: they "
                f"change too little with {scale} against their noise, or not as a power; take a wider range, "
                "more seeds or longer trainings"
            )
    return None


def common_slope(used: pd.DataFrame) -> float:
    """Return the power of N that D is, if it is one: then the law cannot tell them apart; else 0."""
    n, d = (np.log(used[scale].to_numpy(float)) for scale in SCALES)
    slope, offset = np.polyfit(n, d, 1)
    return float(slope) if np.abs(d - offset - slope * n).max() < np.log(NEAR) else 0.0


def values_of(law: Law, scales: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the values of a law, or of many, by their names."""
    values = {"E": law.floor}
    for term, scale in enumerate(scales):
        coefficient, exponent = LETTERS[scale]
        values |= {coefficient: law.coefficients[..., term], exponent: law.exponents[..., term]}
    return values


def with_intervals(values: dict[str, np.ndarray], samples: dict[str, np.ndarray]) -> Row:
    """Return values with the ends of their 95 % intervals, percentiles of the bootstrap."""
    row = {}
    for name, value in values.items():
        low, high = np.percentile(samples[name], INTERVAL)
        row |= {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def held_out(used: pd.DataFrame, points: np.ndarray, losses: np.ndarray, scales: tuple[str, ...]) -> Row:
    """Return how well the largest cells are predicted from the others; empty where those are too few."""
    number = steps(used[scales[0]]).to_numpy()
    largest = number == number.max()
    others = {tuple(point) for point in points[~largest]}
    if len(others) < 2 * len(scales) + 1:
        return {}
    predicted = fit(points[~largest], losses[~largest]).predict(points[largest]).mean()
    measured = losses[largest].mean()
    found = (float(points[largest, 0].max()), float(predicted), float(measured), float(predicted - measured))
    return dict(zip(HELD_OUT, found, strict=True))


def cautions(used: pd.DataFrame, law: Law, scales: tuple[str, ...], row: Row) -> list[str]:
    """Return what must be known before a law is believed."""
    found = []
    if scales == ("parameters",) and row["budgets"] > 1:
        found.append(
            "budgets grow in step with sizes, so that A/N^alpha is the effect of both, and holds only where "
            "they go on so"
        )
    if law.floor < LEAST * used["val_loss"].min():
        found.append("no floor is seen in these losses: E is 0 here, and hardly so for larger cells")
    if row["residual"] > MISSED:
        found.append(
            f"the law misses these losses by {row['residual']:.1%}: they are hardly of its form, or noisy, "
            "and what it predicts is at least as wrong"
        )
    if repeated := sum(used["epochs"] > EPOCHS):
        found.append(
            f"{repeated} of {counted(len(used), 'cell')} {verb(repeated, 'read')} the text more than "
            f"{EPOCHS} times, which is worth less than new text"
        )
    if continued := sum(used["continued"]):
        found.append(
            f"{continued} of {counted(len(used), 'cell')} {verb(continued, 'continue')} a shorter training "
            "that had another learning rate or weight decay than one of their budget has from the start, "
            "whose loss would be another"
        )
    if "held_out" not in row:
        found.append("too few cells to predict the largest from the others")
    return found
