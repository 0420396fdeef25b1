"""Corpora that come with gptgrid."""

from gptgrid.artifact.job import Job
from gptgrid.artifact.variants import Variants
from gptgrid.stages.corpus.builtin.tales.generate import tales
from gptgrid.stages.corpus.builtin.tales.measure import measure_tales
from gptgrid.stages.corpus.builtin.toy import toy
from gptgrid.stages.corpus.sources.source import Source

LICENSE = "MIT"


def open_builtin(job: Job) -> Source:
    """Open the corpus that the configuration names."""
    return BUILTIN[job.config.name](job)


def open_tales(job: Job) -> Source:
    """Open generated stories, whose probabilities are known."""
    config = job.config
    settings = (config.documents, config.seed, config.language)
    return Source(
        {"all": (tale.text for tale in tales(*settings))},
        {"name": "tales", "seed": config.seed},
        LICENSE,
        measure=lambda folder: measure_tales(folder, tales(*settings), config.clean),
    )


def open_toy(job: Job) -> Source:
    """Open Chinese and English sentences."""
    return Source({"all": toy(job.config.documents)}, {"name": "toy", "seed": job.config.seed}, LICENSE)


BUILTIN = Variants({"tales": open_tales, "toy": open_toy})
"""The key `name` of the configuration → how to open that corpus."""
