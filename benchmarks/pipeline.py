"""What the workflow itself costs: dry runs of small and large grids, and the seconds a cell beside training.

    python benchmarks/pipeline.py            # dry runs, about a minute
    python benchmarks/pipeline.py --run      # the default experiment too, cold and warm, about five minutes

Everything happens in a copy of the checkout; nothing of it is kept.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true", help="run the default experiment too")
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "gptgrid"
        names = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for name in names:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
        for cells in (12, 100, 1000):
            config = checkout / f"{cells}.yaml"
            config.write_text(yaml.safe_dump(grid_of(cells)))
            bare = bare_workflow(Path(folder) / f"bare-{cells}", cells)
            compare(
                f"snakemake -n, {cells} cells",
                lambda config=config: timed(checkout, "--dry-run", "--configfile", str(config)),
                lambda bare=bare: timed(bare, "--cores", "all", "--dry-run"),
            )
        if run:
            cold = timed(checkout)
            print(f"default experiment, cold: {cold:.0f} s", flush=True)
            bare = bare_workflow(Path(folder) / "bare", 16)
            timed(bare, "--cores", "all")
            compare(
                "default experiment, nothing to do",
                lambda: timed(checkout),
                lambda: timed(bare, "--cores", "all"),
            )
            for kept in ("data and results deleted", "and .snakemake, too"):
                shutil.rmtree(checkout / "results" / "default")
                for name in ("corpora", "tokenizers", "shards"):
                    shutil.rmtree(checkout / "data" / name)
                if "snakemake" in kept:
                    shutil.rmtree(checkout / ".snakemake")
                print(f"default experiment, restored from the store, {kept}: {timed(checkout):.2f} s")
            report_seconds(checkout, cold * os.cpu_count())


def compare(what: str, ours: Callable[[], float], bare: Callable[[], float]) -> None:
    """Time two runs in turns and print both, and their ratio."""
    pairs = [(ours(), bare()) for _ in range(REPEATS)]
    mine, other = ([pair[i] for pair in pairs] for i in (0, 1))
    ratio = statistics.median(mine) / statistics.median(other)
    print(f"{what}: {describe(mine)}; a bare workflow {describe(other)}; ×{ratio:.2f}", flush=True)


def bare_workflow(folder: Path, cells: int) -> Path:
    """Write a workflow of as many jobs, with the same edges, that only touches files; return its folder."""
    folder.mkdir()
    (folder / "Snakefile").write_text(BARE.replace("CELLS", str(cells)))
    return folder


BARE = """
rule all:
    input:
        expand("out/{stage}/{i}", stage=["train", "evaluate", "sample"], i=range(CELLS)),
        "out/report",
rule corpus:
    output: "out/corpus"
    shell: "touch {output}"
rule tokenizer:
    input: "out/corpus"
    output: "out/tokenizer"
    shell: "touch {output}"
rule encode:
    input: "out/corpus", "out/tokenizer"
    output: "out/encode"
    shell: "touch {output}"
rule train:
    input: "out/encode", "out/tokenizer"
    output: "out/train/{i}"
    shell: "touch {output}"
rule evaluate:
    input: "out/train/{i}", "out/encode"
    output: "out/evaluate/{i}"
    shell: "touch {output}"
rule sample:
    input: "out/train/{i}"
    output: "out/sample/{i}"
    shell: "touch {output}"
rule compare:
    input: expand("out/{stage}/{i}", stage=["train", "evaluate"], i=range(CELLS))
    output: "out/compare"
    shell: "touch {output}"
rule report:
    input: "out/compare", expand("out/{stage}/{i}", stage=["train", "sample"], i=range(CELLS))
    output: "out/report"
    shell: "touch {output}"
"""


def grid_of(cells: int) -> dict:
    """Return an experiment of so many cells that differ in seed and learning rate."""
    return {
        "experiment": f"cells-{cells}",
        "corpora": {"toy": {"source": "builtin"}},
        "tokenizers": {"char": {"kind": "char"}},
        "models": {"gpt2": {"preset": "gpt2"}},
        "training": {"base": {"steps": 20}},
        "grid": [{"seed": [1, 2], "training.lr": [round(1e-3 + i * 1e-5, 6) for i in range(cells // 2)]}],
    }


def timed(checkout: Path, *arguments: str) -> float:
    """Return the wall seconds of a Snakemake run."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", *arguments]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    return time.perf_counter() - start


def describe(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def report_seconds(checkout: Path, available: float) -> None:
    """Print the core-seconds of each stage for each cell, and of all that is not a training step.

    Not as a share of the run: that would fall with longer trainings, which save nothing.
    """
    totals: dict[str, float] = {}
    cells = 0
    for path in (checkout / "results" / ".store").glob("*/*/timing.csv"):
        stage = json.loads(path.with_name("manifest.json").read_text())["stage"]
        with path.open() as file:
            seconds = {row["step"]: float(row["seconds"]) for row in csv.DictReader(file)}
        totals[stage] = totals.get(stage, 0) + seconds["total"]
        totals["checking digests"] = totals.get("checking digests", 0) + seconds["check"]
        if stage == "train":
            cells += 1
            provenance = json.loads(path.with_name("provenance.json").read_text())
            totals["training steps"] = totals.get("training steps", 0) + provenance["train_seconds"]
            totals["validation"] = totals.get("validation", 0) + seconds["validate"]
    for name, seconds in sorted(totals.items(), key=lambda entry: -entry[1]):
        print(f"  {name}: {seconds:.1f} s, {seconds / cells:.2f} s a cell")
    beside = available - totals["training steps"]
    print(f"  beside training steps: {beside:.0f} of {available:.0f} core-seconds")
    print(f"  that is {beside / cells:.2f} s a cell")


if __name__ == "__main__":
    main()
