"""One of the processes that torchrun starts for a fine-tuning."""

from __future__ import annotations

import sys
from pathlib import Path

from gptgrid.stages.finetune.finetuning import Finetuning
from gptgrid.trainer.launch import work

MODULE = "gptgrid.stages.finetune.launch"
"""The name of this module, by which torchrun finds it."""

if __name__ == "__main__":
    work(Path(sys.argv[1]), Finetuning)
