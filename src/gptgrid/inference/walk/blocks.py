"""The steps inside the blocks: norms, attention, residual sums, feed-forward network."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from gptgrid.inference.walk.record import BlockRecord
from gptgrid.inference.walk.step import NUMBERS_SHOWN, Step, Table, chosen_places, shape_of, square, vectors
from gptgrid.inference.walk.walk import Walk
from gptgrid.model.mask import layer_windows


def block_steps(walk: Walk, layer: int, heads: list[int]) -> Iterator[Step]:
    """Yield the steps of a block; of attention's, the tables of some heads."""
    block, config = walk.recording.blocks[layer], walk.module.config
    bias = " + b" if config.bias else ""
    if config.residual_mix:
        yield mix_step(walk, layer, block)
    if block.pre_norm:
        yield norm_step(walk, layer, "attention_norm", block.attention_norm[1])
    yield qkv_step(walk, layer, block, heads)
    if config.qk_norm or config.position == "rope":
        yield changed_queries_step(walk, layer, block, heads)
    yield from attention_steps(walk, layer, block, heads)
    yield vector_step(walk, layer, "output", walk.formula("output", bias=bias), block.attention)
    yield sum_step(walk, layer, "attention", block.input, block.attention, block.between, block.pre_norm)
    after_attention = block.between
    if block.pre_norm:
        yield norm_step(walk, layer, "feed_forward_norm", block.feed_forward_norm[1])
    else:
        after_attention = block.attention_norm[1]
        yield norm_step(walk, layer, "attention_norm_after", after_attention)
    yield hidden_step(walk, layer, block)
    yield vector_step(walk, layer, "down", walk.formula("down", bias=bias), block.feed_forward)
    total = block.output if block.pre_norm else block.feed_forward_norm[0]
    yield sum_step(walk, layer, "feed_forward", after_attention, block.feed_forward, total, block.pre_norm)
    if not block.pre_norm:
        yield norm_step(walk, layer, "feed_forward_norm_after", block.output)


def vector_step(
    walk: Walk, layer: int | None, key: str, formula: str, values: Tensor, **words: object
) -> Step:
    """Return a step that ends with a vector (time, width) for each token."""
    axes = ("time", "d_ff" if key == "hidden" else "d_model")
    return walk.step(
        key,
        block=layer,
        formula=formula,
        shape=shape_of(values, *axes),
        tables=[vectors("", walk.labels, values)],
        **words,
    )


def mix_step(walk: Walk, layer: int, block: BlockRecord) -> Step:
    """Return the step that mixes the embeddings in again."""
    keep, recall = (float(numbers[layer]) for numbers in (walk.module.keep, walk.module.recall))
    return vector_step(walk, layer, "mix", walk.formula("mix", keep=keep, recall=recall), block.input)


def norm_step(walk: Walk, layer: int | None, key: str, values: Tensor) -> Step:
    """Return the step of a norm."""
    config = walk.module.config
    gain = " · gain" if config.norm_gain else ""
    bias = " + bias" if config.norm_gain and config.bias else ""
    formula = walk.formula(config.norm, gain=gain, bias=bias, eps=config.norm_eps)
    return vector_step(walk, layer, key, formula, values)


def qkv_step(walk: Walk, layer: int, block: BlockRecord, heads: list[int]) -> Step:
    """Return the step that makes queries, keys and values, as the matrix gives them."""
    attended, config = block.attended, walk.module.config
    count, kv_count = attended.queries.shape[1], attended.keys.shape[1]
    if block.qkv is None:  # an encoder neither normalizes nor rotates them
        queries, keys = attended.queries[0], attended.keys[0]
    else:
        parts = block.qkv.view(len(block.qkv), count + 2 * kv_count, -1).transpose(0, 1)
        queries, keys = parts[:count], parts[count : count + kv_count]
    values = attended.values[0]
    tables = []
    for head in heads:
        shared = head // (count // kv_count)
        tables += [
            vectors(walk.label("query", number=head), walk.labels, queries[head]),
            vectors(walk.label("key", number=shared), walk.labels, keys[shared]),
            vectors(walk.label("value", number=shared), walk.labels, values[shared]),
        ]
    sharing = "own" if count == kv_count else "shared"
    groups = walk.words(f"steps.qkv.{sharing}", heads=count, kv_heads=kv_count)
    names = {"Q": queries, "K": keys, "V": values}
    shape = ";  ".join(f"{name}: {shape_of(part, *HEAD_AXES)}" for name, part in names.items())
    bias = " + b" if config.bias else ""
    return walk.step(
        "qkv", block=layer, formula=walk.formula("qkv", bias=bias), shape=shape, tables=tables, groups=groups
    )


HEAD_AXES = ("head", "time", "head_dim")
PAIR_AXES = ("head", "time", "time")


def changed_queries_step(walk: Walk, layer: int, block: BlockRecord, heads: list[int]) -> Step:
    """Return the step that normalizes or rotates queries and keys."""
    config, attended = walk.module.config, block.attended
    rotated = config.position == "rope"
    key = "qk_norm_rotated" if config.qk_norm and rotated else "rotated" if rotated else "qk_norm"
    formulas = [walk.formula("qk_norm", gain=" · gain" if config.norm_gain else "")] if config.qk_norm else []
    formulas += [walk.formula("rotated")] if rotated else []
    group = attended.queries.shape[1] // attended.keys.shape[1]
    tables = []
    for head in heads:
        queries, keys = attended.queries[0, head], attended.keys[0, head // group]
        tables += [
            vectors(walk.label("query", number=head), walk.labels, queries),
            vectors(walk.label("key", number=head // group), walk.labels, keys),
        ]
    shape = f"Q: {shape_of(attended.queries[0], *HEAD_AXES)};  K: {shape_of(attended.keys[0], *HEAD_AXES)}"
    return walk.step(key, block=layer, formula=";   ".join(formulas), shape=shape, tables=tables)


def attention_steps(walk: Walk, layer: int, block: BlockRecord, heads: list[int]) -> Iterator[Step]:
    """Yield the steps from scores to mixed values."""
    attended, label = block.attended, walk.label
    pairs = shape_of(attended.scores[0], *PAIR_AXES)
    tables = [square(label("head", number=head), walk.labels, attended.scores[0, head]) for head in heads]
    formula = walk.formula("scores", scale=attended.scale)
    yield walk.step("scores", block=layer, formula=formula, shape=pairs, tables=tables)
    yield mask_step(walk, layer, block, heads)
    tables = [weights_table(walk, head, attended.weights[0, head]) for head in heads]
    yield walk.step("softmax", block=layer, formula=walk.formula("softmax"), shape=pairs, tables=tables)
    tables = [vectors(label("head", number=head), walk.labels, attended.mixed[0, head]) for head in heads]
    shape = shape_of(attended.mixed[0], *HEAD_AXES)
    yield walk.step("mixed", block=layer, formula=walk.formula("mixed"), shape=shape, tables=tables)


def mask_step(walk: Walk, layer: int, block: BlockRecord, heads: list[int]) -> Step:
    """Return the step that hides what a token may not look at."""
    attended, config = block.attended, walk.module.config
    more = []
    if (window := layer_windows(config)[layer]) is not None:
        more.append(walk.words("steps.mask.window", window=window))
    if config.document_mask:
        more.append(walk.words("steps.mask.documents"))
    if config.position == "alibi":
        more.append(walk.words("steps.mask.alibi"))
    bias = attended.bias[0]
    if len(bias) == 1:
        tables = [square(walk.label("bias"), walk.labels, bias[0])]
    else:  # ALiBi has a slope for each head
        tables = [square(walk.label("head", number=head), walk.labels, bias[head]) for head in heads]
    return walk.step(
        "mask",
        block=layer,
        formula=walk.formula("mask"),
        shape=shape_of(bias, *PAIR_AXES),
        tables=tables,
        more=" ".join(more),
    )


def weights_table(walk: Walk, head: int, weights: Tensor) -> Table:
    """Return the weights of a head with the sum of each row, over all its tokens."""
    table = square(walk.label("head", number=head), walk.labels, weights)
    sums = weights.sum(-1)[chosen_places(len(walk.labels))].tolist()
    rows = [(label, [*values, total]) for (label, values), total in zip(table.rows, sums, strict=True)]
    return Table(table.title, [*table.columns, walk.label("row_sum")], rows)


def sum_step(
    walk: Walk, layer: int, sublayer: str, before: Tensor, added: Tensor, after: Tensor, pre_norm: bool
) -> Step:
    """Return the step that adds a sublayer's output to the residual stream, for the last token."""
    shown = min(NUMBERS_SHOWN, after.shape[1])
    rows = [
        (walk.label("before"), before[-1, :shown].tolist()),
        (f"+ {walk.label(sublayer)}", added[-1, :shown].tolist()),
        (f"= {walk.label('after')}", after[-1, :shown].tolist()),
    ]
    table = Table(walk.labels[-1], [str(column) for column in range(shown)], rows, after.shape[1] > shown)
    return walk.step(
        f"{sublayer}_sum",
        block=layer,
        formula=walk.formula("pre_norm_sum" if pre_norm else "post_norm_sum"),
        shape=shape_of(after, "time", "d_model"),
        tables=[table],
    )


def hidden_step(walk: Walk, layer: int, block: BlockRecord) -> Step:
    """Return the step of the wide layer of the feed-forward network."""
    config = walk.module.config
    formula = walk.formula(config.activation, bias=" + b" if config.bias else "")
    return vector_step(walk, layer, "hidden", formula, block.hidden, width=block.hidden.shape[1])
