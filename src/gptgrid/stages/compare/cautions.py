"""What a reader of the tables must know before believing them, from the facts of what was compared.

A sentence each: what was found, how much, and what to do. None of them quotes text. Those on a corpus alone
were found by the `corpus` stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd

from gptgrid.artifact.identity import canonical, mapping
from gptgrid.stages.compare.cells import CONVENTION, TAKE_BACK, repeated_keys
from gptgrid.stages.compare.data import of_data
from gptgrid.stages.compare.documents import Scores
from gptgrid.stages.compare.facts import Inputs
from gptgrid.stages.compare.guessing import GUESSING, learned_by_document
from gptgrid.stages.compare.references import of_references
from gptgrid.stages.compare.trainings import LONGER, of_best, of_trainings
from gptgrid.stages.compare.verdicts import BETTER, UNDECIDED
from gptgrid.words import counted, verb

Row = dict[str, Any]


def cautions(
    inputs: Inputs, cells: pd.DataFrame, groups: pd.DataFrame, scores: dict[str, dict[str, Scores]]
) -> dict[str, list[str]]:
    """Return text → what must be known about the figures on it, the weightiest first.

    Args:
        inputs: of `compare`.
        cells: the rows of all cells, with `text` and `group`.
        groups: the rows of all groups.
        scores: text → split → what its groups take by document.

    Returns:
        only texts about which there is something to say.
    """
    asked = {cell.cell: cell for cell in inputs.job.config.cells}
    found = {}
    for text, members in cells.groupby("text", sort=False):
        rivals = groups[groups["text"] == text].sort_values("rank").to_dict("records")
        own = [asked[cell] for cell in members["cell"]]
        best = [asked[cell] for cell in members["cell"][members["group"].isin(winners(rivals))]]
        on_test = learned_by_document(scores[text]["test"]) if text in scores else {}
        useful = [on_test.get(group) for group in winners(rivals)]
        sentences = [
            *of_groups(rivals),
            *of_twins(members, own),
            *of_references(rivals),
            *of_conventions(rivals),
            *of_budgets(members, [cell.shards for cell in own]),
            *of_data(inputs, own),
            *of_trainings(inputs, own),
            *of_best(inputs, best, *useful),
        ]
        found[text] = list(dict.fromkeys(sentences))
    return {text: sentences for text, sentences in found.items() if sentences}


def winners(rivals: list[Row]) -> list[str]:
    """Return the best group of a text, if there is one."""
    return [group["group"] for group in rivals if group["best"]]


def of_groups(rivals: list[Row]) -> Iterator[str]:
    """Yield what stands against choosing among the groups of a text.

    Args:
        rivals: the rows of the groups, by rank.
    """
    measured = [group for group in rivals if pd.notna(group["val_loss_mean"]) and not group["diverged"]]
    part = any(group["valid_documents"] < group["valid_documents_of_split"] for group in measured)
    more = "raise `evaluation.bytes`" if part else "give more text"
    if measured and not measured[0]["best"]:
        first = measured[0]
        yield (
            f"no group is the best: the lowest on validation, {first['group']}, takes "
            f"{first['val_loss_mean']:.3f} nats per token where {GUESSING} takes "
            f"{first['guessing']:.3f}, so that it has learned nothing that the {first['val_tokens']:,} "
            f"tokens scored could show; train longer, or {more}"
        )
    elif lost := [group["group"] for group in measured if not group["learned"]]:
        yield (
            f"{len(lost)} of {counted(len(rivals), 'group')} cannot be told from {GUESSING} "
            f"({some(lost)}); train them longer, or {more}"
        )
    # Of a checkpoint of others there are no seeds to give.
    finished = [group["seeds"] - group["failed"] for group in rivals if not group["imported"]]
    if len(rivals) > 1 and any(finished):
        yield from of_seeds([seeds for seeds in finished if seeds])
    yield from of_verdicts(measured, more)
    if lucky := [
        group["group"] for group in rivals if group["diverged"] and pd.notna(group["val_loss_mean"])
    ]:
        yield (
            f"the figures of {some(lucky)} are of the seeds that did not diverge, so better than the recipe "
            "is: it ranks last and has no verdict; lower its `lr`, or lengthen its `warmup`"
        )
    for group in measured[:1]:
        if group["failed"]:
            yield (
                f"{group['failed']} of {counted(group['seeds'], 'cell')} of {group['group']} failed, and its "
                "figures are those of the others; run the same command again"
            )


def of_seeds(seeds: list[int]) -> Iterator[str]:
    """Yield what is wrong with the numbers of finished seeds of groups that are compared."""
    if max(seeds) == 1:
        yield (
            "every group has one seed: intervals and verdicts leave out what another seed would change, so "
            "that the order may be chance; give several (`seed: [1, 2, 3]`)"
        )
    elif min(seeds) != max(seeds):
        yield (
            f"groups have {min(seeds)} to {max(seeds)} finished seeds, and means over fewer are less sure; "
            "give all the same seeds"
        )


def of_verdicts(measured: list[Row], more: str) -> Iterator[str]:
    """Yield what the verdicts leave open, and what would decide it.

    Args:
        measured: the rows of the groups with figures, by rank.
        more: how to score more text.
    """
    if not measured or not measured[0]["best"]:
        return
    best, others = measured[0], measured[1:]
    if open_ones := [group for group in others if group["verdict"] == UNDECIDED]:
        yield (
            f"{len(open_ones)} of {counted(len(others), 'group')} cannot be told from the best, "
            f"{best['group']}, on the test documents ({some([group['group'] for group in open_ones])}); "
            f"{remedy(open_ones, more)}"
        )
    if any(group["covers"] in ("seeds", "nothing") for group in others):
        yield (
            "the test split is one document: intervals and verdicts leave out what other text would change; "
            "cut it into documents (`document`), or take them as verdicts on this text alone"
        )
    if better := [group["group"] for group in others if group["verdict"] == BETTER]:
        yield (
            f"on the test split {some(better)} is better than {best['group']}, which validation chose; see "
            "whether the two splits are text of the same kind"
        )
    if unsteady := [group["group"] for group in measured if group["unsteady"] is True]:
        yield (
            f"the seeds of {some(unsteady)} differ far more than those of the other groups, so that its own "
            "spread stands for it and hardly anything can be told of it; lower its `lr`, or give more seeds"
        )
    if unknown := [group["group"] for group in others if pd.isna(group["verdict"])]:
        yield (
            f"{len(unknown)} of {counted(len(others), 'group')} {verb(len(unknown), 'have')} no verdict "
            f"({some(unknown)}), as an older source evaluated them or the best, and wrote no scores by "
            f"document; {TAKE_BACK}"
        )


def remedy(open_ones: list[Row], more: str) -> str:
    """Return what would tell groups from the best."""
    if "seeds" not in open_ones[0]["covers"]:
        return f"give several seeds, or {more}"
    needed = {group["group"]: group["seeds_needed"] for group in open_ones if pd.notna(group["seeds_needed"])}
    if not needed:
        return f"no number of seeds would, as other documents could change that much; {more}"
    nearest = min(needed, key=needed.get)
    return f"about {needed[nearest]:,} seeds of every group would tell {nearest}"


def of_twins(cells: pd.DataFrame, asked: list[SimpleNamespace]) -> Iterator[str]:
    """Yield that groups are one recipe under several names, as where a value is overridden by itself.

    Args:
        cells: the rows of the cells on the text, with `group`.
        asked: the same cells of the configuration; `use` says which weights of a training are theirs.
    """
    repeated = repeated_keys(asked)
    trainings: dict[tuple, list[str]] = {}
    recipes: dict[tuple, list[str]] = {}
    for identity, group, cell in zip(cells["identity"], cells["group"], asked, strict=True):
        if pd.notna(identity):
            trainings.setdefault((identity, cell.use), []).append(group)
        recipes.setdefault(recipe_of(cell, repeated.get(group, ())), []).append(group)
    same = names_of(trainings)
    for twins in same:
        yield (
            f"{' and '.join(twins)} are one recipe under several names, with the same trainings, so that "
            "whatever tells them apart is their seeds; give it one name"
        )
    for twins in names_of(recipes):
        if twins not in same:
            yield (
                f"{' and '.join(twins)} are one recipe under several names, as a key is overridden by the "
                "value that the entry has anyway; they stay apart, each with its own seeds: give it one "
                "name, and all its seeds count together"
            )


def recipe_of(cell: SimpleNamespace, repeated: Sequence[str]) -> tuple[str, ...]:
    """Return what the cells of one recipe share: names, and overrides but for those that change nothing.

    Args:
        cell: of the configuration.
        repeated: overridden keys that change nothing in their entry.
    """
    changed = {key: value for key, value in mapping(cell.overrides).items() if key not in repeated}
    return cell.corpus, cell.tokenizer, cell.model, cell.training, canonical(changed)


def names_of(groups: dict[tuple, list[str]]) -> list[tuple[str, ...]]:
    """Return the names of groups that are one, of each that has several, once.

    Args:
        groups: what they share → the group of each cell.
    """
    found = dict.fromkeys(tuple(dict.fromkeys(names)) for names in groups.values())
    return [names for names in found if len(names) > 1]


def of_conventions(rivals: list[Row]) -> Iterator[str]:
    """Yield that groups of a text were not scored alike.

    Args:
        rivals: the rows of the groups, by rank.
    """
    measured = [group for group in rivals if pd.notna(group["val_loss_mean"])]
    names = dict.fromkeys(group[CONVENTION] for group in measured)
    if len(names) > 1:
        of_each = [
            f"{name} ({some([group['group'] for group in measured if group[CONVENTION] == name])})"
            for name in sorted(names)
        ]
        yield (
            f"groups are scored under different conventions, {' and '.join(of_each)}: the tokens are the "
            "same, but not what they are predicted from, which under `document` is their own document alone, "
            "so that the order may be that of the conventions; compare groups of one, or give `windows: "
            "document` to all or none"
        )


def of_budgets(cells: pd.DataFrame, shards: list[str]) -> Iterator[str]:
    """Yield that groups of a text with the same tokenizer had clearly different budgets.

    Other tokenizers cut the same text into other numbers. What stopped early did not use up its own.

    Args:
        cells: the rows of the cells on the text, with `group`.
        shards: of each cell: the encoded text that it was trained on.
    """
    finished = cells.assign(shards=shards)[cells["status"] == "finished"]
    for _, alike in finished.groupby("shards", sort=False):
        tokens = alike["train_tokens"].groupby(alike["group"], sort=False).max().to_dict()
        if max(tokens.values()) <= LONGER * min(tokens.values()):
            continue
        least, most = min(tokens, key=tokens.get), max(tokens, key=tokens.get)
        yield (
            f"groups trained on different numbers of tokens, from {tokens[least]:,} ({least}) to "
            f"{tokens[most]:,} ({most}), so that the order may be that of their budgets; give all the same "
            "`tokens`, unless budgets are what you compare"
        )


def some(names: list[str]) -> str:
    """Return the first of some names for a sentence."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
