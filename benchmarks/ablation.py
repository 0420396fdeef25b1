"""What each switch of a model or recipe gives: every variant of an experiment against its base, seed by seed.

    snakemake --configfile config/recipes/ablation.yaml
    python benchmarks/ablation.py results/ablation/compare/summary.csv

The base is the experiment's first group, or that of `--base "llama muon"`, as the table names it. A variant's
difference is the mean over the seeds that both have; its interval takes one standard deviation of such
differences, pooled over all variants with two seeds or more: two or three seeds alone say little about it.
"""

import argparse
import csv
import math
import statistics
from pathlib import Path

from scipy.special import stdtrit

Losses = dict[str, dict[int, tuple[float, float]]]
"""Variant → seed → validation loss and tokens a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("summary", type=Path, help="compare/summary.csv of the experiment")
    parser.add_argument("--base", help="the variant to compare with; default: the first")
    arguments = parser.parse_args()
    with arguments.summary.open(encoding="utf-8", newline="") as file:
        found = read([row for row in csv.DictReader(file) if row["status"] != "reference"])
    print("\n".join(table(found, arguments.base or next(iter(found)))))


def read(rows: list[dict[str, str]]) -> Losses:
    """Return what each variant reached; it is named by model, training and overrides."""
    found: Losses = {}
    for row in rows:
        keys = [key for key in row if key.partition(".")[0] in ("model", "training") and "." in key]
        overrides = [f"{key.partition('.')[2]}: {row[key]}" for key in keys if row[key]]
        name = ", ".join([f"{row['model']} {row['training']}", *overrides])
        found.setdefault(name, {})[int(row["seed"])] = float(row["val_loss"]), float(row["tokens_per_second"])
    return found


def table(found: Losses, against: str) -> list[str]:
    """Return the rows of a Markdown table, the best variant first."""
    if against not in found:
        raise SystemExit(f"no variant is named {against!r}; there are: {'; '.join(found)}")
    base = found[against]
    gaps = {
        name: [cells[seed][0] - base[seed][0] for seed in cells if seed in base]
        for name, cells in found.items()
        if name != against
    }
    gaps = {name: gap for name, gap in gaps.items() if gap}
    freedom = sum(len(gap) - 1 for gap in gaps.values())
    if not freedom:
        raise SystemExit("no variant has two seeds of the base's, so that nothing tells how far seeds spread")
    squares = sum(statistics.variance(gap) * (len(gap) - 1) for gap in gaps.values() if len(gap) > 1)
    width = float(stdtrit(freedom, 0.975)) * math.sqrt(squares / freedom)
    rows = [
        "| variant | validation loss | difference to the base, 95 % interval | speed | seeds |",
        "|---|---|---|---|---|",
        f"| {against} | {mean(base, 0):.3f} | | | {len(base)} |",
    ]
    for name, gap in sorted(gaps.items(), key=lambda item: statistics.mean(item[1])):
        middle, half = statistics.mean(gap), width / math.sqrt(len(gap))
        speed = mean(found[name], 1) / mean(base, 1)
        rows.append(
            f"| {name} | {mean(found[name], 0):.3f} | {middle:+.3f} [{middle - half:+.3f}, "
            f"{middle + half:+.3f}] | ×{speed:.2f} | {len(gap)} |"
        )
    return rows


def mean(cells: dict[int, tuple[float, float]], place: int) -> float:
    """Return the mean of one figure over the seeds."""
    return statistics.mean(figures[place] for figures in cells.values())


if __name__ == "__main__":
    main()
