"""Draw the validation losses of an experiment over the tokens seen: a line a cell, a colour a model.

snakemake --configfile config/recipes/shakespeare.yaml
python benchmarks/curves.py shakespeare --level 1.88     # writes docs/shakespeare.svg; needs matplotlib
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="a folder of results")
    parser.add_argument("--level", type=float, required=True, help="a loss to draw a line at")
    arguments = parser.parse_args()
    results = ROOT / "results" / arguments.experiment
    cells = pd.read_csv(results / "compare" / "summary.csv").query("status != 'reference'")
    # The same figure has the same bytes: no date, no random names.
    mpl.rcParams["svg.hashsalt"] = "gptgrid"
    figure, axis = plt.subplots(figsize=(7, 4))
    colours = {model: f"C{number}" for number, model in enumerate(cells["model"].unique())}
    for cell in cells.itertuples():
        curve = pd.read_csv(results / "cells" / cell.cell / "train" / "metrics.csv").dropna(subset="val_loss")
        label = cell.model if cell.seed == cells["seed"].min() else None
        axis.plot(curve["tokens"], curve["val_loss"], color=colours[cell.model], marker=".", label=label)
        below = curve[curve["val_loss"] <= arguments.level]
        reached = f"at {below['tokens'].iloc[0]:,} tokens" if len(below) else "never"
        print(f"{cell.cell}: {arguments.level} reached {reached}; {cell.train_seconds:.0f} s in all")
    axis.axhline(arguments.level, color="grey", linestyle=":")
    axis.set(xscale="log", xlabel="training tokens", ylabel="validation loss, nats per token")
    axis.legend()
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / f"{arguments.experiment}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
