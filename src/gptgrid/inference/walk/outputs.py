"""The steps at both ends of the blocks: embeddings before them, logits, probabilities and the loss behind."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from gptgrid.inference.walk.blocks import norm_step, vector_step
from gptgrid.inference.walk.lens import lens_logits
from gptgrid.inference.walk.step import NUMBERS_SHOWN, Step, Table, chosen_places, shape_of, vectors
from gptgrid.inference.walk.walk import Walk
from gptgrid.model.embedding import SinusoidalPositions

LIKELIEST = 5
"""Of the tokens that may come next, so many stand in tables."""


def embedding_steps(walk: Walk) -> Iterator[Step]:
    """Yield the steps from ids to vectors that know their positions."""
    rows = walk.recording.token_rows
    yield vector_step(walk, None, "embedding", walk.formula("embedding"), rows, width=rows.shape[1])
    yield position_step(walk)


def position_step(walk: Walk) -> Step:
    """Return the step that tells the model where tokens stand, or says where that happens."""
    position, time = walk.module.config.position, len(walk.labels)
    added = walk.module.embedding.positions
    if added is not None:
        vectors_added = added.waves if isinstance(added, SinusoidalPositions) else added.weight
        shape = shape_of(walk.recording.embedded, "time", "d_model")
        tables = [
            vectors(walk.label("positions"), walk.labels, vectors_added[:time]),
            vectors(walk.label("sum"), walk.labels, walk.recording.embedded),
        ]
        return walk.step(position, formula=walk.formula(position), shape=shape, tables=tables)
    if position == "rope":
        cosines = walk.module.positions.cosines[:time]
        formula = walk.formula("rope", theta=walk.module.config.rope_theta)
        table = vectors(walk.label("angles"), walk.labels, cosines)
        return walk.step("rope", formula=formula, shape=shape_of(cosines, "time", "head_dim"), tables=[table])
    if position == "alibi":
        slopes = walk.module.positions.slopes
        heads = [walk.label("head", number=head) for head in range(len(slopes))][:NUMBERS_SHOWN]
        row = (walk.label("slope"), slopes[:NUMBERS_SHOWN].tolist())
        table = Table("", heads, [row], len(slopes) > NUMBERS_SHOWN)
        return walk.step(
            "alibi", formula=walk.formula("alibi"), shape=shape_of(slopes, "head"), tables=[table]
        )
    return walk.step("none")


def output_steps(walk: Walk) -> Iterator[Step]:
    """Yield the steps from the last block to the loss."""
    yield stream_step(walk)
    module, recording = walk.module, walk.recording
    if module.config.norm_position == "pre":
        yield norm_step(walk, None, "final_norm", recording.final)
    yield logits_step(walk)
    yield probabilities_step(walk)
    yield loss_step(walk)


def stream_step(walk: Walk) -> Step:
    """Return the step that looks at the residual stream after each block."""
    streams = [walk.recording.embedded, *(block.output for block in walk.recording.blocks)]
    names = [walk.label("embeddings"), *(walk.label("block", number=n) for n in range(len(streams) - 1))]
    rows = []
    for name, stream in zip(names, streams, strict=True):
        chances = torch.softmax(lens_logits(walk.module, stream[-1:])[0], dim=-1)
        token = int(chances.argmax())
        rows.append((name, [mean_norm(stream), walk.token(token), float(chances[token])]))
    columns = [walk.label(name) for name in ("norm", "prediction", "probability")]
    return walk.step("stream", tables=[Table("", columns, rows)])


def mean_norm(stream: Tensor) -> float:
    """Return the mean length of vectors (time, d_model)."""
    return float(stream.norm(dim=-1).mean())


def logits_step(walk: Walk) -> Step:
    """Return the step that makes a number of each token of the vocabulary."""
    module, logits = walk.module, walk.recording.logits
    config = module.config
    remarks = [walk.words(f"steps.logits.{'tied' if config.tie_embeddings else 'own'}")]
    bias = "" if module.head.bias is None else " + b"
    formulas = [walk.formula("logits") if config.tie_embeddings else walk.formula("logits_own", bias=bias)]
    if config.logit_softcap is not None:
        remarks.append(walk.words("steps.logits.softcap", cap=config.logit_softcap))
        formulas.append(walk.formula("softcap", cap=config.logit_softcap))
    return walk.step(
        "logits",
        formula=";   ".join(formulas),
        shape=shape_of(logits, "time", "vocab_size"),
        tables=[vectors("", walk.labels, logits)],
        tied=" ".join(remarks),
    )


def probabilities_step(walk: Walk) -> Step:
    """Return the step that makes probabilities of the last token's logits."""
    logits = walk.recording.logits[-1]
    chances = torch.softmax(logits, dim=-1)
    values, order = chances.topk(min(LIKELIEST, len(chances)))
    rows = [
        (walk.token(token), [token, float(logits[token]), chance])
        for token, chance in zip(order.tolist(), values.tolist(), strict=True)
    ]
    columns = [walk.label(name) for name in ("id", "logit", "probability")]
    shape = shape_of(walk.recording.logits, "time", "vocab_size")
    table = Table(walk.labels[-1], columns, rows)
    return walk.step("probabilities", formula=walk.formula("probabilities"), shape=shape, tables=[table])


def loss_step(walk: Walk) -> Step:
    """Return the last step: how much the model is surprised by each token."""
    recording = walk.recording
    chances = (-recording.losses).exp()
    rows = [
        (walk.labels[place + 1], [walk.labels[place], float(chances[place]), float(recording.losses[place])])
        for place in chosen_places(len(walk.labels))[:-1]
    ]
    columns = [walk.label(name) for name in ("predicted_after", "probability", "nats")]
    loss, vocabulary = float(recording.loss), recording.logits.shape[1]
    return walk.step(
        "loss",
        formula=walk.formula("loss"),
        shape="() = nats",
        tables=[Table("", columns, rows)],
        loss=loss,
        perplexity=math.exp(min(loss, 700.0)),  # beyond, no double holds it
        vocabulary=vocabulary,
        blind=math.log(vocabulary),
    )
