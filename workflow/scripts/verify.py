"""Make finished artifacts again, apart from the experiment, and say whether the bits are the same."""

import argparse
import json
import sys
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.program import read_request
from gptgrid.artifact.request import Request
from gptgrid.artifact.store import Store
from gptgrid.plan.verify import Finished, verify


def finished(name: str, request: Request, store: Store) -> Finished:
    """Return what the store knows of a finished artifact."""
    inputs = {input_name: store.receipt(*made) for input_name, made in request.inputs.items()}
    receipt = store.receipt(request.stage, request.key)
    if receipt is None or None in inputs.values():
        raise UserError(f"{name}: a receipt is missing from {store.root}; run snakemake")
    return Finished(name, request, receipt, inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", nargs="+", metavar="NAME REQUEST", help="names, each with its request file")
    parser.add_argument(
        "--run", type=json.loads, default={}, help="the configuration's section `run`, as JSON"
    )
    options = parser.parse_args()
    names, paths = options.items[::2], list(map(Path, options.items[1::2]))
    store = Store(paths[0].parents[2])
    try:
        items = [finished(name, read_request(path), store) for name, path in zip(names, paths, strict=True)]
        same = verify(items, store, options.run)
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
