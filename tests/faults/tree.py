"""What a run makes, and whether another run made the same."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gptgrid.artifact.identity import OVERVIEWS
from gptgrid.artifact.manifest import MANIFEST, VOLATILE, first_damage
from gptgrid.artifact.receipt import read_receipt
from gptgrid.artifact.store import stamp

STORE = Path("results/.store")
VIEWS = ("data/corpora", "data/tokenizers", "data/shards", "results")
SPEEDS = ("tokens_per_second", "train_seconds", "peak_memory_mb")
"""What summary.csv and the report show of provenance.json: it differs from run to run."""
BY_SECONDS = (
    *("train_seconds", "machine", "on_front_train_seconds"),
    *("generated_bytes_per_second", "generated_on", "on_front_generated_bytes_per_second"),
)
"""Columns of pareto.csv that follow from them, as the rows of equal.csv at equal seconds do."""
BUDGETS = re.compile('<section aria-labelledby="budgets-title">.*?</section>', re.DOTALL)
"""What the report shows of these two tables."""
WHOLE = re.compile("[0-9a-f]{64}")


def copy(origin: Path, target: Path) -> Path:
    """Copy a tree with its dates and hard links, as if it had been made there; return the copy."""
    subprocess.run(["cp", "-a", origin, target], check=True)
    for path in (target / STORE / "keys").rglob("*.json"):
        receipt = read_receipt(path)
        place = target / STORE / receipt.stage / receipt.identity
        replace(receipt, files={name: stamp(place / name) for name in receipt.files}).write(path)
    return target


def forget(folder: Path, stages: tuple[str, ...], views: bool = True) -> None:
    """Take away all that stages made, as if they had not run yet."""
    for stage in stages:
        for place in (stage, f"keys/{stage}", f"requests/{stage}"):
            shutil.rmtree(folder / STORE / place, ignore_errors=True)
    if views:
        for path in views_of(folder):
            if stage_shown(path) in stages:
                shutil.rmtree(path)


def stage_shown(view: Path) -> str:
    """Return the stage of what a view shows; of one whose manifest was damaged, that of the folder's name."""
    try:
        return json.loads((view / MANIFEST).read_text())["stage"]
    except ValueError:
        return view.name


def views_of(folder: Path) -> list[Path]:
    """Return the folders in which people see artifacts."""
    found = [path.parent for top in VIEWS for path in sorted((folder / top).rglob(MANIFEST))]
    return [path for path in found if ".store" not in path.parts]


def speeds_of(folder: Path) -> dict[str, str]:
    """Return what summaries show of the speed of the trainings in the store → what it is."""
    found = {}
    for path in (folder / STORE).glob("train/*/provenance.json"):
        if WHOLE.fullmatch(path.parent.name):
            facts = json.loads(path.read_text())
            found |= {str(facts[name]): f"<{name}>" for name in SPEEDS if name in facts}
    return found


def settled(content: bytes, name: str, speeds: dict[str, str]) -> bytes:
    """Return the bytes of a file with its cells' own speeds and dates by name.

    A table that shows other speeds than those in the provenance of its cells stays different.
    """
    if name == "summary.csv":
        rows = [
            [speeds.get(value, value) for value in row] for row in csv.reader(content.decode().splitlines())
        ]
        return "\n".join(map(",".join, rows)).encode()
    if name in ("equal.csv", "pareto.csv"):
        table = [
            row for row in csv.DictReader(content.decode().splitlines()) if row.get("budget") != "seconds"
        ]
        kept = [[value for key, value in row.items() if key not in BY_SECONDS] for row in table]
        return "\n".join(map(",".join, kept)).encode()
    text = BUDGETS.sub("", content.decode())
    for value, label in speeds.items():
        text = re.sub(f'data-value="{re.escape(value)}">[^<]*<', f'data-value="{label}"><', text)
        text = text.replace(f":{value}", f":{label}")
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", "<time>", text).encode()


def settled_digest(path: Path, speeds: dict[str, str]) -> str:
    """Return the sha256 of a file, up to the speeds that it shows."""
    content = path.read_bytes()
    if path.name in ("summary.csv", "equal.csv", "pareto.csv", "report.html"):
        content = settled(content, path.name, speeds)
    return sha256(content).hexdigest()


def figures(folder: Path) -> dict[str, str]:
    """Return file that people see → sha256, for all files of artifacts but what is volatile."""
    speeds = speeds_of(folder)
    return {
        str(path.relative_to(folder)): settled_digest(path, speeds)
        for view in views_of(folder)
        for path in sorted(view.rglob("*"))
        # The manifests of the overviews have the sha256 of what shows speeds.
        if path.is_file()
        and path.name not in VOLATILE
        and not (path.name == MANIFEST and view.name in OVERVIEWS)
    }


def artifacts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return key → identity and outputs of what the store has of it, by its receipt, all read anew."""
    speeds = speeds_of(folder)
    found = {}
    for path in sorted((folder / STORE / "keys").rglob("*.json")):
        receipt = read_receipt(path)
        if receipt is None or receipt.identity is None or not WHOLE.fullmatch(path.stem):
            continue
        place = folder / STORE / receipt.stage / receipt.identity
        if damage := first_damage(place):
            found[path.stem] = {"damage": damage}
            continue
        outputs = json.loads((place / MANIFEST).read_text())["outputs"]
        found[path.stem] = {
            "identity": receipt.identity if receipt.stage not in OVERVIEWS else None,  # the speeds are in it
            "outputs": {name: settled_digest(place / name, speeds) for name in outputs},
        }
    return found


def state(folder: Path) -> dict[str, Any]:
    """Return all that must be the same in a tree whatever happened to it."""
    return {**figures(folder), **artifacts(folder)}


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return what of a state is missing or different."""
    lines = [f"{name} is missing" for name in expected if name not in found]
    for name in expected.keys() & found.keys():
        if found[name] != expected[name]:
            damage = found[name].get("damage") if isinstance(found[name], dict) else None
            lines.append(damage or f"{name} differs")
    return sorted(lines)
