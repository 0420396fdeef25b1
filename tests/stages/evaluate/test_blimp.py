"""BLiMP is scored by the rules of lm-eval, restated here as a loop over single sentences."""

import json
import os
import zipfile
from itertools import islice
from pathlib import Path

import pytest
import torch
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


@pytest.mark.skipif(not MIRROR or not Path(MIRROR, ARCHIVE).exists(), reason="needs BLiMP")
def test_blimp_agrees_with_the_rules_of_lm_eval(tmp_path):
    rows = []
    with zipfile.ZipFile(Path(MIRROR, ARCHIVE)) as archive:
        for name in sorted(
            name for name in archive.namelist() if name.startswith("data/") and name.endswith("l")
        ):
            with archive.open(name) as file:
                rows += [json.loads(line) for line in islice(file, 3)]
    assert len(rows) == 201
    path = tmp_path / "blimp.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"task": "minimal-pairs", "files": [str(path)], "members": None, "group": None, "before": None}
    make(Job(namespace(config), {}, tmp_path, tmp_path, raw={str(path): file_digest(path)}))
    module = Theirs()
    result = ask(module, BytesCodec(), Task("blimp", "minimal-pairs", tmp_path / "items.jsonl"), 160, 80)
    expected: dict[str, list[float]] = {}
    for row in rows:
        expected.setdefault(row["UID"], []).append(right_in_lm_eval(module.inner, row))
    assert result["ties"] == 0
    assert {name: own["accuracy"] for name, own in result["by_group"].items()} == {
        name: sum(own) / 3 for name, own in expected.items()
    }
    assert result["accuracy"] == pytest.approx(sum(map(sum, expected.values())) / 201, abs=5e-4)
