"""Two results beside each other: in what they differ, and which is better on the texts of both.

A result is an experiment, here or in a folder from elsewhere, or a cell with or without its other seeds. It
is read from what people see of it: the tables, and the folders of its cells.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import content_digest
from gptgrid.artifact.manifest import first_damage, read_manifest, read_provenance, sound_manifest
from gptgrid.plan.names import group_of
from gptgrid.stages.compare.cells import DIVERGED
from gptgrid.stages.compare.contrasts import Group, contrasts, spread_of, summarize_group
from gptgrid.stages.compare.selection import LEVEL, half_width, holm, two_sided
from gptgrid.tokens.document_scores import nats_column, read_document_scores, scores_path
from gptgrid.words import counted

MADE_WITH = ("commit", "device", "precision", "python", "torch")
"""What of the provenance of a training may change its figures."""
A_BETTER, B_BETTER, IDENTICAL, UNDECIDED = "A is better", "B is better", "identical", "not distinguishable"
BEFORE = {"parent": "continued", "train": "base"}
"""Input of a training that it goes on from → what stands before the keys of that one."""
SEEDS_ALONE = "other seeds"
"""Of one recipe: what they differ by is what seeds change, and says nothing of a choice."""
VERDICTS = [
    *("text", "what", "a", "b", "seeds_a", "seeds_b", "unit", "figure_a", "figure_b"),
    *("difference", "difference_low", "difference_high", "p", "verdict", "covers", "documents"),
]
DIFFERENCES = ["what", "key", "a", "b"]
EVERYWHERE, BEST = "all", "best"
Text = tuple[str, str]
"""Digests of what was scored of the validation and the test split."""


@dataclass(frozen=True)
class Cell:
    """A cell that was evaluated."""

    folder: Path
    learned: bool = True
    """Whether its group is better than guessing, as far as the tables say it."""

    @property
    def group(self) -> str:
        """Return its name without its seed."""
        return group_of(self.folder.name)

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """Return its evaluation.json.

        Raises:
            UserError: it is missing, damaged, or of an older source.
        """
        path = self.folder / "evaluate" / "evaluation.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: {self.folder} was not evaluated; run snakemake") from None
        except ValueError as error:
            raise UserError(f"{path} is damaged ({error}); run snakemake, which makes it again") from None
        if not isinstance(found.get("valid"), dict) or "text_digest" not in found:
            raise UserError(f"{path} is of an older source; run snakemake, which makes it again")
        return found

    @property
    def trained(self) -> Path:
        """Return the folder of its weights."""
        tuned = self.folder / "finetune"
        return tuned if tuned.is_dir() else self.folder / "train"

    @cached_property
    def training(self) -> dict[str, Any]:
        """Return the manifest of its training."""
        return read_manifest(self.trained)

    @property
    def text(self) -> Text:
        """Return what it was scored on."""
        return self.evaluation["valid"]["text_digest"], self.evaluation["text_digest"]

    @cached_property
    def scores(self) -> str:
        """Return which scores it has: sha256 of those of its documents, and the convention.

        Not the identity, which says how scores were asked for: another machine may have got others.

        Raises:
            UserError: a file is not what the manifest of the evaluation says.
        """
        folder = self.folder / "evaluate"
        if damage := first_damage(folder):
            raise UserError(f"{damage}; copy {folder} anew, or delete it and run snakemake")
        outputs = read_manifest(folder)["outputs"]
        if (path := scores_path(folder)).name not in outputs:
            raise UserError(f"{path} is missing: an older source made this evaluation; run snakemake")
        return f"{outputs[path.name]['sha256']} {self.evaluation['convention']}"

    @cached_property
    def by_document(self) -> dict[str, np.ndarray]:
        """Return the numbers of the test documents, and the nats that it takes on each: (documents,)."""
        column = nats_column(self.evaluation["convention"])
        table = read_document_scores(self.folder / "evaluate", ("document", column))["test"]
        return {"document": table["document"], "nats": table[column]}

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """Return dotted key → value: what a configuration decides of it beside its seed."""
        evaluate = read_manifest(self.folder / "evaluate")
        return self.learned_by(self.training) | flat({"evaluation": evaluate["config"]})

    def learned_by(self, train: dict[str, Any]) -> dict[str, Any]:
        """Return dotted key → value of a training, and of those that it goes on from."""
        inputs = train["inputs"]
        found = {
            **{
                f"{name}.content": inputs[name]
                for name in ("tokenizer", "shards", "dialogues")
                if name in inputs
            },
            **flat({key: value for key, value in train["config"].items() if key != "seed"}),
        }
        for name, where in BEFORE.items():
            if name in inputs and (earlier := self.beside(inputs[name])):
                found |= {f"{where}.{key}": value for key, value in self.learned_by(earlier).items()}
        return found

    def beside(self, digest: str) -> dict[str, Any] | None:
        """Return the manifest of a training by its content; None if its cell does not lie beside this one."""
        # All of these cells are of one corpus, and their names begin with it.
        start = re.split("[.+]", self.folder.name, maxsplit=1)[0]
        manifests = map(sound_manifest, self.folder.parent.glob(f"{start}*/train"))
        return next((each for each in manifests if each and content_digest(each) == digest), None)

    def configuration(self) -> dict[str, Any]:
        """Return dotted key → value: what decides its figures, and what they were made with."""
        train, evaluate = self.training, read_manifest(self.folder / "evaluate")
        codec = json.loads((self.trained / "codec.json").read_text(encoding="utf-8"))
        headline = self.evaluation[self.evaluation["convention"]]
        provenance = read_provenance(self.trained)
        provenance |= {"torch": provenance.get("libraries", {}).get("torch")}
        return {
            **flat({"tokenizer": {key: codec.get(key) for key in ("kind", "vocab_size")}}),
            **self.recipe,
            "evaluation.convention": self.evaluation["convention"],
            **{f"evaluation.{key}": headline[key] for key in ("context", "stride")},
            "source.train": train["source"],
            "source.evaluate": evaluate["source"],
            **{f"made with {key}": provenance.get(key) for key in MADE_WITH},
        }


@dataclass
class Result:
    """What one side of a comparison holds."""

    label: str
    groups: dict[str, list[Cell]]
    """Name → its cells, which differ in their seeds alone."""
    left_out: list[str] = field(default_factory=list)
    """Groups without figures, each with the reason."""

    def on(self, text: Text) -> dict[str, list[Cell]]:
        """Return the groups on a text."""
        return {name: cells for name, cells in self.groups.items() if cells[0].text == text}

    @property
    def texts(self) -> dict[Text, Cell]:
        """Return the texts, each with a cell that was scored on it."""
        return {cells[0].text: cells[0] for cells in reversed(self.groups.values())}


class Pair(NamedTuple):
    """Groups that are compared."""

    a: list[Cell]
    b: list[Cell]
    chosen_from: int = 1
    """Pairs that it is the best of."""


@dataclass(frozen=True)
class Versus:
    """Two results beside each other."""

    a: str
    b: str
    differences: pd.DataFrame
    """Keys whose values differ: what (`all`, or the pair), key, a, b."""
    verdicts: pd.DataFrame
    """A row for each pair on each text: `VERDICTS`. The difference is B less A: below 0, B is better."""
    notes: list[str]
    """What was left out, and what stands against the verdicts."""


def read_experiment(folder: Path) -> Result:
    """Return the cells of an experiment that have figures.

    Args:
        folder: `results/<experiment>`, or a copy.

    Raises:
        UserError: it has none, or cells of one name are of two configurations.
    """
    table = read_table(folder / "compare" / "summary.csv")
    result, unlearned = Result(str(folder), {}), unlearned_groups(folder / "compare" / "comparison.csv")
    for group, rows in table.groupby(table["cell"].map(group_of), sort=False):
        folders = [folder / "cells" / name for name in rows["cell"]]
        there = [Cell(path, learned=group not in unlearned) for path in folders if path.is_dir()]
        if not there:
            continue  # such as a reference, which is no cell
        if (rows["status"] == DIVERGED).any():
            result.left_out.append(f"{group} has no figures: a training diverged")
        elif scored := [cell for cell in there if (cell.folder / "evaluate").is_dir()]:
            refuse_unlike_recipes(scored)
            result.groups[group] = scored
        else:
            reasons = [*rows["reason"].dropna(), "it was not evaluated"]
            result.left_out.append(f"{group} has no figures: {reasons[0]}")
    if not result.groups:
        raise UserError(f"{folder} has no cell with figures; run snakemake")
    return result


def unlearned_groups(path: Path) -> set[str]:
    """Return the groups that a table says are no better than guessing; empty if it is missing or older."""
    table = read_table(path) if path.is_file() else pd.DataFrame()
    return set() if "learned" not in table else set(table.loc[table["learned"].eq(False), "group"])


def read_cells(folders: list[Path]) -> Result:
    """Return a cell, or the seeds of one.

    Raises:
        UserError: one has no figures, or they are of two configurations.
    """
    cells = [Cell(folder) for folder in folders]
    for cell in cells:
        if cell.training["facts"]["status"] == DIVERGED:
            raise UserError(f"{cell.folder} has no figures: its training diverged")
        if cell.text != cells[0].text:
            raise UserError(f"{cells[0].folder} and {cell.folder} were scored on different texts")
    refuse_unlike_recipes(cells)
    first, *others = map(str, folders)
    label = f"{group_of(first)} ({len(folders)} seeds)" if others else first
    return Result(label, {cells[0].group: cells})


def refuse_unlike_recipes(cells: list[Cell]) -> None:
    """Refuse cells that are called seeds of one recipe, but are of two: what they have in common is the name.

    Raises:
        UserError: a configuration decides something else for one of them than for the first.
    """
    first, *others = cells
    for cell in others:
        # A key that only one of them knows came with another version of gptgrid.
        keys = [
            key for key in unlike(first.recipe, cell.recipe) if key in first.recipe and key in cell.recipe
        ]
        if keys:
            raise UserError(
                f"{first.folder} and {cell.folder} have one name, but are of two configurations, which "
                f"differ in {', '.join(keys)}; run snakemake, which makes both by one, or give what differs "
                "a name of its own"
            )


def read_table(path: Path) -> pd.DataFrame:
    """Return a table of `compare`: what is empty is missing, and names such as `none` are names.

    Whole numbers with gaps between them stay whole.
    """
    options = {"keep_default_na": False, "na_values": [""]}
    whole = pd.read_csv(path, **options, dtype_backend="numpy_nullable").select_dtypes("Int64")
    return pd.read_csv(path, **options).assign(**whole.dropna(axis="columns", how="all"))


def versus(a: Result, b: Result) -> Versus:
    """Return two results beside each other: their best groups, then groups of the same name.

    Raises:
        UserError: they have no text in common, or a file is damaged.
    """
    shared = [text for text in a.texts if text in b.texts]
    if not shared:
        raise UserError(
            f"{a.label} and {b.label} were scored on different texts, and figures on unlike texts do not "
            f"compare: {texts_of(a)} in the first, {texts_of(b)} in the second; give both the same corpus, "
            "with the same `split` and `evaluation.bytes`"
        )
    notes = [*a.left_out, *b.left_out]
    rows, differences = [], {}
    for text in shared:
        first, second = a.on(text), b.on(text)
        pairs = pairs_of(first, second)
        found = {
            what: unlike(pair.a[0].configuration(), pair.b[0].configuration()) for what, pair in pairs.items()
        }
        differences |= {f"{name_of(a.texts[text])}: {what}": keys for what, keys in found.items()}
        for row in verdicts(a.texts[text], pairs, list(chain(first.values(), second.values()))):
            one, other = pairs[row["what"]][:2]
            alike = not found[row["what"]] and seeds_of(one) != seeds_of(other)
            rows.append(row | {"p": None, "verdict": SEEDS_ALONE} if alike else row)
        notes += choice_notes(a, b, text, pairs)
        notes += [
            f"on {name_of(a.texts[text])}, {what} is of cells that are scored under different conventions, "
            f"{' and '.join(names)}, so that the verdict may be that of the conventions"
            for what, pair in pairs.items()
            if len(names := dict.fromkeys(cell.evaluation["convention"] for cell in pair.a + pair.b)) > 1
        ]
        for label, here, there in ((a.label, first, second), (b.label, second, first)):
            if (only := [name for name in here if name not in there]) and len(here) + len(there) > 2:
                notes.append(f"on {name_of(a.texts[text])}, {label} alone has {', '.join(only)}")
    for label, one, other in ((a.label, a, b), (b.label, b, a)):
        for text, cell in one.texts.items():
            if text not in other.texts:
                notes.append(
                    f"{label} alone was scored on {name_of(cell)} as it is there ({cell.text[1][:12]})"
                )
    return Versus(
        a.label, b.label, together(differences), pd.DataFrame(corrected(rows), columns=VERDICTS), notes
    )


def seeds_of(cells: list[Cell]) -> set[int | None]:
    """Return the seeds of a group; None of a checkpoint of others."""
    return {cell.training["config"].get("seed") for cell in cells}


def name_of(cell: Cell) -> str:
    """Return what to call the text of a cell: its corpus."""
    return cell.folder.name.split(".")[0]


def texts_of(result: Result) -> str:
    """Return the texts of a result for a message."""
    return ", ".join(
        f"{name_of(cell)} ({counted(cell.evaluation['documents'], 'document')}, sha256 {text[1][:12]}…)"
        for text, cell in result.texts.items()
    )


def choice_notes(a: Result, b: Result, text: Text, pairs: dict[str, Pair]) -> list[str]:
    """Return what to know of the pair of the best on a text: from how many it was chosen, or why there is
    none."""
    where, counts = f"on {name_of(a.texts[text])}", [len(side.on(text)) for side in (a, b)]
    if best := pairs.get(BEST):
        if key_of(best.a) == key_of(best.b):
            return []
        return [
            f"{where}, {BEST} compares the lowest on validation of {counts[0]} × {counts[1]} groups, which "
            f"luck helped to choose: its p is multiplied by {best.chosen_from}, and its interval is at "
            f"{LEVEL} / {best.chosen_from}, so wider; name two cells to compare what you chose beforehand"
        ]
    return [
        f"{where}, {side.label} has no best: none of its groups has learned more than guessing"
        for side in (a, b)
        if max(counts) > 1 and not best_of(side.on(text))
    ]


def pairs_of(a: dict[str, list[Cell]], b: dict[str, list[Cell]]) -> dict[str, Pair]:
    """Return the pairs of groups that are compared, by what to call them: the best of both, if there is a
    choice, and those of the same name.

    The lowest on validation is partly the luckiest, by seeds that its test figure shares: it counts as the
    best of all pairs, whichever it is. Groups that have not learned are no rivals, but known to be none by
    the same validation, so that they are counted.
    """
    pairs = {name: Pair(cells, b[name]) for name, cells in a.items() if name in b}
    if len(a) == len(b) == 1:
        return pairs or {"the two": Pair(*a.values(), *b.values())}
    first, second = best_of(a), best_of(b)
    if not (first and second):
        return pairs
    best = Pair(first, second, len(a) * len(b))
    return {BEST: best, **{name: pair for name, pair in pairs.items() if pair[:2] != best[:2]}}


def best_of(groups: dict[str, list[Cell]]) -> list[Cell]:
    """Return the group that is lowest on validation; none if no group has learned."""

    def loss(cells: list[Cell]) -> float:
        splits = [cell.evaluation["valid"] for cell in cells]
        return np.mean([split["val_loss"] if split["bpb"] is None else split["bpb"] for split in splits])

    return min((cells for cells in groups.values() if cells[0].learned), key=loss, default=[])


def verdicts(text: Cell, pairs: dict[str, Pair], groups: list[list[Cell]]) -> list[dict[str, Any]]:
    """Return a row for each pair of groups on a text; p is corrected for the choice of a pair (Bonferroni),
    but not yet for their number.

    Args:
        text: a cell that was scored on it.
        pairs: name → groups.
        groups: all groups on the text: they know what another seed changes.
    """
    table = read_document_scores(text.folder / "evaluate", ("document", "bytes", "tokens"))["test"]
    in_bytes = bool(np.isfinite(table["bytes"]).all())
    size = table["bytes" if in_bytes else "tokens"].astype(float)
    unit, scale = ("bits per byte", 1 / np.log(2)) if in_bytes else ("nats per token", 1.0)
    # What both results have, such as cells of one store, is there once.
    places = {key: place for place, key in enumerate(dict.fromkeys(map(key_of, groups)))}
    scores = {places[key_of(cells)]: scores_of(cells, table["document"], size) for cells in groups}
    weights = np.zeros((len(pairs), len(places)))
    for row, pair in enumerate(pairs.values()):
        weights[row, places[key_of(pair.a)]] -= 1
        weights[row, places[key_of(pair.b)]] += 1
    # Seeds that both results have, such as those to which one added more, are pooled once.
    pools, pool_of_group = pools_of(groups)
    known = spread_of([scores_of(cells, table["document"], size) for cells in pools])
    spread = known.of(np.array([pool_of_group[key] for key in places]))
    found = contrasts(weights, [scores[place] for place in range(len(places))], size, spread)
    choices = np.array([pair.chosen_from for pair in pairs.values()])
    half = half_width(found.error, found.df, LEVEL / choices)
    p = np.minimum(two_sided(found.value, found.error, found.df) * choices, 1.0)
    rows = []
    for row, (what, (left, right, _)) in enumerate(pairs.items()):
        first, second = scores[places[key_of(left)]], scores[places[key_of(right)]]
        same = first is second
        rows.append(
            {
                "text": name_of(text),
                "what": what,
                **{"a": left[0].group, "b": right[0].group, "seeds_a": first.seeds, "seeds_b": second.seeds},
                "unit": unit,
                "figure_a": first.ratios.mean() * scale,
                "figure_b": second.ratios.mean() * scale,
                "difference": found.value[row] * scale,
                "difference_low": None if same else (found.value[row] - half[row]) * scale,
                "difference_high": None if same else (found.value[row] + half[row]) * scale,
                "p": None if same else p[row],
                "verdict": IDENTICAL if same else None,
                "covers": None if same else found.covers,
                "documents": len(size),
            }
        )
    return rows


def key_of(cells: list[Cell]) -> tuple[str, ...]:
    """Return which scores a group has."""
    return tuple(sorted(cell.scores for cell in cells))


def pools_of(groups: list[list[Cell]]) -> tuple[list[list[Cell]], dict[tuple[str, ...], int]]:
    """Return the cells of groups that share some, each once, and in which of these pools each group is."""
    pools: list[dict[tuple[str, ...], Cell]] = []
    for cells in groups:
        pool = {key_of([cell]): cell for cell in cells}
        apart = []
        for other in pools:
            if other.keys() & pool.keys():
                pool = other | pool
            else:
                apart.append(other)
        pools = [*apart, pool]
    of_cell = {key: place for place, pool in enumerate(pools) for key in pool}
    of_group = {key_of(cells): of_cell[key_of(cells[:1])] for cells in groups}
    return [list(pool.values()) for pool in pools], of_group


def scores_of(cells: list[Cell], documents: np.ndarray, size: np.ndarray) -> Group:
    """Return what a group takes on the documents of the test split.

    Raises:
        UserError: it was scored on others.
    """
    for cell in cells:
        if not np.array_equal(cell.by_document["document"], documents):
            raise UserError(
                f"{cell.folder}/evaluate/documents.parquet is of other documents than its evaluation says"
            )
    return summarize_group(np.stack([cell.by_document["nats"] for cell in cells]), size)


def corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with p corrected for all of them (Holm), and with their verdicts."""
    tested = [row for row in rows if row["p"] is not None and not np.isnan(row["p"])]
    for row, p in zip(tested, holm(np.array([row["p"] for row in tested])), strict=True):
        row["p"] = float(p)
    for row in rows:
        told = row["p"] is not None and row["p"] < LEVEL
        better = B_BETTER if row["difference"] < 0 else A_BETTER
        row["verdict"] = row["verdict"] or (better if told else UNDECIDED)
    return rows


# --------------------------------------------------------------------------------- configurations


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return dotted key → value of nested mappings."""
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def unlike(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return key → both values, of those that differ; None where a side has none."""
    # Of an earlier training that not both sides have beside them, nothing is compared.
    unknown = tuple(
        f"{where}." for where in BEFORE.values() if not (has_earlier(a, where) and has_earlier(b, where))
    )
    keys = [key for key in dict.fromkeys([*a, *b]) if not key.startswith(unknown)]
    found = {key: (a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key)}
    for key in [key for key in found if key.endswith("tokenizer.content")]:
        found.pop(key.replace("tokenizer.content", "shards.content"), None)  # other tokens of one text
    return found


def has_earlier(side: dict[str, Any], where: str) -> bool:
    """Say whether a recipe has the keys of an earlier training."""
    return any(key.startswith(f"{where}.") for key in side)


def together(differences: dict[str, dict[str, tuple[Any, Any]]]) -> pd.DataFrame:
    """Return the differences of pairs as rows, those that all pairs have once."""
    keys = dict.fromkeys(chain.from_iterable(differences.values()))
    rows = []
    for key in keys:
        found = {what: pair[key] for what, pair in differences.items() if key in pair}
        values = [json.dumps(value) for value in found.values()]
        if len(found) == len(differences) and len(set(values)) == 1:
            found = {EVERYWHERE: next(iter(found.values()))}
        rows += [(what, key, *value) for what, value in found.items()]
    return pd.DataFrame(rows, columns=DIFFERENCES, dtype=object)
