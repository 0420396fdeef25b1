"""The tables on budgets and sizes: checkpoints, equal, pareto, scaling and scaling_cells .csv."""

from __future__ import annotations

import pandas as pd

from gptgrid.stages.compare.checkpoints import checkpoint_table
from gptgrid.stages.compare.costs import grouped
from gptgrid.stages.compare.curves import equal_table
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.pareto import pareto_table
from gptgrid.stages.compare.scaling import scaling_tables


def view_tables(inputs: Inputs, cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return file → table.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
    """
    groups = grouped(inputs, cells)
    fits, fitted = scaling_tables(inputs, cells)
    return {
        "checkpoints.csv": checkpoint_table(inputs, cells),
        "equal.csv": equal_table(inputs, groups),
        "pareto.csv": pareto_table(groups),
        "scaling.csv": fits,
        "scaling_cells.csv": fitted,
    }
