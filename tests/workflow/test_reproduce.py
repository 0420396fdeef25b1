"""Same inputs, same bytes: in another folder, on other cores, after a kill, with a second run beside."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from checkout import CONFIG, Checkout

LONGER = {
    **CONFIG,
    "training": {"base": {"epochs": 3, "batch_tokens": 64, "sample_every": 20}},
    "grid": [{"corpus": "mine", "tokenizer": "bytes", "model": "gpt2", "training": "base"}],
    "run": {"device": "cpu", "checkpoint_every": 0.05},
}
TRAIN = "results/small/cells/mine.bytes.gpt2.base.s1/train"


def without_volatile(artifacts: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what shows provenance on purpose: speeds in summary.csv, machines in the report."""
    return {
        path: content for path, content in artifacts.items() if not re.search(r"/(compare|report)/", path)
    }


def test_two_checkouts_give_the_same_bytes(finished: Checkout, tmp_path: Path) -> None:
    other = Checkout(tmp_path / "another folder")
    other.run("--cores", "1")
    assert without_volatile(other.artifacts()) == without_volatile(finished.artifacts())
    comparison = "results/small/compare/comparison.csv"
    assert other.artifacts()[comparison] == finished.artifacts()[comparison]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    checkout = Checkout(tmp_path_factory.mktemp("unbroken") / "gptgrid")
    checkout.configure(LONGER)
    checkout.run(f"{TRAIN}/model.safetensors")
    return checkout.artifacts()


@pytest.mark.parametrize(
    ("kill", "whom"),
    [
        (signal.SIGKILL, "group"),
        (signal.SIGTERM, "group"),
        (signal.SIGINT, "group"),
        (signal.SIGKILL, "snakemake"),
        (signal.SIGTERM, "snakemake"),
    ],
)
def test_killed_training_continues_to_the_same_bytes(tmp_path: Path, unbroken, kill, whom) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    checkout.configure(LONGER)
    process = checkout.start(f"{TRAIN}/model.safetensors")
    wait_for(lambda: list(checkout.folder.glob("results/.store/train/*.partial/scratch/state.pt")))
    if whom == "group":
        os.killpg(process.pid, kill)
    else:
        process.send_signal(kill)
    process.communicate(timeout=60)
    if whom == "group":  # else the program lives on, and the next run waits for it
        assert not (checkout.folder / TRAIN / "manifest.json").exists()
    checkout.run(f"{TRAIN}/model.safetensors")
    if whom == "group":
        assert (
            "continues at step"
            in (checkout.folder / "logs/small/cells/mine.bytes.gpt2.base.s1/train.log").read_text()
        )
    assert checkout.artifacts() == unbroken


def wait_for(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_runs_share_a_store(tmp_path: Path, finished: Checkout) -> None:
    first, second = Checkout(tmp_path / "first"), Checkout(tmp_path / "second")
    store = str(tmp_path / "store")
    processes = [checkout.start("--cores", "1", GPTGRID_STORE=store) for checkout in (first, second)]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    logs = [
        path.read_text() for checkout in (first, second) for path in checkout.folder.glob("logs/**/*.log")
    ]
    made = re.findall(r"made: (\w+ \w+)", "\n".join(logs))
    assert len(made) == len(set(made)), "something was made twice"
    expected = without_volatile(finished.artifacts())
    for checkout in (first, second):
        assert without_volatile(checkout.artifacts()) == expected
    assert not list(Path(store).glob("*/*.partial"))
