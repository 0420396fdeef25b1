"""What may be made of cells by letting them write: samples of one, or how likely another cell finds them."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Build, Job
from gptgrid.artifact.variants import Variants
from gptgrid.stages.sample.judge import judge
from gptgrid.stages.sample.samples import sample

KINDS: Variants[Build] = Variants({"cell": sample, "judge": judge})
"""`kind` of what is asked for → what makes it. The source of one is no cause for making another again."""


def sample_kind(job: Job) -> dict[str, Any]:
    """Make what the job names."""
    return KINDS[job.config.kind](job)
