"""Counting what a model costs is quick."""

import subprocess
import sys

COUNT = """
import sys
from gptgrid.config.models import Model
from gptgrid.model.cost import count_parameters

keys = ({}, {"preset": "modern"}, {"position": "sinusoidal"}, {"position": "alibi"}, {"preset": "encoder"})
print([count_parameters(Model(**each), 100) for each in keys], "torch._dynamo" in sys.modules)
"""


def test_counting_parameters_does_not_import_the_compiler():
    found = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("] False")
