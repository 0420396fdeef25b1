"""In which order a text is best read: the kinds of `windows` side by side, on few tokens and on many.

    python benchmarks/windows.py FOLDER       # about 20 minutes; the trainings stay in FOLDER

Every training is a cell of one experiment, made by Snakemake with one core. `GPTGRID_MIRROR` must name a
folder with The Verdict and stories of TinyStories.
"""

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("permuted", "shuffled", "random")
VERDICT = "raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt"
STORIES = "raw.githubusercontent.com/s-ajaykumar/smallGPT/*/data/tiny_stories.txt"
FEW = 110
"""How many stories stand for a text that is too small."""
POSITION = {"by": "position", "valid": 0.1, "test": 0.05}
TRAININGS = {
    "toy": {"steps": 1300, "eval_every": 50},
    "verdict": {"steps": 800, "eval_every": 25},
    "paragraphs": {"steps": 400, "eval_every": 25},
    "few": {"steps": 800, "eval_every": 25},
    "below": {"tokens": 150_000, "lr": 3e-3},
    "above": {"tokens": 1_500_000, "lr": 3e-3, "eval_every": 73},
}
TEXTS = {"below": "stories", "above": "stories"}
"""Training → the corpus that it reads, where that has another name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to work")
    folder = parser.parse_args().folder.resolve()
    write_texts(folder, Path(os.environ["GPTGRID_MIRROR"]))
    config = folder / "config.yaml"
    config.write_text(json.dumps(configuration(folder)))
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", str(config)]
    environment = {**os.environ, "GPTGRID_STORE": str(folder / "store"), "OMP_NUM_THREADS": "1"}
    subprocess.run(snakemake, cwd=ROOT, env=environment, check=True)
    print("\n".join(table(ROOT / "results" / "windows")))


def write_texts(folder: Path, mirror: Path) -> None:
    """Write the stories as records, all and few of them, and The Verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.txt").write_bytes((mirror / VERDICT).read_bytes())
    text = next(mirror.glob(STORIES)).read_text(encoding="utf-8")
    # Paragraphs are a blank line apart, stories are not.
    stories = [story.strip() for story in re.split(r"(?<!\n)\n(?!\n)", text) if story.strip()]
    for name, some in (("stories", stories), ("few", stories[:FEW])):
        records = (json.dumps({"text": story}, ensure_ascii=False) + "\n" for story in some)
        (folder / f"{name}.jsonl").write_text("".join(records), encoding="utf-8")


def configuration(folder: Path) -> dict:
    """Return the experiment."""
    records = {name: {"source": "files", "paths": [f"{folder}/{name}.jsonl"]} for name in ("stories", "few")}
    verdict = {"source": "files", "paths": [f"{folder}/verdict.txt"], "split": POSITION}
    split = {"valid": 0.1, "test": 0.02}
    return {
        "experiment": "windows",
        "corpora": {
            "toy": {"source": "builtin"},
            "verdict": {**verdict, "document": "whole"},
            "paragraphs": {**verdict, "document": "blank-line"},
            **{name: {**corpus, "split": split} for name, corpus in records.items()},
        },
        "tokenizers": {"bpe": {"kind": "bpe", "vocab_size": 512}},
        "models": {"llama": {"preset": "llama", "n_layer": 2, "n_head": 2, "d_model": 64, "context": 64}},
        "training": {
            name: {"batch_tokens": 1024, "lr": 2e-3, **values} for name, values in TRAININGS.items()
        },
        "sampling": {"prompts": ["One day"], "max_new_tokens": 20},
        "grid": [
            {
                "corpus": TEXTS.get(name, name),
                "training": name,
                "training.windows": list(KINDS),
                "seed": [1, 2, 3],
            }
            for name in TRAININGS
        ],
    }


def table(results: Path) -> Iterator[str]:
    """Yield a Markdown table: validation loss at the best and at the last step, means and spread of seeds."""
    found = defaultdict(list)
    cells = [row for row in read(results / "compare" / "summary.csv") if row["status"] != "reference"]
    for cell in cells:
        curve = read(results / "cells" / cell["cell"] / "train" / "metrics.csv")
        losses = [float(row["val_loss"]) for row in curve if row["val_loss"]]
        found[cell["training"], cell["training.windows"]].append((min(losses), losses[-1]))
    yield "| training | windows | best step | last step |"
    yield "|---|---|---|---|"
    for names, seeds in found.items():
        yield f"| {' | '.join((*names, *map(spread, zip(*seeds, strict=True))))} |"


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def spread(losses: Iterable[float]) -> str:
    """Return mean and standard deviation."""
    losses = list(losses)
    return f"{statistics.mean(losses):.3f} ± {statistics.stdev(losses):.3f}"


if __name__ == "__main__":
    main()
