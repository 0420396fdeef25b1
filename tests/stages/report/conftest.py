"""A finished small experiment, and its report."""

import pytest
from experiments import Experiment

from gptgrid.stages.compare.tables import compare


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Experiment:
    """Two texts and one of bare ids; two seeds."""
    experiment = Experiment(tmp_path_factory.mktemp("small"), ("tales", "toy", "noise"))
    compare(experiment.compare_job())
    return experiment


@pytest.fixture(scope="session")
def troubled(tmp_path_factory) -> Experiment:
    """On tales one cell diverged and another stopped early; on toy all diverged; of ids half of each group."""
    diverged = ("tales.bpe.llama.base.s2", "toy.bpe.llama.base.s1", "toy.bpe.llama.base.s2")
    diverged += ("toy.bpe.gpt2.base.s1", "toy.bpe.gpt2.base.s2", "ids.llama.base.s1", "ids.gpt2.base.s2")
    stopped = ("tales.bpe.gpt2.base.s1",)
    folder, texts = tmp_path_factory.mktemp("troubled"), ("tales", "toy", "noise")
    experiment = Experiment(folder, texts, ("bpe",), ("gpt2", "llama"), diverged=diverged, stopped=stopped)
    compare(experiment.compare_job())
    return experiment


@pytest.fixture(scope="session")
def troubled_page(troubled) -> str:
    return troubled.report()


@pytest.fixture(scope="session")
def page(small) -> str:
    return small.report()


FAILED = {
    "train:tales.bpe.llama.base.s2": "killed <b>without</b> memory",
    "train:toy.bpe.gpt2.base.s1": "the disk was full",
    "train:toy.bpe.gpt2.base.s2": "the disk was full",
    "evaluate:toy.bpe.llama.base.s1": "the test loss is nan",
    "sample:tales.bpe.gpt2.base.s1": "the prompt is longer than the context",
}


@pytest.fixture(scope="session")
def incomplete(tmp_path_factory) -> Experiment:
    """One training of a group failed on tales; on toy a whole group, and one evaluation of the other."""
    folder = tmp_path_factory.mktemp("incomplete")
    return Experiment(folder, ("tales", "toy"), ("bpe",), ("gpt2", "llama"), failed=FAILED)


@pytest.fixture(scope="session")
def incomplete_page(incomplete) -> str:
    return incomplete.report()
