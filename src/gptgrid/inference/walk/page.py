"""A walk as one HTML page: attention maps, the residual stream, the logit lens and the steps.

Style, script and values stand in the page itself, so that it needs nothing else. It looks like the report,
whose style it takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from markupsafe import Markup

from gptgrid.inference.walk.lens import lens_logits
from gptgrid.inference.walk.outputs import LIKELIEST, mean_norm
from gptgrid.inference.walk.show import number_text
from gptgrid.inference.walk.steps import Told
from gptgrid.inference.walk.walk import Walk
from gptgrid.stages.report.templates import STYLE, environment

HERE = Path(__file__).parent
MAPPED = 64
"""Tokens in a map at most: the last ones. Every head of every block has its map in the page."""
LENS_TOKENS = 24
"""Columns of the logit lens at most, likewise."""


def render(told: Told, name: str) -> str:
    """Return the page.

    Args:
        told: the walk.
        name: of the cell, or where it lies.
    """
    walk = told.walk
    streams = [walk.recording.embedded, *(block.output for block in walk.recording.blocks)]
    layers = [walk.label("embeddings"), *(walk.label("block", number=n) for n in range(len(streams) - 1))]
    norms = [mean_norm(stream) for stream in streams]
    report = STYLE.read_text(encoding="utf-8")
    return template().render(
        name=name,
        walk=walk,
        words=walk.words,
        steps=told.steps,
        loss=float(walk.recording.loss),
        growth=list(zip(layers, norms, [norm / max(*norms, 1e-12) for norm in norms], strict=True)),
        lens=lens(walk, streams, layers),
        maps=maps(walk),
        mapped=min(MAPPED, len(walk.labels)),
        style=Markup(report + (HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )


def template() -> Any:
    """Return the template of the page. Every value in it is escaped."""
    templates = environment(HERE)
    # The maps are most of the page.
    templates.policies["json.dumps_kwargs"]["separators"] = (",", ":")
    templates.filters["shown"] = lambda value: value if isinstance(value, str) else number_text(value)
    return templates.get_template("page.html.jinja")


def maps(walk: Walk) -> dict[str, Any]:
    """Return what the attention maps are drawn from: labels, and weights by block, head, query and key."""
    first = max(0, len(walk.labels) - MAPPED)
    weights = [
        [
            [[round(weight, 3) for weight in row] for row in head]
            for head in seen[0, :, first:, first:].tolist()
        ]
        for seen in (block.attended.weights for block in walk.recording.blocks)
    ]
    texts = {name: walk.words.texts["page"][name] for name in ("pair", "nothing")}
    texts |= {name: walk.words.texts["labels"][name] for name in ("block", "head")}
    return {"labels": walk.labels[first:], "weights": weights, "texts": texts}


def lens(walk: Walk, streams: list[torch.Tensor], layers: list[str]) -> dict[str, Any]:
    """Return the table of the logit lens: what each token would predict after each block.

    A cell has the likeliest token, its probability, whether it is what follows, and a line on others.
    """
    first = max(0, len(walk.labels) - LENS_TOKENS)
    following = [*walk.recording.ids[first + 1 :], None]
    rows = []
    for layer, stream in zip(layers, streams, strict=True):
        chances = torch.softmax(lens_logits(walk.module, stream[first:]), dim=-1)
        values, order = chances.topk(min(LIKELIEST, chances.shape[1]))
        cells = []
        for best, ids, actual in zip(values.tolist(), order.tolist(), following, strict=True):
            texts = [walk.token(token) for token in ids]
            others = ", ".join(
                f"{text} {number_text(value)}" for text, value in zip(texts, best, strict=True)
            )
            cells.append((texts[0], best[0], ids[0] == actual, others))
        rows.append((layer, cells))
    texts = [*walk.labels[first + 1 :], ""]
    return {"read": walk.labels[first:], "follows": texts, "rows": rows}
