"""Trainings of a tiny model on a tiny text."""

from trainings import corpus, make_job, same_files, train

__all__ = ["corpus", "make_job", "same_files", "train"]
