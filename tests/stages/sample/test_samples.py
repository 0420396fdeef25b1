"""samples.jsonl has a row for each prompt, decoding and number, and each row depends on its own draw alone."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cells import tiny, uniform, write_cell, write_corpus

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.identity import namespace
from gptgrid.artifact.job import Job
from gptgrid.model import precision as precisions
from gptgrid.model.continuation import complete, stream
from gptgrid.model.decoding import Decoding
from gptgrid.seeds import derive
from gptgrid.stages.sample.kinds import KINDS
from gptgrid.tokens.codec import BytesCodec, IdsCodec

EOT = 256
GREEDY = {"temperature": 0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
NUCLEUS = {**GREEDY, "temperature": 0.8, "top_p": 0.95}


TRAIN = ["the fox sat on the old stone wall and looked at the moon for a long while", "AAAA and nothing else"]
TEST = [
    "the fox went home over the hill",
    "a lamp stood there",
    "x",
    "the moon was gone when the fox came back",
]


@pytest.fixture
def make(tmp_path):
    """Return a function that samples from a cell and returns the rows and the facts."""
    torch.set_num_threads(1)

    def make(
        module,
        prompts=("", "今天"),
        codec=None,
        seed=0,
        ignore_eos=False,
        last=None,
        use="best",
        marks="text",
        count=1,
        private=False,
        train=TRAIN,
        test=TEST,
        status="finished",
        max_new_tokens=12,
        precision="fp32",
        **decodings,
    ) -> tuple[list[dict], dict]:
        folder = Path(tmp_path / str(len(list(tmp_path.iterdir()))))
        inputs = {
            "train": write_cell(folder / "train", module, codec, last=last, status=status),
            "corpus": write_corpus(folder / "corpus", train=train, test=test),
        }
        sampling = {
            "kind": "cell",
            "prompts": prompts if isinstance(prompts, dict) else list(prompts),
            "count": count,
            "max_new_tokens": max_new_tokens,
            "ignore_eos": ignore_eos,
            "seed": seed,
            "use": use,
            "marks": marks,
            "private": private,
            "precision": precision,
            "decodings": decodings or {"greedy": GREEDY, "nucleus": NUCLEUS},
        }
        run = SimpleNamespace(device="cpu", cells_per_gpu=1)
        job = Job(namespace(sampling), inputs, folder, folder, run)
        facts = KINDS["cell"](job)
        text = (folder / "samples.jsonl").read_text(encoding="utf-8")
        # Not splitlines, which also breaks at separators that a model may write inside a text.
        rows = [json.loads(line) for line in text.removesuffix("\n").split("\n")]
        assert (facts["samples"], facts["tokens"]) == (len(rows), sum(row["tokens"] for row in rows))
        assert all(json.dumps(row["prompt"], ensure_ascii=False) in text for row in rows)
        assert job.provenance["tokens_per_second"] >= 0
        assert job.provenance["precision"] == precisions.choose_precision(precision, torch.device("cpu"))
        assert ("bytes_per_second" in job.provenance) == (not isinstance(codec, IdsCodec))
        return rows, facts

    return make


@pytest.fixture
def run(make):
    """Return a function that samples from a cell and returns the rows."""
    return lambda *args, **kwargs: make(*args, **kwargs)[0]


def test_every_prompt_under_every_decoding_in_order(run):
    rows = run(tiny(257))
    assert [(row["prompt"], row["decoding"]) for row in rows] == [
        ("", "greedy"),
        ("", "nucleus"),
        ("今天", "greedy"),
        ("今天", "nucleus"),
    ]
    for row in rows:
        assert row.keys() == {
            *("prompt", "decoding", "number", "text", "tokens", "ended"),
            *("copied", "longest_copy", "copied_from"),
        }


def written(module, prompt, decoding, seed, codec=None, **options):
    """Return the continuation of a single prompt."""
    return complete(module, codec or BytesCodec(), [prompt], Decoding(**decoding), 12, [seed], **options)[0]


def test_auto_samples_from_rounded_weights(run, monkeypatch):
    """On a machine without bf16 instructions, too: there the choice alone is another."""
    monkeypatch.setattr(
        precisions, "choose_precision", lambda asked, device: "bf16_weights" if asked == "auto" else asked
    )
    prompts, module = list("abcdefghijklmnop"), tiny(257, d_model=32, init_std=0.5)
    rounded = copy.deepcopy(module)
    precisions.round_weights(rounded, "bf16_weights", exact=(precisions.EMBEDDING, precisions.HEAD))
    texts = {
        precision: [row["text"] for row in run(module, prompts, precision=precision, greedy=GREEDY)]
        for precision in ("fp32", "auto")
    }
    rounded.requires_grad_(False)
    assert texts["auto"] == [written(rounded, prompt, GREEDY, 0).text for prompt in prompts] != texts["fp32"]


def test_a_row_is_what_its_prompt_alone_gives(run):
    module = tiny(257)
    row = run(module, seed=5)[3]
    found = written(module, "今天", NUCLEUS, derive(5, "今天/nucleus"))
    assert (row["text"], row["tokens"]) == (found.text, len(found.tokens))


def test_each_of_several_of_a_prompt_has_its_own_draw(run):
    module = tiny(257)
    rows = run(module, prompts=["a", "b"], count=3)
    names = [(row["prompt"], row["decoding"], row["number"]) for row in rows]
    assert names == [
        (prompt, *of)
        for prompt in "ab"
        for of in (("greedy", 0), ("nucleus", 0), ("nucleus", 1), ("nucleus", 2))
    ]
    found = written(module, "b", NUCLEUS, derive(0, "b/nucleus", 2))
    assert rows[-1]["text"] == found.text
    alone = run(module, prompts=["a", "b"])
    assert [row for row in rows if row["number"] == 0] == alone


def test_rows_go_on_together_as_far_as_memory_lets_them(run, monkeypatch):
    module = tiny(257)
    rows, asked = run(module, count=5), []

    def refuse(config, vocab_size, rows, device, generates):
        asked.append(rows)
        if rows > 2:
            raise UserError("out of memory")

    monkeypatch.setattr("gptgrid.model.memory.check_inference", refuse)
    assert run(module, count=5) == rows
    assert asked == [10, 5, 2]


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


@pytest.mark.parametrize("marks", ["text", "special"])
def test_marks_in_a_prompt_are_what_they_are_in_the_corpus(run, marks):
    codec, module = BytesCodec(["<|u|>"]), tiny(258)
    [row] = run(module, prompts=["<|u|>a"], codec=codec, marks=marks, greedy=GREEDY)
    other = {
        name: written(module, "<|u|>a", GREEDY, 0, codec, marks=name == "special").text
        for name in ("text", "special")
    }
    assert row["text"] == other[marks]
    assert other["text"] != other["special"]


# -------------------------------------------------------------------------------------- figures

LONG = 60
PROMPTS = {"from": "test", "documents": 50, "take": 0.5}
SAID = "the fox sat on the old stone wall and looked at the moon"


class Parrot(torch.nn.Module):
    """Says one text whatever it has read: token by token, as the number of tokens read tells."""

    def __init__(self, text: str, context: int = 400) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.vocab_size, self.config = 257, SimpleNamespace(context=context)
        self.ids = [*text.encode(), EOT]

    def forward(self, ids):
        """Return logits (batch, time, vocab_size) that say the text behind prompts of ten bytes."""
        logits = torch.zeros(*ids.shape, 257)
        for place in range(ids.shape[1]):
            logits[:, place, self.ids[min(max(0, place - 10), len(self.ids) - 1)]] = 50.0
        return logits


@pytest.fixture
def says(make, monkeypatch):
    """Return a function that samples from a cell that says one text."""

    def says(text, *args, **kwargs):
        monkeypatch.setattr("gptgrid.stages.sample.samples.load_model", lambda *_: Parrot(text).eval())
        return make(tiny(257), *args, **kwargs)

    return says


def test_a_sample_that_is_copied_is_shown_with_its_place(says):
    rows, facts = says(f" {SAID}, yes", ["x" * 10], max_new_tokens=80, greedy=GREEDY)
    (row,) = rows
    assert (row["text"], row["ended"], row["tokens"]) == (f" {SAID}, yes", True, len(SAID) + 6)
    assert (row["copied"], row["longest_copy"], row["copied_from"]) == (5 / 7, 12, 0)
    assert row["passage"] == ["", SAID.removesuffix(" moon"), "moon for a long while"]
    figures = facts["decodings"]["greedy"]
    assert (figures["samples"], figures["ended"], figures["mean_tokens"]) == (1, 1, len(SAID) + 6)
    assert (figures["copied"], figures["longest_copy"], facts["unit"], facts["run"]) == (
        5 / 7,
        12,
        "words",
        8,
    )
    assert figures["self_bleu"] is figures["bleu"] is figures["chrf"] is None
    assert figures["reasons"].keys() == {"self_bleu", "bleu", "chrf"}
    assert figures["distinct_1"] == 12 / 14 and figures["repetition"] == 0


def test_no_passage_of_a_private_text_stands_beside_a_sample(says):
    rows, facts = says(f" {SAID}", ["x" * 10], max_new_tokens=80, private=True, greedy=GREEDY)
    assert "passage" not in rows[0] and rows[0]["copied_from"] == 0
    assert "fox" not in json.dumps(facts)


def test_what_a_prompt_has_is_not_copied(says):
    rows, _ = says(" and then", [f"{SAID} xxxxxxx"[-10:]], max_new_tokens=80, greedy=GREEDY)
    assert (rows[0]["copied"], rows[0]["longest_copy"]) == (None, 0)


def test_fresh_texts_stand_beside_what_models_write(make):
    _, facts = make(uniform(257), max_new_tokens=LONG, train=[f"{SAID}, then {SAID}"], test=[f"word {SAID}"])
    truth = facts["truth"]
    assert (truth["samples"], truth["copied"], truth["longest_copy"]) == (1, None, 0)
    assert truth["reasons"]["copied"] == "no sample has 8 units"
    _, facts = make(uniform(257), max_new_tokens=LONG, train=[SAID], test=[f"{'word ' * 12}{SAID}"])
    assert (facts["truth"]["copied"], facts["truth"]["longest_copy"]) == (6 / 7, 13)
    assert (facts["truth"]["ended"], facts["truth"]["mean_tokens"]) == (None, None)


def test_what_a_checkpoint_of_others_copied_is_not_known(make):
    rows, facts = make(tiny(257), status="imported")
    assert {row["copied"] for row in rows} == {None}
    assert facts["decodings"]["greedy"]["copied"] is None
    assert "not known" in facts["decodings"]["greedy"]["reasons"]["copied"]


def test_beginnings_of_documents_are_continued_for_as_many_bytes_as_they_go_on(says):
    documents = ["xxxxxxxxxx the fox went", f"yyyyyyyyyy {'今天' * 5}"]
    rows, facts = says(" the fox sat down", PROMPTS, test=documents, greedy=GREEDY)
    assert [(row["document"], row["prompt"], row["truth"], row["text"]) for row in rows] == [
        (0, "xxxxxxxxxx", " the fox went", " the fox sat "),
        (1, "yyyyyyyyyy", f" {'今天' * 5}", " the fox sat down"),
    ]
    assert [row["ended"] for row in rows] == [False, True]
    assert [row["tokens"] for row in rows] == [13, 17]
    figures = facts["decodings"]["greedy"]
    assert 5 < figures["bleu"] < 80 and 20 < figures["chrf"] < 80
    assert "bleu" not in figures["reasons"] and "chrf" in facts["signatures"]
    assert facts["truth"]["samples"] == 2


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize(
    ("said", "text", "tokens"),
    [
        (" the fox sat down", " the fox sat ", 13),
        ("今天天气很好，我们去", "今天天气", 12),  # no room for the first bytes of the next character
        (" the fox", " the fox", 8),
    ],
)
def test_tokens_behind_the_cut_do_not_count(says, said, text, tokens, beams):
    greedy = {**GREEDY, "beams": beams}
    rows, facts = says(said, PROMPTS, test=["xxxxxxxxxx the fox went"], greedy=greedy)
    assert (rows[0]["text"], rows[0]["tokens"]) == (text, tokens)
    assert facts["tokens"] == facts["decodings"]["greedy"]["mean_tokens"] == tokens


@pytest.mark.parametrize("beams", [1, 2])
def test_a_row_does_not_depend_on_the_lengths_of_others(says, beams):
    documents = ["xxxxxxxxxx the fox went", f"yyyyyyyyyy{' word' * 30}"]
    said = f" the{' long' * 30}"
    asked = {"greedy": {**GREEDY, "beams": beams, "no_repeat_ngram": 3, "length_penalty": 2.0}}
    (alone,), _ = says(said, PROMPTS, test=documents[:1], **asked)
    rows, _ = says(said, PROMPTS, test=documents, **asked)
    assert rows[0] == alone


def test_beams_are_searched_for_as_many_tokens_as_their_own_text_may_have(says, monkeypatch):
    asked = []

    def spy(module, codec, prompts, decoding, limit, *args, **options):
        asked.append((list(prompts), limit))
        return stream(module, codec, prompts, decoding, limit, *args, **options)

    monkeypatch.setattr("gptgrid.stages.sample.continuing.stream", spy)
    documents = ["xxxxxxxxxx the fox went", "yyyyyyyyyy the olden", "zzzzzzzzzz stone walls"]
    says(" the old", PROMPTS, test=documents, beams={**GREEDY, "beams": 2})
    assert [prompts for prompts, _ in asked] == [[letter * 10] for letter in "xyz"]
    assert [limit - asked[1][1] for _, limit in asked] == [3, 0, 2]


def test_documents_that_begin_alike_have_draws_of_their_own(make):
    documents = [f"xxxxxxxxxx{' word' * 2}", "xxxxxxxxxx other it", "xxxxxxxxxx there yes"]
    rows, _ = make(uniform(257), PROMPTS, test=documents, count=2, ignore_eos=True, drawn=NUCLEUS)
    assert {row["prompt"] for row in rows} == {"x" * 10}
    assert len({row["text"] for row in rows}) == 6
    once, _ = make(uniform(257), PROMPTS, test=documents, ignore_eos=True, drawn=NUCLEUS)
    assert once == [row for row in rows if row["number"] == 0]
    first = written(uniform(257), "x" * 10, NUCLEUS, derive(0, f"{'x' * 10}/drawn"), ignore_eos=True)
    assert first.text.startswith(rows[0]["text"][:3])


def test_the_truth_is_no_longer_than_tokens_of_four_bytes(says):
    document = "x" * 10 + " word" * 100
    rows, _ = says(" abc" * 100, {**PROMPTS, "take": 0.02}, test=[document], max_new_tokens=5, greedy=GREEDY)
    assert rows[0]["truth"] == " word" * 4
    assert rows[0]["text"] == " abc" * 5


def test_fewer_documents_than_asked_for_and_none_are_said(make, capsys):
    rows, _ = make(tiny(257), PROMPTS, greedy=GREEDY)
    assert len(rows) == 3
    said = "asks for 50 documents, and there are 3 of the test split with text enough"
    assert said in capsys.readouterr().out
    rows, facts = make(tiny(257), PROMPTS, test=["x", " y "], greedy=GREEDY)
    assert [row["prompt"] for row in rows] == [""]
    assert "there is no document of the test split with text enough" in capsys.readouterr().out
    assert facts["truth"] is None


def test_bare_ids_have_figures_but_no_bytes(make, capsys):
    ids = {"train": [[7] * 30], "test": [[1, 2, 3, 4] * 9]}
    rows, facts = make(uniform(10, likely=7), PROMPTS, codec=IdsCodec(10), **ids)
    assert [row["prompt"] for row in rows] == ["", ""]
    assert "bare ids are no text: an empty prompt in place of" in capsys.readouterr().out
    figures = facts["decodings"]["greedy"]
    assert (figures["copied"], figures["longest_copy"], figures["mean_bytes"]) == (1.0, 12, None)
    assert (facts["truth"]["copied"], facts["unit"]) == (0.0, "ids")
