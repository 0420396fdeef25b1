"""A corpus of tales knows the least bits of its splits, and its test asks questions."""

import json

import pytest

from gptgrid.stages.corpus.builtin.tales.generate import tales as generate
from gptgrid.stages.corpus.prepare import prepare
from gptgrid.text.documents import read_documents


@pytest.mark.parametrize("language", ["en", "zh", "both"])
def test_floor_and_questions(make_job, language):
    job = make_job(source="builtin", name="tales", documents=80, seed=2, language=language)
    facts = prepare(job)
    tales = {tale.text: tale for tale in generate(80, 2, language)}
    for split in ("valid", "test"):
        texts = list(read_documents(job.folder, split))
        bits = sum(tales[text].bits for text in texts)
        floor = facts["about"]["floor_bpb"][split]
        assert floor == pytest.approx(bits / sum(len(text.encode()) for text in texts))
        assert 0.03 < floor < 0.3
    rows = [json.loads(line) for line in (job.folder / "questions.jsonl").read_text().splitlines()]
    for row, text in zip(rows, read_documents(job.folder, "test"), strict=True):
        assert row["prompt"] + row["answer"] == text and row["answer"] not in row["wrong"]
        assert row["answer"] == tales[text].answer and row["wrong"]
