"""A corpus of tales knows the bits of its splits, and its test asks questions."""

import json

import pytest

from gptgrid.stages.corpus.builtin.tales.generate import tales as generate
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.text.documents import read_documents


@pytest.mark.parametrize("language", ["en", "zh", "both"])
def test_bits_and_questions(make_job, language):
    job = make_job(source="builtin", name="tales", documents=80, seed=2, language=language)
    facts = prepare(job)
    tales = {tale.text: tale for tale in generate(80, 2, language)}
    for split in ("valid", "test"):
        texts = list(read_documents(job.folder, split))
        bits = sum(tales[text].bits for text in texts)
        needed = facts["about"]["generator_bpb"][split]
        assert needed == pytest.approx(bits / sum(len(text.encode()) for text in texts))
        assert 0.03 < needed < 0.3
    rows = [json.loads(line) for line in (job.folder / "questions.jsonl").read_text().splitlines()]
    for row, text in zip(rows, read_documents(job.folder, "test"), strict=True):
        assert row["prompt"] + row["answer"] == text and row["answer"] not in row["wrong"]
        assert row["answer"] == tales[text].answer and row["wrong"]


@pytest.mark.parametrize(
    ("clean", "known"),
    [
        ({"max_chars": 1200}, False),
        ({"min_chars": 600}, False),
        ({"dedupe": "exact"}, False),
        ({"normalize": "NFC"}, True),
    ],
)
def test_tales_that_were_chosen_follow_another_law(make_job, clean, known):
    """Those that are left of the short ones are likelier than the generator finds them."""
    job = make_job(source="builtin", name="tales", documents=80, seed=2, language="en", clean=clean)
    about = prepare(job)["about"]
    assert ("generator_bpb" in about) == known
    assert ("no model can need fewer" in (job.folder / "card.md").read_text()) == known
    assert (job.folder / "questions.jsonl").read_text()


def test_what_no_model_can_do_is_said_of_the_average(make_job):
    job = make_job(source="builtin", name="tales", documents=80, seed=2, language="en")
    prepare(job)
    assert (
        "On average over texts of this kind no model can need fewer" in (job.folder / "card.md").read_text()
    )
