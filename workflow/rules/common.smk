# The plan of the experiment, and the functions with which the rules ask it.

import os
import shlex
from pathlib import Path

from gptgrid.plan.plan import FOLDERS, OUTPUTS, count_gpus, read_plan
from gptgrid.artifact.manifest import MANIFEST
from gptgrid.artifact.errors import UserError
from gptgrid.launch.server import start_server

# This file lies in workflow/rules of the checkout, whichever Snakefile includes it.
ROOT = Path(workflow.current_basedir).resolve().parents[1]


wildcard_constraints:
    corpus="[^/]+",
    tokenizer="[^/]+",
    shards="[^/]+",
    number="[0-9]{5}",
    experiment="[^/]+",
    cell="[^/]+",


try:
    plan = read_plan(workflow.overwrite_configfiles, workflow.config_settings.config)
    if workflow.is_main_process:
        plan.write_requests()
except UserError as error:
    raise WorkflowError(str(error))


# A machine's places on GPUs are counted here; which of them a job takes is claimed by its program.
GPUS = count_gpus() * plan.run["cells_per_gpu"]
GPU_JOB = int(GPUS > 0 and plan.run["device"] in ("auto", "cuda"))
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", max(1, GPUS))


def artifact(stage, wildcards):
    return plan.artifact(FOLDERS[stage].format(**wildcards))


def request(stage):
    """The file whose time says whether the artifact is stale."""
    return lambda wildcards: str(artifact(stage, wildcards).request)


def needs(stage):
    """The manifests of what the artifact is made from.

    A job follows from its request or from a job before it, never from the time of a manifest. Snakemake looks
    at no reason of a job behind one that runs, and does not pass through jobs whose inputs are ancient, hence:
    what is kept has ancient inputs, and what is not depends on all that stand before it.
    """

    def manifests(wildcards):
        asked = artifact(stage, wildcards)
        if asked.action == "keep":
            return existing(plan.manifests(asked.inputs.values()))
        return plan.manifests(plan.ancestors(asked))

    return manifests


def tokens(stage):
    """The text that it reads, for its size."""

    def shard(wildcards):
        asked = artifact(stage, wildcards)
        path = f"{asked.inputs['shards']}/{OUTPUTS['encode'][0]}"
        return existing([path]) if asked.action == "keep" else path

    return shard


def existing(paths):
    """What is there of them, for a job whose reason is none of them."""
    return [ancient(path) for path in paths if os.path.exists(path)]


def threads_of(stage):
    return lambda wildcards: artifact(stage, wildcards).threads


def made(stage):
    """The files of the artifact; the manifest, which is linked last, says that it is whole."""
    return [f"{FOLDERS[stage]}/{name}" for name in (*OUTPUTS[stage], MANIFEST)]


def prepare_to_compute():
    """Make ready for many short programs on this machine."""
    if not workflow.local_exec:
        return
    # Snakemake limits how many jobs begin in a second. For each that has ended it then looks at all that are
    # ready once more a second: after 100 of 300 cells that takes most of a core.
    workflow.scheduler.job_rate_limiter = None
    in_environment = workflow.deployment_settings.deployment_method
    if not in_environment and plan.computations() > 1:
        start_server()  # which imports torch once for all


def program(stage):
    """The command of a stage.

    One thread unless a recipe says otherwise: results do not depend on what runs beside them. The package is
    that of this checkout, wherever else one may be installed.
    """
    in_environment = workflow.deployment_settings.deployment_method
    python = "python" if in_environment else shlex.quote(sys.executable)
    root = shlex.quote(str(ROOT))
    return f"OMP_NUM_THREADS=1 PYTHONPATH={root}/src {python} {root}/workflow/scripts/{stage}.py"
