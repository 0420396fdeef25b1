"""evaluation.json says what a slow calculation by hand says, and nothing is scored that should not be."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cells import evaluation_job, tiny, token_by_token, uniform

from gptgrid.artifact.errors import UserError
from gptgrid.artifact.job import Job
from gptgrid.metrics import DENOMINATORS
from gptgrid.model import precision as precisions
from gptgrid.stages.evaluate.evaluation import evaluate
from gptgrid.tokens.codec import BytesCodec, CharCodec, IdsCodec
from gptgrid.tokens.document_scores import COUNTS, nats_column, read_document_scores, scores_path
from gptgrid.tokens.document_table import open_scored_text

EOT = 256


def ids_of(documents: list[str]) -> list[int]:
    return [token for document in documents for token in (EOT, *document.encode())]


DOCUMENTS = ["The cat sat.\nIt ate a mouse.", "Ein Käfer läuft.", "Äpfel"]
VALIDATION = ["A fox ran.", "", "What did the fox say? Nothing at all, as it was a fox.", "狐狸"]
IDS = ids_of(DOCUMENTS)
SIZES = {
    "bytes": sum(len(document.encode()) for document in DOCUMENTS),
    "words": 3 + 4 + 3 + 1,
    "newlines": 1,
}


@pytest.fixture
def make_job(tmp_path):
    """Return a function that gives a job over a cell, a validation and a test split."""
    torch.set_num_threads(1)

    def make(module, documents=DOCUMENTS, codec=None, validation=VALIDATION, limit=None, **options) -> Job:
        root = tmp_path / str(len([*tmp_path.iterdir()]))
        validation = documents if isinstance(codec, IdsCodec) else validation
        return evaluation_job(root, module, documents, validation, codec, bytes=limit, **options)

    return make


def evaluation(job: Job) -> dict:
    return json.loads((job.folder / "evaluation.json").read_text())


def test_a_uniform_model_by_hand(make_job):
    job = make_job(uniform(257))
    evaluate(job)
    document, scored = evaluation(job), len(IDS) - 1
    nats = scored * math.log(257)
    expected = {
        "nats": nats,
        "test_loss": math.log(257),
        "perplexity": 257,
        "bpb": nats / (math.log(2) * len("".join(DOCUMENTS).encode())),
        "word_perplexity": math.exp(nats / 11),
        "word_perplexity_newlines": math.exp(nats / 12),
    }
    for convention in (document, document["sliding"], document["disjoint"]):
        assert {key: convention[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    assert document["scored_tokens"] == scored
    assert {key: document[key] for key in SIZES} == SIZES
    valid, size = document["valid"], len("".join(VALIDATION).encode())
    assert valid["scored_tokens"] == len(ids_of(VALIDATION)) - 1
    assert (valid["bytes"], valid["documents"], valid["documents_of_split"]) == (size, 4, 4)
    for convention in (valid, valid["sliding"], valid["disjoint"]):
        assert convention["val_loss"] == pytest.approx(math.log(257), rel=1e-6)
        assert convention["bpb"] == pytest.approx(valid["scored_tokens"] * math.log2(257) / size, rel=1e-6)
        assert "test_loss" not in convention
    assert valid["word_perplexity"] is None  # no blanks separate all of its words
    assert valid["word_perplexity_reason"].endswith("are of scripts that put no blanks between words")
    assert document["word_perplexity_reason"] is None
    # The same text as in training: its frequencies tell more than nothing.
    assert 2 < document["guessing"] < valid["guessing"] < math.log(257)


def test_guessing_is_of_what_was_scored(make_job):
    """A part may be easier to guess than the whole: a loss compares with guessing on its own text."""
    documents = ["a" * 50 + chr(97 + number) * 50 for number in range(20)]
    drawn = make_job(uniform(257), documents, validation=documents, limit=1)
    evaluate(drawn)
    found = evaluation(drawn)
    assert found["documents"] == 1
    [number] = open_scored_text(drawn.inputs["shards"], "test", {}, 1, "").numbers
    counts = np.bincount([*ids_of(documents)], minlength=257)
    shares = (counts + np.count_nonzero(counts) / 257) / (counts.sum() + np.count_nonzero(counts))
    by_hand = -np.log(shares[ids_of([documents[number]])]).mean()
    assert found["guessing"] == pytest.approx(by_hand)


def obvious(module, ids: list[int], context: int, stride: int) -> float:
    """Return the nats of all tokens but the first."""
    return sum(nats for nats, _, _ in token_by_token(module, ids, context, stride))


@pytest.mark.parametrize("windows", ["permuted", "sliding", "random"])
def test_conventions_against_the_obvious_loop(make_job, windows):
    module = tiny(257)
    job = make_job(module, windows=windows)
    evaluate(job)
    for document, ids in ((evaluation(job), IDS), (evaluation(job)["valid"], ids_of(VALIDATION))):
        for name, stride in (("sliding", 4), ("disjoint", 8)):
            assert document[name]["nats"] == pytest.approx(obvious(module, ids, 8, stride), rel=1e-6)
            assert (document[name]["context"], document[name]["stride"]) == (8, stride)
            right = [right for _, right, _ in token_by_token(module, ids, 8, stride)]
            assert document[name]["accuracy"] == sum(right) / len(right)


def test_a_cell_trained_by_documents_is_scored_by_documents(make_job):
    module = tiny(257)
    job = make_job(module, windows="document")
    evaluate(job)
    for scored, documents in ((evaluation(job), DOCUMENTS), (evaluation(job)["valid"], VALIDATION)):
        assert scored["convention"] == "document" and "sliding" not in scored
        # Each is scored up to the end-of-text token of the next one, which the last does not have.
        texts = [[*ids_of([text]), EOT] for text in documents]
        texts[-1].pop()
        for name, stride in (("document", 4), ("document_disjoint", 8)):
            nats = sum(obvious(module, ids, 8, stride) for ids in texts)
            assert scored[name]["nats"] == pytest.approx(nats, rel=1e-6)
            assert "Each document has its own windows" in scored[name]["definition"]
        assert scored["nats"] == scored["document"]["nats"]
        assert scored["scored_tokens"] == len(ids_of(documents)) - 1


@pytest.mark.parametrize("windows", ["permuted", "document"])
def test_documents_have_the_nats_of_the_obvious_loop_and_add_up_to_the_headline(make_job, windows):
    """To the bit: a figure of the whole is the exact sum of its documents."""
    module = tiny(257)
    job = make_job(module, windows=windows)
    evaluate(job)
    names = ("document", "document_disjoint") if windows == "document" else ("sliding", "disjoint")
    for split, documents, said in (
        ("valid", VALIDATION, evaluation(job)["valid"]),
        ("test", DOCUMENTS, evaluation(job)),
    ):
        columns = read_document_scores(job.folder, [*COUNTS, *map(nats_column, names)])[split]
        assert columns["document"].tolist() == list(range(len(documents)))
        # The end-of-text token of the next document is the last target of a document.
        tokens = [len(ids_of([text])) for text in documents]
        tokens[-1] -= 1
        assert columns["tokens"].tolist() == tokens and sum(tokens) == said["scored_tokens"]
        assert columns["bytes"].tolist() == [len(text.encode()) for text in documents]
        assert columns["characters"].tolist() == [len(text) for text in documents]
        assert columns["words"].tolist() == [len(text.split()) for text in documents]
        assert columns["newlines"].tolist() == [text.count("\n") for text in documents]
        for name, stride in zip(names, (4, 8), strict=True):
            assert math.fsum(columns[nats_column(name)]) == said[name]["nats"]
            if windows == "document":
                texts = [[*ids_of([text]), EOT] for text in documents]
                texts[-1].pop()
                expected = [obvious(module, ids, 8, stride) for ids in texts]
            else:
                nats = [nats for nats, _, _ in token_by_token(module, ids_of(documents), 8, stride)]
                ends = np.cumsum(tokens)
                expected = [sum(nats[end - n : end]) for end, n in zip(ends, tokens, strict=True)]
            assert columns[nats_column(name)] == pytest.approx(expected, rel=1e-5)


def test_documents_of_a_part_have_their_numbers_in_the_split(make_job):
    job = make_job(tiny(257), MANY, limit=50)
    evaluate(job)
    columns = read_document_scores(job.folder, ["document", "bytes"])["test"]
    assert 1 < len(columns["document"]) < 20 and columns["document"][0] > 0
    sizes = [len(MANY[number].encode()) for number in columns["document"]]
    assert columns["bytes"].tolist() == sizes and sum(sizes) == evaluation(job)["bytes"]


def test_bits_per_character_and_accuracy_by_hand(make_job):
    job = make_job(uniform(257, likely=ord("e")))
    facts = evaluate(job)
    letters = "".join(DOCUMENTS)
    assert facts["bpc"] == pytest.approx(facts["nats"] / math.log(2) / len(letters))
    assert facts["bpb"] < facts["bpc"]  # some letters have two bytes
    assert facts["accuracy"] == letters.count("e") / (len(IDS) - 1)


MANY = [f"{word} {'very ' * (number % 5)}old" for number, word in enumerate("abcdefghijklmnopqrst")]


@pytest.mark.parametrize("windows", ["permuted", "document"])
def test_a_limit_in_bytes_scores_whole_documents_that_are_the_same_for_every_tokenizer(make_job, windows):
    codecs = {"bytes": BytesCodec(), "char": CharCodec("".join(sorted({*"".join(MANY)} - {"a"})))}
    found = {}
    for name, codec in codecs.items():
        module = uniform(codec.vocab_size)
        options = {"limit": 150, "windows": windows, "validation": [*MANY, "", *MANY]}
        job = make_job(module, MANY, codec, **options)
        evaluate(job)
        found[name] = evaluation(job)
        sizes = [len(text.encode()) for text in MANY]
        assert 150 <= found[name]["bytes"] < 150 + max(sizes)
        assert (found[name]["documents_of_split"], found[name]["bytes_of_split"]) == (20, sum(sizes))
        nats = found[name]["scored_tokens"] * math.log(codec.vocab_size)
        assert found[name]["nats"] == pytest.approx(nats, rel=1e-6)
        assert found[name]["bpb"] == pytest.approx(nats / math.log(2) / found[name]["bytes"], rel=1e-6)
        assert found[name]["valid"]["documents_of_split"] == 41
    one, other = found.values()
    for key in ("documents", "bytes", "words", "newlines", "text_digest"):
        assert one[key] == other[key] and one["valid"][key] == other["valid"][key]
    assert one["text_digest"] != one["valid"]["text_digest"]
    assert one["perplexity"] != other["perplexity"]


def test_a_limit_beyond_the_split_is_the_split(make_job):
    whole, limited = make_job(tiny(257)), make_job(tiny(257), limit=10**9)
    evaluate(whole)
    evaluate(limited)
    assert evaluation(whole) == evaluation(limited)


def test_a_limit_needs_bytes(make_job):
    job = make_job(uniform(10), [[1, 2, 3]] * 9, IdsCodec(10), limit=5)
    with pytest.raises(UserError, match=r"evaluation.bytes is 5, but this corpus brings bare ids.* leave"):
        evaluate(job)


def test_the_headline_is_sliding_and_says_so(make_job):
    job = make_job(tiny(257))
    facts = evaluate(job)
    document = evaluation(job)
    assert document["convention"] == facts["convention"] == "sliding"
    for key in DENOMINATORS:
        assert document[key] == facts[key] == document["sliding"][key]
    assert all(document[key] != document["disjoint"][key] for key in {*DENOMINATORS} - {"accuracy"})
    assert document["denominators"] == DENOMINATORS
    assert "8 tokens start every 4 tokens" in document["sliding"]["definition"]
    assert "at least 5 tokens" in document["sliding"]["definition"]
    assert "across documents" in document["sliding"]["definition"]
    assert facts["val_loss"] == document["valid"]["val_loss"] != document["valid"]["disjoint"]["val_loss"]
    assert facts["val_bpb"] == document["valid"]["bpb"]
    assert "disjoint" not in facts
    json.dumps(facts, allow_nan=False)


def test_best_or_last_weights_are_scored(make_job):
    # The last weights find certain what never comes: every token costs them 50 nats.
    for use, loss in (("best", math.log(257)), ("last", 50)):
        job = make_job(uniform(257), last=uniform(257, likely=0), use=use)
        assert evaluate(job)["test_loss"] == pytest.approx(loss, rel=1e-6)
        assert evaluation(job)["weights"] == use


def test_a_model_that_does_not_fit_is_refused(make_job, monkeypatch):
    monkeypatch.setattr("gptgrid.model.memory.memory_left", lambda device: 50_000)
    said = r"weights as they are read .* weights of the model .* activations of \d+ tokens .* lower the model's d_ff"
    with pytest.raises(UserError, match=said):
        evaluate(make_job(uniform(257)))


def test_the_stride_of_the_configuration_counts(make_job):
    job = make_job(tiny(257), stride=8)
    evaluate(job)
    document = evaluation(job)
    assert document["sliding"]["stride"] == 8
    assert document["sliding"]["nats"] == document["disjoint"]["nats"]


def test_same_bytes_again(make_job):
    jobs = [make_job(tiny(257)), make_job(tiny(257))]
    for job in jobs:
        evaluate(job)
    for name in ("evaluation.json", scores_path(Path()).name):
        first, again = ((job.folder / name).read_bytes() for job in jobs)
        assert first == again
    assert jobs[0].provenance["device"] == "cpu" and jobs[0].provenance["tokens_per_second"] > 0


def test_bare_ids_have_figures_per_token_only(make_job):
    job = make_job(uniform(10), [[n % 10 for n in range(25)], [3, 4]], IdsCodec(10))
    facts = evaluate(job)
    assert facts["perplexity"] == pytest.approx(10, rel=1e-6)
    assert facts["bpb"] is facts["word_perplexity"] is facts["word_perplexity_newlines"] is None
    assert facts["val_bpb"] is None and facts["val_loss"] == pytest.approx(math.log(10), rel=1e-6)
    assert evaluation(job)["documents"] == 2 and evaluation(job)["scored_tokens"] == 26
    columns = read_document_scores(job.folder, ["tokens", "bytes", "nats_sliding"])["test"]
    assert columns["tokens"].tolist() == [25, 1] and np.isnan(columns["bytes"]).all()
    assert columns["nats_sliding"] == pytest.approx([25 * math.log(10), math.log(10)], rel=1e-6)
    assert facts["bpc"] is None and "script" not in evaluation(job)["breakdowns"]


def test_a_text_shorter_than_the_context(make_job):
    job = make_job(uniform(257), ["AB"])
    assert evaluate(job)["bpb"] == pytest.approx(math.log2(257), rel=1e-6)


def test_a_count_that_differs_is_refused(make_job):
    for name, count in (("tokens", len(IDS)), ("bytes", SIZES["bytes"])):
        job = make_job(uniform(257), validation=DOCUMENTS, facts={name: count + 1})
        with pytest.raises(UserError, match=f"{count} {name} together, but the split has {count + 1}"):
            evaluate(job)


def test_shards_and_their_table_belong_together(make_job):
    job = make_job(uniform(257))
    path = job.inputs["shards"] / "valid-documents.parquet"
    shutil.copyfile(job.inputs["shards"] / "valid-00000.bin", job.inputs["shards"] / "test-00000.bin")
    with pytest.raises(UserError, match=r"test shards hold \d+ tokens, but their manifest says"):
        evaluate(job)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"valid-documents.parquet is damaged"):
        evaluate(job)
    path.unlink()
    with pytest.raises(
        UserError, match=r"valid-documents.parquet is missing: an older source .* run snakemake"
    ):
        evaluate(job)


def test_ids_beyond_the_vocabulary_are_refused(make_job):
    job = make_job(uniform(100))
    with pytest.raises(UserError, match="hold the id 256, but the model's vocabulary ends at 99"):
        evaluate(job)


def test_nothing_to_score_is_refused(make_job):
    job = make_job(uniform(257), [""])
    with pytest.raises(UserError, match="the test split has 1 tokens"):
        evaluate(job)


def broken() -> torch.nn.Module:
    module = uniform(257)
    with torch.no_grad():
        module.head.bias.fill_(math.nan)
    return module


@pytest.mark.parametrize("status", ["finished", "stopped early"])
def test_weights_that_are_not_numbers_are_refused(make_job, status):
    with pytest.raises(UserError, match="the valid loss is nan"):
        evaluate(make_job(broken(), status=status))


def test_such_weights_of_a_diverged_training_have_no_figures(make_job):
    job = make_job(broken(), status="diverged")
    facts = evaluate(job)
    document = evaluation(job)
    for convention in (facts, document["sliding"], document["disjoint"]):
        assert {convention[key] for key in ("nats", *DENOMINATORS)} == {None}
    assert document["scored_tokens"] == len(IDS) - 1
    columns = read_document_scores(job.folder, ["tokens", "nats_sliding"])["test"]
    assert columns["tokens"].sum() == len(IDS) - 1 and np.isnan(columns["nats_sliding"]).all()
    assert document["breakdowns"]["position"]["sliding"] is None


def test_other_weights_of_a_diverged_training_are_scored(make_job):
    assert evaluate(make_job(uniform(257), status="diverged"))["perplexity"] == pytest.approx(257, rel=1e-6)


@pytest.mark.parametrize("switches", [{}, {"preset": "llama", "tie_embeddings": True}, {"preset": "encoder"}])
def test_auto_rounds_and_fp32_does_not(make_job, monkeypatch, switches):
    """On a machine without bf16 instructions, too: there the choice alone is another."""
    chosen = {"auto": "bf16_weights", "fp32": "fp32"}
    monkeypatch.setattr(precisions, "choose_precision", lambda precision, device: chosen[precision])
    module = tiny(257, d_model=32, init_std=0.05, **switches)
    figures = {}
    for precision in ("fp32", "auto"):
        job = make_job(module, precision=precision)
        evaluate(job)
        figures[precision] = evaluation(job)["nats"]
    exact = obvious(module.double(), IDS, 8, 4)
    assert figures["fp32"] == pytest.approx(exact, rel=1e-7)
    assert 1e-7 < abs(figures["auto"] / exact - 1) < 1e-3
