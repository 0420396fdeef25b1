"""The small chain that the faults are tried on, and its unbroken run."""

import copy
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from checkout import CONFIG, Checkout
from filelock import FileLock

from faults.runs import snakemake
from faults.tree import state

FIRST, OTHER = ({"n_layer": 1}, {"seed": 0}), ({"n_layer": 2}, {"seed": 1})
"""Of the llama of the chain and of the split of its text: in its configuration, and in another with the same names."""


QUICK = ("--config", "quick=true")


@dataclass(frozen=True)
class Unbroken:
    """Finished trees, each of one run without any fault, and what is in them."""

    folder: Path
    state: dict[str, Any]
    other: dict[str, Any]
    """Of the other configuration."""
    quick: dict[str, Any]
    """Of a run with `quick=true`."""


def make_unbroken(folder: Path) -> Unbroken:
    """Run the chain, the other configuration, and the quick one.

    The chain has three cells; one text is the user's own, one is downloaded from a file.
    """
    web = folder / "web.txt"
    web.write_text("".join(f"a {word} on day {n}\n" for n in range(80) for word in ("storm", "calm")))
    states = []
    for name, arguments in (("chain", ()), ("other", ()), ("quick", QUICK)):
        checkout = Checkout(folder / name)
        checkout.configure(config(web))
        if name == "other":
            use_other(checkout.folder)
        code, said = snakemake(checkout.folder, *arguments).wait()
        assert code == 0, said
        states.append(state(checkout.folder))
    return Unbroken(folder / "chain", *states)


def shared_unbroken(base: Path) -> Unbroken:
    """Return the unbroken trees that all tests of a session share; the first that asks makes them."""
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "unbroken"
    with FileLock(f"{folder}.lock"):
        if not (folder / "states.json").exists():
            folder.mkdir()
            made = make_unbroken(folder)
            (folder / "states.json").write_text(json.dumps([made.state, made.other, made.quick]))
    return Unbroken(folder / "chain", *json.loads((folder / "states.json").read_text()))


def config(web: Path) -> dict[str, Any]:
    """Return the configuration of the chain."""
    values = copy.deepcopy(CONFIG)
    values["corpora"]["web"] = {
        "source": "url",
        "url": f"file://{web}",
        "sha256": sha256(web.read_bytes()).hexdigest(),
        "insecure": True,
        "document": "line",
    }
    values["grid"][1]["corpus"] = "web"
    values["quick"] = {"training": {"base": {"steps": 4}}}
    return values


def edit(folder: Path, model: dict[str, int], split: dict[str, int]) -> None:
    """Write another configuration with the same names; the file is never seen half-written."""
    path = folder / "config" / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["models"]["llama"] |= model
    values["corpora"]["mine"]["split"] = split
    part = path.with_suffix(".part")
    part.write_text(yaml.safe_dump(values, sort_keys=False))
    part.replace(path)


def use_other(folder: Path) -> None:
    """Change the configuration to the other one."""
    edit(folder, *OTHER)


def use_first(folder: Path) -> None:
    """Change the configuration back; values that are written out change nothing."""
    edit(folder, *FIRST)
