"""The true answers cost what a slow loop over single answers says, and the cell's own are held against them."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cells import tiny, uniform, write_cell
from finetunings import write_dialogues
from sacrebleu.metrics import CHRF
from small_codecs import CODECS

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.model.continuation import complete
from gptgrid.model.decoding import Decoding
from gptgrid.stages.evaluate.answers import figures_of, is_exact
from gptgrid.stages.evaluate.kinds import KINDS
from gptgrid.stages.evaluate.shares import share
from gptgrid.stages.evaluate.turns import Reader
from gptgrid.text.chat_template import CHATML, PLAIN, Message
from gptgrid.tokens.codec import BpeCodec, BytesCodec
from gptgrid.tokens.conversation import Conversations
from gptgrid.tokens.document_scores import read_document_scores

EOT, START, END = 256, 257, 258
CHAT_BYTES = BytesCodec(["<|im_start|>", "<|im_end|>"])
MERGING = BpeCodec("bpe", r"\s?\p{L}+|\S+\n?|\s", [*(bytes([value]) for value in range(256)), b".\n"])


def dialogue(*contents: str, system: str | None = None) -> list[Message]:
    turns = [Message(("user", "assistant")[place % 2], text) for place, text in enumerate(contents)]
    return turns if system is None else [Message("system", system), *turns]


TEST = [
    dialogue("Who?", "A fox."),
    dialogue("Where is it?", "Up.", "Why?", "狐狸 <|im_end|> said so."),
    dialogue("Who?", "Nobody.", system="Be brief."),
    dialogue("And then?", "It went home, and nobody saw it again in all of the years that came after it."),
    dialogue("A?", "B.", "C?", "D.", "E?", "F."),
]
VALID = [dialogue("Where?", "In the den.")]


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives the job of a cell with dialogues."""
    torch.set_num_threads(1)

    def make(module, codec=None, test=TEST, valid=VALID, chat=None, status="finished", **config) -> Job:
        root = tmp_path / str(len([*tmp_path.iterdir()]))
        train = write_cell(root / "train", module, codec or BytesCodec(), status)
        if chat is not None:
            path = train / "config.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "chat": chat}))
        inputs = {"train": train, "dialogues": write_dialogues(root / "dialogues", valid=valid, test=test)}
        folder = root / "artifact"
        folder.mkdir()
        asked = {"kind": "dialogues", "use": "best", "documents": 200, "max_new_tokens": 12, "private": False}
        run = SimpleNamespace(device="cpu", cells_per_gpu=1)
        return Job(SimpleNamespace(**{**asked, **config}), inputs, folder, root / "scratch", run)

    return make


def made(job: Job) -> tuple[dict, dict, list[dict]]:
    """Return facts, evaluation.json and the rows of answers.jsonl."""
    facts = KINDS["dialogues"](job)
    evaluation = json.loads((job.folder / "evaluation.json").read_text())
    lines = (job.folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return facts, evaluation, [json.loads(line) for line in lines]


def plain(messages) -> list[tuple[list[int], int, int]]:
    """Return of each answer the bytes up to its end, where it begins, and where what it says ends."""
    found, ids = [], [EOT]
    for message in messages:
        start = len(ids)
        ids = [*ids, *f"{message.content}\n".encode()]
        if message.role == "assistant":
            found.append((ids, start, len(ids) - 1))
    return found


def chatml(messages) -> list[tuple[list[int], int, int]]:
    found, ids = [], [EOT]
    for message in messages:
        ids = [*ids, START, *f"{message.role}\n".encode()]
        start = len(ids)
        ids = [*ids, *message.content.encode(), END]
        if message.role == "assistant":
            found.append((ids, start, len(ids) - 1))
        ids = [*ids, *b"\n"]
    return found


def nats_of(module, ids: list[int], start: int, stop: int) -> float:
    """Return what some tokens of a text take, one after the other, each from all before it."""
    total = 0.0
    for place in range(start, stop):
        with torch.no_grad():
            chances = module(torch.tensor([ids[:place]]))[0, -1].double().log_softmax(-1)
        total -= chances[ids[place]].item()
    return total


@pytest.mark.parametrize("preset", ["gpt2", "llama"])
@pytest.mark.parametrize("finetuned", [False, True])
@pytest.mark.parametrize("portion", [2, 1024])
def test_nats_are_those_of_one_answer_at_a_time(make_job, monkeypatch, preset, finetuned, portion):
    monkeypatch.setattr("gptgrid.stages.evaluate.dialogues.PORTION", portion)
    spell, codec = (chatml, CHAT_BYTES) if finetuned else (plain, BytesCodec())
    module = tiny(codec.vocab_size, preset=preset, context=160)
    chat = {"template": CHATML.source, "system": None} if finetuned else None
    facts, found, rows = made(make_job(module, codec, chat=chat))
    for said, dialogues in ((found, TEST), (found["valid"], VALID)):
        answers = [answer for messages in dialogues for answer in spell(messages)]
        size = sum(end - start for _, start, end in answers)
        nats = sum(nats_of(module, ids, start, end + 1) for ids, start, end in answers)
        content = sum(nats_of(module, ids, start, end) for ids, start, end in answers)
        assert (said["dialogues"], said["answers"], said["bytes"]) == (len(dialogues), len(answers), size)
        assert said["tokens"] == size + len(answers)
        assert said["nats"] == pytest.approx(nats, rel=1e-5)
        assert said["nats_per_byte"] == pytest.approx(nats / size, rel=1e-5)
        assert said["content_nats_per_byte"] == pytest.approx(content / size, rel=1e-5)
        assert (said["cut"], said["windows"]) == (0, 0)
    last = [spell(messages)[-1] for messages in TEST]
    expected = [nats_of(module, ids, start, end + 1) for ids, start, end in last]
    assert [row["nats"] for row in rows] == pytest.approx(expected, rel=1e-5)
    assert facts["nats_per_byte"] == found["nats_per_byte"]
    assert facts["val_nats_per_byte"] == found["valid"]["nats_per_byte"]


def test_each_dialogue_is_a_document(make_job):
    job = make_job(tiny(257, context=160))
    _, found, _ = made(job)
    tables = read_document_scores(
        job.folder, ("document", "tokens", "bytes", "nats_answers", "nats_contents")
    )
    table = tables["test"]
    assert table["document"].tolist() == [0, 1, 2, 3, 4] and tables["valid"]["document"].tolist() == [0]
    assert table["bytes"].tolist() == [6, 3 + len("狐狸 <|im_end|> said so.".encode()), 7, 77, 6]
    assert math.fsum(table["nats_answers"]) == found["nats"]
    assert math.fsum(table["nats_contents"]) == found["content_nats"]
    assert table["tokens"].sum() == found["tokens"]


def test_a_system_message_of_the_cell_stands_before_dialogues_without_one(make_job):
    module = tiny(259, context=160)
    given = [dialogue("Who?", "A fox.")]
    spoken = [[Message("system", "Be kind."), *given[0]]]
    chat = {"template": CHATML.source, "system": "Be kind."}
    _, one, _ = made(make_job(module, CHAT_BYTES, given, chat=chat))
    _, other, _ = made(make_job(module, CHAT_BYTES, spoken, chat={**chat, "system": None}))
    assert one["nats"] == other["nats"]


def test_of_a_long_dialogue_the_oldest_turns_are_left_out(make_job):
    """Contents of a few bytes, one a line: A? B. C? D. E? F., behind the end of text."""
    module = tiny(257, context=12)
    _, found, _ = made(make_job(module, test=[TEST[4]]))
    whole, last = plain(TEST[4][:4]), plain(TEST[4][2:])
    expected = sum(nats_of(module, ids, start, end + 1) for ids, start, end in [*whole, last[1]])
    assert found["nats"] == pytest.approx(expected, rel=1e-5)
    assert (found["cut"], found["windows"], found["tokens"]) == (1, 0, 9)
    spoken = [Message("system", "S"), *TEST[4]]
    _, found, _ = made(make_job(tiny(257, context=14), test=[spoken]))
    kept = [plain(spoken[:5])[0], plain(spoken[:5])[1], plain([spoken[0], *spoken[3:]])[1]]
    expected = sum(nats_of(tiny(257, context=14), ids, start, end + 1) for ids, start, end in kept)
    assert found["nats"] == pytest.approx(expected, rel=1e-5) and found["cut"] == 1


def test_a_turn_that_is_longer_than_the_context_is_scored_in_windows(make_job):
    module = tiny(257, context=8)
    _, found, _ = made(make_job(module, test=[TEST[3]]))
    (ids, start, end) = plain(TEST[3])[0]
    expected = 0.0
    for place in range(start, end + 1):
        window = 4 * max(0, -(-(place - 8) // 4))
        expected += nats_of(module, ids[window:], place - window, place - window + 1)
    assert found["nats"] == pytest.approx(expected, rel=1e-5)
    assert (found["cut"], found["windows"]) == (0, 1)


def test_a_token_of_content_and_mark_counts_for_the_content():
    reader = Reader(Conversations(MERGING, PLAIN), 64)
    (text,) = reader.read(dialogue("Who?", "A fox."), 0, "test").texts
    (span,) = text.spans
    assert text.ids[span.start : span.stop].tolist()[-1] == 256  # ".\n"
    assert span.content.tolist() == [True] * (span.stop - span.start)
    (text,) = reader.read(dialogue("Who?", "A fox"), 0, "test").texts
    assert text.spans[0].content.tolist()[-2:] == [True, False]


@pytest.mark.parametrize("name", CODECS)
def test_the_tokens_of_every_tokenizer_are_the_bytes_of_the_answers(name):
    """That of Hugging Face begins every text with a blank of its own."""
    codec = CODECS[name]
    reader = Reader(Conversations(codec, PLAIN), 4096)
    for number, messages in enumerate(TEST):
        found = reader.read(messages, number, "test")
        assert len(found.texts[0].spans) == found.answers


@pytest.mark.parametrize("context", [12, 48, 4096])
@pytest.mark.parametrize("template", [PLAIN, CHATML])
def test_what_asks_is_what_the_true_answer_is_predicted_from(monkeypatch, template, context):
    reader = Reader(Conversations(CHAT_BYTES, template), context)
    for number, messages in enumerate(TEST):
        found = reader.read(messages, number, "test")
        text = found.texts[-1]
        with monkeypatch.context() as patch:
            patch.setattr(Conversations, "encode", None)  # which turns it reads is known
            assert reader.prompt(found) == text.ids[: text.spans[-1].start].tolist()


def test_a_dialogue_that_the_template_does_not_take_is_named(make_job):
    source = PLAIN.source.replace("in messages %}", "in messages[-40:] %}")
    job = make_job(
        tiny(257, context=160),
        test=[TEST[0], dialogue(*"abcdefg" * 6)],
        chat={"template": source, "system": None},
    )
    with pytest.raises(
        UserError, match=r"dialogue 1 of the test split .*: the chat template .* writes message 1 "
    ):
        made(job)


@pytest.mark.parametrize("change", ["other", "fewer"])
def test_the_audit_names_the_dialogue_whose_tokens_are_others(make_job, monkeypatch, change):
    plain_encode = Conversations.encode

    def encode(self, messages):
        found = plain_encode(self, messages)
        if messages[-1].content == "Nobody.":
            if change == "other":
                found.ids[-2] += 1
            else:
                found.answers[-8:] = False
        return found

    monkeypatch.setattr(Conversations, "encode", encode)
    with pytest.raises(UserError, match=r"dialogue 2 of the test split \(the first is 0\)"):
        made(make_job(tiny(257, context=160)))


# ---------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("finetuned", [False, True])
def test_answers_are_those_that_each_prompt_alone_gives(make_job, finetuned):
    spell, codec = (chatml, CHAT_BYTES) if finetuned else (plain, BytesCodec())
    module = tiny(codec.vocab_size, context=160)
    chat = {"template": CHATML.source, "system": None} if finetuned else None
    facts, found, rows = made(make_job(module, codec, chat=chat))
    assert [row["dialogue"] for row in rows] == [0, 1, 2, 3, 4]
    for row, messages in zip(rows, TEST, strict=True):
        ids, start, _ = spell(messages)[-1]
        decoding = Decoding(temperature=0.0, stop=() if finetuned else ("\n",))
        ends = (END,) if finetuned else ()
        (own,) = complete(module, codec, [ids[:start]], decoding, 12, [0], ends=ends)
        assert (row["answer"], row["tokens"]) == (own.text, len(own.tokens))
        assert row["ended"] == (own.finish != "length")
        assert row["reference"] == messages[-1].content
        assert row["messages"] == [vars(message) for message in messages[:-1]]
        assert row["exact"] == is_exact(own.text, messages[-1].content)
        assert row["bytes"] == len(messages[-1].content.encode())
    assert {row["exact"] for row in rows} == {False, None}  # two are long
    texts = [row["answer"] for row in rows]
    metric = CHRF()
    chrf = metric.corpus_score(texts, [[row["reference"] for row in rows]]).score
    assert found["asked"]["chrf"] == chrf == facts["chrf"]
    assert found["asked"]["chrf_signature"] == str(metric.get_signature())
    assert (facts["asked"], facts["items"], facts["exact"]) == (5, 3, 0.0)
    assert facts["mean_bytes"] == sum(len(text.encode()) for text in texts) / 5


@pytest.mark.parametrize(("likely", "ended", "answer"), [(END, 5, ""), (EOT, 5, ""), (ord("x"), 0, "x" * 12)])
def test_an_answer_ends_with_the_mark_of_the_template(make_job, likely, ended, answer):
    chat = {"template": CHATML.source, "system": None}
    facts, _, rows = made(make_job(uniform(259, likely), CHAT_BYTES, chat=chat))
    assert facts["ended"] == ended and {row["answer"] for row in rows} == {answer}


def test_the_same_dialogues_are_asked_whatever_the_cell_spread_over_the_split(make_job):
    many = [dialogue(f"{number}?", f"{number}.") for number in range(40)]
    _, _, rows = made(make_job(tiny(257, context=160), test=many, documents=8))
    other = {"template": CHATML.source, "system": None}
    _, _, others = made(make_job(tiny(259, context=160), CHAT_BYTES, many, chat=other, documents=8))
    numbers = [row["dialogue"] for row in rows]
    assert numbers == [row["dialogue"] for row in others] == sorted(numbers)
    assert len(set(numbers)) == 8 and numbers[0] < 15 and numbers[-1] > 25
    _, _, more = made(make_job(tiny(257, context=160), test=many, documents=9))
    assert {*numbers} < {row["dialogue"] for row in more}


def test_a_long_prompt_is_that_from_which_the_true_answer_is_predicted(make_job):
    module = tiny(257, context=12)
    _, found, rows = made(make_job(module, test=[TEST[4]], max_new_tokens=16))
    asked = [EOT, *b"C?\nD.\nE?\n"]
    (own,) = complete(module, BytesCodec(), [asked], Decoding(temperature=0.0, stop=("\n",)), 16, [0])
    assert rows[0]["answer"] == own.text
    assert rows[0]["cut"] and found["asked"]["asked_cut"] == 1


def test_short_answers_alone_are_told_exactly():
    assert is_exact(" A fox.\n", "A fox.") is True
    assert is_exact("a fox.", "A fox.") is False
    assert is_exact("one", "one " * 10) is False and is_exact("one", "one " * 11) is None
    assert is_exact("狐" * 20, "狐" * 20) is True and is_exact("狐" * 21, "狐" * 21) is None
    assert is_exact("x", "狐狸 and many more") is False
    assert is_exact("a\nb", "a\nb") is None and is_exact("a", "a\n") is True, "several lines are not short"


def test_references_that_hold_the_end_of_an_answer_are_counted(make_job):
    test = [dialogue("Who?", "A\nB"), dialogue("Who?", "A"), dialogue("Who?", "A\n")]
    facts, found, rows = made(make_job(tiny(257, context=160), test=test))
    assert [row["unreachable"] for row in rows] == [True, False, False]
    assert facts["unreachable"] == found["asked"]["unreachable"] == 1
    assert "a line feed in `plain`" in found["definitions"]["unreachable"]
    assert [row["exact"] for row in rows] == [None, False, False]
    chat = {"template": CHATML.source, "system": None}
    facts, _, rows = made(make_job(tiny(259, context=160), CHAT_BYTES, test, chat=chat))
    assert facts["unreachable"] == 0
    assert [row["exact"] for row in rows] == [None, False, False], "the same items as of any other cell"


def test_figures_of_answers():
    def row(answer, reference, exact, tokens=3, ended=True):
        texts = {"answer": answer, "reference": reference, "exact": exact}
        return {**texts, "tokens": tokens, "ended": ended, "cut": False, "unreachable": answer == "far"}

    found = figures_of(
        [row("up", "up", True), row("down", "up", False, ended=False), row("far", "x", None, tokens=9)]
    )
    expected = share(np.array([1.0, 0.0]))
    assert (found["asked"], found["items"], found["exact"], found["ended"]) == (3, 2, 0.5, 2)
    assert (found["exact_low"], found["exact_high"]) == (expected["low"], expected["high"])
    assert (found["mean_tokens"], found["mean_bytes"]) == (5.0, 3.0)
    assert found["unreachable"] == 1
    long = figures_of([row("far", "x", None)])
    assert (long["items"], long["exact"], long["exact_low"]) == (0, None, None)


def test_of_private_dialogues_no_text_is_written(make_job):
    job = make_job(tiny(257, context=160), private=True)
    _, found, rows = made(job)
    assert all(not {"messages", "reference", "answer"} & row.keys() for row in rows)
    assert {"exact", "nats", "bytes", "dialogue"} < rows[0].keys() and found["asked"]["chrf"] is not None
    written = b"".join(path.read_bytes() for path in job.folder.iterdir())
    assert b"Nobody" not in written and b"Where is it" not in written


def test_a_training_that_diverged_has_no_figures(make_job):
    module = tiny(257, context=160)
    with torch.no_grad():
        next(module.parameters()).fill_(torch.nan)
    job = make_job(module, status="diverged")
    facts, found, rows = made(job)
    assert found["nats_per_byte"] is None and "diverged" in found["reason"]
    assert (facts["nats_per_byte"], facts["exact"], facts["chrf"], rows) == (None, None, None, [])
    assert np.isnan(read_document_scores(job.folder, ("nats_answers",))["test"]["nats_answers"]).all()
    with pytest.raises(UserError, match="the weights give no probabilities"):
        made(make_job(module))


def test_a_split_without_dialogues_is_refused(make_job):
    with pytest.raises(UserError, match="the valid split has no dialogue to score"):
        made(make_job(tiny(257, context=160), valid=[]))


def test_the_same_inputs_give_the_same_bytes_whatever_the_threads(make_job):
    jobs = [make_job(tiny(257, context=12)) for _ in range(2)]
    jobs[1].threads = 3
    for job in jobs:
        made(job)
    for path in jobs[0].folder.iterdir():
        assert path.read_bytes() == (jobs[1].folder / path.name).read_bytes()
