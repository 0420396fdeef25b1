"""Making the artifacts of a plan in this process, with the programs' own build functions."""

import runpy
from pathlib import Path

from gptgrid.artifact.identity import STAGES
from gptgrid.artifact.program import Program
from gptgrid.config.read import Configuration
from gptgrid.plan.plan import SCRIPTS, Plan


def plan_of(config: dict) -> Plan:
    """Return the plan of a configuration after a look at what is there."""
    plan = Plan(Configuration(config, "my.yaml"))
    plan.look()
    return plan


def make(config: dict, *stages: str) -> Plan:
    """Make what is missing of some stages, all of them by default; return the plan as it then is."""
    plan = plan_of(config)
    plan.register()
    plan.write_requests()
    for artifact, request in plan.requests.items():
        if artifact.stage not in (stages or STAGES) or plan.there[artifact]:
            continue
        script = SCRIPTS / f"{artifact.stage}.py"
        Program(
            request,
            plan.store,
            runpy.run_path(str(script))["load"],
            script,
            name=artifact.name,
            view=Path(artifact.folder) if artifact.shown else None,
            run_section=plan.run,
            record_failure=True,
        ).run()
    return plan_of(config)
