"""What was scored is counted a second time: whatever is planted between text, tokens and scores is found."""

import json
import shutil

import numpy as np
import pytest
import torch
from cells import evaluation_job, tiny, uniform, write_corpus, write_splits
from small_codecs import CODECS
from tokenizers import Tokenizer

from gptgrid.artifact.errors import UserError
from gptgrid.model import score as scoring
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.tokens.codec import BpeCodec, BytesCodec, CharCodec, IdsCodec
from gptgrid.tokens.document_table import read_document_table, table_path
from gptgrid.tokens.imported import HuggingFaceCodec

TEXTS = [
    f"The {word} fox ran, and {number} hens cried. 狐狸" for number, word in enumerate(("red", "old", "sly"))
]
LAST = "A fox is a fox."


every_codec = pytest.mark.parametrize("name", CODECS)


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives the job of a cell on some texts; the shards may be of other ones."""
    torch.set_num_threads(1)

    def make(codec, texts, encoded=None, windows="permuted", **config):
        job = evaluation_job(
            tmp_path / "cell", tiny(codec.vocab_size), texts, codec=codec, windows=windows, **config
        )
        if encoded is not None:
            shutil.rmtree(job.inputs["shards"])
            write_splits(job.inputs["shards"], codec, valid=texts, test=encoded)
        return job

    return make


@every_codec
@pytest.mark.parametrize("windows", ["permuted", "document"])
@pytest.mark.parametrize("part", [None, 60])
def test_what_is_as_it_should_be_passes(make_job, name, windows, part):
    evaluate(make_job(CODECS[name], [*TEXTS, "", LAST], windows=windows, bytes=part))


@every_codec
def test_marks_are_their_names(make_job, name, monkeypatch):
    codec, texts = CODECS[name], [f"{LAST}<|u|>{LAST} <|u|>", "<|u|>", LAST]
    if name == "huggingface":
        with_mark = Tokenizer.from_str(json.dumps(codec.data))
        with_mark.add_special_tokens(["<|u|>"])
        codec = HuggingFaceCodec(json.loads(with_mark.to_str()))
    elif name == "bytes":
        codec = BytesCodec(["<|u|>"])
    elif name == "char":
        codec = CharCodec(codec.characters, ["<|u|>"])
    else:
        codec = BpeCodec("bpe", codec.pattern, codec.ranks, ["<|u|>"])
    plain = codec.encode_stream
    monkeypatch.setattr(codec, "encode_stream", lambda texts, marks=False: plain(texts, marks=True))
    job = make_job(codec, texts)
    path = job.inputs["train"] / "config.json"
    recipe = json.loads(path.read_text())
    path.write_text(json.dumps({**recipe, "marks": "special"}))
    evaluate(job)
    path.write_text(json.dumps(recipe))
    with pytest.raises(UserError, match=r"document 0 of the validation split \(the first is 0\): its tokens"):
        evaluate(job)


@every_codec
@pytest.mark.parametrize(
    ("was", "became"),
    [("狐", "\ufffd"), ("狐", "?"), (" ", "\u00a0"), (" ", "\t"), (" ", "  "), ("cried", "Cried"), (".", "")],
    ids=repr,
)
def test_a_document_that_reads_otherwise_is_named(make_job, name, was, became):
    """Shards, and what is known of their sizes, go together: only the corpus tells that this is not its text."""
    changed = [TEXTS[0], TEXTS[1].replace(was, became, 1), TEXTS[2]]
    assert changed != TEXTS
    job = make_job(CODECS[name], TEXTS, changed)
    said = r"document 1 of the test split \(the first is 0\): its tokens stand for \d+ bytes, which differ"
    with pytest.raises(UserError, match=said) as caught:
        evaluate(job)
    assert not any(word in str(caught.value) for word in ("fox", "hens", "狐"))


def test_the_document_is_named_by_its_number_in_the_split(make_job):
    """Of a part of a split, too."""
    texts = [f"{LAST} {number}" for number in range(30)]
    changed = [text.replace("fox", "cat", 1) for text in texts]
    job = make_job(BytesCodec(), texts, changed, bytes=40)
    numbers = splits_of(job).tolist()
    assert numbers[0] > 0
    with pytest.raises(UserError, match=rf"document {numbers[0]} of the test split"):
        evaluate(job)


def splits_of(job) -> np.ndarray:
    """Return the documents of the test split that are scored."""
    return read_document_table(job.inputs["shards"], "test", {}).draw(job.config.bytes, "")


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (TEXTS[:2], "document 1 of the test split .*: the corpus has more documents after it"),
        ([*TEXTS, LAST], "document 3 of the test split .*: it is not in the corpus"),
        ([TEXTS[0], TEXTS[2], TEXTS[1]], "document 1 of the test split"),
    ],
)
def test_other_documents_are_found(make_job, encoded, said):
    with pytest.raises(UserError, match=said):
        evaluate(make_job(BytesCodec(), TEXTS, encoded))


def test_a_size_that_was_counted_wrongly_is_found(make_job):
    """The sum is right."""
    job = make_job(BytesCodec(), TEXTS)
    folder = job.inputs["shards"]
    table = read_document_table(folder, "test", {})
    table.counts["bytes"] = table.counts["bytes"] + [0, 1, -1]
    table.write(table_path(folder, "test"))
    size = len(TEXTS[1].encode())
    with pytest.raises(UserError, match=f"document 1 .*: it has {size} bytes, but {size + 1} were counted"):
        evaluate(job)


def test_a_document_that_begins_elsewhere_is_found(make_job):
    job = make_job(BytesCodec(), TEXTS)
    folder = job.inputs["shards"]
    table = read_document_table(folder, "test", {})
    table.counts["tokens"] = table.counts["tokens"] + [0, 1, -1]
    table.write(table_path(folder, "test"))
    # The end-of-text token that document 1 took from the next one stands for no bytes.
    with pytest.raises(UserError, match=r"document 2 .*: it does not begin with the end-of-text token"):
        evaluate(job)


@pytest.mark.parametrize("eot", [None, 9])
def test_bare_ids_are_those_of_the_corpus(make_job, eot):
    codec, documents = IdsCodec(10, eot), [[1, 2, 3, 4], [5, 6], [7, 8, 1]]
    if eot is None:
        evaluate(make_job(codec, documents))
        return
    job = make_job(codec, documents, [[1, 2, 3, 4], [5, 7], [7, 8, 1]])
    with pytest.raises(
        UserError, match=r"document 1 of the test split .*: its 2 ids are not those of the corpus"
    ):
        evaluate(job)


# ----------------------------------------------------------------------------------------- scores


def twice_at_the_end(windows):
    """Score the last windows again."""

    def faulty(*args, **options):
        batches = list(windows(*args, **options))
        yield from [*batches, batches[-1]]

    return faulty


def never_at_the_end(windows):
    """Leave the last windows out."""
    return lambda *args, **options: iter(list(windows(*args, **options))[:-1])


def with_stride(more):
    """Let windows start further apart, or less far, than was asked for."""

    def fault(windows):
        def faulty(targets, context, stride, rows, starts):
            return windows(targets, context, min(context, stride + more), rows, starts)

        return faulty

    return fault


def shifted(windows):
    """Begin every window but the first one token too late."""

    def faulty(targets, context, stride, rows, starts):
        for batch in windows(targets, context, stride, rows, starts):
            begins = np.where(batch.starts > 0, np.minimum(batch.starts + 1, targets - 1), 0)
            yield batch._replace(starts=begins, lengths=np.minimum(batch.lengths, targets - begins))

    return faulty


@pytest.mark.parametrize("windows", ["permuted", "document"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (twice_at_the_end, "was scored 2 times, not once"),
        (never_at_the_end, "was scored 0 times, not once"),
        (with_stride(1), r"was predicted from \d+ tokens, not from \d+"),
        (with_stride(-1), r"was predicted from \d+ tokens, not from \d+"),
        (shifted, r"was scored \d times, not once"),
    ],
)
def test_tokens_that_are_not_scored_once_as_defined_are_found(make_job, monkeypatch, windows, fault, said):
    job = make_job(BytesCodec(), TEXTS, windows=windows)
    monkeypatch.setattr(scoring, "windows", fault(scoring.windows))
    with pytest.raises(UserError, match=rf"document \d of the validation split .*: token \d+ of it {said}"):
        evaluate(job)


def test_a_loss_of_the_wrong_tokens_is_found(make_job, monkeypatch):
    """Each token is asked for itself, which a model that copies finds easy."""

    def faulty(module, ids, skipped):
        logits, _ = predict(module, ids, skipped)
        return logits, torch.from_numpy(ids[:, skipped:-1])

    predict = scoring.predict
    job = make_job(BytesCodec(), TEXTS)
    monkeypatch.setattr(scoring, "predict", faulty)
    with pytest.raises(
        UserError, match=r"document 0 of the validation split .*: token 1 of it was scored as another"
    ):
        evaluate(job)


@pytest.mark.parametrize("windows", ["permuted", "document"])
@pytest.mark.parametrize("stride", [1, 3, 7, 8, None])
def test_no_stride_is_a_fault(make_job, windows, stride):
    evaluate(make_job(BytesCodec(), [*TEXTS, "", LAST, "ab"], windows=windows, stride=stride))


# ------------------------------------------------------------------------------------------ train


def test_documents_of_the_training_split_are_told_with_their_share(tmp_path, capsys):
    texts = [f"{number} {LAST}" for number in range(200)]
    others = [f"{number} hens" for number in range(1000)]
    job = evaluation_job(tmp_path / "cell", uniform(257), texts)
    for name, copied in (("clean", []), ("copied", texts[5:7])):
        job.inputs["corpus"] = write_corpus(
            tmp_path / name, train=[*others, *copied], valid=texts, test=texts
        )
        capsys.readouterr()
        evaluate(job)
        told = capsys.readouterr().out
        found = json.loads((job.folder / "evaluation.json").read_text())["in_train"]
        assert found["documents"] == len(copied) and found["share"] == len(copied) / 200
        if copied:
            assert "warning: 2 documents of the test split (1.00% of them, 0.92% of its size)" in told
        else:
            assert "warning" not in told


def test_the_audit_is_what_finds_all_this(make_job, monkeypatch):
    """Without it, figures come out, and look like any others."""
    monkeypatch.setattr("gptgrid.stages.evaluate.splits.check_scores", lambda *given: None)
    monkeypatch.setattr("gptgrid.stages.evaluate.evaluation.check_text", lambda *given: None)
    job = make_job(BytesCodec(), TEXTS, [TEXTS[0], TEXTS[1].replace("狐", "\ufffd"), TEXTS[2]])
    monkeypatch.setattr(scoring, "windows", with_stride(1)(scoring.windows))
    assert evaluate(job)["bpb"] > 0
