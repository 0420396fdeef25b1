"""BLiMP is scored by the rules of lm-eval, restated here as a loop over single sentences."""

import json
import os
import zipfile
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from gptgrid.artifact.files import file_digest
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.stages.corpus.make import make
from gptgrid.stages.evaluate.tasks import Task, ask
from gptgrid.tokens.codec import BytesCodec

MIRROR = os.environ.get("GPTGRID_MIRROR")
ARCHIVE = "raw.githubusercontent.com/alexwarstadt/blimp/3e56b06fcabca9b30822fc66435fca6b1aa40bb1/BLiMP.zip"
EOT = 256


class Theirs(nn.Module):
    """A model of transformers."""

    vocab_size = 257

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        sizes = {"vocab_size": 257, "n_positions": 160, "n_embd": 16, "n_layer": 2, "n_head": 2}
        self.inner = GPT2LMHeadModel(GPT2Config(**sizes, initializer_range=0.3)).eval()

    def forward(self, tokens):
        return self.inner(tokens).logits


def log_likelihood(model, context, continuation):
    """Return what lm-eval's `_loglikelihood_tokens` gives: the sum over the continuation's tokens."""
    ids = torch.tensor([context + continuation])
    with torch.no_grad():
        logs = torch.log_softmax(model(ids[:, :-1]).logits.float(), -1)[0, len(context) - 1 :]
    return float(logs.gather(1, torch.tensor(continuation)[:, None]).sum())


def right_in_lm_eval(model, pair):
    """Return `acc` of an item: the empty context becomes the end-of-text token, a blank stands before a choice."""
    texts = [f" {pair[key]}" for key in ("sentence_good", "sentence_bad")]
    scores = [log_likelihood(model, [EOT], list(text.encode())) for text in texts]
    return float(scores[0] >= scores[1])  # argmax takes the first of equals


@pytest.fixture
def rows():
    """Return three pairs of each of the 67 paradigms."""
    if not MIRROR or not Path(MIRROR, ARCHIVE).exists():
        pytest.skip("needs BLiMP")
    rows = []
    with zipfile.ZipFile(Path(MIRROR, ARCHIVE)) as archive:
        for name in sorted(
            name for name in archive.namelist() if name.startswith("data/") and name.endswith("l")
        ):
            with archive.open(name) as file:
                rows += [json.loads(line) for line in islice(file, 3)]
    assert len(rows) == 201
    return rows


@pytest.fixture
def path(rows, tmp_path):
    """Return a file of the pairs."""
    path = tmp_path / "blimp.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ours(module, path):
    """Return what evaluation.json says of the pairs of a file."""
    config = {"task": "minimal-pairs", "files": [str(path)], "members": None, "group": None, "before": None}
    make(Job(namespace(config), {}, path.parent, path.parent, raw={str(path): file_digest(path)}))
    return ask(module, BytesCodec(), Task("blimp", "minimal-pairs", path.parent / "items.jsonl"), 160, 80)


def agrees(result, credits):
    """Compare our result with the credits of another program: [(paradigm, credit)]."""
    expected: dict[str, list[float]] = {}
    for name, credit in credits:
        expected.setdefault(name, []).append(credit)
    assert result["ties"] == 0
    assert {name: own["accuracy"] for name, own in result["by_group"].items()} == {
        name: sum(own) / 3 for name, own in expected.items()
    }
    assert result["accuracy"] == pytest.approx(sum(map(sum, expected.values())) / 201, abs=5e-4)


def test_blimp_agrees_with_the_rules_of_lm_eval(rows, path):
    module = Theirs()
    agrees(ours(module, path), [(row["UID"], right_in_lm_eval(module.inner, row)) for row in rows])


def test_blimp_agrees_with_lm_eval_itself(path, tmp_path, monkeypatch):
    """Its own rules of the task, its own scoring; only the pairs are read from a file."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    rules = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks/blimp/_template_yaml").read_text())
    of_file = {"task": "blimp", "dataset_path": "json", "dataset_kwargs": {"data_files": str(path)}}
    vocabulary = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"<|endoftext|>": EOT}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(BPE(vocabulary, [], byte_fallback=True)),
        **dict.fromkeys(("bos_token", "eos_token"), "<|endoftext|>"),
    )
    module = Theirs()
    found = lm_eval.simple_evaluate(
        HFLM(module.inner, tokenizer=tokenizer, device="cpu"),
        tasks=[ConfigurableTask(config={**rules, **of_file})],
        bootstrap_iters=0,
    )
    agrees(
        ours(module, path),
        [(sample["doc"]["UID"], sample["acc"]) for sample in found["samples"]["blimp"]],
    )
