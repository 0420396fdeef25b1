# The plan of the experiment, and the functions with which the rules ask it.

import gc
import json
import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import STAGES
from gptgrid.artifact.store import Store
from gptgrid.launch.server import start_server
from gptgrid.plan.outcome import outcome
from gptgrid.plan.plan import COMPUTING, Plan, count_gpus, on_device, read_configuration
from gptgrid.plan.requests import Requests
from gptgrid.words import counted, verb

# This file lies in workflow/rules of the checkout, whichever Snakefile includes it.
ROOT = Path(workflow.current_basedir).resolve().parents[1]
AGAIN = "GPTGRID_AGAIN"

plan = None
try:
    plan = Plan(read_configuration(workflow.overwrite_configfiles, workflow.config_settings.config))
except UserError as error:
    # On a node of a cluster a job needs its request only: somebody may be editing the configuration.
    if workflow.is_main_process or "GPTGRID_STORE" not in os.environ:
        raise WorkflowError(str(error))

# The plan lives as long as the run: the garbage collector need not look at it again and again while Snakemake makes
# thousands of jobs.
gc.freeze()
STORE = plan.store if plan else Store(Path(os.environ["GPTGRID_STORE"]))
os.environ["GPTGRID_STORE"] = str(STORE.root)
os.environ.setdefault(AGAIN, "")


# They reach the nodes of a cluster, too.
envvars:
    "GPTGRID_STORE",
    "GPTGRID_AGAIN",


wildcard_constraints:
    receipt="[0-9a-f]{64}([.]retry-[0-9]+)?",
    view="data/(corpora|tasks|dialogues|tokenizers|shards)/.+|results/[^/.][^/]*/((cells|references|samples)/.+|(compare|report)(/.+)?)",


# A machine's places on GPUs are counted here; which of them a job takes is claimed by its program.
RUN = plan.run if plan else {"cells_per_gpu": 1, "processes": 1, "device": "auto"}
GPUS = count_gpus() * RUN["cells_per_gpu"]
GPU_JOB = int(GPUS > 0 and RUN["device"] in ("auto", "cuda"))
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", max(1, GPUS))


class Run:
    """What is known once Snakemake has said what it is going to do: not before it makes its jobs."""

    requests = None
    lock = None


def requests():
    """What the jobs are asked to make."""
    if Run.requests is None:
        with explained():
            Run.requests = begin()
    return Run.requests


@contextmanager
def explained():
    """Say what went wrong as Snakemake says it, without Python's own lines."""
    try:
        yield
    except UserError as error:
        raise WorkflowError(str(error))
    except OSError as error:
        raise WorkflowError(f"{error.filename}: {error.strerror}; mend that and run the same command again")


def begin():
    """Look at what is there and, if jobs are going to run, tell the store and let people see what is there."""
    keep_apart()
    if not workflow.is_main_process:
        return Requests(plan, STORE, os.environ[AGAIN].split())
    if computes():
        Run.lock = plan.register()
        plan.claim_views(workflow.logger_manager.get_logfile())
    plan.look()
    if computes():
        plan.show()
    return Requests(plan, STORE, made_again())


def keep_apart():
    """Keep what Snakemake notes about jobs that run out of the way of other runs in this checkout.

    It marks a job and copies its output, to put that back if the job fails, under names that all runs share: of two
    runs with the same job one deletes what the other is about to use. So the marks are this run's own, and nothing is
    copied: a receipt is written in one step, what lies there is whole, and it stays.
    """
    marks = workflow.snakemake_tmp_dir / "incomplete"
    marks.mkdir(exist_ok=True)
    workflow.persistence._incomplete_path = marks
    workflow.persistence.backup_output = lambda path: None
    workflow.persistence.restore_output = Path.exists


def computes():
    """Whether jobs are going to run; a dry run, a picture of the jobs and the like change nothing."""
    return workflow.executor_plugin is not None and not workflow.dryrun


def made_again():
    """The stages and files that are to be made although they are there: -F, -f, -R."""
    asked = workflow.dag_settings
    if asked is None:
        return []
    if asked.forceall:
        return STAGES
    return [*asked.forcerun, *(asked.targets if asked.forcetargets else [])]


def needs(stage):
    """The receipts of what the artifact is made from. Snakemake looks at whether they are there, never at dates."""
    return lambda wildcards: [ancient(path) for path in requests().inputs(stage, wildcards.receipt)]


def all_receipts():
    """The receipts of everything that the experiment promises.

    Not as ancient files: of jobs behind one that runs again with an ancient output Snakemake would look at none, not
    even at those whose receipts are missing.
    """
    return requests().all_receipts()


def receipt_of_view(wildcards):
    """The receipt of the artifact that people see there."""
    with explained():
        artifact = plan.artifact_of_view(wildcards.view)
        requests()
        plan.check_file_of_view(artifact, wildcards.view)
    path = requests().receipt_path(artifact)
    return ancient(path) if Path(path).exists() else path


def receipt(stage):
    """The receipt that the job writes. It is not deleted first: another run may be about to read it."""
    return update(f"{STORE.root}/keys/{stage}/{{receipt}}.json")


def log_of(stage):
    """What Snakemake shows of a job that failed. The program keeps a log under the artifact's name, too."""
    return f".snakemake/gptgrid/logs/{stage}/{{receipt}}.log"


def job_of(stage):
    """Its name and options. Snakemake does not record params that depend on output: names are no cause of a rerun."""
    return lambda wildcards, output: requests().job(stage, wildcards.receipt)


def threads_of(stage):
    return lambda wildcards: requests().request(stage, wildcards.receipt).threads


def needs_model(wildcards):
    """Say whether an evaluation is of a cell; references compute without a device."""
    return on_device("evaluate", requests().request("evaluate", wildcards.receipt).config)


def gpu_to_evaluate(wildcards):
    """One for a cell; what needs no network needs none."""
    return GPU_JOB * needs_model(wildcards)


def prepare_to_compute():
    """Make ready for many short programs on this machine."""
    if not workflow.is_main_process:
        return
    requests()
    with explained():
        plan.write_requests()
    from gptgrid.plan.show import hints  # tables for people: a dry run, and a node of a cluster, do without

    for hint in hints(plan):
        print(hint, file=sys.stderr)
    os.environ[AGAIN] = " ".join(made_again())
    if not workflow.local_exec:
        return
    computing = (job for job in workflow.dag.needrun_jobs() if job.rule.name in COMPUTING)
    if any(job.rule.name != "evaluate" or needs_model(job.wildcards) for job in computing):
        with explained():
            plan.check_device()  # before the jobs that need none take hours
    # Snakemake limits how many jobs begin in a second. For each that has ended it then looks at all that are
    # ready once more a second: after 100 of 300 cells that takes most of a core.
    workflow.scheduler.job_rate_limiter = None
    in_environment = workflow.deployment_settings.deployment_method
    if not in_environment and plan.computations() > 1:
        start_server()  # which imports torch once for all


def finish():
    """Let people see what belongs to this run, and end with an error if something could not be made.

    Raises:
        WorkflowError: what could not be made, and why.
    """
    if not workflow.is_main_process:
        return
    with explained():
        # Programs of another run with the same names may have shown theirs in the meantime.
        plan.look()
        plan.show()
        for line in outcome(plan):
            print(line, file=sys.stderr, flush=True)
    if failures := plan.failures():
        lines = [
            f"{reason} ({counted(len(names), 'artifact')} {verb(len(names), 'lack')} it)"
            for reason, names in failures.items()
        ]
        raise WorkflowError(
            "\n".join(["Some of it could not be made; the same command tries again.", *lines])
        )


def program(stage):
    """The command of a stage.

    One thread unless a recipe says otherwise: results do not depend on what runs beside them. The package is
    that of this checkout, wherever else one may be installed.
    """
    in_environment = workflow.deployment_settings.deployment_method
    python = "python" if in_environment else shlex.quote(sys.executable)
    root = shlex.quote(str(ROOT))
    return f"OMP_NUM_THREADS=1 PYTHONPATH={root}/src {python} {root}/workflow/scripts/{stage}.py"
