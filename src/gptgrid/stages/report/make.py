"""From the artifacts of an experiment to report.html."""

from __future__ import annotations

from typing import Any

from gptgrid.artifact.job import Job
from gptgrid.stages.report.experiment import read_experiment
from gptgrid.stages.report.render import render
from gptgrid.words import counted


def make_report(job: Job) -> dict[str, Any]:
    """Write report.html, which needs nothing beside it; return the facts."""
    with job.timing("read"):
        experiment = read_experiment(job)
    with job.timing("render"):
        html = render(experiment)
    (job.folder / "report.html").write_text(html, encoding="utf-8")
    print(f"report.html: {counted(len(experiment.cells), 'cell')}, {len(html) / 1e6:.1f} MB", flush=True)
    return {"cells": len(experiment.cells), "groups": len(experiment.groups)}
