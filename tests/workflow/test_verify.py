"""What is made again has the same bits, or is told apart by file, step, tensor and environment."""

import json
import os
import re
from pathlib import Path

import pytest
from checkout import Checkout
from safetensors.torch import load_file, save_file
from workshop import rewrite

from gptgrid.artifact.manifest import describe_outputs, read_manifest, write_manifest

CELL = "mine.bytes.gpt2.base.s1"
FOLDER = f"results/small/cells/{CELL}"
SAME = r"the same bits \(\d+ files?\)"


def verify(checkout: Checkout, *names: str) -> tuple[int, str]:
    """Return the exit code of `gptgrid verify` and what it says, but for the progress of programs."""
    code, said = checkout.gptgrid("verify", *names)
    verdicts = [
        line for line in said.splitlines() if not re.match(r"\S+/\S+: (?!the same bits|other bits)", line)
    ]
    return code, "\n".join(verdicts)


def stored(checkout: Checkout, view: str) -> Path:
    """Return where the store has what people see in a folder."""
    manifest = read_manifest(checkout.folder / view)
    return checkout.folder / "results/.store" / manifest["stage"] / manifest["identity"]


LOOK_AGAIN = """
from gptgrid.plan.plan import read_plan

plan = read_plan([], {})
for artifact, receipt in plan.receipts.items():
    path = plan.store.receipt_path(artifact.stage, receipt.key)
    plan.store.make_receipt(artifact.stage, receipt.key, receipt.identity, receipt.made_from).write(path)
"""
"""Receipts of files as they are now: those of a checkout that was copied have other inodes."""


def files(checkout: Checkout) -> dict[Path, tuple[int, int]]:
    """Return every file of the experiment and its store with inode and modification time."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for top in ("data", "results")
        for path in (checkout.folder / top).rglob("*")
    }


def doctor(checkout: Checkout) -> None:
    """Change a finished training into one that another machine might have made."""
    folder = stored(checkout, f"{FOLDER}/train")
    weights = load_file(folder / "model.safetensors")
    weights["blocks.0.attention.output.weight"][1, 2] += 0.25
    weights["norm.weight"][3] += 0.125
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    for number in (2, 4):
        values = rows[number].split(",")
        rows[number] = ",".join([*values[:4], "9.5", *values[5:]])
    rewrite(folder / "metrics.csv", "\n".join([header, *rows]) + "\n")
    manifest = {name: value for name, value in read_manifest(folder).items() if name != "checksum"}
    (folder / "manifest.json").unlink()
    write_manifest(folder, {**manifest, "outputs": describe_outputs(folder)})
    for path in (checkout.folder / "results/.store/keys/train").iterdir():
        path.unlink()
    checkout.snakemake(f"{FOLDER}/train/manifest.json")


def move(checkout: Checkout) -> None:
    """Change where a training says that it was made, and how long it took."""
    path = stored(checkout, f"{FOLDER}/train") / "provenance.json"
    facts = json.loads(path.read_text())
    facts |= {"host": "elsewhere", "time": "2020-01-01T00:00:00+00:00", "train_seconds": 1e6}
    facts["libraries"]["torch"] = "1.0"
    path.chmod(0o644)
    path.write_text(json.dumps(facts))


def test_every_stage_has_the_same_bits_and_nothing_is_touched(finished: Checkout) -> None:
    before = files(finished)
    names = ("data/corpora", "data/tokenizers/bpe@mine", "data/shards/bpe@mine", FOLDER)
    code, said = verify(finished, *names, "results/small/compare", "results/small/report")
    assert code == 0, said
    expected = ["corpora/mine", "tokenizers/bpe@mine", "shards/bpe@mine"]
    expected += [f"small/cells/{CELL}/{stage}" for stage in ("train", "evaluate", "sample")]
    expected += ["small/compare", "small/report"]
    lines = said.splitlines()
    assert [line.split(": ")[0] for line in lines] == expected
    assert all(re.search(SAME, line) for line in lines)
    assert files(finished) == before


def test_what_differs_is_named(checkout: Checkout) -> None:
    doctor(checkout)
    values = json.loads((checkout.folder / FOLDER / "train/provenance.json").read_text())
    code, said = verify(checkout, f"{FOLDER}/train")
    first, curve, weights, same = said.splitlines()
    assert code == 1
    assert re.fullmatch(
        rf"small/cells/{CELL}/train: other bits in 2 of \d files: metrics\.csv, model\.safetensors", first
    )
    assert curve.startswith("  metrics.csv: from step 3 on, train_loss: 9.5 → 5.")
    assert weights == "  model.safetensors: at most 0.25 apart, in blocks.0.attention.output.weight"
    assert same == "  environment: provenance.json tells of no difference"
    move(checkout)
    code, said = verify(checkout, f"{FOLDER}/train")
    assert code == 1
    assert sorted(said.splitlines()[3:]) == [
        f"  environment: host: elsewhere → {values['host']}",
        f"  environment: libraries.torch: 1.0 → {values['libraries']['torch']}",
    ]


def test_another_environment_alone_is_no_difference(checkout: Checkout) -> None:
    move(checkout)
    code, said = verify(checkout, f"{FOLDER}/train")
    assert code == 0 and re.fullmatch(f"small/cells/{CELL}/train: {SAME}", said)


def test_a_continued_training_starts_from_its_parent(checkout: Checkout) -> None:
    config = checkout.config()
    config["training"]["long"] = {"base": "base", "steps": 9, "continues": "base"}
    config["grid"] = [{**config["grid"][0], "model": "gpt2", "training": "long"}]
    checkout.configure(config)
    train = "results/small/cells/mine.bytes.gpt2.long.s1/train"
    checkout.snakemake(f"{train}/manifest.json")
    code, said = verify(checkout, train)
    assert code == 0 and re.fullmatch(f"small/cells/mine.bytes.gpt2.long.s1/train: {SAME}", said)


@pytest.mark.parametrize(
    ("file", "made"),
    [
        (f"{FOLDER}/train/state.pt", {"train": 1, "compare": 1, "report": 1}),
        ("data/shards/bytes@mine/train-00000.bin", {"encode": 1, "compare": 1, "report": 1}),
    ],
)
def test_a_flipped_bit_with_its_dates_kept_is_found_and_mended(
    checkout: Checkout, file: str, made: dict
) -> None:
    checkout.python(LOOK_AGAIN)
    path = checkout.folder / file
    whole, before = path.read_bytes(), path.stat()
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    code, said = verify(checkout, FOLDER)
    assert code == 1
    assert (
        f"{path.name} does not have the sha256 of its manifest; run snakemake, which makes it again" in said
    )
    checkout.run()
    assert checkout.made == made
    assert path.read_bytes() == whole


def test_a_view_that_was_edited_is_said(checkout: Checkout) -> None:
    rewrite(checkout.folder / "data/corpora/mine/card.md", "edited")
    code, said = verify(checkout, "data/corpora/mine")
    assert code == 1
    assert said.splitlines()[0] == "data/corpora/mine does not show what was made; snakemake links it again"


def test_a_name_that_means_nothing_finished_is_explained(checkout: Checkout, tmp_path: Path) -> None:
    code, said = verify(checkout, "nobody")
    assert code == 1
    assert (
        "config/config.yaml: no trained cell matches 'nobody'; give its --configfile and --config (such as quick=true), or one of:"
        in said
    )
    assert f"\n  {CELL}" in said
    code, said = verify(Checkout(tmp_path / "new"))
    assert code == 1 and "none of its cells is trained by the present source and configuration" in said


def test_the_target_verifies_data_and_each_model_whenever_asked(checkout: Checkout) -> None:
    log = checkout.folder / "logs/verify.log"
    checkout.snakemake("verify")
    verdicts = [line.split(": ")[0] for line in log.read_text().splitlines() if re.search(SAME, line)]
    cells = [f"small/cells/mine.bytes.{model}.base.s1/" for model in ("gpt2", "llama")]
    assert sorted({name.rsplit("/", 1)[0] + "/" for name in verdicts if "cells" in name}) == cells
    assert {name for name in verdicts if "cells" not in name} == {
        *("corpora/mine", "tokenizers/bytes", "tokenizers/bpe@mine", "shards/bytes@mine", "shards/bpe@mine")
    }
    log.unlink()
    checkout.snakemake("verify")
    assert log.is_file()


# ------------------------------------------------------------------------- results of an older source


def test_results_of_an_older_source_are_accepted_and_taken_back(checkout: Checkout) -> None:
    checkout.redefine("trainer/schedule.py", "cosine")
    stale = {"train": 3, "evaluate": 3, "sample": 4, "compare": 1, "report": 1}
    assert checkout.stale() == stale
    code, said = checkout.gptgrid("accept")
    assert code == 0, said
    accepted = re.findall(
        r"^accepted: (\S+), made by an older source \(.*\); accepted by .*$", said, re.MULTILINE
    )
    assert len(accepted) == 3 and all(name.endswith("/train") for name in accepted)
    assert "the source of train changed" in said and ", verified by small/cells/" in said
    checkout.run()
    assert checkout.made == {"compare": 1, "report": 1}
    assert checkout.stale() == {}
    report = (checkout.folder / "results/small/report/report.html").read_text()
    assert "made by an older source" in report
    assert checkout.gptgrid("accept")[0] == 1

    code, said = checkout.gptgrid("accept", "--undo")
    assert code == 0 and said.count("taken back: ") == 3
    assert checkout.stale() == stale
    checkout.run(f"{FOLDER}/train/model.safetensors")
    assert checkout.made == {"train": 1}
    assert checkout.gptgrid("accept", "--undo")[0] == 1


def test_what_the_present_source_makes_otherwise_is_not_accepted(checkout: Checkout) -> None:
    checkout.redefine("trainer/schedule.py", "learning_rate", "0.5 *")
    code, said = checkout.gptgrid("accept", "bytes gpt2")
    assert code == 1
    assert "the present source makes other bits, as said above, so nothing was accepted" in said
    assert "metrics.csv: from step 1 on, lr: " in said
    assert checkout.stale()["train"] == 3
    code, said = checkout.gptgrid("accept", "bytes gpt2", "--unverified")
    assert code == 0 and said.count("accepted: ") == 1 and ", unverified" in said
    assert checkout.stale()["train"] == 2
