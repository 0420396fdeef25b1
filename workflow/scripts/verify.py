"""Train finished cells again, apart from the experiment, and say whether the bits are the same."""

import argparse
import json
import sys
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.plan.verify import verify


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "requests", type=Path, nargs="+", help="requests for trainings; `snakemake -n` writes them"
    )
    paths = parser.parse_args().requests
    try:
        same = verify([json.loads(path.read_text(encoding="utf-8")) for path in paths])
    except UserError as error:
        sys.exit(f"gptgrid: {error}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
