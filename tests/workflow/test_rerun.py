"""What reruns when: dry run and real run agree, and nothing that the store has is made again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CELLS = 3
FROM_TRAIN = {"train": CELLS, "evaluate": CELLS, "sample": CELLS, "compare": 1, "report": 1}
FROM_CORPUS = {"corpus": 1, "tokenizer": 1, "encode": 2, **FROM_TRAIN}
EVERYTHING = {**FROM_CORPUS, "tokenizer": 2}
ONE_CELL = {"train": 1, "evaluate": 1, "sample": 1, "compare": 1, "report": 1}


def config_of(checkout) -> dict:
    return yaml.safe_load((checkout.folder / "config" / "config.yaml").read_text())


def edit(checkout, file: str, old: str, new: str) -> None:
    path = checkout.folder / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def nothing(checkout) -> None:
    pass


def comment_and_docstring(checkout) -> None:
    path = checkout.folder / "src/gptgrid/stages/train/trainer.py"
    path.write_text("# A comment.\n" + path.read_text().replace('"""', '"""Changed. ', 1))


def touch_everything(checkout) -> None:
    for path in checkout.folder.rglob("*"):
        if ".snakemake" not in path.parts:
            path.touch()


def key_order(checkout) -> None:
    config = config_of(checkout)
    config["models"]["gpt2"] = dict(reversed(config["models"]["gpt2"].items()))
    checkout.configure(dict(reversed(config.items())))


def unused_entry(checkout) -> None:
    config = config_of(checkout)
    config["corpora"]["unused"]["seed"] = 7
    config["training"]["never"] = {"steps": 3}
    checkout.configure(config)


def run_section(checkout) -> None:
    config = config_of(checkout)
    config["run"].update(workers=1, log_every=1, checkpoint_every=5, processes=2, compile=True)
    checkout.configure(config)


def spelled_out_default(checkout) -> None:
    config = config_of(checkout)
    config["training"]["base"]["schedule"] = "cosine"
    checkout.configure(config)


@pytest.mark.parametrize(
    "change",
    [nothing, comment_and_docstring, touch_everything, key_order, unused_entry, run_section, spelled_out_default],
)  # fmt: skip
def test_nothing_reruns(checkout, change) -> None:
    change(checkout)
    assert checkout.dry() == {}
    assert checkout.run() == {}


def trainer_logic(checkout) -> None:
    with (checkout.folder / "src/gptgrid/stages/train/trainer.py").open("a") as file:
        file.write("\n\nCHANGED = 1\n")


def model_logic(checkout) -> None:
    with (checkout.folder / "src/gptgrid/model/gpt.py").open("a") as file:
        file.write("\n\nCHANGED = 1\n")


def report_logic(checkout) -> None:
    with (checkout.folder / "workflow/scripts/report.py").open("a") as file:
        file.write("\n\nCHANGED = 1\n")


def one_cell_value(checkout) -> None:
    config = config_of(checkout)
    config["models"]["llama"]["n_layer"] = 2
    checkout.configure(config)


def add_a_cell(checkout) -> None:
    config = config_of(checkout)
    config["grid"].append({**config["grid"][1], "seed": [2]})
    checkout.configure(config)


def remove_a_cell(checkout) -> None:
    config = config_of(checkout)
    config["grid"][0]["model"] = ["gpt2"]
    checkout.configure(config)


def edit_the_text(checkout) -> None:
    edit(checkout, "texts/mine.txt", "the cat number 0", "the cow number 0")


def change_evaluation(checkout) -> None:
    checkout.configure({**config_of(checkout), "evaluation": {"stride": 4}})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (trainer_logic, FROM_TRAIN),
        (model_logic, FROM_TRAIN),
        (report_logic, {"report": 1}),
        (one_cell_value, ONE_CELL),
        (add_a_cell, ONE_CELL),
        (remove_a_cell, {"compare": 1, "report": 1}),
        (edit_the_text, FROM_CORPUS),
        (change_evaluation, {"evaluate": CELLS, "compare": 1, "report": 1}),
    ],
)
def test_change_reruns_what_it_touches_and_taken_back_restores(checkout, change, expected) -> None:
    before = checkout.artifacts()
    config, text = config_of(checkout), (checkout.folder / "texts/mine.txt").read_text()
    source = checkout.folder.with_name("source")
    shutil.copytree(checkout.folder / "src", source / "src")
    shutil.copytree(checkout.folder / "workflow", source / "workflow")

    change(checkout)
    assert checkout.dry() == expected
    assert checkout.run() == expected
    assert checkout.dry() == {}
    table = (checkout.folder / "results/small/compare/summary.csv").read_text()
    assert len(table.splitlines()) - 1 == {add_a_cell: 4, remove_a_cell: 2}.get(change, CELLS)

    checkout.configure(config)
    (checkout.folder / "texts/mine.txt").write_text(text)
    for name in ("src", "workflow"):
        shutil.rmtree(checkout.folder / name)
        shutil.copytree(source / name, checkout.folder / name)
    assert checkout.dry().keys() <= expected.keys()
    checkout.run()
    assert not checkout.made
    after = checkout.artifacts()
    assert {path: after[path] for path in before} == before


def test_change_without_effect_on_the_bytes_stops_there(checkout) -> None:
    with (checkout.folder / "workflow/scripts/corpus.py").open("a") as file:
        file.write("\n\nCHANGED = 1\n")
    assert checkout.dry() == FROM_CORPUS
    assert checkout.run() == FROM_CORPUS
    assert checkout.made == {"corpus": 1}


def test_deleted_deliverables_come_back_from_the_store(checkout) -> None:
    before = checkout.artifacts()
    cell = checkout.folder / "results/small/cells/mine.bpe.gpt2.base.s1"
    (cell / "train/model.safetensors").unlink()
    (cell / "evaluate/evaluation.json").unlink()
    (checkout.folder / "data/shards/bpe@mine/train-00000.bin").unlink()
    assert checkout.dry() == {"encode": 1, "train": 1, "evaluate": 1}
    assert checkout.run() == {"encode": 1, "train": 1, "evaluate": 1}
    assert not checkout.made
    assert checkout.artifacts() == before


DELETE_EACH = """
import sys
from pathlib import Path
from gptgrid.plan.plan import read_plan

for path in map(Path, sys.argv[1:]):
    content = path.read_bytes()
    path.unlink()
    stale = [artifact.folder for artifact in read_plan([], {}).artifacts.values() if artifact.action != "keep"]
    print(path, stale == [str(path.parent)])
    path.write_bytes(content)
"""


def test_every_deliverable_is_watched(checkout) -> None:
    paths = list(checkout.artifacts())
    done = subprocess.run(
        [sys.executable, "-c", DELETE_EACH, *paths],
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(checkout.folder / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{path} True" for path in paths]


def test_all_deliverables_deleted_at_once(checkout) -> None:
    before = checkout.artifacts()
    for path in before:
        if not path.endswith("manifest.json"):
            (checkout.folder / path).unlink()
    assert checkout.run() == EVERYTHING
    assert not checkout.made
    assert checkout.artifacts() == before


def test_results_copied_without_snakemake_metadata_are_kept_but_stale_ones_are_not(checkout) -> None:
    shutil.rmtree(checkout.folder / ".snakemake")
    assert checkout.dry() == {}
    one_cell_value(checkout)
    shutil.rmtree(checkout.folder / ".snakemake")
    assert checkout.dry() == ONE_CELL


def test_cells_copied_alone_are_not_trained_again(checkout) -> None:
    for name in (".snakemake", "results/.store", "data"):
        shutil.rmtree(checkout.folder / name)
    checkout.run()
    assert "train" not in checkout.made
    assert checkout.made["corpus"] == 1


def test_stale_results_laid_over_fresh_ones_are_seen(checkout, tmp_path: Path) -> None:
    cell = checkout.folder / "results/small/cells/mine.bytes.llama.base.s1"
    shutil.copytree(cell, tmp_path / "old")
    config = config_of(checkout)
    one_cell_value(checkout)
    checkout.run()
    for _ in range(2):  # twice: Snakemake must not take it for what it has seen before
        shutil.rmtree(cell)
        shutil.copytree(tmp_path / "old", cell)
        assert checkout.dry().get("train") == 1
        checkout.run()
        assert not checkout.made
    checkout.configure(config)


def test_a_longer_training_continues_the_finished_one(checkout) -> None:
    before = checkout.artifacts()
    config = config_of(checkout)
    config["training"]["long"] = {"base": "base", "steps": 9, "continues": "base"}
    config["grid"].append({**config["grid"][1], "training": "long"})
    checkout.configure(config)
    assert checkout.run() == ONE_CELL
    log = checkout.folder / "logs/small/cells/mine.bpe.gpt2.long.s1/train.log"
    assert "continues its parent at step 6; cosine schedule over 9 steps in all" in log.read_text()
    after = checkout.artifacts()
    cells = [path for path in before if "/cells/" in path]
    assert {path: after[path] for path in cells} == {path: before[path] for path in cells}


def test_another_experiment_with_the_same_cells_trains_nothing(checkout) -> None:
    checkout.configure({**config_of(checkout), "experiment": "second"})
    assert checkout.run() == FROM_TRAIN
    assert set(checkout.made) <= {"compare", "report"}


def test_moving_the_checkout_changes_nothing(checkout, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    checkout.folder.rename(moved)
    checkout.folder = moved
    assert checkout.dry() == {}


def test_source_changed_after_the_plan_is_noticed(checkout) -> None:
    one_cell_value(checkout)
    checkout.dry()
    requests = checkout.folder / ".snakemake/gptgrid/requests/results/small/cells"
    request = next(requests.glob("*llama*/train.json"))
    trainer_logic(checkout)
    done = subprocess.run(
        [sys.executable, "workflow/scripts/train.py", request],
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(checkout.folder / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "changed after the plan was made; run the same command again" in done.stderr
