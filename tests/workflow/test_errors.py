"""A mistake gives one clear message, a non-zero exit code, and nothing half-made."""

import copy

import pytest
from checkout import CONFIG, Checkout


def changed(path: str, value: object) -> dict:
    data = copy.deepcopy(CONFIG)
    *parents, last = path.split("/")
    inner = data
    for key in parents:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[last] = value
    return data


def failure(checkout: Checkout, *arguments: str) -> str:
    process = checkout.start("--cores", "2", *arguments)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0, said
    assert "Traceback" not in said
    return said


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
def test_invalid_configuration_stops_before_any_job(
    tmp_path, path: str, value: object, expected: str
) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    checkout.configure(changed(path, value))
    said = failure(checkout)
    assert expected in said
    assert not (checkout.folder / "data").exists()
    assert not (checkout.folder / "results").exists()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (b"", "auto", "texts/mine.txt is empty; take it out of the corpus"),
        (b"\n \n", "auto", "texts/mine.txt is empty; take it out of the corpus"),
        (b"one\ntwo\nthree\nfour\n", "auto", "but a window takes 17 (context 16 and one target)"),
        (b"a \xff\xfe b\n" * 30, "utf-8", "texts/mine.txt: not utf-8: byte 0xff at offset 2"),
    ],
)
def test_unusable_text_is_explained(tmp_path, text: bytes, encoding: str, expected: str) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    (checkout.folder / "texts/mine.txt").write_bytes(text)
    checkout.configure(changed("corpora/mine/encoding", encoding))
    said = failure(checkout)
    assert expected in said
    assert "gptgrid: " in said
    assert not list(checkout.folder.glob("results/small/cells/*/train/manifest.json"))


def test_a_failed_cell_does_not_stop_the_others(tmp_path) -> None:
    checkout = Checkout(tmp_path / "gptgrid")
    config = changed("models/llama", {"base": "gpt2", "preset": "llama", "context": 4096})
    config["training"]["base"]["batch_tokens"] = 4096
    checkout.configure(config)
    said = failure(checkout)
    assert "but a window takes 4097" in said
    assert len(list(checkout.folder.glob("results/small/cells/*gpt2*/evaluate/evaluation.json"))) == 2
