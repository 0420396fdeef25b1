"""The plan as a table for a person. Decides nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.manifest import sound_manifest
from gptgrid.config.corpora import KINDS_OF_DOCUMENTS
from gptgrid.config.values import BUDGETS
from gptgrid.plan.artifacts import TRAININGS, Artifact, home_of, is_imported
from gptgrid.plan.causes import Causes, Earlier
from gptgrid.plan.plan import Plan
from gptgrid.text.readable import duration
from gptgrid.words import counted, verb

if TYPE_CHECKING:
    from gptgrid.plan.cost import Cost, Costs

LONGEST = 100
"""Characters of a cause that the table has room for."""
ALIKE = 8.0
"""How many times the operations of a token may differ for one training to say how long another takes."""


def show_plan(plan: Plan, console: Console, everything: bool = False) -> None:
    """Print what would run or be restored, why, and what it would cost: a line a cell.

    Args:
        plan: of the experiment.
        console: where to print.
        everything: also what is there.
    """
    from gptgrid.plan.cost import Costs  # imports torch

    causes, costs = Causes(plan), Costs(plan)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("what", "run", "restore", "why"):
        table.add_column(heading, no_wrap=True)
    for heading in ("parameters", "tokens", "FLOPs", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    notes, remarks, seconds, unlike = [], {}, [], 1.0
    for name, artifacts in by_name(plan).items():
        missing = [artifact for artifact in artifacts if plan.action(artifact) != "keep"]
        if not missing and not everything:
            continue
        figures: tuple[str, ...] = ()
        if artifacts[0].stage in TRAININGS:
            folder = home_of(artifacts[0])
            cost = costs.of_cell({made.folder.removeprefix(f"{folder}/"): made for made in artifacts})
            figures = readable(cost)
            if cost.seconds is not None:
                seconds.append(cost.seconds)
                unlike = max(unlike, costs.unlike(artifacts[0]))
            notes += [f"{name} would fail: {cost.problem}"] * (cost.problem is not None)
            for remark in cost.remarks:
                remarks.setdefault(remark, []).append(name)
        if missing and artifacts[0].stage == "corpus":
            notes += read_how(name, artifacts[0])
        stages = [
            " ".join(dict.fromkeys(made.stage for made in missing if plan.action(made) == action))
            for action in ("run", "restore")
        ]
        why = shorten(causes.why(nearest(missing))) if missing else ""
        table.add_row(*map(Text, (name, *stages, why, *figures)))
    if table.row_count:
        console.print(table, soft_wrap=True)
    counts = Counter(plan.action(artifact) for artifact in plan.artifacts.values())
    finetuned = sum(len(cell.finetuned) for cell in plan.cells)
    notes.append(
        f"{counted(len(plan.cells), 'cell')}, {f'{finetuned} fine-tuned from them, ' * bool(finetuned)}"
        f"{counted(len(plan.artifacts), 'artifact')}: {counts['keep']} {verb(counts['keep'], 'are')} there, "
        f"{counts['restore']} would be restored from the store, {counts['run']} would run"
    )
    if seconds:
        notes.append(
            f"about {duration(sum(seconds))} for the cells, one after the other; known from earlier "
            f"trainings in the store ({', '.join(costs.speeds.devices)})"
            + (f", but those are {unlike:.0f} times smaller or larger: a guess" if unlike > ALIKE else "")
        )
    if plan.needs_device():
        notes += absent_device(plan)
    said = (f"{together(names)}: {remark}" for remark, names in remarks.items())
    for line in (*said, *notes, *hints(plan, causes, costs)):
        console.print(Text(line), soft_wrap=True)


def by_name(plan: Plan) -> dict[str, list[Artifact]]:
    """Return the artifacts under the names that a person knows them by: those of a cell together."""
    named: dict[str, list[Artifact]] = {}
    for folder, artifact in plan.artifacts.items():
        name = folder.removeprefix("data/").removeprefix(f"{plan.results}/")
        if name.startswith("cells/"):
            name = name.split("/")[1]
        elif not artifact.shown:
            name = name.rsplit("/", 1)[0]
        named.setdefault(name, []).append(artifact)
    return named


def read_how(name: str, corpus: Artifact) -> list[str]:
    """Return what a person should know of how a corpus is read: one line each."""
    document, left_out = corpus.config.get("document"), corpus.config.get("left_out")
    notes = []
    if document is not None and document not in KINDS_OF_DOCUMENTS.values():
        notes.append(f"{name}: documents are what stands between {document!r}")
    if left_out:
        counts = ", ".join(f"{number:,} {reason}" for reason, number in left_out.items())
        notes.append(f"{name}: left out of folders and patterns: {counts}")
    return notes


def absent_device(plan: Plan) -> list[str]:
    """Return what to say if this machine lacks the device: those that compute may be others."""
    try:
        plan.check_device()
    except UserError as error:
        return [f"{error}; the jobs of a cluster look for it where they run"]
    return []


def nearest(missing: list[Artifact]) -> Artifact:
    """Return which of the missing artifacts of a line says why: the first that people see."""
    return next((artifact for artifact in missing if artifact.shown), missing[0])


def together(names: list[str]) -> str:
    """Return the names of cells that have something in common, shortly."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def shorten(text: str) -> str:
    """Return the first line of a text, as much of it as the table has room for."""
    line = text.partition("\n")[0]
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def readable(cost: Cost) -> tuple[str, str, str, str]:
    """Return a cost as four table cells."""
    least = "" if cost.complete else "≥ "
    parameters = f"{cost.parameters:,}" if cost.parameters is not None else "after tokenizer"
    if cost.tokens is None:
        return parameters, "would fail" if cost.problem else "after encode", "", ""
    tokens = f"{'≈ ' * cost.guessed}{cost.tokens:,}"
    if cost.flops is None:
        return parameters, tokens, "", ""
    time = "?" if cost.seconds is None else f"{least}{duration(cost.seconds)}"
    return parameters, tokens, f"{least}{cost.flops:.2e}", time


# ------------------------------------------------------------------------------------------ hints


@dataclass(frozen=True)
class Raised:
    """A recipe with a larger budget than the one that cells were trained with."""

    recipe: str
    unit: str
    before: float
    now: float
    batch_tokens: int | None
    """What `batch_tokens: auto` became; None where a number was given."""


def hints(plan: Plan, causes: Causes | None = None, costs: Costs | None = None) -> list[str]:
    """Return what a person should know before a run: what the configuration has to say of itself, and a line
    for each recipe whose budget was raised: its cells could go on from where they are.

    Args:
        plan: of the experiment, after `look`.
        causes: of the plan, if at hand.
        costs: of the plan, if at hand.
    """
    causes = causes or Causes(plan)
    recipes = {f"{plan.results}/cells/{cell.name}/train": cell.training.name for cell in plan.cells}
    found: dict[Raised, dict[Artifact, int]] = {}
    for train in plan.of_stage("train"):
        if train.folder not in recipes or plan.action(train) != "run" or "parent" in train.inputs:
            continue
        if is_imported(train) or causes.has_checkpoint(train):  # it does not start anew
            continue
        earlier = causes.earlier(train)
        manifest = earlier and shorter_training(plan, train, earlier)
        if manifest:
            raised = raised_budget(train, manifest, recipes[train.folder])
            found.setdefault(raised, {})[train] = manifest["facts"]["steps"]
    if not found:
        return plan.configuration.cautions
    if costs is None:
        from gptgrid.plan.cost import Costs  # imports torch

        costs = Costs(plan)
    raises = [hint(plan, raised, trained, costs) for raised, trained in found.items()]
    return plan.configuration.cautions + raises


def shorter_training(plan: Plan, train: Artifact, earlier: Earlier) -> dict[str, Any] | None:
    """Return the manifest of an earlier training that can be continued: its smaller budget alone differs."""
    if earlier.changed_inputs or earlier.source != plan.requests[train].source:
        return None
    before, now = earlier.slice["training"], train.slice["training"]
    unit = unit_of(now)
    if before[unit] is None or before[unit] >= now[unit]:
        return None
    if {**earlier.slice, "training": {**before, unit: now[unit]}} != train.slice:
        return None
    manifest = sound_manifest(plan.store.folder("train", earlier.identity))
    return manifest if manifest and manifest["facts"]["status"] == "finished" else None


def raised_budget(train: Artifact, manifest: dict[str, Any], recipe: str) -> Raised:
    """Return how the budget of a training differs from that of the shorter one that is there."""
    before, now = manifest["config"]["training"], train.slice["training"]
    unit, auto = unit_of(now), now["batch_tokens"] == "auto"
    batch_tokens = manifest["facts"]["batch_tokens"] if auto else None
    return Raised(recipe, unit, before[unit], now[unit], batch_tokens)


def unit_of(training: dict[str, Any]) -> str:
    """Return which of steps, tokens and epochs a recipe gives."""
    return next(unit for unit in BUDGETS if training[unit] is not None)


def hint(plan: Plan, raised: Raised, trained: dict[Artifact, int], costs: Costs) -> str:
    """Return what to write so that cells go on from where they are.

    Args:
        plan: of the experiment.
        raised: the recipe.
        trained: its trainings → the steps that were made.
        costs: of the plan.
    """
    recipe, unit, before, now = raised.recipe, raised.unit, number(raised.before), number(raised.now)
    name = f"{recipe}-{now}".replace(".", "_").replace("+", "")
    while name in plan.configuration.experiment.training:
        name += "-longer"
    batch = f", batch_tokens: {raised.batch_tokens}" if raised.batch_tokens else ""
    entry = f"{name}: {{base: {recipe}, {unit}: {now}{batch}, continues: {recipe}}}"
    return (
        f"{counted(len(trained), 'cell')} {verb(len(trained), 'are')} trained to `{unit}: {before}`. With "
        f"`{unit}: {now}` in training.{recipe} all starts anew{effort(costs, dict.fromkeys(trained, 0))}. To "
        f"go on from there{effort(costs, trained)}, leave training.{recipe} as it was, add `{entry}` to "
        "`training:`, and name it in the grid."
    )


def effort(costs: Costs, begins: dict[Artifact, int]) -> str:
    """Return tokens and time of trainings as a bracket, empty where they are not known.

    Args:
        costs: of the plan.
        begins: training → steps that were made before.
    """
    tokens, seconds = 0, 0.0
    for train, begin in begins.items():
        budget, size = costs.budget(train, begin), costs.size(train)
        if size is None or budget is None or budget.tokens is None:
            return ""
        tokens += budget.tokens
        seconds += costs.speeds.seconds(size.flops, train.threads, size.flops * budget.positions, 0) or 0
    return f" ({tokens:,} tokens, {duration(seconds)})" if seconds else f" ({tokens:,} tokens)"


def number(value: float) -> str:
    """Return a budget as a person writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
