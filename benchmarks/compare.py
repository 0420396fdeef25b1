"""How long `compare` takes for a large grid: 1,000 cells, each with its losses on every document.

    python benchmarks/compare.py            # the cells are made up, as in the tests; nothing is trained

Prints seconds, those of a processor, and peak memory of the stage alone, in processes of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
SEEDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        measure(Path(arguments.work), arguments.cells)
        return
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--cells", str(arguments.cells), "--work", folder]
            subprocess.run(command, check=True)


def measure(folder: Path, cells: int) -> None:
    """Make up the cells, compare them, and say what that took."""
    from experiments import BYTES, Experiment

    from gptgrid.stages.compare.tables import compare

    overrides = tuple({"training.lr": number / 1000} for number in range(1, cells // (2 * SEEDS) + 1))
    seeds = tuple(range(1, SEEDS + 1))
    job = Experiment(folder, ("tales",), ("bpe",), ("gpt2", "llama"), seeds, overrides).compare_job()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    facts = compare(job)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{facts['cells']:,} cells of {(BYTES['valid'] + BYTES['test']) // 600} documents: {seconds:.2f} s, "
        f"{processor:.2f} s of a processor, at most {after.ru_maxrss / 1024:,.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
