"""One of the processes that torchrun starts for a training."""

from __future__ import annotations

import sys
from pathlib import Path

from gptgrid.stages.train.pretraining import Pretraining
from gptgrid.trainer.launch import work

MODULE = "gptgrid.stages.train.launch"
"""The name of this module, by which torchrun finds it."""

if __name__ == "__main__":
    work(Path(sys.argv[1]), Pretraining)
