"""A mistake gives one clear message, a non-zero exit code, and nothing half-made; the rest is made."""

import copy
import csv
import json

import pytest
import torch
from checkout import CONFIG, Checkout

SHORT = b"one\ntwo\nthree\nfour\n"
TOO_SHORT = "but a window takes 17 (context 16 and one target)"


def changed(path: str, value: object) -> dict:
    data = copy.deepcopy(CONFIG)
    *parents, last = path.split("/")
    inner = data
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "models/gpt2/n_embd",
            64,
            "config/config.yaml: models.gpt2: unknown key 'n_embd'; did you mean 'd_model'?",
        ),
        ("models/gpt2/n_head", 3, "n_head 3 does not divide d_model 16"),
        ("models/gpt2/n_layer", "x", "models.gpt2.n_layer: found 'x'"),
        ("grid/0/model", ["none"], "models: unknown name 'none'"),
        ("corpora/mine/paths", ["nowhere/*.txt"], "corpora.mine: no file matches 'nowhere/*.txt'"),
    ],
)
def test_an_invalid_configuration_stops_before_any_job(
    tmp_path, path: str, value: object, expected: str
) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    checkout.configure(changed(path, value))
    said = checkout.snakemake(code=1)
    assert expected in said and "Traceback" not in said
    assert not (checkout.folder / "data").exists()
    assert not (checkout.folder / "results").exists()


def test_a_device_that_is_not_there_stops_before_any_job_but_not_what_needs_none(tmp_path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    absent = "cuda" if torch.backends.mps.is_available() else "mps"  # no machine has both
    checkout.configure(changed("run/device", absent))
    said = checkout.snakemake(code=1)
    assert f"config/config.yaml: run.device: device is '{absent}', but torch finds only" in said
    assert "Traceback" not in said
    assert not (checkout.folder / "data/corpora").exists()
    checkout.snakemake("data/corpora/mine/manifest.json")
    assert (checkout.folder / "data/corpora/mine/manifest.json").exists()
    checkout.snakemake("results/small/references/mine/manifest.json")


@pytest.mark.parametrize("store", ["-a b's\"$(touch PWNED)`touch PWNED`;touch PWNED&|*[?]\n天", "st ore"])
def test_no_value_is_more_than_an_argument(tmp_path, store: str) -> None:
    evil = "-x 'a' \"b\" $(touch PWNED) `touch PWNED`; touch PWNED & {input} {{x}} {wildcards} \\ * [?]\n天"
    checkout = Checkout(tmp_path / "gptgrid")
    (checkout.folder / "te xt's{x}$(touch PWNED)").mkdir()
    text = checkout.folder / "te xt's{x}$(touch PWNED)" / "-a [1].txt"
    (checkout.folder / "texts/mine.txt").rename(text)
    config = checkout.config()
    config["corpora"]["mine"]["paths"] = [str(text.relative_to(checkout.folder))]
    config["training"]["base"]["sample_prompt"] = evil
    config["sampling"] = {"prompts": [evil, ""], "max_new_tokens": 2, "decodings": {evil: {}}}
    config["grid"] = [{"corpus": "mine", "tokenizer": "bytes", "model": "gpt2", "corpus.license": [evil]}]
    config["run"]["store"] = store
    checkout.configure(config)
    checkout.run()
    (samples,) = checkout.folder.glob("results/small/cells/*/sample/samples.jsonl")
    rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").split("\n")[:-1]]
    assert [(row["prompt"], row["decoding"]) for row in rows] == [(evil, evil), ("", evil)]
    assert not list(checkout.folder.rglob("PWNED"))
    assert (checkout.folder / store / "keys").is_dir()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (b"\n \n", "auto", "texts/mine.txt is empty; take it out of the corpus"),
        (SHORT, "auto", TOO_SHORT),
        (b"a \xff\xfe b\n" * 30, "utf-8", "texts/mine.txt: not utf-8: byte 0xff at offset 2"),
    ],
)
def test_an_unusable_text_is_explained(tmp_path, text: bytes, encoding: str, expected: str) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    (checkout.folder / "texts/mine.txt").write_bytes(text)
    checkout.configure(changed("corpora/mine/encoding", encoding))
    said = checkout.snakemake(code=1)
    assert expected in said and "Traceback" not in said
    assert "Some of it could not be made; the same command tries again." in said
    assert not list(checkout.folder.glob("results/small/cells/*/train/manifest.json"))


def test_a_failed_cell_is_a_row_with_its_reason_and_can_be_mended(tmp_path) -> None:
    """One corpus is too short for a window; the other two cells are made, compared and reported."""
    checkout = Checkout(tmp_path / "gptgrid")
    config = checkout.config()
    (checkout.folder / "short.txt").write_bytes(SHORT)
    config["corpora"]["short"] = {"source": "files", "paths": ["short.txt"], "document": "line"}
    config["grid"] = [{"corpus": ["mine", "short"], "tokenizer": "bytes", "model": "gpt2"}]
    checkout.configure(config)

    def rows() -> dict[str, dict[str, str]]:
        with (checkout.folder / "results/small/compare/summary.csv").open() as file:
            return {row["corpus"]: row for row in csv.DictReader(file) if row["status"] != "reference"}

    checkout.run(code=1)
    failed = [line for line in checkout.said.splitlines() if "artifacts lack it)" in line]
    assert len(failed) == 1 and TOO_SHORT in failed[0]
    assert failed[0].strip().startswith("small/cells/short.bytes.gpt2.base.s1/train: ")
    assert failed[0].endswith("(3 artifacts lack it)")
    assert checkout.made["train"] == checkout.made["sample"] == 1
    # What needs no network: on each text, and on its tokens.
    assert checkout.made["evaluate"] == 1 + 4
    found = rows()
    assert found["mine"]["status"] == "finished" and found["mine"]["bpb"] and not found["mine"]["reason"]
    assert found["short"]["status"] == "failed" and not found["short"]["bpb"]
    assert TOO_SHORT in found["short"]["reason"]
    assert TOO_SHORT in (checkout.folder / "results/small/report/report.html").read_text()
    assert not (checkout.folder / "results/small/cells/short.bytes.gpt2.base.s1").exists()

    # The same command tries again what failed, and nothing else.
    stale = {"train": 1, "evaluate": 1, "sample": 1, "compare": 1, "report": 1}
    assert checkout.stale() == checkout.dry() == stale
    checkout.run(code=1)
    assert not checkout.made
    assert TOO_SHORT in checkout.said

    text = (checkout.folder / "texts/mine.txt").read_text()
    (checkout.folder / "short.txt").write_text(text.replace("cakes", "pies"))
    checkout.run()
    assert checkout.made["train"] == 1
    assert {row["status"] for row in rows().values()} == {"finished"}
    assert checkout.stale() == {}
