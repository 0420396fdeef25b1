"""An experiment as one HTML page: style, scripts and data inlined, so that it needs nothing else.

What the page says stands in page.py, how it looks in style.py, what it does in script.py. They are Python
files, as the fingerprint of the stage covers Python files: a changed style makes a new report.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from gptgrid.stages.report import formatting as figures
from gptgrid.stages.report.answer import answers, compared
from gptgrid.stages.report.cards import card
from gptgrid.stages.report.gather import Experiment, Row
from gptgrid.stages.report.page import PAGE
from gptgrid.stages.report.script import SCRIPT
from gptgrid.stages.report.style import STYLE

MARKS = "●■◆▲▼✚"
"""As plotly's symbols in script.py; colours are --c0 to --c5 of style.py."""
MEANS = ("parameters", "non_embedding_parameters", "train_flops", "train_tokens", "train_seconds")
"""What the size chart puts a group's figure against."""


def render(experiment: Experiment) -> str:
    """Return the page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    for show in (figures.figure, figures.count, figures.short, figures.duration, figures.percent, mark, card):
        environment.filters[show.__name__] = show
    names = [text["name"] for text in experiment.texts]
    return environment.from_string(PAGE).render(
        experiment=experiment,
        ranking=sorted(experiment.groups, key=lambda group: (names.index(group["text"]), group["rank"])),
        answers=answers(experiment),
        compared=compared(experiment),
        data=embedded(page_data(experiment)),
        style=Markup(STYLE),
        script=Markup(SCRIPT),
        plotly=Markup(get_plotlyjs()),
    )


def mark(group: Row) -> Markup:
    """Return the coloured mark that stands for a group everywhere in the page."""
    colour, shape = group["variant"] % 6, (group["variant"] + group["variant"] // 6) % 6
    return Markup('<span class="mark c{}" aria-hidden="true">{}</span>').format(colour, MARKS[shape])


def embedded(value: Any) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def page_data(experiment: Experiment) -> dict[str, Any]:
    """Return what the charts and the samples are drawn from."""
    members = defaultdict(list)
    for cell in experiment.cells:
        members[cell["group"]].append(cell)
    unit = {text["name"]: text for text in experiment.texts}
    names = [text["name"] for text in experiment.texts]
    return {
        "texts": [{"name": text["name"], "unit": text["unit"]} for text in experiment.texts],
        "groups": [
            group_data(group, members[number], unit[group["text"]]) | {"text": names.index(group["text"])}
            for number, group in enumerate(experiment.groups)
        ],
        "cells": [{key: cell[key] for key in ("group", "seed", "status")} for cell in experiment.cells],
        "curves": experiment.curves,
        "samples": experiment.samples,
        "training_samples": experiment.training_samples,
    }


def group_data(group: Row, cells: list[Row], text: Row) -> dict[str, Any]:
    """Return what the charts say about a group: its figures, its seeds', its sizes."""
    return {
        "label": group["label"],
        "variant": group["variant"],
        "rank": group["rank"],
        "diverged": group["diverged"],
        "valid": group[f"{text['valid']}_mean"],
        "test": [group[f"{text['test']}_{key}"] for key in ("mean", "low", "high")],
        "seeds": [cell[text["test"]] for cell in cells],
        **{key: mean([cell[key] for cell in cells]) for key in MEANS},
    }


def mean(values: list[float | None]) -> float | None:
    """Return the mean; None where a value is missing."""
    return None if None in values else sum(values) / len(values)
