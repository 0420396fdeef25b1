"""The corpus program writes the same parquet for the same text, and its facts are those of the text."""

import hashlib
import os
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gptgrid.corpus.prepare import prepare
from gptgrid.stage import UserError

MIRROR = os.environ.get("GPTGRID_MIRROR")
SPLITS = ("train", "valid", "test")


def rows(job, split, column="text"):
    return pq.read_table(job.folder / f"{split}-00000.parquet")[column].to_pylist()


def digests(job):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(job.folder.iterdir())]


def test_facts_count_what_was_written(make_job):
    job = make_job(source="builtin", name="tales", documents=60, seed=0, language="en")
    facts = prepare(job)
    assert sorted(path.name for path in job.folder.iterdir()) == sorted(
        f"{split}-00000.parquet" for split in SPLITS
    )
    assert set(facts) == {"splits", "source", "dropped", "license"} and facts["license"] == "MIT"
    for split in SPLITS:
        texts = rows(job, split)
        assert facts["splits"][split] == {
            "documents": len(texts),
            "characters": len("".join(texts)),
            "bytes": len("".join(texts).encode()),
            "words": len(" ".join(texts).split()),
            "newlines": "".join(texts).count("\n"),
        }


def test_same_input_same_bytes_and_facts(make_job):
    job = make_job(source="builtin", name="toy", documents=None, seed=0)
    first = prepare(job), digests(job)
    assert (prepare(job), digests(job)) == first


def test_random_corpus_has_ids_and_no_text(make_job):
    job = make_job(
        source="random", vocab_size=9, tokens=500, document_tokens=10, seed=0, split={"valid": 0.2}
    )
    facts = prepare(job)
    assert facts["vocab_size"] == 9
    assert sum(len(ids) for split in SPLITS for ids in rows(job, split, "ids")) == 500
    assert facts["splits"]["test"] == {
        "documents": len(rows(job, "test", "ids")),
        "characters": None,
        "bytes": None,
        "words": None,
        "newlines": None,
    }


def test_own_file_cleaned_and_split(make_job, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("".join(f"line {i % 50}\n\n" for i in range(100)))
    job = make_job(
        source="files", document="line", files={"all": [str(path)]}, clean={"dedupe": "exact"}, license="CC0"
    )
    facts = prepare(job)
    assert sorted(chain(*(rows(job, split) for split in SPLITS))) == sorted(f"line {i}" for i in range(50))
    # The last of the blank lines ends the file.
    assert facts["dropped"] == {"empty": 100, "min_chars": 0, "duplicate": 50}
    assert facts["license"] == "CC0"


@pytest.mark.parametrize(
    ("files", "keys", "said"),
    [
        (
            {"all": "short"},
            {"clean": {"min_chars": 99}},
            "the corpus has no documents left (dropped: 1 min_chars)",
        ),
        (
            {"train": "long text", "test": "ab"},
            {"clean": {"min_chars": 5}},
            "the test files have no documents left",
        ),
        ({"all": "one document"}, {}, "by: position"),
    ],
)
def test_a_split_without_documents_is_an_error(make_job, tmp_path, files, keys, said):
    for part, text in files.items():
        (tmp_path / part).write_text(text)
    job = make_job(source="files", files={part: [str(tmp_path / part)] for part in files}, **keys)
    with pytest.raises(UserError) as error:
        prepare(job)
    assert said in str(error.value)
    assert not list(job.folder.iterdir())


@pytest.mark.skipif(not MIRROR, reason="GPTGRID_MIRROR is not set")
class TestRealTexts:
    def job(self, make_job, tmp_path, monkeypatch, url, sha256, **keys):
        monkeypatch.setenv("GPTGRID_MIRROR", str(Path(MIRROR).resolve()))
        monkeypatch.chdir(tmp_path)
        return make_job(source="url", files={"all": [{"url": url, "sha256": sha256}]}, **keys)

    def test_shakespeare_is_cut_like_nanogpt(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
        sha256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
        split = {"by": "position", "valid": 0.05, "test": 0.05}
        facts = prepare(self.job(make_job, tmp_path, monkeypatch, url, sha256, split=split))
        sizes = [facts["splits"][name]["characters"] for name in SPLITS]
        assert sizes == [1_003_854, 55_770, 55_770] and facts["splits"]["train"]["documents"] == 1

    def test_verdict_by_paragraph(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/ch02/01_main-chapter-code/the-verdict.txt"
        sha256 = "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f"
        facts = prepare(self.job(make_job, tmp_path, monkeypatch, url, sha256, document="blank-line"))
        assert all(facts["splits"][name]["documents"] for name in SPLITS)
        # 164 line feeds separate or end 83 paragraphs of one line.
        assert sum(facts["splits"][name]["documents"] for name in SPLITS) == 83

    def test_red_chamber_by_line(self, make_job, tmp_path, monkeypatch):
        url = "https://raw.githubusercontent.com/tennessine/corpus/c5ce96aca36c6a3cb4da5f0ff7d2d5fa30c32aea/红楼梦.txt"
        sha256 = "5eca888fb54188d644df70fa555dd3c9cbdd3a8d7b3034fb59f7a81e16f05dc7"
        job = self.job(make_job, tmp_path, monkeypatch, url, sha256, document="line")
        facts = prepare(job)
        texts = list(chain(*(rows(job, name) for name in SPLITS)))
        assert not any("\r" in text or "\n" in text for text in texts)
        assert len(texts) + facts["dropped"]["empty"] == 5_591
