"""Fine-tunings of a tiny model on a few dialogues."""

from finetunings import dialogues, finetune, make_base, make_job
from trainings import same_files

__all__ = ["dialogues", "finetune", "make_base", "make_job", "same_files"]
