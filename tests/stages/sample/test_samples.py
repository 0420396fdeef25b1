"""samples.jsonl has a row for each prompt and decoding, and each row depends on nothing but its own draw."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cells import tiny, uniform, write_cell

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.model.generate import generate
from gptgrid.seeds import derive
from gptgrid.stages.sample.samples import sample
from gptgrid.tokens.codec import BytesCodec, IdsCodec

EOT = 256
GREEDY = {"temperature": 0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
NUCLEUS = {**GREEDY, "temperature": 0.8, "top_p": 0.95}


@pytest.fixture
def run(tmp_path):
    """Return a function that samples from a cell and returns the rows."""
    torch.set_num_threads(1)

    def run(
        module,
        prompts=("", "今天"),
        codec=None,
        seed=0,
        ignore_eos=False,
        last=None,
        use="best",
        marks="text",
        **decodings,
    ) -> list[dict]:
        folder = Path(tmp_path / str(len(list(tmp_path.iterdir()))))
        cell = write_cell(folder / "train", module, codec, last=last)
        sampling = {
            "prompts": list(prompts),
            "max_new_tokens": 12,
            "ignore_eos": ignore_eos,
            "seed": seed,
            "use": use,
            "marks": marks,
            "decodings": decodings or {"greedy": GREEDY, "nucleus": NUCLEUS},
        }
        job = Job(
            namespace(sampling),
            {"train": cell},
            folder,
            folder,
            SimpleNamespace(device="cpu", cells_per_gpu=1),
        )
        facts = sample(job)
        text = (folder / "samples.jsonl").read_text(encoding="utf-8")
        # Not splitlines, which also breaks at separators that a model may write inside a text.
        rows = [json.loads(line) for line in text.removesuffix("\n").split("\n")]
        assert facts == {"samples": len(rows), "tokens": sum(row["tokens"] for row in rows)}
        assert all(row["prompt"] in text for row in rows)
        return rows

    return run


def test_every_prompt_under_every_decoding_in_order(run):
    rows = run(tiny(257))
    assert [(row["prompt"], row["decoding"]) for row in rows] == [
        ("", "greedy"),
        ("", "nucleus"),
        ("今天", "greedy"),
        ("今天", "nucleus"),
    ]
    for row in rows:
        assert row.keys() == {"prompt", "decoding", "text", "tokens", "ended"}


def test_a_row_is_what_generate_draws_after_the_end_of_text_token(run):
    module = tiny(257)
    row = run(module, seed=5)[3]
    start, seed = [EOT, *"今天".encode()], derive(5, "今天/nucleus")
    ids = list(generate(module, start, SimpleNamespace(**NUCLEUS), 12, EOT, seed, False))
    assert row["text"] == BytesCodec().decode(ids)
    assert row["tokens"] == len(ids)


def test_draws_follow_the_seed_and_not_the_other_rows(run):
    module = tiny(257)
    rows = run(module)
    assert run(module) == rows
    assert run(module, prompts=["new", "今天", ""])[-2:] == rows[:2]
    other = run(module, seed=1)
    assert [row["text"] == old["text"] for row, old in zip(other, rows, strict=True)] == [True, False] * 2


def test_decodings_and_prompts_draw_independently(run):
    rows = run(uniform(257), prompts=["a", "b"], first=NUCLEUS, second=NUCLEUS, ignore_eos=True)
    assert len({row["text"] for row in rows}) == 4


def test_the_end_of_text_ends_a_row(run):
    for row in run(uniform(257, likely=EOT)):
        assert (row["text"], row["tokens"], row["ended"]) == ("", 0, True)
    for row in run(uniform(257, likely=EOT), ignore_eos=True):
        assert (row["text"], row["tokens"], row["ended"]) == ("", 12, False)
    for row in run(uniform(257, likely=65)):
        assert (row["text"], row["tokens"], row["ended"]) == ("A" * 12, 12, False)


def test_best_or_last_weights_are_sampled(run):
    best, last = uniform(257, likely=65), uniform(257, likely=66)
    for use, text in (("best", "A" * 12), ("last", "B" * 12)):
        assert {row["text"] for row in run(best, last=last, use=use)} == {text}


def test_a_model_that_does_not_fit_is_refused(run, monkeypatch):
    monkeypatch.setattr("gptgrid.model.memory.memory_left", lambda device: 50_000)
    with pytest.raises(UserError, match=r"activations of 8 tokens .* lower the model's d_ff"):
        run(uniform(257))


def test_the_penalty_does_not_put_off_the_end_of_a_text(run):
    module = uniform(257, likely=EOT)
    with torch.no_grad():
        module.head.bias[65] = 40.0  # below the end of text, and above half of it
    (row,) = run(module, prompts=["a"], strict={**GREEDY, "repetition_penalty": 2.0})
    assert (row["text"], row["ended"]) == ("", True)


def test_bare_ids_continue_an_empty_prompt_and_that_is_said(run, capsys):
    rows = run(uniform(10, likely=7), prompts=["no text here", "nor here"], codec=IdsCodec(10))
    assert [(row["prompt"], row["decoding"]) for row in rows] == [("", "greedy"), ("", "nucleus")]
    for row in rows:
        assert row["text"].split() == ["7"] * 12
        assert (row["tokens"], row["ended"]) == (12, False)
    said = "bare ids are no text: an empty prompt in place of `sampling.prompts`"
    assert said in capsys.readouterr().out
    run(uniform(10, likely=7), prompts=[""], codec=IdsCodec(10))
    assert said not in capsys.readouterr().out


@pytest.mark.parametrize(("marks", "start"), [("text", [256, *b"<|u|>a"]), ("special", [256, 257, *b"a"])])
def test_marks_in_a_prompt_are_what_they_are_in_the_corpus(run, marks, start):
    codec, module = BytesCodec(["<|u|>"]), tiny(258)
    [row] = run(module, prompts=["<|u|>a"], codec=codec, marks=marks, greedy=GREEDY)
    ids = list(generate(module, start, SimpleNamespace(**GREEDY), 12, 256, 0, False))
    assert row["text"] == codec.decode(ids, special=marks == "special")
