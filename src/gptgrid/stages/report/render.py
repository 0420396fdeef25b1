"""An experiment as one HTML page: style, scripts and data inlined, so that it needs nothing else.

What the page says stands in the templates, of which page.html.jinja is the frame, how it looks in style.css,
what it does in script.js.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from gptgrid.stages.report import formatting
from gptgrid.stages.report.cards import card
from gptgrid.stages.report.conclusion import conclusions, failures, grid_values
from gptgrid.stages.report.details import (
    breakdown_tables,
    context_table,
    cross_table,
    item_tables,
    task_table,
)
from gptgrid.stages.report.experiment import ReportContent
from gptgrid.stages.report.scoring import conventions, left_out, scored_parts
from gptgrid.stages.report.tables import Row
from gptgrid.stages.report.templates import STYLE, environment

HERE = Path(__file__).parent
MARKS = "●■◆▲▼✚"
"""As plotly's symbols in script.js; colours are --c0 to --c5 of style.css."""
SIZES = ("parameters", "non_embedding_parameters", "train_flops", "train_tokens", "train_seconds")
"""What the size chart puts a group's figure against."""
FILTERS = (
    formatting.decimal,
    formatting.count,
    formatting.short,
    formatting.duration,
    formatting.percent,
    formatting.sentence,
    formatting.difference,
    formatting.p_value,
)


def render(experiment: ReportContent) -> str:
    """Return the page."""
    names = [text["name"] for text in experiment.texts]
    return template().render(
        experiment=experiment,
        ranking=sorted(experiment.groups, key=lambda group: (names.index(group["text"]), group["rank"])),
        conclusions=conclusions(experiment),
        conventions=conventions(experiment.groups),
        failures=failures(experiment),
        grid_values=grid_values(experiment),
        scored_parts=scored_parts(experiment.groups),
        audit={key: sum(about[key] for about in experiment.evaluations) for key in ("evaluated", "audited")},
        left_out=left_out([*experiment.groups, *experiment.effects]),
        labels={group["group"]: group for group in experiment.groups},
        tasks=task_table(experiment),
        contexts=context_table(experiment),
        cross=cross_table(experiment),
        breakdowns=list(breakdown_tables(experiment)),
        items=list(item_tables(experiment)),
        worth=experiment.worth,
        data=embedded(page_data(experiment)),
        style=Markup(STYLE.read_text(encoding="utf-8")),
        script=Markup((HERE / "script.js").read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()),
    )


def template() -> Any:
    """Return the template of the page, with its filters."""
    templates = environment(HERE)
    templates.filters |= {show.__name__: show for show in (*FILTERS, mark, card)}
    return templates.get_template("page.html.jinja")


def mark(group: Row) -> Markup:
    """Return the coloured mark that stands for a group everywhere in the page."""
    colour, shape = group["variant"] % 6, (group["variant"] + group["variant"] // 6) % 6
    return Markup('<span class="mark c{}" aria-hidden="true">{}</span>').format(colour, MARKS[shape])


def embedded(value: Any) -> Markup:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def page_data(experiment: ReportContent) -> dict[str, Any]:
    """Return what the charts and the samples are drawn from."""
    members = defaultdict(list)
    for cell in experiment.cells:
        members[cell["group"]].append(cell)
    unit = {text["name"]: text for text in experiment.texts}
    names = [text["name"] for text in experiment.texts]
    return {
        "texts": [{"name": text["name"], "unit": text["unit"]} for text in experiment.texts],
        "groups": [
            {
                **group_data(group, members[number], unit[group["text"]]),
                "text": names.index(group["text"]),
                "positions": experiment.evaluations[number]["positions"],
            }
            for number, group in enumerate(experiment.groups)
        ],
        "cells": [{key: cell[key] for key in ("group", "seed", "status")} for cell in experiment.cells],
        "curves": experiment.curves,
        "samples": experiment.samples,
        "training_samples": experiment.training_samples,
    }


def group_data(group: Row, cells: list[Row], text: Row) -> dict[str, Any]:
    """Return what the charts say about a group: its figures, but none where a seed diverged, its seeds',
    its sizes."""
    sized = [cell for cell in cells if cell["status"] != "failed"]
    return {
        "label": group["label"],
        "variant": group["variant"],
        "rank": group["rank"],
        "diverged": group["diverged"],
        "failed": group["failed"],
        **{split: None if group["diverged"] else group[f"{text[split]}_mean"] for split in ("valid", "test")},
        "best": group["best"],
        "interval": interval(group),
        "seeds": [cell[text["test"]] for cell in cells],
        **{key: mean([cell[key] for cell in sized]) for key in SIZES},
    }


def interval(group: Row) -> list[float] | None:
    """Return how far the interval of the difference to the best reaches below and above it; None without."""
    low, high = (group[f"difference_{end}"] for end in ("low", "high"))
    return None if low is None or high is None else [group["difference"] - low, high - group["difference"]]


def mean(values: list[float | None]) -> float | None:
    """Return the mean; None where a value is missing, or there is none."""
    return fmean(values) if values and None not in values else None
