"""Try faults: `python -m faults [--seeds N] [--first SEED] [--workers N] [--family NAME] [--keep]`.

Prints one line a seed, then counts; ends with 1 if something happened that must never happen.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from faults.chain import Unbroken, make_unbroken
from faults.families import FAMILIES, MOUNTING, family_of, try_seed
from faults.interrupt import can_mount
from faults.judge import FaultError


def attempt(seed: int, unbroken: Unbroken, keep: bool) -> tuple[str, str]:
    """Try one seed; return verdict and line."""
    scratch = Path(tempfile.mkdtemp(prefix=f"fault-{seed}-")).resolve()
    verdict = "failed"
    try:
        told = try_seed(seed, unbroken, scratch)
        verdict, line = "ok", f"{told.fault} | {told.moment} | {told.outcome}"
    except FaultError as error:
        line = f"{scratch if keep else ''}\n{error}"
    except Exception as error:  # one seed must not end the others
        line = f"{scratch if keep else ''} the harness failed: {error!r}"
    if verdict == "ok" or not keep:
        shutil.rmtree(scratch, ignore_errors=True)
    return verdict, line


def main() -> None:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=3, help="processes at once")
    parser.add_argument("--family", choices=sorted(FAMILIES), help="only seeds of this one")
    parser.add_argument("--keep", action="store_true", help="keep the trees that did not come back")
    options = parser.parse_args()
    seeds = [
        seed
        for seed in range(options.first, options.first + options.seeds)
        if options.family in (None, family_of(seed))
    ]
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name).resolve()
        skipped = () if can_mount(folder) else MOUNTING
        unbroken = make_unbroken(folder)
        counts: Counter[str] = Counter()
        with ProcessPoolExecutor(options.workers) as pool:
            jobs = {
                pool.submit(attempt, seed, unbroken, options.keep): seed
                for seed in seeds
                if family_of(seed) not in skipped
            }
            for job in as_completed(jobs):
                verdict, line = job.result()
                counts[verdict] += 1
                print(f"{jobs[job]} {family_of(jobs[job])} {verdict}: {line}", flush=True)
    counts["skipped"] = len(seeds) - len(jobs)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
