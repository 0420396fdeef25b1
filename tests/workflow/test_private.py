"""Nothing made from private text leaves: no card, table, report or log has a piece of it, whatever came before."""

import random
from pathlib import Path

import pytest
from checkout import Checkout
from making import make

LETTERS = "qzxvkjw"
WORDS = ["".join(random.Random(seed).choices(LETTERS, k=7)) for seed in range(12)]
"""Words that no other text has, not even in part."""
PIECES = {word[start : start + 4] for word in WORDS for start in range(len(word) - 3)}
HOLD_TEXT = ("*.parquet", "*.bin", "*.safetensors", "*.pt", "codec.json", "tokenizer.json", "samples.jsonl")
"""What is the text itself, or works with it, and is for nobody to publish."""
CONFIG = {
    "experiment": "small",
    "corpora": {
        "secret": {"source": "files", "paths": ["secret.txt"], "document": "line", "private": True},
        "open": {"source": "files", "paths": ["open.txt"], "document": "line"},
    },
    "tokenizers": {"bpe": {"kind": "bpe", "vocab_size": 300}},
    "models": {"small": {"n_layer": 1, "n_head": 1, "d_model": 8, "context": 16}},
    "training": {"base": {"steps": 4, "batch_tokens": 64, "sample_every": 2, "sample_prompt": "the"}},
    "sampling": {"prompts": ["the"], "max_new_tokens": 40, "decodings": {"greedy": {"temperature": 0}}},
    "grid": [{"corpus": "secret"}],
    "run": {"device": "cpu"},
}
PUBLIC = {**CONFIG["corpora"]["secret"], "private": False}


@pytest.fixture(autouse=True)
def _texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GPTGRID_STORE", raising=False)
    draw = random.Random(0)
    secret = (" ".join(draw.choices(WORDS, k=9)) for _ in range(200))
    Path("secret.txt").write_text("\n".join(secret) + "\n")
    Path("open.txt").write_text("".join(f"the cat number {n} likes {n * 7 % 10} cakes\n" for n in range(200)))


def texts_that_show_it() -> list[str]:
    """Return the files for people that have a piece of the private text."""
    files = [path for root in ("data", "results") for path in Path(root).glob("[!.]*/**/*") if path.is_file()]
    readable = [path for path in files if not any(path.match(pattern) for pattern in HOLD_TEXT)]
    assert {"card.md", "manifest.json", "report.html", "comparison.csv"} <= {path.name for path in readable}
    return [str(path) for path in readable if has_pieces(path.read_text(encoding="utf-8"))]


def has_pieces(text: str) -> bool:
    # What is folded in a page of scripts is no word of a text.
    return any(piece in text for piece in PIECES)


def test_text_that_is_not_private_is_shown():
    """So that the tests below would find what they look for."""
    make({**CONFIG, "corpora": {**CONFIG["corpora"], "secret": PUBLIC}})
    shown = {Path(path).name for path in texts_that_show_it()}
    assert {"card.md", "report.html", "manifest.json"} <= shown


def test_private_from_the_start(capfd):
    make(CONFIG)
    assert texts_that_show_it() == [] and not has_pieces(capfd.readouterr().out)


def test_made_private_later(capfd):
    make({**CONFIG, "corpora": {**CONFIG["corpora"], "secret": PUBLIC}})
    capfd.readouterr()
    make(CONFIG)
    said = capfd.readouterr().out
    assert texts_that_show_it() == [] and not has_pieces(said)
    assert "made: encode" in said and "made: train" not in said and "made: evaluate" not in said


def test_made_public_again():
    make(CONFIG)
    make({**CONFIG, "corpora": {**CONFIG["corpora"], "secret": PUBLIC}})
    assert "report.html" in {Path(path).name for path in texts_that_show_it()}


def test_a_tokenizer_of_a_private_text_on_a_public_one(capfd):
    tokenizers = {"bpe": {**CONFIG["tokenizers"]["bpe"], "train_on": "secret"}}
    make({**CONFIG, "tokenizers": tokenizers, "grid": [{"corpus": "open"}]})
    assert texts_that_show_it() == [] and not has_pieces(capfd.readouterr().out)


def test_a_table_without_a_header(capfd):
    """The names of its columns would be its first row."""
    rows = [line.replace(" ", ",") for line in Path("secret.txt").read_text().splitlines()]
    Path("secret.csv").write_text("\n".join(rows) + "\n")
    secret = {"source": "files", "paths": ["secret.csv"], "field": "body", "private": True}
    make({**CONFIG, "corpora": {"secret": secret}})
    said = capfd.readouterr()
    assert "no field 'body'" in said.out + said.err and not has_pieces(said.out + said.err)
    assert not any(has_pieces(path.read_text()) for path in Path("results/small").rglob("*.csv"))


LOGS = ("logs", ".snakemake/gptgrid/logs", ".snakemake/log")


def logs_that_show_it(folder: Path) -> list[str]:
    """Return the logs that have a piece of the private text."""
    files = [path for root in LOGS for path in (folder / root).rglob("*") if path.is_file()]
    return [str(path) for path in files if has_pieces(path.read_text(encoding="utf-8"))]


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with the texts in it, in which a test then is."""
    checkout = Checkout(tmp_path / "gptgrid")
    for name in ("secret.txt", "open.txt"):
        (tmp_path / name).rename(checkout.folder / name)
    monkeypatch.chdir(checkout.folder)
    return checkout


def test_logs_and_results_from_before_it_was_private(secrets):
    # Whole words are tokens, so that a model that knows nothing says them.
    private = {**CONFIG, "tokenizers": {"bpe": {"kind": "bpe", "vocab_size": 400}}}
    public = {**private, "corpora": {**CONFIG["corpora"], "secret": PUBLIC}}
    gone = {"corpus": ["secret", "open"], "training.lr": [2e-3]}
    secrets.configure(private)
    secrets.snakemake()
    secrets.configure({**public, "grid": [*CONFIG["grid"], gone]})
    secrets.snakemake()
    secrets.snakemake("verify")
    shown = logs_that_show_it(secrets.folder)
    assert {"train.log", "verify.log"} <= {Path(path).name for path in shown}
    assert any(".snakemake/gptgrid" in path for path in shown)
    cells = [f"small/cells/{corpus}.bpe.small.base+lr=0.002.s1" for corpus in ("secret", "open")]
    of_open_text = Path(f"logs/{cells[1]}/train.log").read_text()
    secrets.configure(private)
    secrets.snakemake()  # nothing is left to make
    assert logs_that_show_it(secrets.folder) == [] and texts_that_show_it() == []
    assert not Path(f"results/{cells[0]}").exists() and Path(f"results/{cells[1]}/train").exists()
    assert Path(f"logs/{cells[1]}/train.log").read_text() == of_open_text


def test_logs_of_what_stays_private_stay(secrets):
    secrets.configure(CONFIG)
    secrets.snakemake()
    log = Path("logs/small/cells/secret.bpe.small.base.s1/train.log")
    said = log.read_text()
    secrets.snakemake()
    assert log.read_text() == said and "made: train" in said


def test_what_another_experiment_has_of_the_same_private_text_stays(secrets):
    secrets.configure({**CONFIG, "experiment": "first", "tokenizers": {"char": {"kind": "char"}}})
    secrets.snakemake()
    shared = [*Path("data").glob("*/*"), *Path("logs").glob("*/*char@secret.log")]
    assert {"secret", "char@secret", "char@secret.log"} <= {path.name for path in shared}
    secrets.configure(CONFIG)
    secrets.snakemake()
    assert [path for path in shared if not path.exists()] == []
