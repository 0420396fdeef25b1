"""samples.csv: what the samples of each cell are worth, by decoding, beside true continuations of its text.

`bpb` is what the samples take under the best other cell of the text, `judge`; `copied` is the share of their
runs of 8 units that stand in the training text. A row without a cell is of the true continuations of
documents: what they share with the training text, nobody copied. Where they are the ones that the prompts
have, there is such a row for each judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from gptgrid.stages.compare.facts import Inputs

TRUTH = "truth"
"""The decoding of rows of true continuations, and what judged.json has of them."""
FIGURES = (
    *("samples", "ended", "mean_tokens", "mean_bytes"),
    *("distinct_1", "distinct_2", "distinct_3", "self_bleu", "repetition"),
    *("copied", "longest_copy", "bleu", "chrf"),
)
"""As the facts of `sample` call them."""
COLUMNS = ("text", "group", "cell", "decoding", "unit", *FIGURES, "bpb", "perplexity", "judge", "reason")
"""`unit`: what is counted: words, words and letters (those of scripts without blanks), characters or ids.
`bpb`, `perplexity`: under the judge, by its tokens.
`reason`: why figures are missing."""
SUMMARY = {"distinct_2": "distinct_2", "repetition": "repetition", "copied": "copied", "bpb": "sample_bpb"}
"""Column of samples.csv → what summary.csv calls it. It has one decoding, `sampled`, of each cell."""
MUCH = 0.1
"""A share of copies that is so much above that of true continuations, and twice it, is worth a word."""
NO_JUDGE = "there is no other cell on this text to judge it"
Row = dict[str, Any]


def sample_table(inputs: Inputs, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of samples.csv, of each text first the true continuations.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
    """
    asked = {cell.cell: cell for cell in inputs.job.config.cells}
    rows = []
    for text, members in cells.groupby("text", sort=False):
        facts = [inputs.facts(f"sample:{name}") or {} for name in members["cell"]]
        truth = next((found for found in facts if found.get(TRUTH)), None)
        # All cells on a text have the same corpus.
        judged = judgement(inputs, asked[members["cell"].iloc[0]].shards.split("@", 1)[1])
        if truth:
            row = {"text": text, **row_of(truth, truth[TRUTH], TRUTH)}
            of_judges = {} if isinstance(judged, str) else judged.get(TRUTH, {})
            rows += [row | bits_of(found) for found in of_judges.values()] or [row]
        for name, group in zip(members["cell"], members["group"], strict=True):
            rows += ({"text": text, "group": group, **row} for row in cell_rows(inputs, name, judged))
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def cell_rows(inputs: Inputs, cell: str, judged: dict[str, Row] | str) -> Iterator[Row]:
    """Yield the rows of a cell: one without figures if there are no samples.

    Args:
        inputs: of `compare`.
        cell: its name.
        judged: see `judgement`.
    """
    name = f"sample:{cell}"
    facts = inputs.facts(name) or {}
    for decoding, figures in facts.get("decodings", {}).items():
        row = row_of(facts, figures, decoding)
        found = {} if isinstance(judged, str) else judged.get(cell, {}).get(decoding, {})
        if not found:
            row["reason"] = join([row["reason"], f"bpb: {judged if isinstance(judged, str) else NO_JUDGE}"])
        yield {"cell": cell, **row, **bits_of(found)}
    if not facts.get("decodings"):
        yield {"cell": cell, "reason": inputs.job.failed.get(name, "an older source made its samples")}


def bits_of(found: Row) -> Row:
    """Return what a judge makes of some texts, as columns."""
    return {
        "bpb": found.get("bits_per_byte"),
        "perplexity": found.get("perplexity"),
        "judge": found.get("judge"),
    }


def row_of(facts: Row, figures: Row, decoding: str) -> Row:
    """Return the figures of a decoding as a row."""
    of_reason: dict[str, list[str]] = {}
    for name, reason in figures["reasons"].items():
        of_reason.setdefault(reason, []).append(name)
    said = join([f"{', '.join(names)}: {reason}" for reason, names in of_reason.items()])
    values = {name: figures.get(name) for name in FIGURES}
    return {"decoding": decoding, "unit": facts["unit"], **values, "reason": said}


def join(reasons: list[str | None]) -> str | None:
    """Return some reasons as one; None without any."""
    return "; ".join(filter(None, reasons)) or None


def judgement(inputs: Inputs, corpus: str) -> dict[str, Row] | str:
    """Return cell → decoding → what the best other cell makes of the samples; or why that is not known."""
    name = f"judged:{corpus}"
    if name not in inputs:
        return inputs.job.failed.get(name, NO_JUDGE)
    return json.loads((inputs.job.inputs[name] / "judged.json").read_text(encoding="utf-8"))


def summary_columns(samples: pd.DataFrame, cells: pd.Series) -> dict[str, list[Any]]:
    """Return column → values for summary.csv: `sampled`, a decoding, and what its samples are worth.

    It is the same one for all cells, that of the most varied samples: others show what a model repeats.

    Args:
        samples: the rows of samples.csv.
        cells: names, in the order of summary.csv.
    """
    rows = samples[samples["cell"].notna() & samples["decoding"].notna()]
    varied = rows["distinct_2"].astype(float).fillna(0).groupby(rows["decoding"], sort=False).mean()
    chosen = rows[rows["decoding"] == varied.idxmax()] if len(varied) else rows
    found = {row["cell"]: row for row in chosen.to_dict("records")}
    columns = {"decoding": "sampled", **SUMMARY}
    return {column: [found.get(cell, {}).get(name) for cell in cells] for name, column in columns.items()}


def of_samples(samples: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield a text with a sentence where models copy much more of their training text than fresh texts do."""
    for text, rows in samples.groupby("text", sort=False):
        truth = rows[rows["cell"].isna()]["copied"].dropna().tolist()
        rivals = rows[rows["cell"].notna() & rows["copied"].notna()]
        if not truth:
            continue
        much = rivals[(rivals["copied"] >= truth[0] + MUCH) & (rivals["copied"] >= 2 * truth[0])]
        if not len(much):
            continue
        most = much.sort_values("copied", ascending=False, kind="stable").iloc[0]
        yield (
            text,
            f"samples of {much['cell'].nunique()} of {rivals['cell'].nunique()} cells are copied from the "
            f"training text: {most['copied']:.0%} of the runs of 8 {most['unit']} in those of {most['cell']} "
            f"({most['decoding']}) stand there, and {truth[0]:.0%} of those in true continuations of "
            "documents; such samples show what was learned by heart; train for fewer epochs, or on more text",
        )
