"""Two results are put beside each other: what differs between them, and which is better on the same documents."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

from gptgrid.api import compare, table
from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import content_digest, identity_of
from gptgrid.artifact.manifest import describe_outputs, write_manifest
from gptgrid.cli.main import app
from gptgrid.plan.show_versus import sentence
from gptgrid.plan.versus import Cell, Versus, corrected, pairs_of, pools_of, scores_of
from gptgrid.stages.compare.contrasts import contrasts, spread_of, summarize_group
from gptgrid.stages.compare.selection import half_width, two_sided
from gptgrid.tokens.document_scores import write_document_scores

DOCUMENTS = 60
SIZES = np.random.default_rng(5).integers(200, 900, DOCUMENTS)
HARD = np.random.default_rng(6).normal(0.7, 0.1, DOCUMENTS)
"""Nats per byte that each document takes, whatever the model."""


def write_cell(
    folder: Path,
    level: float = 0.0,
    text: str = "t",
    status: str = "finished",
    convention: str = "sliding",
    bare: bool = False,
    **training: Any,
) -> Path:
    """Write a cell that was evaluated: `level` nats per byte above what the documents take."""
    train, evaluate = folder / "train", folder / "evaluate"
    seed = int(folder.name.rpartition(".s")[2])
    generator = np.random.default_rng([seed, *folder.parents[1].name.encode(), *folder.name.encode()])
    luck = generator.normal(0, 0.004)
    nats = SIZES * (HARD + level + luck + generator.normal(0, 0.01, DOCUMENTS))
    train.mkdir(parents=True)
    evaluate.mkdir()
    (train / "codec.json").write_text(json.dumps({"kind": "char", "vocab_size": 92}))
    (train / "config.json").write_text("{}")
    (train / "model.safetensors").touch()
    config = {"model": {"n_layer": 2}, "training": {"lr": 0.001, "steps": 10, **training}, "seed": seed}
    manifest = {
        "config": config,
        "facts": {"status": status},
        "source": "s",
        "inputs": {"tokenizer": "k", "shards": "d"},
    }
    (train / "manifest.json").write_text(json.dumps(manifest))
    (train / "provenance.json").write_text(json.dumps({"commit": "c1", "libraries": {"torch": "2"}}))
    size = None if bare else SIZES
    bpb = None if bare else nats.sum() / SIZES.sum() / math.log(2)
    split = {"bpb": bpb, "val_loss": nats.sum() / SIZES.sum(), "text_digest": text, "documents": DOCUMENTS}
    evaluation = {**split, "valid": {**split, "text_digest": f"v{text}"}, "convention": convention}
    evaluation[convention] = {"context": 128, "stride": 64}
    (evaluate / "evaluation.json").write_text(json.dumps(evaluation))
    columns = {"document": np.arange(DOCUMENTS), "tokens": SIZES, "bytes": size, f"nats_{convention}": nats}
    write_document_scores(evaluate, {"valid": columns, "test": columns})
    made = {"stage": "evaluate", "config": {"stride": None}, "source": "e", "inputs": {"train": folder.name}}
    seal(evaluate, {**made, "identity": identity_of(**made), "facts": {}})
    return folder


def seal(evaluate: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of the files that are there."""
    write_manifest(evaluate, {**manifest, "outputs": describe_outputs(evaluate)})


def write_experiment(name: str, levels: dict[str, float], seeds: int = 3, **options: Any) -> Path:
    """Write an experiment with a group for each level."""
    folder, rows = Path("results") / name, []
    for model, level in levels.items():
        for seed in range(1, seeds + 1):
            cell = write_cell(folder / "cells" / f"toy.char.{model}.base.s{seed}", level, **options)
            rows.append(
                {
                    "cell": cell.name,
                    "corpus": "toy",
                    "training": "none",
                    "status": options.get("status", "finished"),
                    "reason": None,
                    "bpb": 0.1 + 0.2,
                    "parameters": None if seed == 3 else "7",
                }
            )
    (folder / "compare").mkdir()
    pd.DataFrame(rows).to_csv(folder / "compare" / "summary.csv", index=False)
    pd.DataFrame([{"text": "toy", "caution": "short"}]).to_csv(
        folder / "compare" / "cautions.csv", index=False
    )
    return folder


def rows_of(found: Versus) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in found.verdicts.to_dict("records")}


def changes(found: Versus) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {(row.what, row.key): (row.a, row.b) for row in found.differences.itertuples()}


def test_two_experiments_differ_in_a_key_and_in_their_figures() -> None:
    write_experiment("old", {"small": 0.02, "large": 0.0})
    write_experiment("new", {"small": 0.02, "large": -0.03, "huge": -0.05}, lr=0.003)
    found = compare("old", "new")
    assert changes(found) == {("all", "training.lr"): (0.001, 0.003)}
    rows = rows_of(found)
    assert list(rows) == ["best", "toy.char.small.base", "toy.char.large.base"]
    # A pair is there once.
    assert list(rows_of(compare("old", "old"))) == ["best", "toy.char.small.base"]
    best = rows["best"]
    assert (best["a"], best["b"]) == ("toy.char.large.base", "toy.char.huge.base")
    assert best["verdict"] == rows["toy.char.large.base"]["verdict"] == "B is better"
    assert rows["toy.char.small.base"]["verdict"] == "not distinguishable"
    assert best["difference"] == pytest.approx(-0.05 / math.log(2), abs=0.01)
    assert best["difference_low"] < -0.05 / math.log(2) < best["difference_high"]
    assert (best["seeds_a"], best["seeds_b"], best["covers"], best["unit"]) == (
        3,
        3,
        "seeds and documents",
        "bits per byte",
    )
    note, other = found.notes
    assert "of 2 × 3 groups" in note and "p is multiplied by 6" in note and "at 0.05 / 6" in note
    assert other == "on toy, results/new alone has toy.char.huge.base"


def test_a_pair_of_cells_is_paired_over_its_documents() -> None:
    a = write_cell(Path("results/e/cells/toy.char.small.base.s1"), 0.0)
    b = write_cell(Path("results/e/cells/toy.char.large.base.s1"), 0.01)
    row = rows_of(compare(a, b))["the two"]
    nats = [
        pd.read_parquet(cell / "evaluate/documents.parquet").query("split == 'test'")["nats_sliding"]
        for cell in (a, b)
    ]
    difference = (nats[1] - nats[0]).to_numpy()
    ratio = difference.sum() / SIZES.sum()
    variance = sum((d - ratio * s) ** 2 for d, s in zip(difference, SIZES, strict=True))
    error = math.sqrt(variance * DOCUMENTS / (DOCUMENTS - 1)) / SIZES.sum()
    assert row["difference"] == pytest.approx(ratio / math.log(2))
    half = (row["difference_high"] - row["difference_low"]) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, DOCUMENTS - 1) * error / math.log(2), rel=0.02)
    assert (row["verdict"], row["covers"]) == ("A is better", "documents")


def test_two_seeds_of_one_recipe_get_no_verdict() -> None:
    a, b = (write_cell(Path(f"results/e/cells/toy.char.small.base.s{seed}"), seed / 50) for seed in (1, 2))
    found = compare(a, b)
    (row,) = rows_of(found).values()
    assert (row["verdict"], row["p"]) == ("other seeds", None) and found.differences.empty
    assert "are one recipe with other seeds: they differ by" in sentence(row)


@pytest.mark.parametrize(("name", "where"), [("parent", "continued"), ("train", "base")])
def test_what_a_training_goes_on_from_is_part_of_its_recipe(name: str, where: str) -> None:
    cells = []
    for seed, lr in enumerate((0.001, 0.003), 1):
        home = Path(f"results/e{seed}/cells")
        earlier = write_cell(home / f"toy.char.small.trunk.s{seed}", lr=lr) / "train"
        first = json.loads((earlier / "manifest.json").read_text())
        first |= {"stage": "train", "outputs": {"model.safetensors": {"sha256": f"{seed}"}}}
        first["identity"] = identity_of(*(first[key] for key in ("stage", "config", "source", "inputs")))
        write_manifest(earlier, first)
        cells.append(write_cell(home / f"toy.char.small.base.s{seed}"))
        later = json.loads((cells[-1] / "train/manifest.json").read_text())
        later["inputs"][name] = content_digest(first)
        (cells[-1] / "train/manifest.json").write_text(json.dumps(later))
    found = compare(*cells)
    assert changes(found) == {("all", f"{where}.training.lr"): (0.001, 0.003)}
    (row,) = rows_of(found).values()
    assert row["verdict"] != "other seeds"
    shutil.rmtree(cells[1].parent / "toy.char.small.trunk.s2")  # a cell that was copied without it
    assert compare(*cells).differences.empty


def test_parts_of_a_name_mean_all_seeds_of_a_group() -> None:
    write_experiment("e", {"small": 0.0, "large": 0.002})
    row = rows_of(compare("small", "large"))["the two"]
    assert (row["seeds_a"], row["seeds_b"], row["covers"]) == (3, 3, "seeds and documents")
    one = rows_of(compare("small s1", "results/e/cells/toy.char.large.base.s1/train"))["the two"]
    assert (one["seeds_a"], one["covers"]) == (1, "documents")
    with pytest.raises(UserError, match=r"'toy' matches 6 cells; add a part of the name"):
        compare("toy", "large")


def test_a_result_beside_itself_is_identical() -> None:
    write_experiment("e", {"small": 0.0, "large": 0.01})
    found = compare("e", "results/e")
    assert set(found.verdicts["verdict"]) == {"identical"}
    assert found.verdicts["difference"].eq(0).all() and found.verdicts["p"].isna().all()
    assert found.differences.empty and not found.notes


def test_p_is_corrected_for_all_pairs() -> None:
    rows = [{"p": p, "difference": -1.0, "verdict": None} for p in (0.01, 0.04, 0.03, 0.013)]
    rows += [
        {"p": None, "difference": 0.0, "verdict": "identical"},
        {"p": math.nan, "difference": 1.0, "verdict": None},
    ]
    found = corrected(rows)
    assert [row["p"] for row in found[:4]] == pytest.approx([0.04, 0.06, 0.06, 0.04])
    better, unsure = "B is better", "not distinguishable"
    assert [row["verdict"] for row in found] == [better, unsure, unsure, better, "identical", unsure]


def test_the_best_counts_as_one_of_all_pairs_that_it_was_chosen_from() -> None:
    write_experiment("a", {"small": 0.0})
    write_experiment("b", {"large": 0.01, "huge": 0.05})
    alone = rows_of(compare("a small", "b large"))["the two"]
    # No same names: the best is the one row, so that Holm adds nothing. The pool is one of three groups.
    best = rows_of(compare("a", "b"))["best"]
    assert (best["a"], best["b"]) == (alone["a"], alone["b"])
    assert best["difference"] == alone["difference"]
    cells = [sorted(Path("results").glob(f"*/cells/*{name}*")) for name in ("small", "large", "huge")]
    size = SIZES.astype(float)
    groups = [scores_of([Cell(path) for path in paths], np.arange(DOCUMENTS), size) for paths in cells]
    wanted = contrasts(np.array([[-1.0, 1.0, 0.0]]), groups, size)
    p = two_sided(wanted.value, wanted.error, wanted.df)[0]
    assert best["p"] == pytest.approx(2 * p)
    half = half_width(wanted.error, wanted.df, 0.05 / 2)[0] / math.log(2)
    assert best["difference_high"] - best["difference"] == pytest.approx(half)


def test_the_best_of_many_like_groups_is_seldom_told_from_a_single_one() -> None:
    generator, wrong, rounds = np.random.default_rng(3), 0, 300
    size = SIZES.astype(float)

    def like(key: int) -> tuple[SimpleNamespace, np.ndarray]:
        luck = generator.normal(0, 0.01, (3, 1))
        nats = size * (1 + luck + generator.normal(0, 0.02, DOCUMENTS))
        cells = [
            SimpleNamespace(
                scores=f"{key} {seed}",
                learned=True,
                evaluation={"valid": {"bpb": 1 + luck[seed, 0], "val_loss": 1.0}},
            )
            for seed in range(3)
        ]
        return cells, summarize_group(nats, size)

    for _ in range(rounds):
        groups = [like(key) for key in range(11)]
        pair = pairs_of({str(i): cells for i, (cells, _) in enumerate(groups[:10])}, {"b": groups[10][0]})[
            "best"
        ]
        left = next(i for i, (cells, _) in enumerate(groups) if cells is pair.a)
        weights = -np.eye(11)[[left]] + np.eye(11)[[10]]
        found = contrasts(weights, [group for _, group in groups], size)
        p = two_sided(found.value, found.error, found.df)[0]
        wrong += p * pair.chosen_from < 0.05
    assert wrong / rounds <= 0.05


def test_what_has_not_learned_is_not_the_best() -> None:
    a = write_experiment("a", {"small": 0.0, "large": -0.05})
    write_experiment("b", {"small": 0.0})
    groups = [f"toy.char.{name}.base" for name in ("small", "large")]
    path = a / "compare" / "comparison.csv"
    pd.DataFrame({"group": groups, "learned": [True, False]}).to_csv(path, index=False)
    assert rows_of(compare("a", "b"))["best"]["a"] == "toy.char.small.base"
    pd.DataFrame({"group": groups, "learned": [False, False]}).to_csv(path, index=False)
    found = compare("a", "b")
    assert list(rows_of(found)) == ["toy.char.small.base"]
    assert "on toy, results/a has no best: none of its groups has learned more than guessing" in found.notes
    write_experiment("c", {"huge": 0.0})
    result = CliRunner().invoke(app, ["compare", "a", "c"], catch_exceptions=False)
    assert result.exit_code == 0 and "No pair of them is compared." in result.stdout


def test_each_side_has_its_own_figures_whatever_its_identity() -> None:
    a = write_cell(Path("results/a/cells/toy.char.small.base.s1"), 0.0)
    b = write_cell(Path("results/b/cells/toy.char.small.base.s1"), 0.05)
    one, other = (json.loads((cell / "evaluate/manifest.json").read_text()) for cell in (a, b))
    assert one["identity"] == other["identity"]
    row = rows_of(compare(a, b))["toy.char.small.base"]
    assert row["verdict"] == "A is better"
    assert row["figure_b"] - row["figure_a"] == pytest.approx(0.05 / math.log(2), abs=0.02)
    # The same scores, of another request.
    shutil.copy(a / "evaluate/documents.parquet", b / "evaluate/documents.parquet")
    made = {"stage": "evaluate", "config": {"stride": 1}, "source": "e2", "inputs": {}}
    seal(b / "evaluate", {**made, "identity": identity_of(**made), "facts": {}})
    assert rows_of(compare(a, b))["toy.char.small.base"]["verdict"] == "identical"


@pytest.mark.parametrize("name", ["documents.parquet", "evaluation.json"])
def test_scores_that_their_manifest_does_not_tell_of_are_refused(name: str) -> None:
    write_experiment("a", {"small": 0.0})
    b = write_experiment("b", {"small": 0.05}) / "cells/toy.char.small.base.s2"
    other = Path("results/a/cells/toy.char.small.base.s1/evaluate") / name
    (b / "evaluate" / name).write_bytes(other.read_bytes())
    with pytest.raises(UserError, match=rf"b/cells/\S+s2/evaluate/{name} does not have the sha256"):
        compare("a", "b")


def test_scores_of_both_sides_are_pooled_once() -> None:
    a, b = (write_experiment(name, {"small": 0.0, "large": 0.01}) for name in ("a", "b"))
    for name in ("small.base.s1", "small.base.s2"):
        shutil.rmtree(b / "cells" / f"toy.char.{name}")
        shutil.copytree(a / "cells" / f"toy.char.{name}", b / "cells" / f"toy.char.{name}")
    shutil.rmtree(a / "cells" / "toy.char.small.base.s3")
    paths = [
        *[sorted(side.glob("cells/*small*")) for side in (a, b)],
        *[sorted(side.glob("cells/*large*")) for side in (a, b)],
    ]
    groups = [[Cell(path) for path in cells] for cells in paths]
    pools, of_group = pools_of(groups)
    assert [len(pool) for pool in pools] == [3, 3, 3]
    assert list(of_group.values()) == [0, 0, 1, 2]
    size = SIZES.astype(float)
    scores = [scores_of(cells, np.arange(DOCUMENTS), size) for cells in [*groups, groups[1]]]
    known = spread_of([scores[4], scores[2], scores[3]])
    spread = known.of(np.array([0, 0, 1, 2]))
    wanted = contrasts(np.array([[0.0, 0.0, -1.0, 1.0]]), scores[:4], size, spread)
    row = rows_of(compare("a", "b"))["toy.char.large.base"]
    half = half_width(wanted.error, wanted.df, 0.05)[0] / math.log(2)
    assert row["difference_high"] - row["difference"] == pytest.approx(half)


def test_seeds_of_one_name_and_two_configurations_are_refused_by_the_keys_that_differ() -> None:
    a = write_experiment("a", {"small": 0.0, "large": 0.0})
    write_experiment("b", {"small": 0.0})
    shutil.rmtree(a / "cells/toy.char.small.base.s2")
    write_cell(a / "cells/toy.char.small.base.s2", 0.0, lr=0.003)
    said = r"small\.base\.s1 and results/a/\S+small\.base\.s2 have one name, but are of two configurations, which differ in training\.lr;"
    for one, other in (("a", "b"), ("b", "a"), ("a small", "b small")):
        with pytest.raises(UserError, match=said):
            compare(one, other)
    assert rows_of(compare("a small s1", "b small"))["toy.char.small.base"]["seeds_a"] == 1


def test_an_experiment_without_tables_is_named() -> None:
    write_experiment("a", {"small": 0.0, "large": 0.0})
    shutil.rmtree("results/a/compare")
    write_experiment("b", {"small": 0.0})
    message = r"results/a is an experiment without its tables \(results/a/compare/summary\.csv is missing\).*run snakemake"
    for name in ("a", "results/a"):
        with pytest.raises(UserError, match=message):
            compare(name, "b")
        with pytest.raises(UserError, match=message):
            compare("b", name)
        with pytest.raises(UserError, match=message):
            table(name)


def test_unlike_texts_are_refused_by_name() -> None:
    write_experiment("a", {"small": 0.0})
    write_experiment("b", {"small": 0.0}, text="u")
    with pytest.raises(
        UserError,
        match=r"results/a and results/b were scored on different texts, and figures on unlike texts do not compare: "
        r"toy \(60 documents, sha256 t…\) in the first, toy \(60 documents, sha256 u…\) in the second",
    ):
        compare("a", "b")
    with pytest.raises(UserError, match="were scored on different texts"):
        compare("results/a/cells/toy.char.small.base.s1", "results/b/cells/toy.char.small.base.s1")


def test_other_conventions_are_a_note() -> None:
    write_experiment("a", {"small": 0.0})
    write_experiment("b", {"small": 0.0}, convention="document")
    found = compare("a", "b")
    assert "scored under different conventions, sliding and document" in found.notes[0]
    assert changes(found)["all", "evaluation.convention"] == ("sliding", "document")


def test_bare_ids_are_compared_in_nats_per_token() -> None:
    write_experiment("a", {"small": 0.0}, bare=True)
    write_experiment("b", {"small": 0.05}, bare=True)
    row = rows_of(compare("a", "b"))["toy.char.small.base"]
    assert (row["unit"], row["verdict"]) == ("nats per token", "A is better")
    assert row["difference"] == pytest.approx(0.05, abs=0.01)


def test_what_has_no_figures_is_named() -> None:
    write_experiment("a", {"small": 0.0, "large": 0.0})
    broken = Path("results/a/compare/summary.csv")
    summary = pd.read_csv(broken)
    summary.loc[summary["cell"].str.contains("large"), "status"] = "diverged"
    summary.to_csv(broken, index=False)
    write_experiment("b", {"small": 0.0})
    assert "toy.char.large.base has no figures: a training diverged" in compare("a", "b").notes
    write_cell(Path("results/c/cells/toy.char.small.base.s1"), status="diverged")
    with pytest.raises(
        UserError, match=r"results/c/cells/toy\.char\.small\.base\.s1 has no figures: its training"
    ):
        compare("c small", "b small s1")
    (Path("results/b/cells/toy.char.small.base.s1/evaluate") / "evaluation.json").unlink()
    with pytest.raises(UserError, match=r"evaluation\.json is missing: .* was not evaluated; run snakemake"):
        compare("a small s1", "b small s1")


def test_an_experiment_and_a_cell_are_not_of_one_kind() -> None:
    write_experiment("a", {"small": 0.0})
    with pytest.raises(UserError, match="a is an experiment and small s1 a cell; give two of one kind"):
        compare("small s1", "a")
    with pytest.raises(UserError, match="no trained cell matches 'nothing'"):
        compare("a", "nothing")


@pytest.mark.parametrize("pair", [("small s1@20", "a"), ("small s1", "small s1@last"), ("a@20", "a")])
def test_a_comparison_takes_no_step(pair) -> None:
    write_experiment("a", {"small": 0.0})
    with pytest.raises(UserError, match=r"@(20|last) means .* compare takes none: .*; leave out @(20|last)$"):
        compare(*pair)


def test_the_command_says_the_verdict_first_or_gives_json() -> None:
    write_experiment("old", {"small": 0.02})
    write_experiment("new", {"small": -0.03}, lr=0.003)
    result = CliRunner().invoke(app, ["compare", "old", "new"], catch_exceptions=False)
    assert result.stdout.startswith(
        "toy: B's toy.char.small.base is better than A's toy.char.small.base by 0.0"
    )
    assert "that covers other seeds and documents" in result.stdout
    assert "training.lr" in result.stdout and "0.003" in result.stdout
    result = CliRunner().invoke(app, ["compare", "old", "new", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["differences"] == [{"what": "all", "key": "training.lr", "a": 0.001, "b": 0.003}]
    assert found["verdicts"][0]["verdict"] == "B is better"


def test_tables_of_an_experiment_as_they_were_written() -> None:
    folder = write_experiment("e", {"small": 0.0})
    for name in ("e", folder, str(folder)):
        tables = table(name)
        assert list(tables) == ["cautions", "summary"]
        assert tables["summary"]["bpb"].tolist() == [0.1 + 0.2] * 3
        assert tables["summary"]["training"].tolist() == ["none"] * 3
        assert tables["summary"]["parameters"].tolist() == [7, 7, pd.NA]
        assert tables["summary"]["reason"].isna().all()
    with pytest.raises(UserError, match=r"f is no finished experiment: looked for .*; there are: e"):
        table("f")
