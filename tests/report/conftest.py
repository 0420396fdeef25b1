"""A finished small experiment, and its report."""

import pytest
from experiments import Experiment

from gptgrid.compare.tables import compare


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Experiment:
    """Two texts and one of bare ids; two seeds."""
    experiment = Experiment(tmp_path_factory.mktemp("small"), ("tales", "toy", "noise"))
    compare(experiment.compare_job())
    return experiment


@pytest.fixture(scope="session")
def page(small) -> str:
    return small.report()
