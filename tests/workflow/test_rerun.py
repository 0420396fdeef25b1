"""What reruns when: plan, dry run and real run agree, and nothing that the store has is made again."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout

CELLS = 3
OVERVIEWS = {"compare": 1, "report": 1}
SAMPLES = CELLS + 1
"""Of each cell, and how likely the best other cell finds those of all."""
AFTER_TRAIN = {"evaluate": CELLS, "sample": SAMPLES, **OVERVIEWS}
FROM_TRAIN = {"train": CELLS, **AFTER_TRAIN}
FROM_ENCODE = {"encode": 2, **FROM_TRAIN, "evaluate": CELLS + 2}
FROM_CORPUS = {"corpus": 1, "tokenizer": 1, **FROM_ENCODE, "evaluate": CELLS + 3}
"""What needs no network is evaluated on both encoded texts, and on the text."""
EVERYTHING = {**FROM_CORPUS, "tokenizer": 2}
ONE_CELL = {"train": 1, "evaluate": 1, "sample": 2, **OVERVIEWS}
CELL = "results/small/cells/mine.bpe.gpt2.base.s1"
SUMMARY = "results/small/compare/summary.csv"


def edit(checkout: Checkout, file: str, old: str, new: str) -> None:
    path = checkout.folder / file
    text = path.read_text()
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def edit_config(**changes: object) -> Callable[[Checkout], None]:
    """Return a change of keys: section__name__key=value."""

    def change(checkout: Checkout) -> None:
        config = checkout.config()
        for key, value in changes.items():
            *parents, last = key.split("__")
            inner = config
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = value
        checkout.configure(config)

    change.__name__ = ",".join(changes)
    return change


def edit_source(file: str, old: str, new: str) -> Callable[[Checkout], None]:
    """Return a change of a file below src/gptgrid."""

    def change(checkout: Checkout) -> None:
        edit(checkout, f"src/gptgrid/{file}", old, new)

    change.__name__ = f"{file}: {new}"
    return change


def sources(checkout: Checkout, *rooms: str) -> list[Path]:
    files = [checkout.folder / "src" / "gptgrid" / room for room in rooms or [""]]
    return [path for file in files for path in ([file] if file.is_file() else sorted(file.rglob("*.py")))]


# ------------------------------------------------------------------------------------ no cause at all


def touch_into_the_past(checkout: Checkout) -> None:
    touch(checkout, 1)


def touch_into_the_future(checkout: Checkout) -> None:
    touch(checkout, 4_000_000_000)


def touch(checkout: Checkout, seconds: int) -> None:
    for path in checkout.folder.rglob("*"):
        os.utime(path, (seconds, seconds))


def comments_and_docstrings(checkout: Checkout) -> None:
    for path in sources(checkout):
        text = re.sub(r'^( *)"""(\w)', r'\1"""Changed. \2', path.read_text(), flags=re.MULTILINE)
        path.write_text(f"# A comment.\n{text}\n# Another.\n")


def wording_of_errors_and_progress(checkout: Checkout) -> None:
    changed = 0
    for path in sources(checkout):
        text, count = re.subn(r'((?:raise \w+|\n +print)\(\s*f?")', r"\1Changed: ", path.read_text())
        path.write_text(text)
        changed += count
    assert changed > 50


def machinery(checkout: Checkout) -> None:
    for path in sources(checkout, "artifact", "launch", "plan", "cli.py", "config"):
        path.write_text(path.read_text() + "\n\nCHANGED = 1\n")


def key_order(checkout: Checkout) -> None:
    config = checkout.config()
    config["models"]["gpt2"] = dict(reversed(config["models"]["gpt2"].items()))
    checkout.configure(dict(reversed(config.items())))


def metadata_deleted(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / ".snakemake")


def requests_deleted(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / "results/.store/requests")


def neutral_key(checkout: Checkout) -> None:
    edit_source("config/recipe.py", "Fraction, NonNegative", "Fraction, Neutral, NonNegative")(checkout)
    new = '    novelty: Annotated[bool, Neutral(False)] = False\n    """What no recipe had before."""\n'
    edit_source("config/recipe.py", "    threads: Size = 1\n", f"{new}    threads: Size = 1\n")(checkout)


NO_CAUSES = [
    touch_into_the_past,
    touch_into_the_future,
    comments_and_docstrings,
    wording_of_errors_and_progress,
    machinery,
    key_order,
    metadata_deleted,
    requests_deleted,
    neutral_key,
    edit_config(corpora__unused__seed=7, training__never={"steps": 3}, models__never={"preset": "llama"}),
    edit_config(run={"device": "cpu", "workers": 1, "log_every": 1, "checkpoint_every": 5}),
    edit_config(run={"device": "auto", "compile": True, "store": "results/.store"}),
    edit_config(training__base__schedule="cosine", training__base__optimizer="adamw", training__base__threads=1),
    edit_source("config/models.py", "PRESETS: dict[str, dict[str, Any]] = {", 'PRESETS: dict[str, dict[str, Any]] = {\n    "new": {"norm": "rmsnorm"},'),
    edit_source("tokens/patterns.py", "PATTERNS = Variants({", 'PATTERNS = Variants({"new": GPT2, '),
    edit_source("tokens/patterns.py", "CHINESE = (\n", 'CHINESE = (\n    r"new|"\n'),
    edit_source("trainer/optimizer.py", "OPTIMIZERS = Variants({", 'OPTIMIZERS = Variants({"new": adamw, '),
    edit_source("trainer/schedule.py", "SCHEDULES = Variants(\n    {", 'SCHEDULES = Variants(\n    {"new": linear, '),
    edit_source("trainer/schedule.py", "    return 1.0 - progress(step, warmup, steps)", "    return 0.5"),
    edit_source("trainer/trainer.py", "\nclass ", "\ndef nobody_calls_this():\n    return 1\n\n\nclass "),
]  # fmt: skip


@pytest.mark.parametrize("change", NO_CAUSES, ids=lambda change: change.__name__)
def test_what_is_no_cause(checkout: Checkout, change: Callable[[Checkout], None]) -> None:
    change(checkout)
    assert checkout.stale() == {}


def test_nothing_reruns_after_all_of_it(checkout: Checkout, tmp_path: Path) -> None:
    before = checkout.artifacts()
    for change in NO_CAUSES:
        change(checkout)
        (checkout.folder / ".snakemake").mkdir(exist_ok=True)
    checkout.folder.rename(tmp_path / "moved")
    checkout.folder = tmp_path / "moved"
    assert checkout.dry() == {}
    assert checkout.run() == {}
    assert checkout.artifacts() == before


# ------------------------------------------------------------------------------------------ causes


def trainer_code(checkout: Checkout) -> None:
    checkout.redefine("trainer/schedule.py", "cosine")


def model_code(checkout: Checkout) -> None:
    checkout.redefine("model/initialize.py", "initialize")


def code_of_one_architecture(checkout: Checkout) -> None:
    checkout.redefine("model/norm.py", "rms_norm")


def code_of_a_reference(checkout: Checkout) -> None:
    checkout.redefine("tokens/ngram.py", "discounts")


def remove_a_cell(checkout: Checkout) -> None:
    config = checkout.config()
    config["grid"][0]["model"] = ["gpt2"]
    checkout.configure(config)


def add_a_cell(checkout: Checkout) -> None:
    config = checkout.config()
    config["grid"].append({**config["grid"][1], "seed": [2]})
    checkout.configure(config)


def edit_the_text(checkout: Checkout) -> None:
    path = checkout.folder / "texts/mine.txt"
    path.write_text(path.read_text().replace("cakes", "pies"))


def a_new_key_that_is_used(checkout: Checkout) -> None:
    neutral_key(checkout)
    edit_config(training__base__novelty=True)(checkout)


CAUSES = [
    (trainer_code, FROM_TRAIN),
    (model_code, FROM_TRAIN),
    (code_of_one_architecture, ONE_CELL),
    (add_a_cell, ONE_CELL),
    # What the best other cell makes of the samples depends on all cells of a text and their evaluations.
    (remove_a_cell, {"sample": 1, **OVERVIEWS}),
    (a_new_key_that_is_used, FROM_TRAIN),
    (edit_source("config/recipe.py", "eps: Positive = 1e-8", "eps: Positive = 1e-7"), FROM_TRAIN),
    # Which draws of dropout go to which window then depends on how the batch is cut.
    (edit_config(run={"device": "cpu", "processes": 2}), FROM_TRAIN),
    (edit_config(training__base__lr=2e-3), FROM_TRAIN),
    (edit_config(training__base__use="last"), AFTER_TRAIN),
    (edit_config(evaluation={"stride": 4}), {"evaluate": CELLS, "sample": 1, **OVERVIEWS}),
    (edit_config(tokenizers__bpe__vocab_size=290), {"tokenizer": 1, "encode": 1, **ONE_CELL, "evaluate": 2}),
    (code_of_a_reference, {"evaluate": 2, **OVERVIEWS}),
    (edit_config(corpora__mine__split={"test": 0.3}), FROM_CORPUS),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), CAUSES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_a_cause(checkout: Checkout, change: Callable[[Checkout], None], expected: dict) -> None:
    change(checkout)
    assert checkout.stale() == expected


KEYS = """
from gptgrid.plan.plan import read_plan
print(sorted(read_plan([], {}).keys.values()))
"""


def test_more_processes_are_no_cause_where_nothing_is_drawn(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    edit_config(models__gpt2__dropout=0.0)(checkout)
    one = checkout.python(KEYS).stdout
    edit_config(run={"device": "cpu", "processes": 2})(checkout)
    assert one and checkout.python(KEYS).stdout == one


def report_files(checkout: Checkout) -> None:
    for path in (checkout.folder / "src/gptgrid/stages/report").iterdir():
        if path.suffix in (".css", ".jinja"):
            path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit_config(models__llama__n_layer=2), ONE_CELL),
        (edit_config(sampling__prompts=["a", "dog"]), {"sample": SAMPLES, **OVERVIEWS}),
        (report_files, {"report": 1}),
        (edit_the_text, FROM_CORPUS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_change_reruns_what_it_touches_and_taken_back_reruns_nothing(
    checkout: Checkout, change, expected
) -> None:
    before = checkout.artifacts()
    kept = {name: checkout.folder.with_name(name) for name in ("src", "config", "texts")}
    for name, copy in kept.items():
        shutil.copytree(checkout.folder / name, copy)

    change(checkout)
    assert checkout.stale() == expected
    assert checkout.dry() == expected
    assert checkout.run() == expected
    assert checkout.made == expected
    assert checkout.stale() == {}

    for name, copy in kept.items():
        shutil.rmtree(checkout.folder / name)
        shutil.copytree(copy, checkout.folder / name)
    assert checkout.stale() == {}
    assert checkout.run() == {}
    after = checkout.artifacts()
    assert {path: after[path] for path in before} == before


def test_a_change_without_effect_on_the_bytes_stops_there(checkout: Checkout) -> None:
    with (checkout.folder / "workflow/scripts/corpus.py").open("a") as file:
        file.write("\n\nCHANGED = 1\n")
    assert checkout.dry() == FROM_CORPUS
    assert checkout.run() == FROM_CORPUS
    # Tables and report show how fast the corpus was made, and what is said about it.
    assert checkout.made == {"corpus": 1, "compare": 1, "report": 1}


def test_settings_of_the_command_line(checkout: Checkout) -> None:
    setting = "models={gpt2: {n_layer: 2}}"
    assert checkout.dry("--config", setting) == FROM_TRAIN
    assert checkout.run(f"{CELL}/train/model.safetensors", "--config", setting) == {"train": 1}
    assert checkout.dry("--config", setting) == {**FROM_TRAIN, "train": 2}
    assert checkout.stale() == {}


# ------------------------------------------------------------------------------------------- views


def test_views_that_were_deleted_come_back_without_a_job(checkout: Checkout) -> None:
    before = checkout.artifacts()
    lost = (f"{CELL}/train/model.safetensors", f"{CELL}/evaluate", "data/shards/bpe@mine/train-00000.bin")
    for path in (checkout.folder / name for name in lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert checkout.dry() == {}
    assert checkout.run() == {}
    assert checkout.artifacts() == before
    for name in ("data", "results/small"):
        shutil.rmtree(checkout.folder / name)
    assert checkout.run() == {}
    assert checkout.artifacts() == before


def test_a_damaged_view_is_linked_again_and_files_of_a_person_stay(checkout: Checkout) -> None:
    before = checkout.artifacts()
    path = checkout.folder / SUMMARY
    path.unlink()
    path.write_text("edited")
    notes = path.with_name("notes.txt")
    notes.write_text("mine")
    assert checkout.run() == {}
    assert notes.read_text() == "mine"
    notes.unlink()
    assert checkout.artifacts() == before


def test_a_view_can_be_named(checkout: Checkout) -> None:
    (checkout.folder / SUMMARY).unlink()
    assert checkout.run(SUMMARY) == {}
    assert (checkout.folder / SUMMARY).is_file()
    edit_config(models__llama__n_layer=2)(checkout)
    expected = {"train": 1, "evaluate": 1, "sample": 2, "compare": 1}
    assert checkout.run(SUMMARY) == expected
    assert "mine.bytes.llama" in (checkout.folder / SUMMARY).read_text()
    assert checkout.stale() == {"report": 1}
    assert "nothing in its grid makes results/small/cells/none" in checkout.snakemake(
        "results/small/cells/none/train/model.safetensors", code=1
    )


@pytest.mark.parametrize("folder", ["data/corpora/mine", "results/small/compare", f"{CELL}/train"])
def test_a_folder_of_results_cannot_be_named(checkout: Checkout, folder: str) -> None:
    shutil.rmtree(checkout.folder / folder)
    said = checkout.snakemake(folder, code=1)
    assert f"name one in it, such as {folder}/manifest.json, which makes all of it" in said
    assert not (checkout.folder / folder).exists()
    assert checkout.run(f"{folder}/manifest.json") == {}
    assert (checkout.folder / folder / "manifest.json").is_file()


def test_stale_results_laid_over_fresh_ones_are_replaced(checkout: Checkout, tmp_path: Path) -> None:
    cell = checkout.folder / "results/small/cells/mine.bytes.llama.base.s1"
    shutil.copytree(cell, tmp_path / "old")
    edit_config(models__llama__n_layer=2)(checkout)
    checkout.run()
    fresh = (cell / "train/manifest.json").read_bytes()
    shutil.rmtree(cell)
    shutil.copytree(tmp_path / "old", cell)
    assert checkout.dry() == checkout.run() == {}
    assert (cell / "train/manifest.json").read_bytes() == fresh


def test_a_dry_run_changes_nothing_that_a_run_reads(checkout: Checkout) -> None:
    def tree() -> dict[Path, tuple[int, int]]:
        paths = (p for p in checkout.folder.rglob("*") if not {".snakemake", "__pycache__"} & set(p.parts))
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}

    edit_config(models__llama__n_layer=2)(checkout)
    shutil.rmtree(checkout.folder / "data")
    before = tree()
    assert checkout.dry() == ONE_CELL
    assert checkout.dry("-F") == EVERYTHING
    assert tree() == before


# ------------------------------------------------------------------------------------------- store


def test_receipts_that_were_deleted_are_written_again(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / "results/.store/keys")
    assert checkout.run() == EVERYTHING
    assert not checkout.made
    assert checkout.stale() == {}


def test_a_store_that_was_copied_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    before, store = checkout.artifacts(), str(tmp_path / "copy")
    subprocess.run(["cp", "-r", checkout.folder / "results/.store", store], check=True)
    shutil.rmtree(checkout.folder / "results")
    assert checkout.dry(GPTGRID_STORE=store) == {}
    assert checkout.run(GPTGRID_STORE=store) == {}
    assert checkout.artifacts() == before


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no other file system")
def test_a_store_on_another_file_system(checkout: Checkout) -> None:
    before, store = checkout.artifacts(), Path("/dev/shm") / f"gptgrid-{os.getpid()}"
    try:
        shutil.copytree(checkout.folder / "results/.store", store)
        shutil.rmtree(checkout.folder / "results")
        assert store.stat().st_dev != checkout.folder.stat().st_dev
        edit_config(models__llama__n_layer=2)(checkout)
        assert checkout.run(GPTGRID_STORE=str(store)) == ONE_CELL
        assert checkout.run(GPTGRID_STORE=str(store)) == {}
        after = checkout.artifacts()
        assert {path for path in after if before.get(path) == after[path]} >= {p for p in before if CELL in p}
    finally:
        shutil.rmtree(store, ignore_errors=True)


def test_results_that_were_copied_without_their_store_are_adopted(checkout: Checkout) -> None:
    before = checkout.artifacts()
    for name in (".snakemake", "results/.store"):
        shutil.rmtree(checkout.folder / name)
    checkout.run()
    # Tables show speeds of what may have been made elsewhere: they are made again.
    assert checkout.made == OVERVIEWS
    assert checkout.artifacts() == before


def test_cells_that_were_copied_alone_are_not_trained_again(checkout: Checkout) -> None:
    for name in (".snakemake", "results/.store", "data"):
        shutil.rmtree(checkout.folder / name)
    checkout.run()
    assert checkout.made == {"corpus": 1, "tokenizer": 2, "encode": 2, **OVERVIEWS}


def test_another_experiment_with_the_same_cells_trains_nothing(checkout: Checkout) -> None:
    edit_config(experiment="second")(checkout)
    assert checkout.stale() == OVERVIEWS
    assert checkout.run() == OVERVIEWS
    assert (checkout.folder / "results/second/cells/mine.bpe.gpt2.base.s1/train/model.safetensors").is_file()


def test_a_longer_training_continues_the_finished_one(checkout: Checkout) -> None:
    before = checkout.artifacts()
    config = checkout.config()
    config["training"]["long"] = {"base": "base", "steps": 9, "continues": "base"}
    config["grid"].append({**config["grid"][1], "training": "long"})
    checkout.configure(config)
    assert checkout.run() == ONE_CELL
    log = checkout.folder / "logs/small/cells/mine.bpe.gpt2.long.s1/train.log"
    assert "continues its parent at step 6; cosine schedule over 9 steps in all" in log.read_text()
    after = checkout.artifacts()
    cells = [path for path in before if "/cells/" in path]
    assert {path: after[path] for path in cells} == {path: before[path] for path in cells}


# -------------------------------------------------------------------------------------- made again


@pytest.mark.parametrize(
    ("options", "jobs", "again"),
    [
        (["-F"], EVERYTHING, EVERYTHING),
        (["-R", "train"], {"train": CELLS}, {"train": CELLS}),
        (["-f", f"{CELL}/evaluate/evaluation.json"], {"evaluate": 1}, {"evaluate": 1}),
    ],
)
def test_what_is_asked_for_is_made_again(
    checkout: Checkout, options: list[str], jobs: dict, again: dict
) -> None:
    before = checkout.artifacts()
    assert checkout.run(*options) == jobs
    said = re.findall(r"made again: (\w+) \w+, the same bits", checkout.said)
    assert {stage: said.count(stage) for stage in set(said)} == again
    assert not checkout.made
    assert checkout.artifacts() == before
    assert checkout.stale() == {}
