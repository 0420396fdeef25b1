"""Whether a tree comes back to what an unbroken run makes: the same bytes, or one message that says what to do."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.runs import Run, gptgrid, snakemake
from faults.tree import differences, state

TRIES = 3
"""The plain command, and the same again at most twice."""
MESSAGE = re.compile(r"gptgrid: .+|WorkflowError.*|Error in rule|Some of it could not be made")
"""What counts as a message."""


class FaultError(AssertionError):
    """Something that must never happen."""


def end_of(run: Run) -> tuple[int, str]:
    """Return exit code and words of a run that may fail, but neither hang nor show Python's own traceback."""
    try:
        code, said = run.wait()
    except subprocess.TimeoutExpired:
        raise FaultError(f"it hangs:\n{run.said()[-3000:]}") from None
    return code, said


def check_message(code: int, said: str) -> None:
    """Insist on a clear message where something failed."""
    if code and "Traceback" in said:
        raise FaultError(f"a traceback is no message:\n{said[-3000:]}")
    if code and not MESSAGE.search(said):
        raise FaultError(f"exit code {code} without a message:\n{said[-3000:]}")


def settle(
    folder: Path,
    expected: dict[str, Any],
    remedy: Callable[[str], None] | None = None,
    tolerated: frozenset[str] = frozenset(),
) -> str:
    """Give the plain command until the tree is as an unbroken run leaves it; return how that went.

    Args:
        folder: the tree.
        expected: its state then.
        remedy: does what the message of the first run that fails asks for; it is given the message.
        tolerated: paths of files that were damaged so that only a reader can notice it.

    Raises:
        FaultError: a run ends well although something is missing or different, or no run ends well.
    """
    for number in range(1, TRIES + 1):
        code, said = end_of(snakemake(folder))
        check_message(code, said)
        if code == 0:
            left = differences(state(folder), expected)
            if not left:
                return f"right after run {number}"
            if tolerated and all(any(name in line for name in tolerated) for line in left):
                return verified(folder, expected)
            raise FaultError("exit code 0, but:\n" + "\n".join(left) + f"\n{said[-2000:]}")
        if remedy is not None:
            remedy(said)
            remedy = None
    raise FaultError(f"not right after {TRIES} runs:\n{said[-3000:]}")


def verified(folder: Path, expected: dict[str, Any]) -> str:
    """Let `gptgrid verify` find damage that a run has no reason to see, and a run mend it."""
    code, said = gptgrid(folder, "verify")
    check_message(code, said)
    if code == 0:
        raise FaultError(f"`gptgrid verify` finds nothing wrong:\n{said}")
    return "not looked at; found by verify, " + settle(folder, expected)
