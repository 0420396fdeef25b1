"""The pages of docs/learn: their examples, run and compared with the output that stands below them.

`python tests/pages.py FOLDER` writes the outputs anew; FOLDER is a checkout with the results of the default experiment.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEARN = ROOT / "docs" / "learn"
LANGUAGES = ("en", "zh")
PAGES = sorted(page for language in LANGUAGES for page in (LEARN / language).glob("*.md"))
BLOCK = re.compile(r"^```(\S+)?([^\n]*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
COMMAND = "$ "
MORE = "…"
"""Stands for lines that are left out."""
SHOWN = 32
"""Lines of an output that a page shows at most."""
PYTHON = f"'{sys.executable}'"
PROGRAMS = f"""\
python() {{ {PYTHON} "$@"; }}
gptgrid() {{ {PYTHON} -c 'from gptgrid.cli.main import main; main()' "$@"; }}"""
"""The commands of the pages, as those of the interpreter that runs this."""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    place: tuple[int, int]
    """Where the text begins and ends in the page."""


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [
        Block(found[1] or "", found[3], found.span(3)) for found in BLOCK.finditer(page.read_text("utf-8"))
    ]


def python_examples(page: Path) -> list[tuple[str, Block]]:
    """Return each program of a page with the block of text behind it, which is what it prints."""
    found = blocks(page)
    return [
        (block.text, output)
        for block, output in pairwise(found)
        if (block.language, output.language) == ("python", "text")
    ]


def commands(block: Block) -> list[str]:
    """Return the command lines of a console block."""
    return [line[len(COMMAND) :] for line in block.text.splitlines() if line.startswith(COMMAND)]


def run_python(programs: list[str]) -> list[str]:
    """Run programs one after the other in one namespace; return what each prints."""
    namespace: dict = {}
    outputs = []
    for program in programs:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(program, namespace)
        outputs.append(output.getvalue())
    return outputs


def run_command(command: str, folder: Path) -> str:
    """Run a command line of a page in a folder that has `docs` and `results`; return what it prints."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{PROGRAMS}\n{command}"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "100", "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def needs_cell(command: str) -> bool:
    """Say whether what a command prints depends on a trained cell."""
    return "tales bpe" in command


def same(shown: str, printed: str) -> bool:
    """Say whether an output is the one that a page shows, up to last digits and the lines that it leaves out."""
    lines, wanted = shortened(printed).splitlines(), shown.splitlines()
    return len(lines) == len(wanted) and all(map(same_line, wanted, lines))


def same_line(shown: str, printed: str) -> bool:
    """Say whether two lines are the same up to last digits."""
    numbers = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=False)
    return NUMBER.sub("#", shown) == NUMBER.sub("#", printed) and all(
        abs(float(a) - float(b)) <= 0.02 * max(1, abs(float(a))) for a, b in numbers
    )


def shortened(output: str) -> str:
    """Return the beginning of an output, with MORE in place of what is left out."""
    lines = [line.rstrip() for line in output.rstrip("\n").splitlines()]
    if len(lines) > SHOWN:
        lines = [*lines[: SHOWN - 1], MORE]
    return "\n".join(lines) + "\n"


def write(page: Path, folder: Path) -> None:
    """Put the real outputs into a page."""
    changes = []
    examples = python_examples(page)
    for output, (_, block) in zip(run_python([program for program, _ in examples]), examples, strict=True):
        changes.append((block, shortened(output)))
    for block in blocks(page):
        if block.language == "console":
            parts = [f"{COMMAND}{line}\n{shortened(run_command(line, folder))}" for line in commands(block)]
            changes.append((block, "".join(parts)))
    text = page.read_text("utf-8")
    for block, new in sorted(changes, key=lambda change: change[0].place, reverse=True):
        text = text[: block.place[0]] + new + text[block.place[1] :]
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    for page in PAGES:
        write(page, Path(sys.argv[1]).resolve())
