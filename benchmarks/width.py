"""Draw what `snakemake --configfile config/recipes/width.yaml` found: loss by learning rate and width.

python benchmarks/width.py        # writes docs/width.svg; needs `pip install matplotlib`
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
TITLES = {"standard": "standard parametrization", "mup": "maximal update parametrization"}


def main() -> None:
    cells = pd.read_csv(ROOT / "results" / "width" / "compare" / "summary.csv")
    # The same figure has the same bytes: no date, no random names.
    mpl.rcParams["svg.hashsalt"] = "gptgrid"
    figure, axes = plt.subplots(1, len(TITLES), figsize=(9, 3.6), sharey=True)
    for axis, (model, title) in zip(axes, TITLES.items(), strict=True):
        for width, line in cells[cells["model"] == model].groupby("model.d_model"):
            line = line.sort_values("training.lr")
            best = line.loc[line["val_loss"].idxmin()]
            print(f"{model}, width {width}: best at {best['training.lr']:g}, loss {best['val_loss']:.3f}")
            [drawn] = axis.plot(line["training.lr"], line["val_loss"], marker=".", label=f"width {width}")
            axis.plot(best["training.lr"], best["val_loss"], "o", color=drawn.get_color())
        axis.set(xscale="log", title=title, xlabel="learning rate")
        axis.legend()
    axes[0].set_ylabel("validation loss, nats per token")
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "width.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
