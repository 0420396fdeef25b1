"""A cell that is trained again has the same bits, or is told apart by file, step, tensor and environment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import CONFIG, TEXT, Checkout
from safetensors.torch import load_file, save_file

from gptgrid.artifact.manifest import MANIFEST, describe_outputs

CELL = "mine.bytes.gpt2.base.s1"
TRAIN = Path(f"results/small/cells/{CELL}/train")
SAME_ENVIRONMENT = "  environment: provenance.json tells of no difference"
COMMAND = [sys.executable, "-c", "from gptgrid.cli import main; main()", "verify"]


def verify(checkout: Checkout, *arguments: str) -> tuple[int, str]:
    """Return the exit code of `gptgrid verify` and what it says, but for the progress of the trainings."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(checkout.folder / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr and "restored:" not in done.stderr, done.stderr
    mistakes = [line for line in done.stderr.splitlines() if not line.startswith("small/cells/")]
    return done.returncode, done.stdout + "\n".join(mistakes)


def files(checkout: Checkout) -> dict[Path, tuple[int, int]]:
    """Return every file of the experiment and its store with inode and modification time."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for top in ("data", "results")
        for path in (checkout.folder / top).rglob("*")
    }


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file without touching what else is linked to it."""
    path.unlink()
    path.write_bytes(content)


def doctor(checkout: Checkout) -> None:
    """Change a finished cell into one that another machine might have made."""
    folder = checkout.folder / TRAIN
    weights = load_file(folder / "model.safetensors")
    weights["blocks.0.attention.output.weight"][1, 2] += 0.25
    weights["norm.weight"][3] += 0.125
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    for number in (2, 4):
        values = rows[number].split(",")
        rows[number] = ",".join([*values[:4], "9.5", *values[5:]])
    rewrite(folder / "metrics.csv", ("\n".join([header, *rows]) + "\n").encode())
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).unlink()
    manifest["outputs"] = describe_outputs(folder)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def move(checkout: Checkout) -> None:
    """Change where a cell says that it was made, and how long it took."""
    path = checkout.folder / TRAIN / "provenance.json"
    facts = json.loads(path.read_text())
    facts |= {"host": "elsewhere", "time": "2020-01-01T00:00:00+00:00", "train_seconds": 1e6}
    facts["libraries"]["torch"] = "1.0"
    rewrite(path, json.dumps(facts).encode())


def test_the_same_bits_and_nothing_touched(finished: Checkout) -> None:
    before = files(finished)
    code, said = verify(finished, CELL, str(TRAIN.parent), "mine bpe")
    assert said == f"{CELL}: the same bits (6 files)\nmine.bpe.gpt2.base.s1: the same bits (6 files)\n"
    assert code == 0
    assert files(finished) == before


def test_what_differs_is_named(checkout: Checkout) -> None:
    doctor(checkout)
    values = json.loads((checkout.folder / TRAIN / "provenance.json").read_text())
    code, said = verify(checkout, CELL, "mine bytes llama")
    first, curve, weights, same, other = said.splitlines()
    assert code == 1
    assert first == f"{CELL}: other bits in 2 of 6 files: metrics.csv, model.safetensors"
    assert curve.startswith("  metrics.csv: from step 3 on, train_loss: 9.5 → 5.")
    assert weights == "  model.safetensors: at most 0.25 apart, in blocks.0.attention.output.weight"
    assert same == SAME_ENVIRONMENT
    assert other == "mine.bytes.llama.base.s1: the same bits (6 files)"
    move(checkout)
    code, said = verify(checkout, CELL)
    torch = values["libraries"]["torch"]
    assert code == 1
    assert sorted(said.splitlines()[3:]) == [
        f"  environment: host: elsewhere → {values['host']}",
        f"  environment: libraries.torch: 1.0 → {torch}",
    ]


def test_another_environment_alone_is_no_difference(checkout: Checkout) -> None:
    move(checkout)
    assert verify(checkout, CELL) == (0, f"{CELL}: the same bits (6 files)\n")


def test_another_source_is_said_first(checkout: Checkout) -> None:
    path = checkout.folder / "src/gptgrid/seeds.py"
    path.write_text(path.read_text() + "\nNOBODY_READS_THIS = 1\n")
    code, said = verify(checkout, CELL)
    assert (code, said) == (0, f"{CELL}: the same bits (6 files)\n  the source of train changed\n")
    schedule = checkout.folder / "src/gptgrid/stages/train/schedule.py"
    schedule.write_text(
        schedule.read_text() + "\n_rate = learning_rate\n\n\n"
        "def learning_rate(*arguments):\n    return 2 * _rate(*arguments)\n"
    )
    code, said = verify(checkout, CELL)
    first, source, curve, _, environment = said.splitlines()
    assert code == 1
    names = "metrics.csv, model.safetensors, samples.jsonl, state.pt"
    assert first == f"{CELL}: other bits in 4 of 6 files: {names}"
    assert source == "  the source of train changed"
    assert curve.startswith("  metrics.csv: from step 1 on, lr: ")
    assert environment == SAME_ENVIRONMENT


def test_a_continued_training_starts_from_its_parent(checkout: Checkout) -> None:
    longer = {"base": "base", "steps": 9, "continues": "base"}
    config = {**CONFIG, "training": {**CONFIG["training"], "long": longer}}
    config["grid"] = [{**CONFIG["grid"][0], "model": "gpt2", "training": "long"}]
    checkout.configure(config)
    long = "mine.bytes.gpt2.long.s1"
    checkout.snakemake(f"results/small/cells/{long}/train/manifest.json")
    assert verify(checkout, "long") == (0, f"{long}: the same bits (6 files)\n")


def test_changed_inputs_are_refused_before_any_training(checkout: Checkout) -> None:
    text = checkout.folder / TEXT
    text.write_text(text.read_text() + "a new line\n")
    checkout.snakemake("data/shards/bytes@mine/manifest.json")
    code, said = verify(checkout, CELL)
    assert code == 1
    assert said.startswith(
        f"gptgrid: data/shards/bytes@mine changed: {CELL} was trained on shards with content "
    )
    shutil.rmtree(checkout.folder / "data/shards/bytes@mine")
    code, said = verify(checkout, CELL)
    assert code == 1 and "data/shards/bytes@mine/manifest.json is missing" in said


@pytest.mark.parametrize("damaged", [TRAIN / "state.pt", Path("data/shards/bytes@mine/train-00000.bin")])
def test_damaged_files_are_refused(checkout: Checkout, damaged: Path) -> None:
    path = checkout.folder / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(path, bytes(content))
    code, said = verify(checkout)
    expected = "does not have the sha256 of its manifest; delete that file and run snakemake"
    assert (code, said) == (1, f"gptgrid: {damaged} {expected}")


def test_a_name_that_means_no_trained_cell_is_explained(checkout: Checkout) -> None:
    code, said = verify(checkout, "nobody")
    assert code == 1
    assert said.startswith(
        "gptgrid: config/config.yaml: no trained cell matches 'nobody'; give its --configfile"
    )
    assert f"\n  {CELL}" in said
    shutil.rmtree(checkout.folder / "results/small")
    code, said = verify(checkout)
    assert code == 1 and "none of its cells is trained (looked in results/small); run snakemake" in said


def test_the_target_verifies_each_model_whenever_asked(checkout: Checkout) -> None:
    log = checkout.folder / "logs/small/verify.log"
    shutil.rmtree(checkout.folder / "data/shards")
    for _ in range(2):
        checkout.snakemake("verify")
        verdicts = [line for line in log.read_text().splitlines() if "the same bits (6 files)" in line]
        assert sorted(line.split(":")[0] for line in verdicts) == [CELL, "mine.bytes.llama.base.s1"]
        log.unlink()
    doctor(checkout)
    process = checkout.start("verify")
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert f"{CELL}: other bits in 2 of 6 files" in said
