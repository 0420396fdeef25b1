"""The small chain that the faults are tried on, and its unbroken run."""

import copy
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from checkout import CONFIG, Checkout

from faults.runs import snakemake
from faults.tree import state

LAYERS = (1, 2)
"""Of the llama of the chain, and of the same names in another configuration."""


@dataclass(frozen=True)
class Unbroken:
    """Finished trees, and what is in them."""

    folder: Path
    state: dict[str, Any]
    other: dict[str, Any]
    """What an unbroken run of the other configuration holds."""


def make_unbroken(folder: Path) -> Unbroken:
    """Run the chain, and then its other configuration, without any fault.

    Three cells; one text is the user's own, one is downloaded from a file.
    """
    checkout = Checkout(folder / "chain")
    web = folder / "web.txt"
    web.write_text("".join(f"a {word} on day {n}\n" for n in range(80) for word in ("storm", "calm")))
    checkout.configure(config(web))
    run_to_the_end(checkout.folder)
    first = state(checkout.folder)
    other = Checkout(folder / "other")
    other.configure(config(web))
    use_other(other.folder)
    run_to_the_end(other.folder)
    return Unbroken(checkout.folder, first, state(other.folder))


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
    return values


def edit(folder: Path, layers: int) -> None:
    """Write another configuration with the same names: the file is never seen half-written."""
    path = folder / "config" / "config.yaml"
    values = yaml.safe_load(path.read_text())
    values["models"]["llama"]["n_layer"] = layers
    part = path.with_suffix(".part")
    part.write_text(yaml.safe_dump(values, sort_keys=False))
    part.replace(path)


def use_other(folder: Path) -> None:
    """Change the configuration to the other one."""
    edit(folder, LAYERS[1])


def use_first(folder: Path) -> None:
    """Change the configuration back. The key is written out, which changes nothing."""
    edit(folder, LAYERS[0])


def run_to_the_end(folder: Path) -> None:
    """Run what must not fail."""
    code, said = snakemake(folder).wait()
    assert code == 0, said
