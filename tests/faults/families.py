"""The faults by family. Each breaks a copy of a finished tree as a seed says, and sees it come back.

A family is a function of a `Trial`: it returns what it did, when, and how that ended.
"""

import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from checkout import Checkout

from faults import chain, damage, interrupt
from faults.judge import FaultError, check_message, end_of, settle
from faults.runs import Run, kill_all, snakemake
from faults.tree import STORE, copy, differences, forget, state


@dataclass
class Trial:
    """One fault in a tree of its own."""

    unbroken: chain.Unbroken
    folder: Path
    draw: random.Random
    stack: ExitStack
    """What is to be undone at the end, such as mounts."""

    def settle(self, *arguments: object) -> str:
        return settle(self.folder, self.unbroken.state, *arguments)


@dataclass(frozen=True)
class Told:
    """What happened in a trial."""

    fault: str
    moment: str
    outcome: str


# ------------------------------------------------------------------------------ finished trees


def damaged_file(trial: Trial) -> Told:
    """A bit or the end of a file is lost, in the store, the view, or both; its dates may say nothing."""
    draw, folder = trial.draw, trial.folder
    place, keep, again = draw.choice(["store", "view", "both"]), draw.random() < 0.5, draw.random() < 0.5
    kind = draw.choice(sorted(damage.KINDS))
    path = damage.file_of_kind(folder, kind, place, draw)
    tolerated = frozenset(names_of(trial, path)) if keep and place == "both" else frozenset()
    how = damage.damage(path, draw, place, keep)
    if again:
        forget(folder, ("compare", "report"), views=draw.random() < 0.5)
    fault = f"{how} of {kind} in {place}{', dates kept' * keep}{', tables made anew' * again}"
    return Told(f"{fault}: {path.relative_to(folder)}", "at rest", trial.settle(None, tolerated))


def names_of(trial: Trial, path: Path) -> set[str]:
    """Return how a state calls a file of an artifact: by its name in the view, and that in the store."""
    names = [other for other in trial.folder.rglob(path.name) if other.samefile(path)]
    return {str(name.relative_to(trial.folder)) for name in names}


def damaged_machinery(trial: Trial) -> Told:
    """A bit or the end of a receipt, request, root, download or of what is remembered is lost."""
    draw, folder = trial.draw, trial.folder
    kind, keep = draw.choice(sorted(damage.MACHINERY)), draw.random() < 0.5
    path = damage.file_of_kind(folder, kind, "both", draw)
    how = damage.damage(path, draw, "both", keep)
    if again := draw.random() < 0.6:
        forget(folder, interrupt.STAGES[draw.choice([0, 0, 3, 6]) :])
    fault = f"{how} of {kind}{', dates kept' * keep}{', much to make' * again}"
    return Told(f"{fault}: {path.relative_to(folder)}", "at rest", trial.settle())


def deleted(trial: Trial) -> Told:
    """Something is deleted, or several things are."""
    done = []
    for what in trial.draw.sample(sorted(damage.DELETED), trial.draw.choice([1, 1, 2, 3])):
        if list(trial.folder.glob(damage.DELETED[what])):
            done.append(f"{what} ({damage.delete(trial.folder, what, trial.draw).relative_to(trial.folder)})")
    return Told("deleted " + ", ".join(done), "at rest", trial.settle())


def moved_clock(trial: Trial) -> Told:
    """All dates move into the past or the future; or those of the texts alone."""
    seconds = trial.draw.choice([-1, 1]) * trial.draw.choice([1, 3600, damage.YEAR, 10 * damage.YEAR])
    place = trial.draw.choice(["", "texts", "results", "results/.store", ".snakemake", "src"])
    damage.shift_dates(trial.folder / place, seconds)
    return Told(f"dates of {place or 'all'} moved by {seconds} s", "at rest", trial.settle())


def store_read_only(trial: Trial) -> Told:
    """Nobody may write into the store: all is there, or something is to be made."""
    draw, folder = trial.draw, trial.folder
    first = draw.choice([None, "train", "evaluate", "compare"])
    if first:
        forget(folder, interrupt.STAGES[interrupt.STAGES.index(first) :])
    make_writable = trial.stack.enter_context(interrupt.read_only(folder / STORE))
    fault = f"read-only store, to be made: {first or 'nothing'}"
    if first is None:
        return Told(fault, "at rest", trial.settle())

    def remedy(said: str) -> None:
        if "cannot be written" not in said or "GPTGRID_STORE" not in said:
            raise FaultError(f"no message that the store is read-only:\n{said[-3000:]}")
        make_writable()

    return Told(fault, "at rest", trial.settle(remedy))


# ------------------------------------------------------------------------- a run that goes on


def signalled(trial: Trial) -> Told:
    """A program, the server, Snakemake or all of them get a signal."""
    draw, folder = trial.draw, trial.folder
    first = interrupt.begin_anywhere(folder, draw)
    number, who = draw.choice(interrupt.SIGNALS), draw.choice(interrupt.VICTIMS)
    run = snakemake(folder)
    moment = interrupt.wait_for_moment(folder, run, first, draw)
    count = interrupt.send(folder, run, who, number, draw)
    at_once = draw.random() < 0.5 and who in ("snakemake", "all")
    if not at_once:
        ended(trial, run, "broken")
    fault = f"{signal.Signals(number).name} to {who} ({count}){', at once again' * at_once}"
    return Told(fault, f"from {first}, {moment}", trial.settle())


def ended(trial: Trial, run: Run, what: str) -> None:
    """Wait for the end of a run; if it says that all went well, it did."""
    code, said = end_of(run)
    if code == 0 and (left := differences(state(trial.folder), trial.unbroken.state)):
        raise FaultError(f"the {what} run ended with exit code 0, but:\n" + "\n".join(left) + said[-2000:])


def signalled_twice(trial: Trial) -> Told:
    """Two runs in a row are killed."""
    draw, folder = trial.draw, trial.folder
    first = interrupt.begin_anywhere(folder, draw)
    moments = []
    for _ in range(2):
        run = snakemake(folder)
        moments.append(interrupt.wait_for_moment(folder, run, first, draw))
        interrupt.send(folder, run, draw.choice(["snakemake", "all"]), signal.SIGKILL, draw)
        run.process.wait()
    return Told("SIGKILL in two runs", f"from {first}, {', '.join(moments)}", trial.settle())


def disk_full(trial: Trial) -> Told:
    """No room is left in the store, for the views, downloads, or logs."""
    draw, folder = trial.draw, trial.folder
    first = interrupt.begin_anywhere(folder, draw)
    what, size = draw.choice(sorted(interrupt.DISKS)), draw.choice([4096, 16384, 65536, 200_000, 500_000])
    enlarge = trial.stack.enter_context(interrupt.small_disk(folder / interrupt.DISKS[what], size))

    def remedy(said: str) -> None:
        if "disk is full" not in said and "No space left" not in said:
            raise FaultError(f"no message that the disk is full:\n{said[-3000:]}")
        enlarge()

    return Told(f"{size} bytes left for {what}", f"from {first}", trial.settle(remedy))


def two_runs(trial: Trial) -> Told:
    """The same configuration is run twice at once: both end well."""
    draw, folder = trial.draw, trial.folder
    first, delay = interrupt.begin_anywhere(folder, draw), draw.uniform(0, 6)
    one = snakemake(folder)
    time.sleep(delay)
    two = snakemake(folder)
    codes = []
    for run in (one, two):
        code, said = end_of(run)
        check_message(code, said)
        codes.append(code)
    if codes == [0, 0] and (left := differences(state(folder), trial.unbroken.state)):
        raise FaultError("both runs ended with exit code 0, but:\n" + "\n".join(left))
    fault = f"two runs at once, exit codes {codes}"
    return Told(fault, f"from {first}, {delay:.1f} s apart", trial.settle())


def two_configurations(trial: Trial) -> Told:
    """The configuration is edited while a run goes on, and another run is started with it."""
    draw, folder = trial.draw, trial.folder
    first, delay = interrupt.begin_anywhere(folder, draw), draw.uniform(3, 9)
    one = snakemake(folder)
    time.sleep(delay)
    chain.use_other(folder)
    two = snakemake(folder)
    codes = []
    for run in (one, two):
        code, said = end_of(run)
        check_message(code, said)
        codes.append(code)
    other = settle(folder, trial.unbroken.other)
    chain.use_first(folder)
    fault = f"two configurations at once, exit codes {codes}, the other {other}"
    return Told(fault, f"from {first}, {delay:.1f} s apart", trial.settle())


SOURCES = {
    "src/gptgrid/metrics.py": "bits_per_byte",
    "src/gptgrid/trainer/schedule.py": "learning_rate",
    "src/gptgrid/seeds.py": "mix64",
}
"""File → a function of it; twice what it returns makes other figures."""


def edited(trial: Trial) -> Told:
    """Configuration, source or text are edited while a run goes on, with a dry run beside; then taken back."""
    draw, folder = trial.draw, trial.folder
    first = interrupt.begin_anywhere(folder, draw)
    what = draw.choice(["config/config.yaml", "texts/mine.txt", *SOURCES])
    path = folder / what
    before = path.read_text()
    run = snakemake(folder)
    moment = interrupt.wait_for_moment(folder, run, first, draw)
    if what in SOURCES:
        Checkout.there(folder).redefine(what.removeprefix("src/gptgrid/"), SOURCES[what], "2 *")
    elif path.suffix == ".yaml":
        chain.use_other(folder)
    else:
        path.write_text(before + "a new line of it\n")
    dry = snakemake(folder, "--dry-run")
    code, said = end_of(run)
    check_message(code, said)
    check_message(*end_of(dry))
    path.write_text(before)
    return Told(f"edit of {what}, exit code {code}", f"from {first}, {moment}", trial.settle())


FAMILIES: dict[str, Callable[[Trial], Told]] = {
    function.__name__: function
    for function in (
        damaged_file,
        damaged_machinery,
        deleted,
        moved_clock,
        store_read_only,
        signalled,
        signalled_twice,
        disk_full,
        two_runs,
        two_configurations,
        edited,
    )
}
OFTEN = {"damaged_file": 6, "damaged_machinery": 4, "deleted": 5, "signalled": 8, "disk_full": 4, "edited": 3}
"""Family → how often it comes in a round; others come once, or twice."""
MOUNTING = ("store_read_only", "disk_full")
ROUND = [name for name in FAMILIES for _ in range(OFTEN.get(name, 2))]
"""Families of the seeds 0, 1, 2, …, again and again."""


def family_of(seed: int) -> str:
    """Return the family of a seed: every round has all of them, mixed."""
    order = list(ROUND)
    random.Random(seed // len(ROUND)).shuffle(order)
    return order[seed % len(ROUND)]


def try_seed(seed: int, unbroken: chain.Unbroken, scratch: Path) -> Told:
    """Try one fault.

    Args:
        seed: says which, where and when.
        unbroken: what is copied, and must come back.
        scratch: an empty folder; it is left to the caller.

    Raises:
        FaultError: something happened that must never happen.
    """
    folder = copy(unbroken.folder, scratch / "chain")
    with ExitStack() as stack:
        stack.callback(kill_all, folder)
        return FAMILIES[family_of(seed)](Trial(unbroken, folder, random.Random(seed), stack))
