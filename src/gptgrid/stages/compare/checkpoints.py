"""checkpoints.csv: the figures of the weights that trainings kept on their way, of whole splits."""

from __future__ import annotations

import pandas as pd

from gptgrid.stages.compare.facts import Inputs

FIGURES = {"val_loss": ("valid", "val_loss"), "val_bpb": ("valid", "bpb")} | {
    name: ("test", name) for name in ("test_loss", "perplexity", "bpb")
}
"""Column → split and figure of an evaluation."""
COLUMNS = ("cell", "step", "share", *FIGURES)
"""`share`: of the steps of the training that were made by then."""


def checkpoint_table(inputs: Inputs, cells: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each of the weights, in the order of cells and steps; none without such an evaluation.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells.
    """
    rows = [
        {
            "cell": cell,
            "step": found["step"],
            "share": found["step"] / inputs.facts(f"train:{cell}")["steps"],
            **{column: found[split][figure] for column, (split, figure) in FIGURES.items()},
        }
        for cell in cells["cell"]
        for found in inputs.evaluation(cell).get("checkpoints", [])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
