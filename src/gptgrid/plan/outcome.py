"""What a run says at its end: the best cell of each text, how to try it, and whom to ask."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

from gptgrid.plan.plan import Plan
from gptgrid.text.readable import excerpt

SHOWN = 90
"""Characters of a sample."""
FIGURES = {"bpb_mean": "{:.3f} bits per byte", "perplexity_mean": "perplexity {:.2f}"}
"""Column of comparison.csv → how to say it."""

ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
"""Character → how bash and zsh write it in $'…'."""


def outcome(plan: Plan) -> list[str]:
    """Return lines about the best group of each text, or the lowest on validation where none is the best: its
    figures, a sample, the command that generates more; and one for each recipe by which cells were
    fine-tuned: the command that asks one of them.

    None where there are no tables. Of private text no sample is shown.
    """
    compare = plan.of_stage("compare")[0]
    folder = Path(compare.folder)
    if not (folder / "comparison.csv").is_file():
        return []
    cells = {cell["cell"]: cell for cell in compare.config["cells"]}
    lines, best = [], []
    for group in (row for row in read_rows(folder / "comparison.csv") if row["rank"] == "1"):
        if not group["val_loss_mean"]:
            continue
        seeds = [name for name in cells if name.rpartition(".")[0] == group["group"]]
        # A training that diverged has no sample.
        name = next((name for name in seeds if samples_of(cells[name]["path"]).is_file()), seeds[0])
        figures = [text.format(float(group[key])) for key, text in FIGURES.items() if group[key]]
        place = "best" if group["best"] == "True" else "no group is the best; lowest"
        lines.append(f"{group['text']}: {place} on validation: {group['group']}; test: {', '.join(figures)}")
        lines += try_it(Path(cells[name]["path"]), cells[name]["private"])
        best.append(name)
    # Of the best cell, if it was fine-tuned so.
    taught: dict[str, dict[str, Any]] = {}
    for each in sorted(compare.config.get("finetuned", ()), key=lambda each: each["base"] not in best):
        if (Path(each["path"]) / "finetune").is_dir():
            taught.setdefault(each["finetuning"], each)
    return lines + [f"fine-tuned by {name}:  gptgrid chat {each['path']}" for name, each in taught.items()]


def try_it(cell: Path, private: bool) -> list[str]:
    """Return a sample of a cell, if there is one and it may be shown, and the command for another."""
    samples = samples_of(cell)
    if private or not samples.is_file():
        return [f"  gptgrid generate {cell}"]
    first = json.loads(samples.read_text(encoding="utf-8").splitlines()[0])
    shown, prompt = excerpt(first["prompt"] + first["text"], SHOWN), first["prompt"]
    # Half a document is no prompt to type, and no argument of a command has a NUL in it.
    typed = 0 < len(prompt) <= SHOWN and "\0" not in prompt
    again = f" --prompt {quoted(prompt)}" if typed else ""
    return [f'  "{shown}"', f"  gptgrid generate {cell}{again}"]


def quoted(text: str) -> str:
    """Return a text as a word of a command on one line: of any shell, or where it has line ends and others
    that cannot be seen, of bash and zsh."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(escaped, text))}'"


def escaped(char: str) -> str:
    """Return a character as it stands in $'…', where what has no letter is written by its bytes in UTF-8."""
    if char in ESCAPES:
        return ESCAPES[char]
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode())


def samples_of(cell: Path | str) -> Path:
    """Return where the samples of a cell stand, if it has some."""
    return Path(cell) / "sample" / "samples.jsonl"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
